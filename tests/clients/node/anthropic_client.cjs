// An ordinary anthropic-sdk-typescript program: nothing in it knows that it is being watched.

const { Anthropic } = require("@anthropic-ai/sdk");

const { WEATHER, main } = require("./common.cjs");

async function messages(client, options, answer) {
  const body = {
    model: options.model,
    max_tokens: 4096,
    messages: [{ role: "user", content: options.prompt }],
  };
  if (options.tools) {
    body.tools = [{ name: WEATHER.name, description: WEATHER.description, input_schema: WEATHER.parameters }];
  }
  let message;
  if (options.stream) {
    answer.text = "";
    const stream = client.messages.stream(body);
    stream.on("text", (text) => (answer.text += text));
    message = await stream.finalMessage();
  } else {
    message = await client.messages.create(body);
  }
  answer.content = message.content;
  answer.stop = message.stop_reason;
  return message.usage;
}

main({
  connect: (options) => new Anthropic({ apiKey: options.key }),
  commands: { messages },
  model: "claude-sonnet-5-5",
});
