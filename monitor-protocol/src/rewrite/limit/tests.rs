use proptest::prelude::*;

use super::*;
use crate::{Edit, edit, read_request};

fn call(shape: Api, operation: Operation) -> Call {
    Call::new(shape, operation)
}

fn lowered(call: &Call, body: &str, tokens: u64) -> Option<String> {
    let rewrites = lower_output_limit(call, body.as_bytes(), tokens, true)?;
    let edits: Vec<Edit<'_>> = rewrites.iter().map(Rewrite::edit).collect();
    Some(String::from_utf8(edit(body.as_bytes(), &edits).unwrap()).unwrap())
}

/// Shape, operation, model of the path; what came, what goes on at 40 tokens.
type Case = (
    Api,
    Operation,
    Option<&'static str>,
    &'static str,
    Option<&'static str>,
);

const CASES: &[Case] = &[
    (
        Api::OpenAi,
        Operation::ChatCompletions,
        None,
        r#"{ "max_tokens" : 100 , "messages":[]}"#,
        Some(r#"{ "max_tokens" : 40 , "messages":[]}"#),
    ),
    (
        Api::OpenAi,
        Operation::ChatCompletions,
        None,
        r#"{"max_completion_tokens":100,"max_tokens":30,"a":[1e5]}"#,
        Some(r#"{"max_completion_tokens":40,"max_tokens":30,"a":[1e5]}"#),
    ),
    (
        Api::OpenAi,
        Operation::ChatCompletions,
        None,
        r#"{"messages":[{"max_tokens":7}]}"#,
        Some(r#"{"max_completion_tokens":40,"messages":[{"max_tokens":7}]}"#),
    ),
    (
        Api::OpenAi,
        Operation::ChatCompletions,
        None,
        r#"{"max_tokens":null,"max_tokens":50}"#,
        Some(r#"{"max_tokens":40,"max_tokens":40}"#),
    ),
    (
        Api::OpenAi,
        Operation::Completions,
        None,
        r#"{"prompt":"a"}"#,
        Some(r#"{"max_tokens":40,"prompt":"a"}"#),
    ),
    (
        Api::OpenAi,
        Operation::Responses,
        None,
        r#"{"input":"a","max_output_tokens":4000}"#,
        Some(r#"{"input":"a","max_output_tokens":40}"#),
    ),
    (
        Api::OpenAi,
        Operation::Realtime,
        None,
        r#"{"type":"response.create","response":{"max_output_tokens":"inf"}}"#,
        Some(r#"{"type":"response.create","response":{"max_output_tokens":40}}"#),
    ),
    (
        Api::OpenAi,
        Operation::Realtime,
        None,
        r#"{"type":"response.create"}"#,
        Some(r#"{"response":{"max_output_tokens":40},"type":"response.create"}"#),
    ),
    (
        Api::OpenAi,
        Operation::Generate,
        None,
        r#"{"inputs":"a","parameters":{"max_new_tokens":90}}"#,
        Some(r#"{"inputs":"a","parameters":{"max_new_tokens":40}}"#),
    ),
    (
        Api::OpenAi,
        Operation::Generate,
        None,
        r#"{"prompt":"a","n_predict":-1}"#,
        Some(r#"{"prompt":"a","n_predict":40}"#),
    ),
    (Api::OpenAi, Operation::Generate, None, r#"{"inputs":"a"}"#, None),
    (
        Api::Anthropic,
        Operation::Messages,
        None,
        r#"{"max_tokens":1024,"messages":[]}"#,
        Some(r#"{"max_tokens":40,"messages":[]}"#),
    ),
    (
        Api::Anthropic,
        Operation::Messages,
        None,
        r#"{"max_tokens":4096,"thinking":{"type":"enabled","budget_tokens":1024}}"#,
        None,
    ),
    (
        Api::Gemini,
        Operation::GenerateContent,
        Some("gemini-2.5-pro"),
        r#"{"contents":[],"generationConfig":{"maxOutputTokens":"900","topK":1}}"#,
        Some(r#"{"contents":[],"generationConfig":{"maxOutputTokens":40,"topK":1}}"#),
    ),
    (
        Api::Gemini,
        Operation::GenerateContent,
        Some("gemini-2.5-pro"),
        r#"{"contents":[],"generation_config":{}}"#,
        Some(r#"{"contents":[],"generation_config":{"maxOutputTokens":40}}"#),
    ),
    (
        Api::Gemini,
        Operation::GenerateContent,
        Some("gemini-2.5-pro"),
        r#"{"contents":[]}"#,
        Some(r#"{"generationConfig":{"maxOutputTokens":40},"contents":[]}"#),
    ),
    (
        Api::Gemini,
        Operation::GenerateContent,
        None,
        r#"{"model":"m","request":{"contents":[]}}"#,
        Some(r#"{"model":"m","request":{"generationConfig":{"maxOutputTokens":40},"contents":[]}}"#),
    ),
    (
        Api::Bedrock,
        Operation::Converse,
        Some("amazon.nova-lite-v1:0"),
        r#"{"messages":[],"inferenceConfig":{"temperature":1}}"#,
        Some(r#"{"messages":[],"inferenceConfig":{"maxTokens":40,"temperature":1}}"#),
    ),
    (
        Api::Bedrock,
        Operation::InvokeModel,
        Some("anthropic.claude-haiku-4-v1:0"),
        r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":90}"#,
        Some(r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":40}"#),
    ),
    (
        Api::Bedrock,
        Operation::InvokeModel,
        Some("amazon.titan-text-express-v1"),
        r#"{"inputText":"a","textGenerationConfig":{"maxTokenCount":90}}"#,
        Some(r#"{"inputText":"a","textGenerationConfig":{"maxTokenCount":40}}"#),
    ),
    (
        Api::Bedrock,
        Operation::InvokeModel,
        Some("meta.llama3-3-70b-instruct-v1:0"),
        r#"{"prompt":"a"}"#,
        None,
    ),
    (
        Api::Cohere,
        Operation::Chat,
        None,
        r#"{"messages":[],"max_tokens":41}"#,
        Some(r#"{"messages":[],"max_tokens":40}"#),
    ),
    (
        Api::Ollama,
        Operation::Chat,
        None,
        r#"{"model":"m","options":null}"#,
        Some(r#"{"model":"m","options":{"num_predict":40}}"#),
    ),
    (
        Api::Ollama,
        Operation::Generate,
        None,
        r#"{"model":"m","options":{"num_predict":-2}}"#,
        Some(r#"{"model":"m","options":{"num_predict":40}}"#),
    ),
    (
        Api::OpenAi,
        Operation::Batches,
        None,
        r#"{"max_tokens":90}"#,
        None,
    ),
    (Api::OpenAi, Operation::ChatCompletions, None, "[]", None),
];

#[test]
fn each_shape_is_lowered_in_its_own_place() {
    for (shape, operation, model, body, expected) in CASES {
        let call = call(*shape, *operation).with_model(model.map(str::to_owned));
        assert_eq!(lowered(&call, body, 40).as_deref(), *expected, "{body}");
    }
}

#[test]
fn what_is_low_enough_keeps_its_bytes() {
    let chat = call(Api::OpenAi, Operation::ChatCompletions);
    let body = r#"{"max_tokens":40}"#;
    assert_eq!(lowered(&chat, body, 40).as_deref(), Some(body));
}

#[test]
fn no_limit_is_written_that_the_provider_refuses() {
    let responses = call(Api::OpenAi, Operation::Responses);
    assert_eq!(lowered(&responses, r#"{"input":"a"}"#, 15), None);
    assert!(lowered(&responses, r#"{"input":"a"}"#, 16).is_some());
}

#[test]
fn a_server_that_copies_openai_is_told_by_the_older_name() {
    let chat = call(Api::OpenAi, Operation::ChatCompletions);
    let rewrites = lower_output_limit(&chat, br#"{"messages":[]}"#, 40, false).unwrap();
    assert_eq!(rewrites[0].json, r#""max_tokens":40,"#);
}

proptest! {
    /// Whatever else stands in a request, only the limit changes, and its reader then reads the lowered one.
    #[test]
    fn an_edit_of_the_limit_changes_no_other_byte(
        before in prop::collection::vec(("[a-l]{1,8}", any::<i32>(), "[ \\n\\t]{0,3}"), 0..5),
        after in prop::collection::vec(("[a-l]{1,8}", "[\\PC&&[^\"\\\\]]{0,12}"), 0..5),
        said in prop::option::of(0u64..200_000),
        tokens in 1u64..100_000,
    ) {
        let mut members: Vec<String> =
            before.iter().map(|(key, value, space)| format!("{space}\"{key}\":{space}{value}")).collect();
        let at = members.len();
        members.extend(said.map(|said| format!("\"max_tokens\":{said}")));
        members.extend(after.iter().map(|(key, value)| format!("\"{key}\" : [{{\"max_tokens\":9}},\"{value}\"]")));
        let body = format!("{{{}}}", members.join(","));
        let chat = call(Api::OpenAi, Operation::ChatCompletions);
        let out = lowered(&chat, &body, tokens).unwrap();
        let expected = match said {
            Some(said) => {
                members[at] = format!("\"max_tokens\":{}", said.min(tokens));
                format!("{{{}}}", members.join(","))
            }
            None => {
                let comma = if members.is_empty() { "" } else { "," };
                format!("{{\"max_completion_tokens\":{tokens}{comma}{}}}", members.join(","))
            }
        };
        prop_assert_eq!(&out, &expected);
        let request = read_request(&chat, None, out.as_bytes()).unwrap();
        prop_assert_eq!(request.max_output_tokens.unwrap().tokens, said.unwrap_or(tokens).min(tokens));
    }
}
