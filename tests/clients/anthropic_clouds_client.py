"""An ordinary anthropic-python program whose models are at Vertex or at Bedrock: nothing in it knows that it is being
watched."""

import anthropic

from common import Program, headers


def connect(options):
    if options.variant == "vertex":
        return anthropic.AnthropicVertex(access_token=options.key, project_id="lab", region="us-central1")
    return anthropic.AnthropicBedrock(
        aws_access_key=options.key, aws_secret_key="lab-secret-7f3a-of-all-workloads", aws_region="us-east-1"
    )


def messages(client, options, answer):
    models = {"vertex": "claude-sonnet-5-5@20260101", "bedrock": "us.anthropic.claude-sonnet-5-5-20260101-v1:0"}
    request = {
        "model": models[options.variant],
        "max_tokens": options.max_tokens,
        "messages": [{"role": "user", "content": options.prompt}],
        "extra_headers": headers(options),
    }
    answer["text"] = ""
    if options.stream:
        with client.messages.stream(**request) as stream:
            for text in stream.text_stream:
                answer["text"] += text
            message = stream.get_final_message()
    else:
        message = client.messages.create(**request)
        answer["text"] = "".join(block.text for block in message.content if block.type == "text")
    answer["finish"] = message.stop_reason
    return message.usage.model_dump()


Program(
    connect=connect,
    commands={"messages": messages},
    defaults={"max_tokens": 4096},
).main()
