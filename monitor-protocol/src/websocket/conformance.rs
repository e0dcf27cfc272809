//! Cases of the Autobahn test suite (crossbario/autobahn-testsuite, groups 1 to 7, 9 and 10), as far as they are about
//! what one endpoint sends. Each is read from both endpoints and in three cuts of the network.

mod closing;
mod framing;
mod peer;
mod text;

use bytes::Bytes;

use super::*;

const KEY: MaskingKey = [0xA5, 0x00, 0x3C, 0x7F];

/// What was read of a case.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    messages: Vec<(MessageKind, Vec<u8>)>,
    /// The code to fail with, where the protocol was broken.
    failed: Option<u16>,
    closed: bool,
}

/// A frame as it is asked for, however wrong.
#[derive(Clone)]
struct Raw {
    fin: bool,
    reserved: u8,
    opcode: u8,
    payload: Vec<u8>,
}

fn raw(fin: bool, opcode: u8, payload: impl AsRef<[u8]>) -> Raw {
    Raw {
        fin,
        reserved: 0,
        opcode,
        payload: payload.as_ref().to_vec(),
    }
}

fn text(payload: impl AsRef<[u8]>) -> Raw {
    raw(true, 1, payload)
}

fn binary(payload: impl AsRef<[u8]>) -> Raw {
    raw(true, 2, payload)
}

fn close(payload: impl AsRef<[u8]>) -> Raw {
    raw(true, 8, payload)
}

fn ping(payload: impl AsRef<[u8]>) -> Raw {
    raw(true, 9, payload)
}

fn pong(payload: impl AsRef<[u8]>) -> Raw {
    raw(true, 10, payload)
}

/// The bytes of `frames` as `sender` sends them.
fn wire(sender: Sender, frames: &[Raw]) -> Vec<u8> {
    let key = (sender == Sender::Client).then_some(KEY);
    let mut out = Vec::new();
    for frame in frames {
        let start = out.len();
        out.extend_from_slice(&header::encode(frame.opcode, &frame.payload, key));
        out[start] &= if frame.fin { 0xFF } else { 0x7F };
        out[start] |= frame.reserved << 4;
    }
    out
}

fn read(sender: Sender, wire: &[u8], piece: usize) -> Seen {
    let mut decoder = WebSocketDecoder::new(sender);
    let mut seen = Seen {
        messages: Vec::new(),
        failed: None,
        closed: false,
    };
    for chunk in wire.chunks(piece) {
        decoder.push(Bytes::copy_from_slice(chunk));
        loop {
            match decoder.next() {
                Ok(Some(message)) => seen.messages.push((message.kind(), message.data().to_vec())),
                Ok(None) => break,
                Err(error) => {
                    seen.failed = Some(error.close_code().0);
                    return seen;
                }
            }
        }
    }
    seen.closed = decoder.is_closed();
    seen
}

/// What both endpoints' decoders make of `frames`, whichever way they are cut.
fn case(frames: &[Raw]) -> Seen {
    let mut seen = Vec::new();
    for sender in [Sender::Client, Sender::Server] {
        let wire = wire(sender, frames);
        let octets = if wire.len() < 100_000 { 1 } else { 13 };
        for piece in [wire.len().max(1), 997, octets] {
            seen.push(read(sender, &wire, piece));
        }
    }
    assert!(
        seen.windows(2).all(|two| two[0] == two[1]),
        "the same from both endpoints and in every cut"
    );
    seen.remove(0)
}

fn assert_read(name: &str, frames: &[Raw], messages: &[(MessageKind, &[u8])]) {
    let seen = case(frames);
    let expected: Vec<(MessageKind, Vec<u8>)> = messages
        .iter()
        .map(|(kind, data)| (*kind, data.to_vec()))
        .collect();
    assert!(
        seen.messages == expected,
        "{name}: {} messages",
        seen.messages.len()
    );
    assert_eq!(seen.failed, None, "{name}");
}

/// `frames` fail with `code`, after `messages` messages.
fn assert_fails(name: &str, frames: &[Raw], messages: usize, code: u16) {
    let seen = case(frames);
    assert_eq!(
        (seen.failed, seen.messages.len()),
        (Some(code), messages),
        "{name}"
    );
}
