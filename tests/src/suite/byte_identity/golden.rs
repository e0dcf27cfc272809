//! Golden exchanges: requests and answers in the shapes that providers and clients use, odd ones included.

use std::io::Write;

use serde_json::json;

use crate::client::replay::Until;

/// The interim answer to a client that waits before it sends a body.
pub(super) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// One request and its answer.
#[derive(Clone, Debug)]
pub(super) struct Golden {
    /// Its name.
    pub(super) name: &'static str,
    /// The answer as the provider sends it.
    pub(super) response: Vec<u8>,
    /// Whether the provider closes the connection after it.
    pub(super) closes: bool,
    /// Whether the client asks for `100 Continue` first.
    pub(super) expects: bool,
    /// Whether a policy can read the request; one that it cannot is refused where a policy applies.
    pub(super) readable: bool,
    /// Whether to try every split of the request.
    pub(super) split_request: bool,
    /// Whether to try every split of the answer.
    pub(super) split_response: bool,
    head: String,
    body: Vec<u8>,
}

impl Golden {
    fn new(name: &'static str, head: &str, body: &[u8], response: Vec<u8>) -> Self {
        Self {
            name,
            response,
            closes: false,
            expects: false,
            readable: true,
            split_request: false,
            split_response: false,
            head: head.replace('\n', "\r\n"),
            body: body.to_vec(),
        }
    }

    /// The request as the client sends it, marked as this case.
    pub(super) fn request(&self, case: &str) -> Vec<u8> {
        [self.head.replace("CASE", case).as_bytes(), b"\r\n", &self.body].concat()
    }

    /// Bytes of the request's body.
    pub(super) fn body_length(&self) -> usize {
        self.body.len()
    }

    /// Whether the answer is chunked.
    pub(super) fn is_chunked(&self) -> bool {
        self.response
            .to_ascii_lowercase()
            .windows(26)
            .any(|window| window == b"transfer-encoding: chunked")
    }

    /// Where the answer ends.
    pub(super) fn until(&self) -> Until {
        match (self.closes, self.is_chunked()) {
            (true, _) => Until::Close,
            (false, true) => Until::Chunked,
            (false, false) => Until::Bytes(self.response.len()),
        }
    }
}

/// Every golden exchange.
pub(super) fn all() -> Vec<Golden> {
    let chat = br#"{"model":"gpt-4o-mini", "messages" : [ {"role":"user","content":"caf\u00e9 \ud83d\ude00 \u0041"} ],"x":1.0e0}"#;
    let streamed = br#"{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    vec![
        Golden {
            split_request: true,
            split_response: true,
            ..Golden::new("whole", &post(chat, "x-case: CASE\n"), chat, whole_answer())
        },
        Golden {
            split_response: true,
            ..Golden::new("streamed", &post(streamed, ""), streamed, stream_answer("\n"))
        },
        Golden::new(
            "streamed-crlf",
            &post(streamed, ""),
            streamed,
            stream_answer("\r\n"),
        ),
        Golden::new("odd-head", &odd_head(chat), chat, odd_head_answer()),
        Golden {
            split_request: true,
            ..Golden::new(
                "chunked-with-trailers",
                &chunked_head(),
                &chunked(chat),
                chunked_answer(),
            )
        },
        Golden {
            readable: false,
            ..Golden::new(
                "not-json",
                &post(b"{\"model\": oops", ""),
                b"{\"model\": oops",
                error_answer(),
            )
        },
        Golden {
            expects: true,
            ..Golden::new(
                "expect-continue",
                &post(chat, "Expect: 100-continue\n"),
                chat,
                whole_answer(),
            )
        },
        Golden::new("gzip", &post(chat, ""), chat, gzip_answer()),
        Golden::new(
            "early-hints",
            &post(chat, ""),
            chat,
            [
                b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n".to_vec(),
                whole_answer(),
            ]
            .concat(),
        ),
        Golden::new(
            "no-content",
            "DELETE /v1/files/f HTTP/1.1\nhost: llm.scripted.test\nx-lab-case: CASE\n",
            b"",
            b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n".to_vec(),
        ),
        Golden::new(
            "head",
            "HEAD /v1/models HTTP/1.1\nhost: llm.scripted.test\nx-lab-case: CASE\n",
            b"",
            b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n".to_vec(),
        ),
        Golden::new(
            "another-operation",
            "POST /v1/uploads HTTP/1.1\nhost: llm.scripted.test\nx-lab-case: CASE\ncontent-length: 4\n",
            b"\0\x01\xff\n",
            whole_answer(),
        ),
        Golden {
            closes: true,
            ..Golden::new("close-delimited", &post(chat, ""), chat, closed_answer())
        },
    ]
}

fn post(body: &[u8], more: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\nHost: llm.scripted.test\nAuthorization: Bearer sk-lab-secret-7f3a\n\
         Content-Type: application/json\nX-Lab-Case: CASE\n{more}Content-Length: {}\n",
        body.len()
    )
}

/// Spaces, cases, repeated and empty fields that a rewritten head would lose.
fn odd_head(body: &[u8]) -> String {
    format!(
        "POST /v1/chat/completions?a=b%20c&a=b HTTP/1.1\nhOsT:llm.scripted.test\nX-Lab-Case:   CASE  \nx-twice: 1\nX-Twice: 2\n\
         X-Empty:\nACCEPT:\t*/*\nContent-Length:   {}\n",
        body.len()
    )
}

fn chunked_head() -> String {
    "POST /v1/chat/completions HTTP/1.1\nHost: llm.scripted.test\nX-Lab-Case: CASE\nTE: trailers\nTrailer: x-sum\n\
     Transfer-Encoding: chunked\n"
        .to_owned()
}

/// Uneven chunks, upper- and lower-case sizes, an extension, a trailer.
fn chunked(body: &[u8]) -> Vec<u8> {
    let (first, rest) = body.split_at(10);
    let (second, third) = rest.split_at(27);
    [
        b"A\r\n",
        first,
        b"\r\n01b;name=\"value\"\r\n",
        second,
        b"\r\n",
        format!("{:x}\r\n", third.len()).as_bytes(),
        third,
        b"\r\n0\r\nx-sum: 12\r\n\r\n",
    ]
    .concat()
}

fn completion() -> Vec<u8> {
    let completion = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Grüße"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
    });
    completion.to_string().into_bytes()
}

fn whole_answer() -> Vec<u8> {
    let body = completion();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: r\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

fn events(line_end: &str) -> String {
    let delta = |delta: serde_json::Value, finish: serde_json::Value| {
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {chunk}{line_end}{line_end}")
    };
    [
        format!(": keep-alive{line_end}{line_end}"),
        delta(json!({"role": "assistant", "content": ""}), json!(null)),
        delta(json!({"content": "Grü"}), json!(null)),
        delta(json!({"content": "ße"}), json!(null)),
        delta(json!({}), json!("stop")),
        format!("data: [DONE]{line_end}{line_end}"),
    ]
    .concat()
}

/// A chunk per event, as providers send them, but for one event in two chunks and two events in one.
fn stream_answer(line_end: &str) -> Vec<u8> {
    let events = events(line_end);
    let bytes = events.as_bytes();
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in bytes.chunks(150) {
        answer.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        answer.extend(piece);
        answer.extend(b"\r\n");
    }
    answer.extend(b"0\r\n\r\n");
    answer
}

fn odd_head_answer() -> Vec<u8> {
    let body = completion();
    let head = format!(
        "HTTP/1.1 200 Everything Fine\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nX-Empty:\r\ncontent-length:{}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

fn chunked_answer() -> Vec<u8> {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n";
    [head.as_slice(), &chunked(&completion())].concat()
}

fn error_answer() -> Vec<u8> {
    let body = json!({"error": {"message": "invalid", "type": "invalid_request_error", "param": null, "code": null}}).to_string();
    format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn gzip_answer() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    // Writing to memory does not fail; were the body empty, the comparison would still be of what was sent.
    let _written = encoder.write_all(&completion());
    let body = encoder.finish().unwrap_or_default();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

fn closed_answer() -> Vec<u8> {
    [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n".to_vec(),
        completion(),
    ]
    .concat()
}
