"""An ordinary cohere-python program: nothing in it knows that it is being watched."""

import contextlib

import cohere

from common import WEATHER, Program, headers


def call(options):
    call = {"model": options.model, "messages": [{"role": "user", "content": options.prompt}]}
    if options.tools:
        call["tools"] = [{"type": "function", "function": WEATHER}]
    if options.max_tokens:
        call["max_tokens"] = options.max_tokens
    if options.header:
        call["request_options"] = {"additional_headers": headers(options)}
    return call


def chat(client, options, answer):
    if not options.stream:
        response = client.chat(**call(options))
        answer["text"] = "".join(part.text for part in response.message.content or [])
        answer["calls"] = [
            [tool.function.name, tool.function.arguments] for tool in response.message.tool_calls or []
        ]
        answer["finish"] = response.finish_reason
        return response.usage.model_dump()
    usage = None
    answer["text"], answer["events"] = "", []
    for event in client.chat_stream(**call(options)):
        answer["events"].append(event.type)
        if event.type == "content-delta":
            answer["text"] += event.delta.message.content.text
        elif event.type == "message-end":
            usage = event.delta.usage.model_dump()
    return usage


def embed(client, options, answer):
    response = client.embed(
        model="embed-v4.0",
        texts=[options.prompt, "and a second text"],
        input_type="search_document",
        embedding_types=["float"],
    )
    answer["vectors"] = response.embeddings.float_
    return response.meta.billed_units.model_dump()


def rerank(client, options, answer):
    documents = [options.prompt, "and a second document"]
    response = client.rerank(model="rerank-v3.5", query="Which one?", documents=documents)
    answer["results"] = [[result.index, result.relevance_score] for result in response.results]
    return response.meta.billed_units.model_dump()


Program(
    connect=lambda options: contextlib.nullcontext(cohere.ClientV2(api_key=options.key)),
    commands={"chat": chat, "embed": embed, "rerank": rerank},
    defaults={"model": "command-a-03-2025"},
).main()
