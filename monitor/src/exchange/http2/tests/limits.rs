//! What happens near a budget's limit.

use std::time::{Duration, Instant};

use super::*;
use crate::config::SlowDown;
use crate::event::LimitAction;

const EVENT: &str = "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n";

#[tokio::test]
async fn a_stream_is_paced_and_whole() {
    let mut slow = policy(Some(1_000), None);
    slow.budgets[0].slow_down = Some(SlowDown {
        from_percent: 1,
        tokens_per_s: 50,
    });
    let lab = lab(&[slow]);
    let all = EVENT.repeat(11);
    let began = Instant::now();
    let body = [all.as_str(), "data: [DONE]\n\n"];
    let (answer, _) = ask(&lab, script("text/event-stream", &body), &[CHAT.as_bytes()], None).await;
    let took = began.elapsed();
    assert_eq!(answer.body.unwrap(), body.concat().into_bytes());
    assert!(
        took >= Duration::from_millis(200) && took < Duration::from_secs(5),
        "ten tokens at fifty a second took {took:?}"
    );
    let exchange = lab.one_exchange();
    assert_eq!(
        (exchange.slowed, &*exchange.actions),
        (Some(50), &[LimitAction::SlowedDown][..])
    );
}

#[tokio::test]
async fn a_limit_is_lowered_to_what_is_left() {
    let mut clamp = policy(Some(100), None);
    clamp.budgets[0].clamp = true;
    let lab = lab(&[clamp]);
    let body = CHAT.replace("\"stream\":true", "\"max_tokens\":5000");
    let (_, asked) = ask(
        &lab,
        script("application/json", &["{}"]),
        &[body.as_bytes()],
        None,
    )
    .await;
    let limit = lab.one_exchange().clamped.unwrap();
    let sent = asked.unwrap();
    assert_eq!(
        String::from_utf8(sent.body.clone()).unwrap(),
        body.replace("5000", &limit.to_string())
    );
    assert_eq!(sent.head.headers()["content-length"], sent.body.len().to_string());
    assert!((1..100).contains(&limit));
}
