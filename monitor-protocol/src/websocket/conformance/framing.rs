//! Groups 1 to 5, 9 and 10: framing, pings, reserved bits, opcodes, fragments, limits.

use super::super::MessageKind::{Binary, Ping, Pong, Text};
use super::*;

#[test]
fn group_1_lengths_of_every_form() {
    for len in [0, 125, 126, 127, 128, 65_535, 65_536] {
        let letters = vec![b'*'; len];
        assert_read("1.1", &[text(&letters)], &[(Text, &letters)]);
        let bytes = vec![0xFE; len];
        assert_read("1.2", &[binary(&bytes)], &[(Binary, &bytes)]);
    }
}

#[test]
fn group_2_pings_and_pongs() {
    for payload in [
        &b""[..],
        b"Hello, world!",
        &[0, 255, 254, 253, 252, 251, 0, 255],
        &[254; 125],
    ] {
        assert_read("2.1 to 2.4, 2.6", &[ping(payload)], &[(Ping, payload)]);
        assert_read("2.7, 2.8", &[pong(payload)], &[(Pong, payload)]);
    }
    assert_fails("2.5", &[ping([254; 126])], 0, 1002);
    assert_read("2.9", &[pong("a"), ping("b")], &[(Pong, b"a"), (Ping, b"b")]);
    let ten: Vec<Raw> = (0..10).map(|i| ping(format!("payload-{i}"))).collect();
    assert_eq!(case(&ten).messages.len(), 10, "2.10, 2.11");
}

#[test]
fn group_3_reserved_bits() {
    for reserved in 1..8 {
        for frame in [text("*"), binary("*"), ping("*"), pong("*"), close("")] {
            let bad = Raw { reserved, ..frame };
            assert_fails("3.1, 3.5 to 3.7", std::slice::from_ref(&bad), 0, 1002);
            assert_fails("3.2 to 3.4", &[text("Hello"), bad, ping("")], 1, 1002);
        }
    }
}

#[test]
fn group_4_reserved_opcodes() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        assert_fails("4.1.1, 4.2.1", &[raw(true, opcode, "")], 0, 1002);
        assert_fails("4.1.2, 4.2.2", &[raw(true, opcode, "reserved")], 0, 1002);
        let after = [text("Hello"), raw(true, opcode, "x"), ping("")];
        assert_fails("4.1.3 to 4.2.5", &after, 1, 1002);
    }
}

#[test]
fn group_5_fragments() {
    for control in [9, 10] {
        let parts = [raw(false, control, "fragment1"), raw(true, 0, "fragment2")];
        assert_fails("5.1, 5.2", &parts, 0, 1002);
    }
    let two = [raw(false, 1, "fragment1"), raw(true, 0, "fragment2")];
    assert_read("5.3 to 5.5", &two, &[(Text, b"fragment1fragment2")]);
    let pinged = [
        raw(false, 1, "fragment1"),
        ping("ping"),
        raw(true, 0, "fragment2"),
    ];
    let read: [(MessageKind, &[u8]); 2] = [(Ping, b"ping"), (Text, b"fragment1fragment2")];
    assert_read("5.6 to 5.8", &pinged, &read);
    for fin in [true, false] {
        let loose = [raw(fin, 0, "non-continuation"), text("Hello")];
        assert_fails("5.9 to 5.14", &loose, 0, 1002);
    }
    let late = [
        raw(false, 1, "fragment1"),
        raw(true, 0, "fragment2"),
        raw(false, 0, "fragment3"),
        raw(true, 1, "fragment4"),
    ];
    assert_fails("5.15", &late, 1, 1002);
    for fin in [true, false] {
        let twice: Vec<Raw> = (0..2)
            .flat_map(|_| {
                [
                    raw(fin, 0, "fragment1"),
                    raw(false, 1, "fragment2"),
                    raw(true, 0, "fragment3"),
                ]
            })
            .collect();
        assert_fails("5.16, 5.17", &twice, 0, 1002);
    }
    let restarted = [raw(false, 1, "fragment1"), raw(true, 1, "fragment2")];
    assert_fails("5.18", &restarted, 0, 1002);
    let five = [
        raw(false, 1, "fragment1"),
        raw(false, 0, "fragment2"),
        ping("pong1"),
        raw(false, 0, "fragment3"),
        raw(false, 0, "fragment4"),
        ping("pong2"),
        raw(true, 0, "fragment5"),
    ];
    let read: [(MessageKind, &[u8]); 3] = [
        (Ping, b"pong1"),
        (Ping, b"pong2"),
        (Text, b"fragment1fragment2fragment3fragment4fragment5"),
    ];
    assert_read("5.19, 5.20", &five, &read);
}

#[test]
fn groups_9_and_10_large_messages_whole_and_in_fragments() {
    for len in [64 << 10, 1 << 20, 4 << 20] {
        let letters = vec![b'*'; len];
        assert_read("9.1", &[text(&letters)], &[(Text, &letters)]);
        assert_read("9.2", &[binary(&letters)], &[(Binary, &letters)]);
    }
    let letters = vec![b'*'; 1 << 20];
    for size in [64, 256, 1_300, 4_096, 65_536] {
        let mut parts: Vec<Raw> = letters.chunks(size).map(|part| raw(false, 0, part)).collect();
        parts[0].opcode = 1;
        parts.last_mut().unwrap().fin = true;
        assert_read("9.3, 10.1", &parts, &[(Text, &letters)]);
    }
}

/// What no case of the suite sends: its own library cannot.
#[test]
fn lengths_are_in_their_shortest_form() {
    let wires: [&[u8]; 5] = [
        &[0x82, 126, 0, 125],
        &[0x82, 126, 0, 0],
        &[0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
        &[0x82, 127, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0x82, 127, 0x80, 0, 0, 0, 0, 1, 0, 0],
    ];
    for wire in wires {
        for piece in [wire.len(), 1] {
            assert_eq!(read(Sender::Server, wire, piece).failed, Some(1002), "{wire:?}");
        }
    }
}

#[test]
fn clients_mask_and_servers_do_not() {
    for (sender, other) in [(Sender::Client, Sender::Server), (Sender::Server, Sender::Client)] {
        let wire = wire(other, &[text("x")]);
        assert_eq!(read(sender, &wire, 1).failed, Some(1002));
    }
}

#[test]
fn a_message_over_the_limit_fails_at_its_header_and_loses_no_byte() {
    let limit = |frames: &[Raw]| {
        let wire = wire(Sender::Server, frames);
        for piece in [wire.len(), 1] {
            let mut decoder = WebSocketDecoder::with_limit(Sender::Server, 100);
            let mut out = Vec::new();
            let mut failed = None;
            for chunk in wire.chunks(piece) {
                decoder.push(Bytes::copy_from_slice(chunk));
                loop {
                    match decoder.next() {
                        Ok(Some(message)) => out.extend_from_slice(message.raw()),
                        Ok(None) => break,
                        Err(error) => {
                            failed = Some(error.close_code());
                            break;
                        }
                    }
                }
            }
            out.extend_from_slice(&decoder.remainder());
            assert!(out == wire, "no byte is lost");
            assert_eq!(failed, Some(CloseCode::TOO_LARGE));
        }
    };
    limit(&[text("ok"), text([b'x'; 101])]);
    limit(&[raw(false, 1, [b'x'; 60]), raw(true, 0, [b'x'; 41])]);
    let mut empty = vec![raw(false, 0, ""); 200];
    empty[0].opcode = 1;
    limit(&empty);
    let huge = [0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
    assert_eq!(read(Sender::Server, &huge, 10).failed, Some(1009));
}
