"""An ordinary boto3 program that calls Bedrock: nothing in it knows that it is being watched."""

import contextlib
import json
import os

import boto3
from botocore.exceptions import ClientError

from common import WEATHER, Program, headers

SECRET = "lab-secret-7f3a-of-all-workloads"

BODIES = {
    "anthropic": lambda options: {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": options.max_tokens or 4096,
        "messages": [{"role": "user", "content": options.prompt}],
    },
    "nova": lambda options: {
        "schemaVersion": "messages-v1",
        "messages": [{"role": "user", "content": [{"text": options.prompt}]}],
        "inferenceConfig": {"maxTokens": options.max_tokens or 4096},
    },
    "titan": lambda options: {
        "inputText": options.prompt,
        "textGenerationConfig": {"maxTokenCount": options.max_tokens or 4096},
    },
    "embedding": lambda options: {"inputText": options.prompt},
    "llama": lambda options: {"prompt": options.prompt, "max_gen_len": options.max_tokens or 2048},
}
"""Of every shape of model: what is sent."""

MODELS = {
    "anthropic": "us.anthropic.claude-sonnet-5-5-20260101-v1:0",
    "nova": "amazon.nova-lite-v1:0",
    "titan": "amazon.titan-text-express-v1",
    "embedding": "amazon.titan-embed-text-v2:0",
    "llama": "meta.llama3-1-8b-instruct-v1:0",
}


def connect(options):
    if options.variant == "bearer":
        os.environ["AWS_BEARER_TOKEN_BEDROCK"] = options.key
        credentials = {}
    else:
        os.environ.pop("AWS_BEARER_TOKEN_BEDROCK", None)
        credentials = {"aws_access_key_id": options.key, "aws_secret_access_key": SECRET}
    client = boto3.client("bedrock-runtime", region_name="us-east-1", **credentials)

    def add(request, **_):
        for name, value in headers(options).items():
            request.headers[name] = value

    client.meta.events.register("before-sign.bedrock-runtime.*", add)
    return contextlib.closing(client)


def counting_retries(command):
    """The SDK's own retries are part of what it hands out when it gives up."""

    def counted(client, options, answer):
        try:
            return command(client, options, answer)
        except ClientError as error:
            # An error inside a stream has none.
            answer["retries"] = error.response.get("ResponseMetadata", {}).get("RetryAttempts")
            raise

    return counted


def converse(client, options, answer):
    call = {
        "modelId": options.model or MODELS["anthropic"],
        "messages": [{"role": "user", "content": [{"text": options.prompt}]}],
    }
    if options.system:
        call["system"] = [{"text": options.system}]
    if options.tools:
        tool = {"name": WEATHER["name"], "description": WEATHER["description"]}
        tool["inputSchema"] = {"json": WEATHER["parameters"]}
        call["toolConfig"] = {"tools": [{"toolSpec": tool}]}
    if options.max_tokens:
        call["inferenceConfig"] = {"maxTokens": options.max_tokens}
    if not options.stream:
        response = client.converse(**call)
        answer["content"] = response["output"]["message"]["content"]
        answer["stop"] = response["stopReason"]
        return response["usage"]
    usage = None
    answer["text"], answer["input"] = "", ""
    for event in client.converse_stream(**call)["stream"]:
        delta = event.get("contentBlockDelta", {}).get("delta", {})
        answer["text"] += delta.get("text", "")
        answer["input"] += delta.get("toolUse", {}).get("input", "")
        answer["stop"] = event.get("messageStop", {}).get("stopReason") or answer.get("stop")
        usage = event.get("metadata", {}).get("usage") or usage
    return usage


def invoke(client, options, answer):
    family = options.model or "anthropic"
    call = {"modelId": MODELS[family], "body": json.dumps(BODIES[family](options))}
    if not options.stream:
        answer["body"] = json.loads(client.invoke_model(**call)["body"].read())
        return None
    answer["events"] = []
    for event in client.invoke_model_with_response_stream(**call)["body"]:
        answer["events"].append(json.loads(event["chunk"]["bytes"]))
    return answer["events"][-1].get("amazon-bedrock-invocationMetrics")


Program(
    connect=connect,
    commands={"converse": counting_retries(converse), "invoke": counting_retries(invoke)},
).main()
