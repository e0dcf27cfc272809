"""An ordinary anthropic-python program: nothing in it knows that it is being watched.

Prints one JSON object per exchange: the text it got, tool calls, usage, or the SDK's exception.
"""

import argparse
import asyncio
import json
import sys

import anthropic

TOOLS = [
    {
        "name": "get_weather",
        "description": "Get the current weather in a given city.",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "The city, e.g. Oslo"}},
            "required": ["city"],
        },
    }
]


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--asynchronous", action="store_true")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--tools", action="store_true")
    parser.add_argument("--model", default="claude-sonnet-5-5")
    parser.add_argument("--prompt", default="Hello")
    parser.add_argument("--system")
    parser.add_argument("--max-tokens", type=int, default=4096)
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=1)
    return parser.parse_args()


def request(options):
    body = {
        "model": options.model,
        "max_tokens": options.max_tokens,
        "messages": [{"role": "user", "content": options.prompt}],
    }
    if options.system:
        body["system"] = options.system
    if options.tools:
        body["tools"] = TOOLS
    if options.header:
        body["extra_headers"] = dict(header.split("=", 1) for header in options.header)
    return body


def report_message(message):
    return {
        "text": ["".join(block.text for block in message.content if block.type == "text")],
        "finish": [message.stop_reason],
        "calls": [[block.name, json.dumps(block.input)] for block in message.content if block.type == "tool_use"],
        "usage": message.usage.model_dump(),
    }


def report_error(error):
    return {
        "error": {
            "class": type(error).__name__,
            "cause": type(error.__cause__).__name__ if error.__cause__ else None,
            "status": getattr(error, "status_code", None),
            "code": getattr(error, "type", None),
            "message": str(error),
        }
    }


def print_report(report):
    print(json.dumps(report), flush=True)


def once(client, options):
    partial = []
    try:
        if not options.stream:
            return report_message(client.messages.create(**request(options)))
        with client.messages.stream(**request(options)) as stream:
            for text in stream.text_stream:
                partial.append(text)
            return report_message(stream.get_final_message())
    except anthropic.AnthropicError as error:
        return {"text": ["".join(partial)], **report_error(error)}


async def once_asynchronous(client, options):
    partial = []
    try:
        if not options.stream:
            return report_message(await client.messages.create(**request(options)))
        async with client.messages.stream(**request(options)) as stream:
            async for text in stream.text_stream:
                partial.append(text)
            return report_message(await stream.get_final_message())
    except anthropic.AnthropicError as error:
        return {"text": ["".join(partial)], **report_error(error)}


async def all_asynchronous(options):
    async with anthropic.AsyncAnthropic(api_key="sk-ant-lab-secret-7f3a") as client:
        for _ in range(options.repeat):
            reports = await asyncio.gather(*(once_asynchronous(client, options) for _ in range(options.parallel)))
            for report in reports:
                print_report(report)


def main():
    options = arguments()
    if options.asynchronous:
        asyncio.run(all_asynchronous(options))
        return
    with anthropic.Anthropic(api_key="sk-ant-lab-secret-7f3a") as client:
        for _ in range(options.repeat):
            print_report(once(client, options))


sys.exit(main())
