"""An ordinary mistralai program: nothing in it knows that it is being watched."""

from mistralai.client import Mistral

from common import WEATHER, Program, headers


def call(options):
    call = {"model": options.model, "messages": [{"role": "user", "content": options.prompt}]}
    if options.tools:
        call["tools"] = [{"type": "function", "function": WEATHER}]
    if options.max_tokens:
        call["max_tokens"] = options.max_tokens
    if options.header:
        call["http_headers"] = headers(options)
    return call


def chat(client, options, answer):
    if not options.stream:
        response = client.chat.complete(**call(options))
        answer["text"] = response.choices[0].message.content
        answer["finish"] = response.choices[0].finish_reason
        return response.usage.model_dump(exclude_unset=True)
    usage = None
    answer["text"] = ""
    with client.chat.stream(**call(options)) as events:
        for event in events:
            for choice in event.data.choices:
                answer["text"] += choice.delta.content or ""
                answer["finish"] = choice.finish_reason
            usage = event.data.usage or usage
    return usage.model_dump(exclude_unset=True) if usage else None


Program(
    connect=lambda options: Mistral(api_key=options.key),
    commands={"chat": chat},
    defaults={"model": "mistral-small-latest"},
).main()
