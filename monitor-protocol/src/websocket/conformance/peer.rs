//! Properties over any messages in any fragments and any cut, and an independent implementation as the peer.

use std::io::Cursor;

use proptest::prelude::*;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{Role, WebSocket},
};

use super::super::MessageKind::{Binary, Ping, Pong, Text};
use super::*;
use crate::Edit;

fn message() -> impl Strategy<Value = (MessageKind, Vec<u8>)> {
    prop_oneof![
        "\\PC{0,300}".prop_map(|text| (Text, text.into_bytes())),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| (Binary, bytes)),
        prop::collection::vec(any::<u8>(), 0..=125).prop_map(|bytes| (Ping, bytes)),
        prop::collection::vec(any::<u8>(), 0..=125).prop_map(|bytes| (Pong, bytes)),
    ]
}

/// The frames of a message that is cut at `cuts`; control frames stay whole.
fn fragments((kind, data): &(MessageKind, Vec<u8>), cuts: &[usize]) -> Vec<Raw> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (data.len() + 1)).collect();
    if kind.is_control() {
        ends.clear();
    }
    ends.push(data.len());
    ends.sort_unstable();
    let mut frames = Vec::new();
    let mut start = 0;
    for end in ends {
        frames.push(raw(false, 0, &data[start..end]));
        start = end;
    }
    frames[0].opcode = kind.opcode();
    frames.last_mut().unwrap().fin = true;
    frames
}

fn sender() -> impl Strategy<Value = Sender> {
    prop_oneof![Just(Sender::Client), Just(Sender::Server)]
}

proptest! {
    #[test]
    fn any_fragments_in_any_cut_are_the_same_messages_and_the_same_bytes(
        sender in sender(),
        messages in prop::collection::vec((message(), prop::collection::vec(any::<usize>(), 0..4)), 0..8),
        piece in 1usize..200,
    ) {
        let frames: Vec<Raw> =
            messages.iter().flat_map(|(message, cuts)| fragments(message, cuts)).collect();
        let wire = wire(sender, &frames);
        let mut decoder = WebSocketDecoder::new(sender);
        let (mut out, mut read) = (Vec::new(), Vec::new());
        for chunk in wire.chunks(piece) {
            decoder.push(Bytes::copy_from_slice(chunk));
            while let Some(message) = decoder.next().unwrap() {
                out.extend_from_slice(message.raw());
                read.push((message.kind(), message.data().to_vec()));
            }
        }
        prop_assert!(decoder.is_between_messages());
        prop_assert_eq!(out, wire);
        let expected: Vec<_> = messages.into_iter().map(|(message, _)| message).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn any_bytes_are_read_without_loss_or_panic(
        sender in sender(),
        wire in prop::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(0x81), 1 => Just(0x01), 1 => Just(0x80)], 0..400),
        piece in 1usize..50,
    ) {
        let mut decoder = WebSocketDecoder::with_limit(sender, 100);
        let mut lifted = false;
        let mut out = Vec::new();
        for chunk in wire.chunks(piece) {
            decoder.push(Bytes::copy_from_slice(chunk));
            while let Ok(Some(message)) = decoder.next() {
                lifted |= message.kind().is_control() && !decoder.is_between_messages();
                out.extend_from_slice(message.raw());
            }
        }
        if !decoder.is_closed() && !lifted {
            out.extend_from_slice(&decoder.remainder());
            prop_assert_eq!(out, wire);
        }
    }

    #[test]
    fn an_independent_peer_reads_what_is_written_and_is_read(
        messages in prop::collection::vec(message(), 1..6),
        sender in sender(),
        piece in 1usize..200,
    ) {
        let (role, key) = match sender {
            Sender::Client => (Role::Client, Some(KEY)),
            Sender::Server => (Role::Server, None),
        };
        let mut peer = WebSocket::from_raw_socket(Cursor::new(Vec::new()), role, None);
        for (kind, data) in &messages {
            peer.write(as_peer(*kind, data)).unwrap();
        }
        peer.flush().unwrap();
        let wire = peer.get_ref().get_ref().clone();
        let seen = read(sender, &wire, piece);
        prop_assert_eq!(seen.failed, None);
        prop_assert_eq!(&seen.messages, &messages);

        let written: Vec<u8> =
            messages.iter().flat_map(|(kind, data)| encode_message(*kind, data, key)).collect();
        let reader = match role { Role::Client => Role::Server, Role::Server => Role::Client };
        let mut peer = WebSocket::from_raw_socket(Duplex(Cursor::new(written)), reader, None);
        for (kind, data) in &messages {
            prop_assert_eq!(peer.read().unwrap(), as_peer(*kind, data));
        }
    }

    #[test]
    fn an_edited_message_is_one_frame_with_the_same_key(
        text in "[a-z]{1,200}",
        cuts in prop::collection::vec(any::<usize>(), 0..4),
        sender in sender(),
    ) {
        let json = format!("{{\"text\":\"{text}\"}}");
        let wire = wire(sender, &fragments(&(Text, json.into_bytes()), &cuts));
        let mut decoder = WebSocketDecoder::new(sender);
        decoder.push(wire.into());
        let message = decoder.next().unwrap().unwrap();
        let edited = message.edited(&[Edit::text(9..9 + text.len(), "[\"]")]).unwrap();
        let seen = read(sender, &edited, 3);
        prop_assert_eq!(seen.messages, vec![(Text, b"{\"text\":\"[\\\"]\"}".to_vec())]);
        prop_assert_eq!(message.key(), (sender == Sender::Client).then_some(KEY));
        if let Some(key) = message.key() {
            prop_assert_eq!(&edited[2..6], &key[..]);
        }
    }
}

fn as_peer(kind: MessageKind, data: &[u8]) -> Message {
    let bytes = data.to_vec();
    match kind {
        Text => Message::text(String::from_utf8(bytes).unwrap()),
        Binary => Message::binary(bytes),
        Ping => Message::Ping(bytes.into()),
        Pong => Message::Pong(bytes.into()),
        MessageKind::Close => Message::Close(None),
    }
}

/// What the peer answers (pongs) goes nowhere.
struct Duplex(Cursor<Vec<u8>>);

impl std::io::Read for Duplex {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(into)
    }
}

impl std::io::Write for Duplex {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_message_inside_one_chunk_is_not_copied() {
    let chunk = Bytes::from(wire(Sender::Server, &[text("one"), text("two")]));
    let mut decoder = WebSocketDecoder::new(Sender::Server);
    decoder.push(chunk.clone());
    for at in [0, 5] {
        let message = decoder.next().unwrap().unwrap();
        assert_eq!(message.raw().as_ptr(), chunk[at..].as_ptr());
        assert_eq!(message.data().as_ptr(), chunk[at + 2..].as_ptr());
    }
}
