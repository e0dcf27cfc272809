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

/// A picture of 1024 by 1024 pixels, as far as its size is told.
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAABAAAAAQACAYAAAA=";

#[test]
fn images_cost_what_the_formula_of_the_model_says() {
    let openai = |model: &str, image: &str| {
        format!(
            r#"{{"model":"{model}","messages":[{{"role":"user","content":[{{"type":"text","text":"a b"}},{{"type":"image_url","image_url":{image}}}]}}]}}"#
        )
    };
    let data = format!(r#"{{"url":"data:image/png;base64,{PICTURE}"}}"#);
    let low = r#"{"url":"https://example.com/a.png","detail":"low"}"#;
    let remote = r#"{"url":"https://example.com/a.png"}"#;
    let anthropic = format!(
        r#"{{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{{"role":"user","content":[{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{PICTURE}"}}}}]}}]}}"#
    );
    let gemini = format!(
        r#"{{"contents":[{{"parts":[{{"text":"a"}},{{"inlineData":{{"mimeType":"image/png","data":"{PICTURE}"}}}}]}}]}}"#
    );
    let call = Call::new(Api::OpenAi, Operation::ChatCompletions);
    let of = |call: &Call, body: &str| {
        let request = read_request(call, None, body.as_bytes()).unwrap();
        let plan = prompt_count(call, body.as_bytes(), &request);
        (plan.overhead, plan.certainty)
    };
    let text = 3 + 1 + 3;
    assert_eq!(
        of(&call, &openai("gpt-4o", &data)),
        (text + 765, Certainty::Estimated)
    );
    assert_eq!(
        of(&call, &openai("gpt-4o", low)),
        (text + 85, Certainty::Estimated)
    );
    assert_eq!(
        of(&call, &openai("gpt-4o", remote)),
        (text, Certainty::UnderEstimate)
    );
    assert_eq!(
        of(&call, &openai("unknown", &data)),
        (text, Certainty::UnderEstimate)
    );
    let messages = Call::new(Api::Anthropic, Operation::Messages);
    assert_eq!(of(&messages, &anthropic), (4 + 37 * 37, Certainty::Estimated));
    let model = Some("gemini-2.5-flash".to_owned());
    let generate = Call::new(Api::Gemini, Operation::GenerateContent).with_model(model);
    assert_eq!(of(&generate, &gemini), (1 + 4 * 258, Certainty::Estimated));
}
