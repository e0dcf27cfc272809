//! AWS event streams, held to AWS's own encoder and decoder (aws-smithy-eventstream).

use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use aws_smithy_types::{DateTime, str_bytes::StrBytes};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use monitor_protocol::*;
use proptest::prelude::*;
use serde_json::value::RawValue;

/// The stream that a fixture stands for: a list of names and payloads. What is called `…Exception` is sent as an exception;
/// the payload of a `chunk` is wrapped as Bedrock's `InvokeModelWithResponseStream` wraps it.
pub(crate) fn encode(fixture: &[u8]) -> Vec<u8> {
    let list: Vec<(String, Box<RawValue>)> = serde_json::from_slice(fixture).unwrap();
    let mut stream = Vec::new();
    for (name, payload) in list {
        let message = if name.ends_with("Exception") {
            message("exception", ":exception-type", &name, payload.get())
        } else if name == "chunk" {
            message("event", ":event-type", &name, &wrapped(payload.get()))
        } else {
            message("event", ":event-type", &name, payload.get())
        };
        write_message_to(&message, &mut stream).unwrap();
    }
    stream
}

/// The headers that Bedrock sends, in its order.
fn message(message_type: &'static str, key: &'static str, name: &str, payload: &str) -> Message {
    let string = |value: &str| HeaderValue::String(StrBytes::copy_from_str(value));
    Message::new(payload.to_owned())
        .add_header(Header::new(key, string(name)))
        .add_header(Header::new(":content-type", string("application/json")))
        .add_header(Header::new(":message-type", string(message_type)))
}

fn wrapped(document: &str) -> String {
    format!(
        r#"{{"bytes":"{}","p":"abcdefgh"}}"#,
        BASE64_STANDARD.encode(document)
    )
}

fn frames(stream: &[u8]) -> Vec<Frame> {
    let mut decoder = FrameDecoder::new(Framing::EventStream);
    decoder.push(Bytes::copy_from_slice(stream));
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next().unwrap() {
        frames.push(frame);
    }
    assert!(decoder.remainder().is_empty());
    frames
}

fn one(message: &Message) -> Frame {
    let mut stream = Vec::new();
    write_message_to(message, &mut stream).unwrap();
    frames(&stream).pop().unwrap()
}

fn header<'m>(message: &'m Message, name: &str) -> &'m str {
    let mut headers = message.headers().iter();
    let header = headers.find(|header| header.name().as_str() == name).unwrap();
    header.value().as_string().unwrap().as_str()
}

const STREAM: &[u8] = br#"[
    ["messageStart", {"role":"assistant","p":"abc"}],
    ["contentBlockDelta", {"contentBlockIndex":0,"delta":{"text":"caf\u00e9"}}],
    ["throttlingException", {"message":"Too many tokens"}]
]"#;

#[test]
fn messages_have_their_names_and_payloads() {
    let frames = frames(&encode(STREAM));
    let seen: Vec<_> = frames
        .iter()
        .map(|frame| (frame.name(), frame.data(), frame.is_exception()))
        .collect();
    assert_eq!(
        seen,
        [
            (
                &b"messageStart"[..],
                &br#"{"role":"assistant","p":"abc"}"#[..],
                false
            ),
            (
                b"contentBlockDelta",
                br#"{"contentBlockIndex":0,"delta":{"text":"caf\u00e9"}}"#,
                false
            ),
            (b"throttlingException", br#"{"message":"Too many tokens"}"#, true),
        ]
    );
}

/// An error outside the service's model has no payload, but a code.
#[test]
fn an_error_without_a_model_is_an_exception() {
    let frame = one(&message("error", ":error-code", "InternalFailure", ""));
    assert_eq!(
        (frame.name(), frame.is_exception()),
        (&b"InternalFailure"[..], true)
    );
}

#[test]
fn a_changed_byte_ends_the_reading_and_loses_nothing() {
    let first = encode(br#"[["a", {}]]"#);
    let second = encode(br#"[["b", {"x":1}]]"#);
    let after = encode(br#"[["c", {}]]"#);
    for at in 0..second.len() {
        let mut spoiled = second.clone();
        spoiled[at] ^= 0x10;
        let stream = [&first[..], &spoiled, &after].concat();
        for size in [1, 7, stream.len()] {
            let mut decoder = FrameDecoder::new(Framing::EventStream);
            let mut seen = Vec::new();
            let mut failed = None;
            for chunk in stream.chunks(size) {
                decoder.push(Bytes::copy_from_slice(chunk));
                loop {
                    match decoder.next() {
                        Ok(Some(frame)) => seen.extend_from_slice(frame.raw()),
                        Ok(None) => break,
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
            }
            assert_eq!(failed, Some(FrameError::Checksum), "byte {at}, chunks of {size}");
            assert_eq!(seen, first);
            seen.extend_from_slice(&decoder.remainder());
            assert_eq!(seen, stream);
        }
    }
}

/// A message whose lengths and headers are given, with the checksums they need.
fn with_lengths(total: u32, headers_len: u32, rest: &[u8]) -> Vec<u8> {
    let mut out = [total.to_be_bytes(), headers_len.to_be_bytes()].concat();
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(rest);
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out
}

fn error_of(stream: Vec<u8>) -> FrameError {
    let mut decoder = FrameDecoder::new(Framing::EventStream);
    decoder.push(stream.into());
    decoder.next().unwrap_err()
}

#[test]
fn lengths_that_cannot_be_are_refused_before_anything_is_held() {
    assert_eq!(error_of(with_lengths(15, 0, b"")), FrameError::Lengths);
    assert_eq!(error_of(with_lengths(20, 5, b"")), FrameError::Lengths);
    assert_eq!(
        error_of(with_lengths(u32::MAX, u32::MAX, b"")),
        FrameError::Lengths
    );
    let limit_bytes = MAX_FRAME_BYTES;
    assert_eq!(
        error_of(with_lengths(u32::MAX, 0, b"")),
        FrameError::TooLarge { limit_bytes }
    );
    assert_eq!(error_of(with_lengths(17, 1, b"x")), FrameError::Headers);
}

/// What names a message must be certain: the last of two, or the first, a client may take either.
#[test]
fn a_name_that_comes_twice_or_is_no_string_is_refused() {
    for name in [":event-type", ":message-type", ":exception-type", ":error-code"] {
        let string = || Header::new(name, HeaderValue::String("event".into()));
        let number = Header::new(name, HeaderValue::Int32(7));
        for headers in [vec![string(), string()], vec![number]] {
            let mut stream = Vec::new();
            write_message_to(&Message::new_from_parts(headers, ""), &mut stream).unwrap();
            assert_eq!(error_of(stream), FrameError::Headers, "{name}");
        }
    }
}

#[test]
fn a_chunk_is_unwrapped_and_wrapped_again() {
    let document = r#"{"type":"content_block_delta","delta":{"text":"secret"}}"#;
    let before = message("event", ":event-type", "chunk", &wrapped(document));
    let frame = one(&before);
    assert_eq!(frame.data(), document.as_bytes());
    let at = document.find("secret").unwrap();
    let edited = frame.edited(&[Edit::text(at..at + 6, "[cut \"x\"]")]).unwrap();
    let after = read_message_from(&mut &edited[..]).unwrap();
    assert_eq!(after.headers(), before.headers());
    let payload: serde_json::Value = serde_json::from_slice(after.payload()).unwrap();
    assert_eq!(payload["p"], "abcdefgh");
    let inside = BASE64_STANDARD
        .decode(payload["bytes"].as_str().unwrap())
        .unwrap();
    assert_eq!(
        String::from_utf8(inside).unwrap(),
        document.replace("secret", r#"[cut \"x\"]"#)
    );
}

/// The base64 alphabet has a slash, which JSON may escape.
#[test]
fn a_chunk_may_be_escaped() {
    let payload = wrapped(r#"{"a":"???>>>"}"#).replace('/', r"\/");
    assert!(payload.contains(r"\/"), "{payload}");
    let frame = one(&message("event", ":event-type", "chunk", &payload));
    assert_eq!(frame.data(), br#"{"a":"???>>>"}"#);
    assert_eq!(frame.edited(&[]).as_ref(), Ok(frame.raw()));
}

#[test]
fn a_chunk_that_clients_may_unwrap_differently_is_refused() {
    for payload in [
        r#"{"bytes":"e30=","bytes":"e30="}"#,
        r#"{"bytes":"e30=","b\u0079tes":"e30="}"#,
        r#"{"bytes":"e30"}"#,
        r#"{"bytes":"e3 0="}"#,
        r#"{"bytes":7}"#,
        r#"{"bytes":"e30="} x"#,
        "bytes",
    ] {
        let mut stream = Vec::new();
        let message = message("event", ":event-type", "chunk", payload);
        write_message_to(&message, &mut stream).unwrap();
        assert_eq!(error_of(stream), FrameError::Chunk, "{payload}");
    }
    for payload in ["", "{}", r#"{"p":"x"}"#] {
        let frame = one(&message("event", ":event-type", "chunk", payload));
        assert_eq!(frame.data(), payload.as_bytes());
    }
}

#[test]
fn a_cut_is_an_exception_that_aws_reads() {
    let call = Call::new(Api::Anthropic, Operation::Messages);
    let policy = |name: &str| RefusalReason::Policy { name: name.into() };
    let budget = RefusalReason::Budget {
        name: "b \"1\"".into(),
        counts: "tokens",
        retry_after_s: None,
    };
    for (reason, exception) in [
        (budget, "throttlingException"),
        (policy("p"), "validationException"),
        (RefusalReason::Upstream, "serviceUnavailableException"),
    ] {
        let cut = cut(&call, Framing::EventStream, true, &reason);
        let message = read_message_from(&mut &cut[..]).unwrap();
        assert_eq!(header(&message, ":message-type"), "exception");
        assert_eq!(header(&message, ":exception-type"), exception);
        assert_eq!(header(&message, ":content-type"), "application/json");
        let payload: serde_json::Value = serde_json::from_slice(message.payload()).unwrap();
        assert_eq!(payload["message"], reason.to_string());
        let frame = frames(&cut).pop().unwrap();
        assert_eq!((frame.name(), frame.is_exception()), (exception.as_bytes(), true));
    }
}

fn any_value() -> impl Strategy<Value = HeaderValue> {
    prop_oneof![
        any::<bool>().prop_map(HeaderValue::Bool),
        any::<i8>().prop_map(HeaderValue::Byte),
        any::<i16>().prop_map(HeaderValue::Int16),
        any::<i32>().prop_map(HeaderValue::Int32),
        any::<i64>().prop_map(HeaderValue::Int64),
        any::<u128>().prop_map(HeaderValue::Uuid),
        (0..1_i64 << 40).prop_map(|ms| HeaderValue::Timestamp(DateTime::from_millis(ms))),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| HeaderValue::ByteArray(bytes.into())),
        ".{0,20}".prop_map(|text: String| HeaderValue::String(text.into())),
    ]
}

proptest! {
    /// Whatever AWS's encoder writes is read, at any split; an edit of it is read by AWS's decoder.
    #[test]
    fn what_aws_writes_is_read_and_what_is_edited_aws_reads(
        messages in prop::collection::vec(
            (prop::collection::vec(("[a-z:-]{1,9}", any_value()), 0..4), "[a-zA-Z]{1,9}", "[ -~]{0,60}"),
            1..5,
        ),
        sizes in prop::collection::vec(1_usize..60, 1..9),
        at in any::<prop::sample::Index>(),
    ) {
        let mut stream = Vec::new();
        let mut sent = Vec::new();
        for (headers, name, payload) in messages {
            let mut message = message("event", ":event-type", &format!("x{name}"), &payload);
            for (name, value) in headers {
                message = message.add_header(Header::new(format!("x{name}"), value));
            }
            write_message_to(&message, &mut stream).unwrap();
            sent.push(message);
        }
        let mut decoder = FrameDecoder::new(Framing::EventStream);
        let mut read = Vec::new();
        let mut rest = &stream[..];
        for size in sizes.iter().cycle() {
            let (chunk, tail) = rest.split_at((*size).min(rest.len()));
            decoder.push(Bytes::copy_from_slice(chunk));
            while let Some(frame) = decoder.next().unwrap() {
                read.push(frame);
            }
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(read.len(), sent.len());
        for (frame, message) in read.iter().zip(&sent) {
            prop_assert_eq!(frame.data(), &message.payload()[..]);
            prop_assert_eq!(frame.name(), header(message, ":event-type").as_bytes());
            let start = at.index(frame.data().len() + 1);
            let edited = frame.edited(&[Edit::text(start..frame.data().len(), "\"é")]).unwrap();
            let after = read_message_from(&mut &edited[..]).unwrap();
            prop_assert_eq!(after.headers(), message.headers());
            let expected = [&message.payload()[..start], "\\\"é".as_bytes()].concat();
            prop_assert_eq!(&after.payload()[..], expected);
        }
    }
}
