//! Models that a request names beside the first.

use super::{Run, policy};
use crate::config::{Glob, Policy};
use crate::exchange::testing::lab;

fn asked(body: &str) -> Run {
    let only_opus = Policy {
        models: Some(vec![Glob::new("claude-opus-*").unwrap()]),
        ..policy(vec![], vec![])
    };
    let lab = lab(&[only_opus]);
    let mut run = Run::new(&lab);
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    run.client(head.as_bytes());
    run.client(body.as_bytes());
    run
}

#[test]
fn a_model_that_may_answer_in_place_of_the_first_must_be_allowed_too() {
    let body = |fallback: &str| {
        format!(
            r#"{{"model":"claude-opus-4-5","max_tokens":9,"fallbacks":[{{"model":"{fallback}"}}],"messages":[]}}"#
        )
    };
    let refused = asked(&body("claude-haiku-4-5"));
    assert!(refused.to_upstream.is_empty());
    assert!(refused.to_client.starts_with(b"HTTP/1.1 403 "));
    let passed = asked(&body("claude-opus-4-1"));
    assert!(passed.to_upstream.starts_with(b"POST /v1/messages "));
}
