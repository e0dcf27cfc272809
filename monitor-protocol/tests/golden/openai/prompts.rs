//! Operations that take a prompt or input without messages: completions, embeddings, moderations.

use monitor_protocol::*;

use crate::reading::{call_of, fixture, read_fixture, usage};

const EMBEDDINGS: Call = Call::new(Api::OpenAi, Operation::Embeddings);
const COMPLETIONS: Call = Call::new(Api::OpenAi, Operation::Completions);

fn texts(name: &str) -> (Vec<String>, PromptCount, u64, u32) {
    let (call, body) = (call_of(name), fixture(name));
    let request = read_request(&call, None, &body).unwrap();
    let plan = prompt_count(&call, &body, &request);
    let texts = request.texts.iter().map(|text| text.text().into_owned());
    (texts.collect(), plan, request.token_ids, request.choices)
}

#[test]
fn embedding_input_in_every_form_is_counted_to_the_token() {
    let (found, plan, ..) = texts("openai/embeddings/request_string.json");
    assert_eq!(found, ["The food was \"good\""]);
    assert_eq!((plan.overhead, plan.certainty), (0, Certainty::Exact));
    let (found, plan, ..) = texts("openai/embeddings/request_strings.json");
    assert_eq!(found, ["one", "two words"]);
    assert_eq!((plan.overhead, plan.certainty), (0, Certainty::Exact));
    let (found, plan, tokens, _) = texts("openai/embeddings/request_tokens.json");
    assert!(found.is_empty());
    assert_eq!((plan.overhead, tokens), (5, 5));
    assert_eq!(plan.certainty, Certainty::Exact);
}

#[test]
fn embeddings_without_completion_tokens() {
    let body = fixture("openai/embeddings/response.json");
    let response = read_response(&EMBEDDINGS, &body).unwrap();
    assert_eq!(response.usage.unwrap().usage(), usage(5, 0, 0, 0, 0).unwrap());
    assert!(response.texts.is_empty());
    let body = fixture("openai/embeddings/response_total_only.json");
    let response = read_response(&EMBEDDINGS, &body).unwrap();
    assert_eq!(
        response.usage.unwrap().usage(),
        usage(12, 0, 0, 0, 0).unwrap(),
        "a total without parts is the prompt's, not hidden reasoning"
    );
}

#[test]
fn moderation_of_text_and_image() {
    let (found, plan, ..) = texts("openai/moderations/request.json");
    assert_eq!(found, ["some words"]);
    assert_eq!(plan.certainty, Certainty::UnderEstimate);
    let body = fixture("openai/moderations/response.json");
    let response = read_response(&call_of("openai/moderations/x"), &body).unwrap();
    assert_eq!(response.model.as_deref(), Some("omni-moderation-latest"));
    assert!(response.usage.is_none());
}

#[test]
fn completion_prompts_and_how_many_answers_they_cost() {
    let (found, plan, _, choices) = texts("openai/completions/request.json");
    assert_eq!(found, ["first prompt", "second \"prompt\"", "the end", "[a-z]+"]);
    assert_eq!(choices, 2 * 3, "each prompt is answered best_of times");
    assert_eq!(plan.certainty, Certainty::Estimated);
    let body = fixture("openai/completions/request.json");
    let request = read_request(&COMPLETIONS, None, &body).unwrap();
    let edited = edit(&body, &[request.ask_usage.unwrap()]).unwrap();
    assert!(read_request(&COMPLETIONS, None, &edited).unwrap().include_usage);
    let (found, plan, tokens, choices) = texts("openai/completions/request_tokens.json");
    assert!(found.is_empty());
    assert_eq!((plan.overhead, tokens, choices), (4, 4, 1));
    assert_eq!(plan.certainty, Certainty::Exact);
}

#[test]
fn completion_texts_of_several_choices() {
    let reading = read_fixture("openai/completions/stream_two_choices.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "Hello");
    assert_eq!(reading.text(1, Part::Text, 0), "Uno dos");
    assert_eq!(reading.usage, usage(5, 0, 0, 6, 0));
    assert_eq!(reading.usage_only, 1);
    assert!(reading.terminal);
    let body = fixture("openai/completions/response.json");
    let response = read_response(&COMPLETIONS, &body).unwrap();
    let texts: Vec<_> = response
        .texts
        .iter()
        .map(|text| (text.channel.choice, text.text().into_owned()))
        .collect();
    assert_eq!(texts, [(1, "two".to_owned()), (0, "one\n".to_owned())]);
    assert_eq!(response.echoes.len(), 1);
    assert_eq!(response.usage.unwrap().usage(), usage(5, 0, 0, 7, 0).unwrap());
}
