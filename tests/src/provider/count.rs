//! The stand-ins' own token counts, by another library and another reading than the agent's.
//!
//! OpenAI: the formulas of the OpenAI cookbook, "How to count tokens with tiktoken" (chat framing and tools).
//! Anthropic publishes no tokenizer: the stand-in's count is o200k's over every text, plus a fixed framing.

use serde_json::Value;
use tiktoken_rs::{CoreBPE, bpe_for_model, o200k_base_singleton};

/// A number of tokens.
pub(crate) type Tokens = u64;

/// Framing per message of the Anthropic stand-in.
const ANTHROPIC_MESSAGE: Tokens = 4;

/// Tokens of `text` in the vocabulary of `model`; unknown models count as the newest family.
pub(crate) fn text(model: &str, text: &str) -> Tokens {
    vocabulary(model).encode_ordinary(text).len() as Tokens
}

/// Prompt tokens of a chat completion request.
pub(super) fn openai_prompt(body: &Value) -> Tokens {
    let model = body["model"].as_str().unwrap_or_default();
    let count = |text_value: &str| text(model, text_value);
    let mut tokens = 3;
    for message in body["messages"].as_array().into_iter().flatten() {
        tokens += 3;
        for (key, value) in message.as_object().into_iter().flatten() {
            match value {
                Value::String(string) => tokens += count(string) + Tokens::from(key == "name"),
                Value::Array(parts) if key == "content" => {
                    tokens += parts
                        .iter()
                        .filter_map(|part| part["text"].as_str())
                        .map(count)
                        .sum::<Tokens>();
                }
                Value::Array(calls) if key == "tool_calls" => {
                    for call in calls {
                        tokens += count(call["function"]["name"].as_str().unwrap_or_default());
                        tokens += count(call["function"]["arguments"].as_str().unwrap_or_default());
                    }
                }
                _ => {}
            }
        }
    }
    let tools = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    if tools.is_empty() {
        tokens
    } else {
        tokens + openai_tools(model, tools)
    }
}

/// The cookbook's `num_tokens_for_tools`.
fn openai_tools(model: &str, tools: &[Value]) -> Tokens {
    let function_init = if model.starts_with("gpt-4o") { 7 } else { 10 };
    let (property_init, property_key, enum_init, enum_item, functions_end) =
        (3_i64, 3_i64, -3_i64, 3_i64, 12_i64);
    let count = |string: &str| i64::try_from(text(model, string)).unwrap_or(i64::MAX);
    let mut tokens = 0_i64;
    for tool in tools {
        let function = &tool["function"];
        let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let description = string(&function["description"]);
        tokens += function_init
            + count(&format!(
                "{}:{}",
                string(&function["name"]),
                without_dot(&description)
            ));
        let Some(properties) = function["parameters"]["properties"]
            .as_object()
            .filter(|all| !all.is_empty())
        else {
            continue;
        };
        tokens += property_init;
        for (name, property) in properties {
            tokens += property_key;
            if let Some(items) = property["enum"].as_array() {
                tokens += enum_init;
                tokens += items
                    .iter()
                    .map(|item| enum_item + count(&string(item)))
                    .sum::<i64>();
            }
            let description = string(&property["description"]);
            tokens += count(&format!(
                "{name}:{}:{}",
                string(&property["type"]),
                without_dot(&description)
            ));
        }
    }
    Tokens::try_from(tokens + functions_end).unwrap_or_default()
}

/// Prompt tokens of a messages request, by the stand-in's own rule.
pub(super) fn anthropic_prompt(body: &Value) -> Tokens {
    let count = |string: &str| text("", string);
    let mut tokens = texts(&body["system"]).map(count).sum::<Tokens>();
    for message in body["messages"].as_array().into_iter().flatten() {
        tokens += ANTHROPIC_MESSAGE + texts(&message["content"]).map(count).sum::<Tokens>();
    }
    for tool in body["tools"].as_array().into_iter().flatten() {
        tokens += count(&tool.to_string());
    }
    tokens
}

/// Tokens of every string that is a member `name` of an object in `value`, however deep, by the stand-ins' own rule.
pub(super) fn members(value: &Value, name: &str) -> Tokens {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| match member {
                Value::String(string) if key == name => text("", string),
                member => self::members(member, name),
            })
            .sum(),
        Value::Array(items) => items.iter().map(|item| members(item, name)).sum(),
        _ => 0,
    }
}

/// The texts of a `content`: a string, or blocks with `text`, or tool results with `content`.
fn texts(content: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match content {
        Value::String(string) => Box::new(std::iter::once(string.as_str())),
        Value::Array(blocks) => Box::new(blocks.iter().flat_map(|block| match block["text"].as_str() {
            Some(string) => Box::new(std::iter::once(string)) as Box<dyn Iterator<Item = &str>>,
            None => texts(&block["content"]),
        })),
        _ => Box::new(std::iter::empty()),
    }
}

fn without_dot(text: &str) -> &str {
    text.strip_suffix('.').unwrap_or(text)
}

fn vocabulary(model: &str) -> &'static CoreBPE {
    bpe_for_model(model).unwrap_or_else(|_| o200k_base_singleton())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The cookbook's own example and the numbers the API returned for it.
    #[test]
    fn agrees_with_the_cookbook() {
        let messages = json!([
            {"role": "system", "content": "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."},
            {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
            {"role": "system", "name": "example_assistant", "content": "Things working well together will increase revenue."},
            {"role": "system", "name": "example_user", "content": "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."},
            {"role": "system", "name": "example_assistant", "content": "Let's talk later when we're less busy about how to do better."},
            {"role": "user", "content": "This late pivot means we don't have time to boil the ocean for the client deliverable."},
        ]);
        assert_eq!(
            openai_prompt(&json!({"model": "gpt-4o", "messages": messages})),
            124
        );
        assert_eq!(
            openai_prompt(&json!({"model": "gpt-4-0613", "messages": messages})),
            129
        );
    }

    #[test]
    fn agrees_with_the_cookbook_on_tools() {
        let tools = json!([{"type": "function", "function": {
            "name": "get_current_weather",
            "description": "Get the current weather in a given location",
            "parameters": {"type": "object", "properties": {
                "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
                "unit": {"type": "string", "description": "The unit of temperature to return", "enum": ["celsius", "fahrenheit"]},
            }, "required": ["location"]}}}]);
        let messages = json!([
            {"role": "system", "content": "You are a helpful assistant that can answer to questions about the weather."},
            {"role": "user", "content": "What's the weather like in San Francisco?"},
        ]);
        let count = |model| openai_prompt(&json!({"model": model, "messages": messages, "tools": tools}));
        assert_eq!(count("gpt-4o"), 101);
        assert_eq!(count("gpt-4"), 105);
    }
}
