"""An ordinary google-genai program, towards Gemini or Vertex: nothing in it knows that it is being watched."""

import contextlib

from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from common import WEATHER, Program, headers


def connect(options):
    more = {"http_options": types.HttpOptions(headers=headers(options))} if options.header else {}
    if options.variant == "vertex":
        credentials = Credentials(options.key)
        client = genai.Client(
            vertexai=True, project="lab", location="us-central1", credentials=credentials, **more
        )
    else:
        client = genai.Client(api_key=options.key, **more)
    return contextlib.closing(client)


def config(options):
    config = types.GenerateContentConfig(
        system_instruction=options.system,
        max_output_tokens=options.max_tokens,
    )
    if options.tools:
        config.tools = [types.Tool(function_declarations=[types.FunctionDeclaration(**WEATHER)])]
    if options.variant == "thinking":
        config.thinking_config = types.ThinkingConfig(include_thoughts=True)
    return config


def read(response, answer):
    for candidate in response.candidates or []:
        for part in candidate.content.parts or []:
            if part.text and part.thought:
                answer["thoughts"] = answer.get("thoughts", "") + part.text
            elif part.text:
                answer["text"] = answer.get("text", "") + part.text
            elif part.function_call:
                answer.setdefault("calls", []).append([part.function_call.name, part.function_call.args])
        if candidate.finish_reason:
            answer["finish"] = candidate.finish_reason.name
    usage = response.usage_metadata
    return usage.model_dump(mode="json", exclude_none=True) if usage else None


def generate(client, options, answer):
    call = {"model": options.model, "contents": options.prompt, "config": config(options)}
    if not options.stream:
        return read(client.models.generate_content(**call), answer)
    usage = None
    for chunk in client.models.generate_content_stream(**call):
        answer["chunks"] = answer.get("chunks", 0) + 1
        usage = read(chunk, answer) or usage
    return usage


def embed(client, options, answer):
    response = client.models.embed_content(
        model="gemini-embedding-001", contents=[options.prompt, "and a second text"]
    )
    answer["vectors"] = [embedding.values for embedding in response.embeddings]


def count(client, options, answer):
    answer["tokens"] = client.models.count_tokens(model=options.model, contents=options.prompt).total_tokens


Program(
    connect=connect,
    commands={"generate": generate, "embed": embed, "count": count},
    defaults={"model": "gemini-2.5-flash"},
).main()
