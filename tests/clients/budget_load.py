"""Load on a budget by an ordinary SDK: many calls at once in one process.

    budget_load.py openai|anthropic --tag TAG [OPTIONS]

The prompt of call N ends in `(TAG N)`. What is left to chance (see --mixed and --abort) is decided by the seed alone. One
JSON object is printed per call:

    number, streamed, aborted   which call, how it was made, and whether the program left in mid-stream
    text, finish, model         the answer as far as it came
    first, last                 seconds from the call to the first and to the last piece of the answer
    error                       null, or the exception: type, status, code, message, cause
"""

import argparse
import asyncio
import itertools
import json
import random
import signal
import time

from common import headers, status


class Call:
    """One call: what is asked, and what came of it."""

    def __init__(self, number, options, chance):
        self.number, self.options = number, options
        self.words = chance.randint(*options.words)
        self.streamed = chance.random() < 0.5 if options.mixed else options.stream
        self.limit = options.max_tokens
        if options.mixed and self.streamed and chance.random() < 0.5:
            self.limit = None
        leaves = self.streamed and chance.random() < options.abort
        self.leaves_after = chance.randint(1, self.words) if leaves else None
        self.text, self.pieces, self.finish, self.model, self.error = "", 0, None, None, None
        self.first = self.last = None
        self.aborted = False

    def request(self):
        text = f"Write {self.words} words ({self.options.tag} {self.number})"
        body = {"model": self.options.model, "messages": [{"role": "user", "content": text}]}
        if self.options.header:
            body["extra_headers"] = headers(self.options)
        return body

    def piece(self, text):
        """Takes a piece of the answer; true when the program is to leave now."""
        if text:
            self.text += text
            self.pieces += 1
            self.last = time.monotonic() - self.began
            self.first = self.first or self.last
        return self.leaves_after is not None and self.pieces >= self.leaves_after

    async def make(self, make, client):
        self.began = time.monotonic()
        try:
            await make(client, self)
        except Exception as error:
            self.error = {
                "type": type(error).__name__,
                "status": status(error),
                "code": getattr(error, "code", None) or getattr(error, "type", None),
                "message": str(error),
                "cause": repr(error.__cause__) if error.__cause__ else None,
            }

    def report(self):
        names = ("number", "streamed", "aborted", "text", "finish", "model", "first", "last", "error")
        return {name: getattr(self, name) for name in names}


async def openai_call(client, call):
    body = call.request()
    if call.limit:
        body["max_completion_tokens"] = call.limit
    answer = await client.chat.completions.create(**body, stream=call.streamed)
    if not call.streamed:
        call.model, call.finish = answer.model, answer.choices[0].finish_reason
        call.piece(answer.choices[0].message.content)
        return
    async with answer:
        async for chunk in answer:
            call.model = chunk.model
            for choice in chunk.choices:
                call.finish = choice.finish_reason or call.finish
                if call.piece(choice.delta.content):
                    call.aborted = True
                    return


async def anthropic_call(client, call):
    body = call.request() | {"max_tokens": call.limit or 4096}
    if not call.streamed:
        answer = await client.messages.create(**body)
        call.model, call.finish = answer.model, answer.stop_reason
        call.piece(answer.content[0].text)
        return
    async with await client.messages.create(**body, stream=True) as answer:
        async for event in answer:
            if event.type == "message_start":
                call.model = event.message.model
            if event.type == "message_delta":
                call.finish = event.delta.stop_reason
            if event.type == "content_block_delta" and call.piece(event.delta.text):
                call.aborted = True
                return


def common_options(options):
    """The SDKs give a connection five seconds; hundreds at once on a busy machine take longer."""
    return {
        "api_key": options.key,
        "base_url": options.base_url,
        "max_retries": options.retries,
        "timeout": options.timeout,
    }


def openai_client(options):
    import openai

    return openai.AsyncOpenAI(**common_options(options))


def anthropic_client(options):
    import anthropic

    return anthropic.AsyncAnthropic(**common_options(options))


SDKS = {
    "openai": (openai_client, openai_call, "gpt-4o-mini"),
    "anthropic": (anthropic_client, anthropic_call, "claude-sonnet-5-5"),
}


async def run(options):
    connect, make, model = SDKS[options.sdk]
    options.model = options.model or model
    chance = random.Random(options.seed)
    async with connect(options) as client:
        told = asyncio.Event()
        if options.until_told:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
        for turn in itertools.count() if options.until_told else range(options.repeat):
            if told.is_set():
                return
            first = turn * options.parallel
            calls = [Call(first + number, options, chance) for number in range(options.parallel)]
            await asyncio.gather(*[call.make(make, client) for call in calls])
            for call in calls:
                print(json.dumps(call.report()), flush=True)
            await asyncio.sleep(options.pause)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sdk", choices=SDKS)
    parser.add_argument("--tag", required=True)
    parser.add_argument("--parallel", type=int, default=1, help="calls at once")
    parser.add_argument("--repeat", type=int, default=1, help="times that so many calls are made, one after the other")
    parser.add_argument("--until-told", action="store_true", help="repeat until SIGTERM comes, instead")
    parser.add_argument("--pause", type=float, default=0, help="seconds between one time and the next")
    parser.add_argument("--words", type=int, nargs=2, default=[40, 40], help="least and most words to ask for")
    parser.add_argument("--max-tokens", type=int)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--mixed", action="store_true", help="half of the calls streamed, half of those without a limit")
    parser.add_argument("--abort", type=float, default=0, help="share of the streams that are left before their end")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model")
    parser.add_argument("--key", default="sk-lab-secret-7f3a")
    parser.add_argument("--base-url")
    parser.add_argument("--timeout", type=float, default=120)
    parser.add_argument("--retries", type=int, default=2, help="as the SDKs have it")
    parser.add_argument("--header", action="append", default=[], help="NAME=VALUE, sent with the request")
    asyncio.run(run(parser.parse_args()))


main()
