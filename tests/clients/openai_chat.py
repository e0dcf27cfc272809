"""An ordinary openai-python program: nothing in it knows that it is being watched.

Prints one JSON object per exchange: the text it got, tool calls, usage, or the SDK's exception.
"""

import argparse
import asyncio
import json
import sys
import time

import openai

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get the current weather in a given city.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "The city, e.g. Oslo"},
                    "unit": {"type": "string", "description": "The unit", "enum": ["celsius", "fahrenheit"]},
                },
                "required": ["city"],
            },
        },
    }
]


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--asynchronous", action="store_true")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--tools", action="store_true")
    parser.add_argument("--models", action="store_true")
    parser.add_argument("--model", default="gpt-4o-mini")
    parser.add_argument("--prompt", default="Hello")
    parser.add_argument("--system")
    parser.add_argument("--choices", type=int)
    parser.add_argument("--max-tokens", type=int)
    parser.add_argument("--include-usage", action="store_true")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--base-url")
    return parser.parse_args()


def request(options):
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
        body["extra_headers"] = dict(header.split("=", 1) for header in options.header)
    return body


class Reading:
    """What a stream adds up to, and when its parts came."""

    def __init__(self):
        self.text, self.calls, self.usage, self.chunks = {}, {}, None, 0
        self.started, self.first = time.monotonic(), None
        self.finish = {}

    def chunk(self, chunk):
        self.chunks += 1
        self.usage = chunk.usage or self.usage
        for choice in chunk.choices:
            if choice.delta.content and self.first is None:
                self.first = time.monotonic() - self.started
            self.text[choice.index] = self.text.get(choice.index, "") + (choice.delta.content or "")
            self.finish[choice.index] = choice.finish_reason
            for call in choice.delta.tool_calls or []:
                name, arguments = self.calls.get(call.index, ("", ""))
                self.calls[call.index] = (call.function.name or name, arguments + (call.function.arguments or ""))

    def report(self):
        return {
            "text": [self.text[index] for index in sorted(self.text)],
            "finish": [self.finish[index] for index in sorted(self.finish)],
            "calls": [list(self.calls[index]) for index in sorted(self.calls)],
            "usage": self.usage.model_dump() if self.usage else None,
            "chunks": self.chunks,
            "first_s": self.first,
        }


def report_whole(completion):
    calls = completion.choices[0].message.tool_calls or []
    return {
        "text": [choice.message.content for choice in completion.choices],
        "finish": [choice.finish_reason for choice in completion.choices],
        "calls": [[call.function.name, call.function.arguments] for call in calls],
        "usage": completion.usage.model_dump(),
    }


def report_error(error):
    return {
        "error": {
            "class": type(error).__name__,
            "cause": type(error.__cause__).__name__ if error.__cause__ else None,
            "status": getattr(error, "status_code", None),
            "code": getattr(error, "code", None),
            "message": str(error),
        }
    }


def print_report(report):
    print(json.dumps(report), flush=True)


def once(client, options):
    reading = Reading()
    try:
        if options.models:
            return {"models": [model.id for model in client.models.list()]}
        answer = client.chat.completions.create(**request(options))
        if not options.stream:
            return report_whole(answer)
        for chunk in answer:
            reading.chunk(chunk)
        return reading.report()
    except openai.OpenAIError as error:
        return {**reading.report(), **report_error(error)}


async def once_asynchronous(client, options):
    reading = Reading()
    try:
        answer = await client.chat.completions.create(**request(options))
        if not options.stream:
            return report_whole(answer)
        async for chunk in answer:
            reading.chunk(chunk)
        return reading.report()
    except openai.OpenAIError as error:
        return {**reading.report(), **report_error(error)}


async def all_asynchronous(options):
    async with openai.AsyncOpenAI(api_key="sk-lab-secret-7f3a", base_url=options.base_url) as client:
        for _ in range(options.repeat):
            reports = await asyncio.gather(*(once_asynchronous(client, options) for _ in range(options.parallel)))
            for report in reports:
                print_report(report)


def main():
    options = arguments()
    if options.asynchronous:
        asyncio.run(all_asynchronous(options))
        return
    with openai.OpenAI(api_key="sk-lab-secret-7f3a", base_url=options.base_url) as client:
        for _ in range(options.repeat):
            print_report(once(client, options))


sys.exit(main())
