"""An ordinary openai-python program: nothing in it knows that it is being watched."""

import time

import openai

from common import WEATHER, Program, headers

TOOLS = [{"type": "function", "function": WEATHER}]


def chat_request(options):
    messages = [{"role": "user", "content": options.prompt}]
    if options.system:
        messages.insert(0, {"role": "system", "content": options.system})
    body = {"model": options.model, "messages": messages}
    if options.choices:
        body["n"] = options.choices
    if options.max_tokens:
        body["max_completion_tokens"] = options.max_tokens
    if options.tools:
        body["tools"] = TOOLS
    if options.stream:
        body["stream"] = True
    if options.include_usage:
        body["stream_options"] = {"include_usage": True}
    if options.header:
        body["extra_headers"] = headers(options)
    return body


class Reading:
    """What a stream of a chat adds up to, in the answer, and when its parts came."""

    def __init__(self, answer):
        self.answer, self.usage, self.calls = answer, None, {}
        self.started = time.monotonic()
        answer.update(text=[], finish=[], calls=[])

    def chunk(self, chunk):
        self.usage = chunk.usage or self.usage
        for choice in chunk.choices:
            texts, finish = self.answer["text"], self.answer["finish"]
            while len(texts) <= choice.index:
                texts.append("")
                finish.append(None)
            texts[choice.index] += choice.delta.content or ""
            finish[choice.index] = choice.finish_reason or finish[choice.index]
            for call in choice.delta.tool_calls or []:
                name, arguments = self.calls.get(call.index, ("", ""))
                self.calls[call.index] = (call.function.name or name, arguments + (call.function.arguments or ""))
        self.answer["calls"] = [list(self.calls[index]) for index in sorted(self.calls)]


def read_chat(completion, answer):
    calls = completion.choices[0].message.tool_calls or []
    answer["text"] = [choice.message.content for choice in completion.choices]
    answer["finish"] = [choice.finish_reason for choice in completion.choices]
    answer["calls"] = [[call.function.name, call.function.arguments] for call in calls]
    return spent(completion)


def spent(answer):
    return answer.usage.model_dump() if answer.usage else None


def chat(client, options, answer):
    completion = client.chat.completions.create(**chat_request(options))
    if not options.stream:
        return read_chat(completion, answer)
    reading = Reading(answer)
    for chunk in completion:
        reading.chunk(chunk)
    return spent(reading)


async def chat_asynchronously(client, options, answer):
    completion = await client.chat.completions.create(**chat_request(options))
    if not options.stream:
        return read_chat(completion, answer)
    reading = Reading(answer)
    async for chunk in completion:
        reading.chunk(chunk)
    return spent(reading)


def models(client, options, answer):
    answer["models"] = [model.id for model in client.models.list()]


Program(
    connect=lambda options: openai.OpenAI(api_key=options.key, base_url=options.base_url),
    connect_asynchronously=lambda options: openai.AsyncOpenAI(api_key=options.key, base_url=options.base_url),
    commands={"chat": chat, "models": models},
    asynchronous={"chat": chat_asynchronously},
    defaults={"model": "gpt-4o-mini", "key": "sk-lab-secret-7f3a"},
).main()
