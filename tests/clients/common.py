"""What the programs that use an SDK share: arguments, the order of calls, and what is printed of each.

    PROGRAM COMMAND [OPTIONS]             makes one call, or several alike
    PROGRAM --plan FILE [--key KEY]       makes one call after the other: FILE is a JSON list of argument lists

One JSON object is printed per call:

    answer  what the SDK handed out, as far as it came; the same call has the same answer with and without an agent
    usage   what the SDK says was spent, or null
    error   null, or the exception: type, cause, status, code, message
    began, ended   when, in UTC with milliseconds, as the agent's records have it
"""

import argparse
import asyncio
import datetime
import json
import sys
import traceback
from dataclasses import dataclass, field
from typing import Callable


@dataclass
class Program:
    """A program around one SDK.

    A command is a function of the client, the options and the answer, a dict that it fills as the answer comes; what it
    returns is the usage. An exception ends the call, not the program: what had come until then is printed beside it.
    """

    connect: Callable  # of the options; makes a client, which is a context manager
    commands: dict
    connect_asynchronously: Callable | None = None
    asynchronous: dict = field(default_factory=dict)
    defaults: dict = field(default_factory=dict)

    def main(self):
        arguments = parser(self.defaults)
        if sys.argv[1:2] == ["--plan"]:
            plan = argparse.ArgumentParser()
            plan.add_argument("--plan", required=True)
            plan.add_argument("--key")
            given = plan.parse_args()
            with open(given.plan) as file:
                calls = json.load(file)
            for call in calls:
                options = arguments.parse_args(call)
                options.key = given.key or options.key
                self.run(options)
            return
        self.run(arguments.parse_args())

    def run(self, options):
        if options.asynchronous:
            asyncio.run(self.run_asynchronously(options))
            return
        with self.connect(options) as client:
            for _ in range(options.repeat):
                call = Call()
                try:
                    call.usage = self.commands[options.command](client, options, call.answer)
                except Exception as error:
                    call.failed(error)
                call.print()

    async def run_asynchronously(self, options):
        async with self.connect_asynchronously(options) as client:
            for _ in range(options.repeat):
                calls = [self.call_asynchronously(client, options) for _ in range(options.parallel)]
                for call in await asyncio.gather(*calls):
                    call.print()

    async def call_asynchronously(self, client, options):
        call = Call()
        try:
            call.usage = await self.asynchronous[options.command](client, options, call.answer)
        except Exception as error:
            call.failed(error)
        return call


class Call:
    """One call and what is printed of it."""

    def __init__(self):
        self.answer, self.usage, self.error, self.began = {}, None, None, now()

    def failed(self, error):
        self.error = {
            "type": type(error).__name__,
            "cause": type(error.__cause__).__name__ if error.__cause__ else None,
            "status": status(error),
            "code": getattr(error, "code", None) or getattr(error, "type", None),
            "message": str(error),
        }
        # What is told of an exception that nobody expected.
        traceback.print_exception(error)

    def print(self):
        report = {**vars(self), "ended": now()}
        print(json.dumps(report, default=str), flush=True)


def status(error):
    """The HTTP status that an exception carries, wherever its SDK keeps it, or the code that a WebSocket was closed with."""
    closed = getattr(error, "rcvd", None)
    if closed:
        return closed.code
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    kept = [getattr(error, "status_code", None), getattr(error, "code", None), getattr(response, "status_code", None)]
    return next((status for status in kept if isinstance(status, int)), None)


def now():
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def parser(defaults):
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("--key", default="lab-secret-7f3a")
    parser.add_argument("--base-url")
    parser.add_argument("--model")
    parser.add_argument("--prompt", default="Hello")
    parser.add_argument("--system")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--tools", action="store_true")
    parser.add_argument("--tool-result", help="what a tool answered in an earlier turn")
    parser.add_argument("--document", help="the text of an attached document")
    parser.add_argument("--max-tokens", type=int)
    parser.add_argument("--choices", type=int)
    parser.add_argument("--times", action="store_true", help="when each piece of a stream came, by the monotonic clock")
    parser.add_argument("--include-usage", action="store_true")
    parser.add_argument("--header", action="append", default=[], help="NAME=VALUE, sent with the request")
    parser.add_argument("--variant", help="a choice that only this command has")
    parser.add_argument("--asynchronous", action="store_true")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=1, help="calls at once; asynchronous only")
    parser.set_defaults(**defaults)
    return parser


def headers(options):
    """The headers of the command line."""
    return dict(header.split("=", 1) for header in options.header)


WEATHER = {
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
}
"""A tool: each API wraps these three in its own way."""
