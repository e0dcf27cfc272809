"""An ordinary ollama-python program: nothing in it knows that it is being watched."""

import contextlib

import ollama

from common import WEATHER, Program, headers


def connect(options):
    more = {"authorization": f"Bearer {options.key}", **headers(options)}
    return contextlib.closing(ollama.Client(host=options.base_url, headers=more))


def limits(options):
    return {"num_predict": options.max_tokens} if options.max_tokens else None


def usage(response):
    return {"prompt_eval_count": response.prompt_eval_count, "eval_count": getattr(response, "eval_count", None)}


def chat(client, options, answer):
    call = {
        "model": options.model,
        "messages": [{"role": "user", "content": options.prompt}],
        "options": limits(options),
        "stream": options.stream,
    }
    if options.tools:
        call["tools"] = [{"type": "function", "function": WEATHER}]
    response = client.chat(**call)
    answer["text"], answer["calls"] = "", []
    for part in response if options.stream else [response]:
        answer["text"] += part.message.content or ""
        answer["calls"] += [[call.function.name, call.function.arguments] for call in part.message.tool_calls or []]
        last = part
    answer["finish"] = last.done_reason
    return usage(last)


def generate(client, options, answer):
    response = client.generate(
        model=options.model, prompt=options.prompt, system="Be brief.", options=limits(options), stream=options.stream
    )
    answer["text"] = ""
    for part in response if options.stream else [response]:
        answer["text"] += part.response
        last = part
    return usage(last)


def embed(client, options, answer):
    response = client.embed(model=options.model, input=[options.prompt, "and a second text"])
    answer["vectors"] = response.embeddings
    return usage(response)


Program(
    connect=connect,
    commands={"chat": chat, "generate": generate, "embed": embed},
    defaults={"model": "llama3.2", "base_url": "https://ollama.own.test"},
).main()
