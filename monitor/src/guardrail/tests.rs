use std::io::Write;
use std::net::TcpListener;
use std::thread;

use super::*;

/// Answers so many questions with these bytes each; returns the URL and what it was sent.
fn service(answers: Vec<String>) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/check", listener.local_addr().unwrap());
    let thread = thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.ends_with(b"}]}") {
                let n = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..n]);
            }
            asked.push(String::from_utf8(request).unwrap());
            stream.write_all(answer.as_bytes()).unwrap();
        }
        asked
    });
    (url, thread)
}

fn http(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn guardrail(url: String, on_error: OnError) -> Guardrail {
    Guardrail::new(&config::Guardrail {
        name: "acme".into(),
        url,
        timeout_ms: 2_000,
        on_error,
        ca: None,
        headers: Vec::new(),
    })
    .unwrap()
}

fn question(text: &str) -> Question<'_> {
    Question {
        version: 1,
        exchange: "id".into(),
        provider: "openai",
        model: "gpt-4o",
        operation: "chat_completions",
        texts: vec![QuestionText {
            part: Part::User,
            text,
        }],
    }
}

#[test]
fn it_says_what_the_service_says() {
    let (url, service) = service(vec![
        http(200, r#"{"action":"allow","score":0.1}"#),
        http(200, r#"{"action":"block"}"#),
        http(200, r#"{"verdict":"fine"}"#),
        http(500, r#"{"action":"allow"}"#),
        http(302, ""),
        "nothing of the kind\r\n\r\n".into(),
    ]);
    let guardrail = guardrail(url, OnError::Deny);
    assert_eq!(guardrail.ask(&question("a")), Answer::Allow);
    assert_eq!(guardrail.ask(&question("b")), Answer::Block);
    for _ in 0..4 {
        assert_eq!(guardrail.ask(&question("c")), Answer::Failed(OnError::Deny));
    }
    let asked = service.join().unwrap();
    assert!(asked[0].ends_with(
        r#"{"version":1,"exchange":"id","provider":"openai","model":"gpt-4o","operation":"chat_completions","texts":[{"part":"user","text":"a"}]}"#
    ), "{}", asked[0]);
}

#[test]
fn what_does_not_answer_is_not_waited_for_again_and_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut silent = guardrail(
        format!("http://{}/", listener.local_addr().unwrap()),
        OnError::Allow,
    );
    silent.agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_millis(20)))
        .build()
        .into();
    for _ in 0..5 {
        assert_eq!(silent.ask(&question("a")), Answer::Failed(OnError::Allow));
    }
    assert!(!silent.breaker.admits());
    assert_eq!(silent.ask(&question("a")), Answer::Failed(OnError::Allow));
    assert_eq!(silent.in_flight.load(Ordering::Relaxed), 0);
}

#[test]
fn too_long_a_text_is_not_sent() {
    let guardrail = guardrail("http://127.0.0.1:9/".into(), OnError::Deny);
    let text = "a".repeat(MAX_QUESTION_BYTES + 1);
    assert_eq!(guardrail.ask(&question(&text)), Answer::Failed(OnError::Deny));
}
