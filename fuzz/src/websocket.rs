//! WebSocket messages: no byte lost, the same messages at any split, edits that read back.

use bytes::Bytes;
use monitor_protocol::{
    Edit, MAX_MESSAGE_BYTES, MessageKind, Sender, WebSocketDecoder, WebSocketError, WebSocketMessage,
};

use crate::memory;

/// A limit small enough to be met.
const SMALL_LIMIT_BYTES: usize = 64;

struct Reading {
    messages: Vec<WebSocketMessage>,
    error: Option<WebSocketError>,
}

/// The first byte chooses the sender, the limit and the splits.
pub fn check(input: &[u8]) {
    let Some((&choice, stream)) = input.split_first() else {
        return;
    };
    let sender = if choice & 1 == 1 {
        Sender::Client
    } else {
        Sender::Server
    };
    let limit_bytes = if choice & 2 == 2 {
        SMALL_LIMIT_BYTES
    } else {
        MAX_MESSAGE_BYTES
    };
    let whole = read(sender, limit_bytes, stream, stream.len());
    let split = read(sender, limit_bytes, stream, 1 + usize::from(choice >> 2) % 19);
    assert_eq!(split.messages, whole.messages);
    assert_eq!(split.error, whole.error);
    for message in &whole.messages {
        assert_eq!(message.edited(&[]).as_ref(), Ok(message.raw()));
        if message.kind().is_control() {
            continue;
        }
        let end = message.data().len();
        let edited = message.edited(&[Edit::json(end..end, "7")]).unwrap();
        let after = read(sender, limit_bytes + 1, &edited, edited.len());
        let [after] = &after.messages[..] else {
            panic!("an edited message is not one message");
        };
        assert_eq!((after.kind(), after.key()), (message.kind(), message.key()));
        assert_eq!(after.data(), &[message.data(), &b"7"[..]].concat());
    }
}

fn read(sender: Sender, limit_bytes: usize, stream: &[u8], size: usize) -> Reading {
    memory::bounded(stream.len(), || {
        let mut decoder = WebSocketDecoder::with_limit(sender, limit_bytes);
        let (mut messages, mut error) = (Vec::new(), None);
        for chunk in stream.chunks(size.max(1)) {
            decoder.push(Bytes::copy_from_slice(chunk));
            loop {
                match decoder.next() {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => break,
                    Err(now) => {
                        assert_eq!(*error.get_or_insert(now), now);
                        break;
                    }
                }
            }
        }
        let raw: usize = messages.iter().map(|message| message.raw().len()).sum();
        let rest = decoder.remainder().len();
        if messages
            .iter()
            .any(|message| message.kind() == MessageKind::Close)
        {
            // Nothing may follow it, and what does is dropped.
            assert!(raw + rest <= stream.len());
        } else {
            assert_eq!(raw + rest, stream.len(), "a byte was lost or made");
        }
        Reading { messages, error }
    })
}
