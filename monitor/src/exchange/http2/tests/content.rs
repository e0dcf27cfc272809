//! Content rules on streams over HTTP/2.

use super::*;
use crate::event::Exchange;

fn lab_with(prompt: bool, action: Action, redaction: Redaction) -> Lab {
    let mut policy = policy(None, Some(("pii.credit_card", prompt)));
    policy.content[0].action = action;
    policy.content[0].redaction = redaction;
    lab(&[policy])
}

/// A streamed answer that says these texts, and the client's reading of what comes of it.
async fn told(lab: &Lab, texts: &[&str]) -> (String, Asked) {
    let mut events: Vec<String> = texts
        .iter()
        .map(|text| {
            format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
        })
        .collect();
    events.push("data: [DONE]\n\n".to_owned());
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    let (answer, asked) = ask(
        lab,
        script("text/event-stream", &events),
        &[CHAT.as_bytes()],
        None,
    )
    .await;
    (String::from_utf8(answer.body.unwrap()).unwrap(), asked.unwrap())
}

/// The text of a stream.
fn text_of(stream: &str) -> String {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok())
        .filter_map(|event| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned()))
        .collect()
}

fn last(lab: &Lab) -> Arc<Exchange> {
    lab.exchanges().last().unwrap().clone()
}

#[tokio::test]
async fn a_card_is_redacted_whatever_the_pieces() {
    let text = "The card is 4111 1111 1111 1111 and that is all.";
    for at in 1..text.len() {
        let lab = lab_with(false, Action::Redact, Redaction::Placeholder);
        let (stream, _) = told(&lab, &[&text[..at], &text[at..]]).await;
        assert_eq!(
            text_of(&stream),
            "The card is [REDACTED:credit_card] and that is all.",
            "{at}"
        );
        assert!(stream.ends_with("data: [DONE]\n\n"));
        assert_eq!(last(&lab).verdict, Verdict::Redacted);
    }
}

#[tokio::test]
async fn a_card_ends_the_stream_in_the_protocol_s_own_way() {
    let lab = lab_with(false, Action::Block, Redaction::Placeholder);
    let mut texts = vec!["The card is ", "4111 1111", " 1111 1111", " and"];
    texts.extend([" more"; 50]);
    let (stream, _) = told(&lab, &texts).await;
    assert!(text_of(&stream).starts_with("The card is"), "{stream}");
    assert!(!stream.contains("1111") && !stream.contains("more"), "{stream}");
    assert!(stream.contains("\"code\":\"policy_violation\""), "{stream}");
    let exchange = last(&lab);
    assert_eq!(
        (exchange.verdict, exchange.reason),
        (Verdict::Cut, Some(Reason::Content))
    );
}

#[tokio::test]
async fn a_pseudonym_is_the_card_again() {
    let lab = lab_with(true, Action::Redact, Redaction::Reversible);
    let (_, asked) = told(&lab, &["ok"]).await;
    let prompt = String::from_utf8(asked.body).unwrap();
    let (_, from) = prompt.split_once("card ").unwrap();
    let pseudonym = &from[.."4111 1111 1111 1111".len()];
    assert!(!prompt.contains("4111 1111"), "{prompt}");
    for at in 1..pseudonym.len() {
        let (stream, _) = told(&lab, &["It is ", &pseudonym[..at], &pseudonym[at..], "."]).await;
        assert_eq!(text_of(&stream), "It is 4111 1111 1111 1111.", "{at}");
    }
    assert_eq!(last(&lab).findings.len(), 1);
}
