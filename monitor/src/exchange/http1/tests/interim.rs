//! What HTTP/1.1 has beside one request and one answer: interim answers, early answers, trailers, half-closes.

use super::*;

#[test]
fn interim_answers_pass_before_the_final_one() {
    let lab = lab(&[policy(
        vec![rule("pii.*", true, true, Action::Redact)],
        vec![budget(100_000)],
    )]);
    let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n";
    let processing = b"HTTP/1.1 102 Processing\r\n\r\n";
    let whole = ANSWER.replace("a@example.org", "nobody");
    let wire = [&hints[..], processing, &answer(&whole)].concat();
    for cut in 0..=wire.len() {
        let mut run = Run::new(&lab);
        run.client(&post(CHAT));
        run.upstream(&wire[..cut]);
        run.upstream(&wire[cut..]);
        assert_eq!(run.to_client, wire, "cut at {cut}");
    }
}

#[test]
fn an_answer_before_the_request_s_end_passes_and_ends_the_connection() {
    let lab = lab(&[]);
    let mut run = Run::new(&lab);
    run.client(b"POST /v1/vector_stores HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
    let early = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}";
    run.upstream(early);
    assert_eq!(run.to_client, early);
    assert!(
        run.relay.is_finished(),
        "what is left of the request has nowhere to go"
    );
    let exchange = lab.one_exchange();
    assert_eq!(
        (exchange.http.status, exchange.http.request_bytes),
        (Some(413), 3)
    );
}

#[test]
fn trailers_follow_a_stream_that_policy_reads() {
    let rules = || vec![rule("secret.*", false, true, Action::Redact)];
    for policies in [vec![], vec![policy(rules(), vec![budget(100_000)])]] {
        let lab = lab(&policies);
        let mut wire = chunked(&stream_of(&["Hello"]));
        wire.truncate(wire.len() - 2);
        wire.extend_from_slice(b"X-Sum: 1\r\nX-Cost: 2\r\n\r\n");
        let mut run = Run::new(&lab);
        run.client(&post(CHAT));
        run.upstream(&wire);
        assert_eq!(dechunk(&run.to_client), stream_of(&["Hello"]));
        assert!(run.to_client.ends_with(b"0\r\nX-Sum: 1\r\nX-Cost: 2\r\n\r\n"));
    }
}

#[test]
fn a_client_that_sends_no_more_gets_its_answer() {
    let lab = lab(&[]);
    let mut run = Run::new(&lab);
    run.client(&post(CHAT));
    run.relay.from_client.ended = true;
    run.settle();
    assert!(run.relay.client_sends_no_more(), "the upstream is told so");
    run.upstream(&answer(ANSWER));
    assert_eq!(run.to_client, answer(ANSWER));
    assert_eq!(lab.one_exchange().reason, None);
}

#[test]
fn a_client_that_leaves_within_its_request_sends_nothing_upstream() {
    let lab = lab(&[policy(vec![], vec![budget(1_000)])]);
    let mut run = Run::new(&lab);
    let request = post(CHAT);
    run.client(&request[..request.len() - 1]);
    run.relay.from_client.ended = true;
    run.settle();
    assert!(run.relay.is_finished() && run.to_upstream.is_empty());
    let exchange = lab.one_exchange();
    assert_eq!(
        (exchange.reason, exchange.usage),
        (Some(Reason::ClientGone), None)
    );
}
