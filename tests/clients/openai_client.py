"""An ordinary openai-python program: nothing in it knows that it is being watched."""

import time

import openai

from common import WEATHER, Program, headers

TOOLS = [{"type": "function", "function": WEATHER}]


def chat_request(options):
    messages = [{"role": "user", "content": options.prompt}]
    if options.system:
        messages.insert(0, {"role": "system", "content": options.system})
    if options.tool_result:
        function = {"name": WEATHER["name"], "arguments": '{"city": "Oslo"}'}
        call = {"id": "call_1", "type": "function", "function": function}
        messages[-1:-1] = [
            {"role": "user", "content": "How is the weather?"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": options.tool_result},
        ]
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
        body["extra_headers"] = headers(options)
    return body


class Reading:
    """What a stream of a chat adds up to, in the answer, and when its parts came."""

    def __init__(self, answer):
        self.answer, self.usage, self.calls = answer, None, {}
        self.started = time.monotonic()
        answer.update(text=[], finish=[], calls=[])

    def chunk(self, chunk):
        self.usage = chunk.usage or self.usage
        for choice in chunk.choices:
            texts, finish = self.answer["text"], self.answer["finish"]
            while len(texts) <= choice.index:
                texts.append("")
                finish.append(None)
            texts[choice.index] += choice.delta.content or ""
            finish[choice.index] = choice.finish_reason or finish[choice.index]
            for call in choice.delta.tool_calls or []:
                name, arguments = self.calls.get(call.index, ("", ""))
                self.calls[call.index] = (call.function.name or name, arguments + (call.function.arguments or ""))
        self.answer["calls"] = [list(self.calls[index]) for index in sorted(self.calls)]


def read_chat(completion, answer):
    calls = completion.choices[0].message.tool_calls or []
    answer["text"] = [choice.message.content for choice in completion.choices]
    answer["finish"] = [choice.finish_reason for choice in completion.choices]
    answer["calls"] = [[call.function.name, call.function.arguments] for call in calls]
    return spent(completion)


def spent(answer):
    return answer.usage.model_dump() if answer.usage else None


def chat(client, options, answer):
    completion = client.chat.completions.create(**chat_request(options))
    if not options.stream:
        return read_chat(completion, answer)
    reading = Reading(answer)
    times = []
    for chunk in completion:
        if any(choice.delta.content for choice in chunk.choices):
            times.append(time.monotonic())
        reading.chunk(chunk)
    if options.times:
        answer["times"] = times
    return spent(reading)


async def chat_asynchronously(client, options, answer):
    completion = await client.chat.completions.create(**chat_request(options))
    if not options.stream:
        return read_chat(completion, answer)
    reading = Reading(answer)
    async for chunk in completion:
        reading.chunk(chunk)
    return spent(reading)


def completions(client, options, answer):
    body = {"model": options.model, "prompt": options.prompt}
    if options.include_usage:
        body["stream_options"] = {"include_usage": True}
    completion = client.completions.create(**body, stream=options.stream)
    if not options.stream:
        answer.update(text=completion.choices[0].text, finish=completion.choices[0].finish_reason)
        return spent(completion)
    answer["text"], usage = "", None
    for chunk in completion:
        usage = spent(chunk) or usage
        for choice in chunk.choices:
            answer["text"] += choice.text
            answer["finish"] = choice.finish_reason
    return usage


def response_request(options):
    body = {"model": options.model, "input": options.prompt}
    if options.variant == "messages":
        body["input"] = [{"role": "user", "content": [{"type": "input_text", "text": options.prompt}]}]
    if options.system:
        body["instructions"] = options.system
    if options.max_tokens:
        body["max_output_tokens"] = options.max_tokens
    if options.tools:
        body["tools"] = [{"type": "function", "strict": False, **WEATHER}]
    return body


def read_response(response, answer):
    answer.update(text=response.output_text, status=response.status, output=[item.type for item in response.output])
    answer["calls"] = [[item.name, item.arguments] for item in response.output if item.type == "function_call"]
    return spent(response)


def responses(client, options, answer):
    if not options.stream:
        return read_response(client.responses.create(**response_request(options)), answer)
    answer.update(events=[], deltas="")
    if options.variant == "helper":
        with client.responses.stream(**response_request(options)) as stream:
            for event in stream:
                read_event(event, answer)
            return read_response(stream.get_final_response(), answer)
    usage = None
    for event in client.responses.create(**response_request(options), stream=True):
        read_event(event, answer)
        if event.type in ("response.completed", "response.incomplete", "response.failed"):
            usage = read_response(event.response, answer)
    return usage


def read_event(event, answer):
    answer["events"].append([event.type, event.sequence_number])
    if event.type == "response.output_text.delta":
        answer["deltas"] += event.delta


def realtime(client, options, answer):
    answer.update(events=[], texts=[], errors=[])
    usage = []
    with client.realtime.connect(model=options.model) as connection:
        connection.session.update(
            session={"type": "realtime", "output_modalities": ["text"], "instructions": "Be brief."}
        )
        for text in (options.prompt, options.prompt + " And again."):
            content = [{"type": "input_text", "text": text}]
            connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
            hear(connection, "conversation.item.done", answer)
            connection.response.create()
            usage.append(spent(hear(connection, "response.done", answer).response))
    return usage


def responses_over_websocket(client, options, answer):
    answer.update(events=[], texts=[], errors=[])
    usage, previous = [], {}
    with client.responses.connect() as connection:
        for _ in range(2):
            connection.response.create(**response_request(options), **previous)
            response = hear(connection, "response.completed", answer).response
            previous = {"previous_response_id": response.id}
            usage.append(spent(response))
    return usage


def hear(connection, wanted, answer):
    """The next event of the type that is wanted. Most errors do not end a conversation; its end is an exception."""
    text = ""
    while True:
        event = connection.recv()
        answer["events"].append(event.type)
        if event.type == "error":
            answer["errors"].append([event.error.type, event.error.code, event.error.message])
        if event.type == "response.output_text.delta":
            text += event.delta
        if event.type == wanted:
            answer["texts"] += [text] if text else []
            return event


def embeddings(client, options, answer):
    more = {"encoding_format": "float"} if options.variant == "float" else {}
    texts = [options.prompt, "and another one"] if options.variant == "several" else options.prompt
    result = client.embeddings.create(model=options.model, input=texts, **more)
    answer["vectors"] = [item.embedding for item in result.data]
    return spent(result)


def moderations(client, options, answer):
    result = client.moderations.create(model=options.model, input=options.prompt)
    answer["flagged"] = [item.flagged for item in result.results]


def models(client, options, answer):
    answer["models"] = [model.id for model in client.models.list()]


def connect(options):
    if options.base_url and ".azure.com" in options.base_url:
        return openai.AzureOpenAI(
            api_key=options.key, azure_endpoint=options.base_url, api_version="2025-04-01-preview"
        )
    return openai.OpenAI(api_key=options.key, base_url=options.base_url)


Program(
    connect=connect,
    connect_asynchronously=lambda options: openai.AsyncOpenAI(api_key=options.key, base_url=options.base_url),
    commands={
        "chat": chat,
        "completions": completions,
        "embeddings": embeddings,
        "models": models,
        "moderations": moderations,
        "realtime": realtime,
        "responses": responses,
        "responses_over_websocket": responses_over_websocket,
    },
    asynchronous={"chat": chat_asynchronously},
    defaults={"model": "gpt-4o-mini", "key": "sk-lab-secret-7f3a"},
).main()
