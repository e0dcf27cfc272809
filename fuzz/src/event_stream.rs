//! AWS event streams, whose checksums no mutation would meet: the input is a list of headers and payloads, and its
//! messages are put together here. What is read is compared with AWS's own decoder.

use aws_smithy_types::event_stream::{HeaderValue, Message};
use bytes::{BufMut, Bytes};
use monitor_protocol::{FrameDecoder, FrameError, Framing};

use crate::frames;

/// Bytes around headers and payload.
const AROUND_BYTES: usize = 16;

/// The first byte chooses the splits; the second, whether the stream is the input as it is or put together from it, and
/// where it is then spoiled.
pub fn check(input: &[u8]) {
    let Some((&[choice, how], rest)) = input.split_first_chunk() else {
        return;
    };
    let mut stream = vec![choice];
    if how == 0 {
        stream.extend_from_slice(rest);
    } else {
        put_together(&mut stream, rest);
        if how & 1 == 0
            && let Some(byte) = stream.get_mut(usize::from(how))
        {
            *byte ^= 1 << (choice & 7);
        }
    }
    frames::check(Framing::EventStream, &stream);
    compare(&stream[1..]);
}

/// Messages: length of the headers (u8), length of the payload (u8), headers, payload.
fn put_together(stream: &mut Vec<u8>, mut input: &[u8]) {
    while let Some((&[headers_len, payload_len], rest)) = input.split_first_chunk() {
        let (headers, rest) = rest.split_at(usize::from(headers_len).min(rest.len()));
        let (payload, rest) = rest.split_at(usize::from(payload_len).min(rest.len()));
        message(stream, headers, payload);
        input = rest;
    }
}

/// Appends one message.
pub fn message(stream: &mut Vec<u8>, headers: &[u8], payload: &[u8]) {
    let start = stream.len();
    stream.put_u32((AROUND_BYTES + headers.len() + payload.len()) as u32);
    stream.put_u32(headers.len() as u32);
    stream.put_u32(crc32fast::hash(&stream[start..]));
    stream.put_slice(headers);
    stream.put_slice(payload);
    stream.put_u32(crc32fast::hash(&stream[start..]));
}

/// AWS's decoder and ours agree on every message, but where ours is stricter.
fn compare(stream: &[u8]) {
    let mut decoder = FrameDecoder::new(Framing::EventStream);
    decoder.push(Bytes::copy_from_slice(stream));
    let mut at = 0;
    while at < stream.len() {
        let frame = match decoder.next() {
            Ok(Some(frame)) => frame,
            Ok(None) => {
                assert!(theirs(&stream[at..]).is_none());
                return;
            }
            // Stricter in what names a message, and in what a chunk holds.
            Err(FrameError::Chunk | FrameError::TooLarge { .. }) => return,
            Err(error) => {
                if let Some(message) = theirs(&stream[at..]) {
                    assert_eq!(error, FrameError::Headers);
                    assert!(names_something_twice_or_not_by_a_string(&message));
                }
                return;
            }
        };
        at += frame.raw().len();
        // Theirs wants every header to be UTF-8.
        let Some(message) = theirs(frame.raw()) else {
            let headers = &frame.raw()[12..];
            assert!(std::str::from_utf8(headers).is_err());
            return;
        };
        let header = |name: &str| {
            let header = message
                .headers()
                .iter()
                .find(|header| header.name().as_str() == name);
            header
                .and_then(|header| header.value().as_string().ok())
                .map_or("", |value| value.as_str())
        };
        let name = match header(":message-type") {
            "exception" => header(":exception-type"),
            "error" => header(":error-code"),
            _ => header(":event-type"),
        };
        assert_eq!(frame.name(), name.as_bytes());
        assert_eq!(
            frame.is_exception(),
            matches!(header(":message-type"), "exception" | "error")
        );
        if name != "chunk" {
            assert_eq!(frame.data(), &message.payload()[..]);
        } else if frame.data() != &message.payload()[..] {
            let wrapped: serde_json::Value = serde_json::from_slice(message.payload()).unwrap();
            assert!(wrapped["bytes"].is_string());
        }
    }
}

fn theirs(mut stream: &[u8]) -> Option<Message> {
    aws_smithy_eventstream::frame::read_message_from(&mut stream).ok()
}

fn names_something_twice_or_not_by_a_string(message: &Message) -> bool {
    [":message-type", ":event-type", ":exception-type", ":error-code"]
        .iter()
        .any(|name| {
            let headers = message.headers().iter();
            let found: Vec<_> = headers.filter(|header| header.name().as_str() == *name).collect();
            found.len() > 1
                || found
                    .iter()
                    .any(|header| !matches!(header.value(), HeaderValue::String(_)))
        })
}
