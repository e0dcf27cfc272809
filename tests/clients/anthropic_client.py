"""An ordinary anthropic-python program: nothing in it knows that it is being watched."""

import json

import anthropic

from common import WEATHER, Program, headers

TOOLS = [
    {"name": WEATHER["name"], "description": WEATHER["description"], "input_schema": WEATHER["parameters"]},
]
TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": WEATHER["name"], "input": {"city": "Oslo"}}
TOOL_RESULT = {"type": "tool_result", "tool_use_id": "toolu_1"}


def request(options):
    body = {
        "model": options.model,
        "max_tokens": options.max_tokens,
        "messages": [{"role": "user", "content": options.prompt}],
    }
    if options.system:
        body["system"] = options.system
    if options.tool_result:
        body["messages"][:0] = [
            {"role": "user", "content": "How is the weather?"},
            {"role": "assistant", "content": [TOOL_USE]},
            {"role": "user", "content": [{**TOOL_RESULT, "content": options.tool_result}]},
            {"role": "assistant", "content": "It is fine."},
        ]
    if options.document:
        source = {"type": "text", "media_type": "text/plain", "data": options.document}
        question = {"type": "text", "text": options.prompt}
        body["messages"][-1]["content"] = [{"type": "document", "source": source}, question]
    if options.tools:
        body["tools"] = TOOLS
    if options.header:
        body["extra_headers"] = headers(options)
    return body


def read(message, answer):
    answer["text"] = ["".join(block.text for block in message.content if block.type == "text")]
    answer["finish"] = [message.stop_reason]
    answer["calls"] = [[block.name, json.dumps(block.input)] for block in message.content if block.type == "tool_use"]
    return message.usage.model_dump()


def messages(client, options, answer):
    if not options.stream:
        return read(client.messages.create(**request(options)), answer)
    answer["text"] = [""]
    with client.messages.stream(**request(options)) as stream:
        for text in stream.text_stream:
            answer["text"][0] += text
        return read(stream.get_final_message(), answer)


def count_tokens(client, options, answer):
    body = request(options)
    del body["max_tokens"]
    answer["input_tokens"] = client.messages.count_tokens(**body).input_tokens


async def messages_asynchronously(client, options, answer):
    if not options.stream:
        return read(await client.messages.create(**request(options)), answer)
    answer["text"] = [""]
    async with client.messages.stream(**request(options)) as stream:
        async for text in stream.text_stream:
            answer["text"][0] += text
        return read(await stream.get_final_message(), answer)


Program(
    connect=lambda options: anthropic.Anthropic(api_key=options.key, base_url=options.base_url),
    connect_asynchronously=lambda options: anthropic.AsyncAnthropic(api_key=options.key, base_url=options.base_url),
    commands={"count_tokens": count_tokens, "messages": messages},
    asynchronous={"messages": messages_asynchronously},
    defaults={"model": "claude-sonnet-5-5", "key": "sk-ant-lab-secret-7f3a", "max_tokens": 4096},
).main()
