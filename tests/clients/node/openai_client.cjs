// An ordinary openai-node program: nothing in it knows that it is being watched.

const { OpenAI } = require("openai");

const { WEATHER, main } = require("./common.cjs");

async function chat(client, options, answer) {
  const body = { model: options.model, messages: [{ role: "user", content: options.prompt }] };
  if (options.tools) body.tools = [{ type: "function", function: WEATHER }];
  if (options["include-usage"]) body.stream_options = { include_usage: true };
  if (!options.stream) {
    const completion = await client.chat.completions.create(body);
    const message = completion.choices[0].message;
    answer.text = message.content;
    answer.calls = (message.tool_calls ?? []).map((call) => [call.function.name, call.function.arguments]);
    return completion.usage;
  }
  let usage;
  answer.text = "";
  answer.arguments = "";
  for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) {
    usage = chunk.usage ?? usage;
    for (const choice of chunk.choices) {
      answer.text += choice.delta.content ?? "";
      for (const call of choice.delta.tool_calls ?? []) answer.arguments += call.function.arguments;
    }
  }
  return usage;
}

async function responses(client, options, answer) {
  const body = { model: options.model, input: options.prompt };
  if (options.tools) body.tools = [{ type: "function", strict: false, ...WEATHER }];
  if (!options.stream) {
    const response = await client.responses.create(body);
    answer.text = response.output_text;
    answer.output = response.output.map((item) => item.type);
    return response.usage;
  }
  answer.events = [];
  const read = (event) => answer.events.push([event.type, event.sequence_number]);
  if (options.variant === "helper") {
    const stream = client.responses.stream(body);
    for await (const event of stream) read(event);
    const response = await stream.finalResponse();
    answer.text = response.output_text;
    return response.usage;
  }
  let usage;
  for await (const event of await client.responses.create({ ...body, stream: true })) {
    read(event);
    if (event.type === "response.output_text.delta") answer.text = (answer.text ?? "") + event.delta;
    usage = event.response?.usage ?? usage;
  }
  return usage;
}

async function embeddings(client, options, answer) {
  const result = await client.embeddings.create({ model: options.model, input: options.prompt });
  answer.vectors = result.data.map((item) => item.embedding);
  return result.usage;
}

main({
  connect: (options) => new OpenAI({ apiKey: options.key }),
  commands: { chat, embeddings, responses },
  model: "gpt-4o-mini",
});
