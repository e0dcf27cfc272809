//! Prompt plans.

use monitor_protocol::*;

use crate::reading::{call_of, fixture};

/// One token per word: enough to check the arithmetic around a tokenizer.
fn words(text: &str) -> i64 {
    i64::try_from(text.split_whitespace().count()).unwrap()
}

fn total(plan: &PromptCount, request: &Request<'_>) -> i64 {
    let texts: i64 = request
        .texts
        .iter()
        .filter(|text| text.counted)
        .map(|text| words(&text.text()))
        .sum();
    plan.overhead + texts + plan.extra.iter().map(|line| words(line)).sum::<i64>()
}

fn plan(name: &str) -> (PromptCount, i64) {
    let (call, body) = (call_of(name), fixture(name));
    let request = read_request(&call, None, &body).unwrap();
    let plan = prompt_count(&call, &body, &request);
    let total = total(&plan, &request);
    (plan, total)
}

/// The cookbook's own example of tools: 101 tokens with gpt-4o's vocabulary. Here its arithmetic, line by line.
#[test]
fn tools_by_the_cookbook() {
    let (plan, total) = plan("openai/chat_completions/request_tools.json");
    let lines = [
        "location:string:The city and state, e.g. San Francisco, CA",
        "celsius",
        "fahrenheit",
        "unit:string:The unit of temperature to return",
        "get_current_weather:Get the current weather in a given location",
    ];
    assert_eq!(plan.extra, lines);
    let messages = 3 + 2 * (3 + 1);
    let tools = 7 + 3 + 2 * 3 + (-3 + 2 * 3) + 12;
    assert_eq!(plan.overhead, messages + tools);
    assert_eq!(
        total,
        plan.overhead + 13 + 7 + lines.iter().map(|line| words(line)).sum::<i64>()
    );
    assert_eq!(plan.certainty, Certainty::Estimated);
}

#[test]
fn older_models_cost_more_per_function() {
    let body = fixture("openai/chat_completions/request_tools.json");
    let overhead = |model: &str| {
        let body = String::from_utf8(body.clone())
            .unwrap()
            .replace("gpt-4o", model)
            .into_bytes();
        let request = read_request(&Call::new(Api::OpenAi, Operation::ChatCompletions), None, &body).unwrap();
        prompt_count(
            &Call::new(Api::OpenAi, Operation::ChatCompletions),
            &body,
            &request,
        )
        .overhead
    };
    for model in ["gpt-4", "gpt-4-turbo", "gpt-3.5-turbo", "gpt-35-turbo"] {
        assert_eq!(overhead(model), overhead("gpt-4o") + 3, "{model}");
    }
    for model in ["gpt-4.1", "gpt-5", "o3", "chatgpt-4o-latest"] {
        assert_eq!(overhead(model), overhead("gpt-4o"), "{model}");
    }
}

#[test]
fn attachments_make_an_under_estimate() {
    let (plan, _) = plan("openai/chat_completions/request_conversation.json");
    assert_eq!(plan.certainty, Certainty::UnderEstimate);
    assert!(!format!("{plan:?}").contains("secret_field"));
}

#[test]
fn nested_schemas_are_counted_at_any_depth() {
    let body = br#"{"model":"gpt-4o","messages":[],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"a":{"type":"array","items":{"anyOf":[{"type":"object","properties":{"deep":{"type":"string","description":"down."}}}]}}}}}}]}"#;
    let request = read_request(&Call::new(Api::OpenAi, Operation::ChatCompletions), None, body).unwrap();
    let plan = prompt_count(
        &Call::new(Api::OpenAi, Operation::ChatCompletions),
        body,
        &request,
    );
    assert_eq!(plan.extra, ["deep:string:down", "a:array:", "f:d"]);
}

#[test]
fn anthropic_is_always_an_estimate() {
    let body =
        br#"{"model":"claude-sonnet-4-5","max_tokens":5,"messages":[{"role":"user","content":"a b"}]}"#;
    let request = read_request(&Call::new(Api::Anthropic, Operation::Messages), None, body).unwrap();
    let plan = prompt_count(&Call::new(Api::Anthropic, Operation::Messages), body, &request);
    assert_eq!(
        (plan.certainty, total(&plan, &request)),
        (Certainty::Estimated, 6)
    );
}
