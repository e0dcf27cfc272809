// What the Node programs share: see ../common.py, whose plans they read and whose reports they print.

const fs = require("node:fs");
const { parseArgs } = require("node:util");

const OPTIONS = {
  model: { type: "string" },
  prompt: { type: "string", default: "Hello" },
  stream: { type: "boolean", default: false },
  tools: { type: "boolean", default: false },
  "include-usage": { type: "boolean", default: false },
  "max-tokens": { type: "string" },
  variant: { type: "string" },
};

const WEATHER = {
  name: "get_weather",
  description: "Get the current weather in a given city.",
  parameters: {
    type: "object",
    properties: { city: { type: "string", description: "The city, e.g. Oslo" } },
    required: ["city"],
  },
};

// Runs `PROGRAM --plan FILE --key KEY`. A command is an async function of the client, the options and the answer, which it
// fills as the answer comes; what it returns is the usage.
async function main({ connect, commands, model }) {
  const given = parseArgs({ options: { plan: { type: "string" }, key: { type: "string" } } }).values;
  for (const call of JSON.parse(fs.readFileSync(given.plan, "utf8"))) {
    const { values, positionals } = parseArgs({ args: call, options: OPTIONS, allowPositionals: true });
    const options = { ...values, model: values.model ?? model, key: given.key };
    const report = { answer: {}, usage: null, error: null, began: new Date().toISOString() };
    try {
      report.usage = (await commands[positionals[0]](connect(options), options, report.answer)) ?? null;
    } catch (error) {
      console.error(error);
      report.error = {
        type: error.constructor.name,
        cause: error.cause?.constructor.name ?? null,
        status: error.status ?? null,
        code: error.code ?? null,
        message: error.message,
      };
    }
    report.ended = new Date().toISOString();
    console.log(JSON.stringify(report));
  }
}

module.exports = { WEATHER, main };
