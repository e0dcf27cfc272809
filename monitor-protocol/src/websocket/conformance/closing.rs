//! Group 7: close frames.

use super::super::MessageKind::{Close, Text};
use super::*;

fn with_code(code: u16, reason: &[u8]) -> Raw {
    close([&code.to_be_bytes()[..], reason].concat())
}

#[test]
fn group_7_1_nothing_follows_a_close() {
    let frames: [(&str, Vec<Raw>); 6] = [
        ("7.1.1", vec![text("Hello"), close("")]),
        ("7.1.2", vec![close(""), close("")]),
        ("7.1.3", vec![close(""), ping("x")]),
        ("7.1.4", vec![close(""), text("Hello")]),
        (
            "7.1.5",
            vec![raw(false, 1, "fragment1"), close(""), raw(true, 0, "fragment2")],
        ),
        ("7.1.6", vec![text(vec![b'*'; 256 << 10]), close(""), ping("")]),
    ];
    for (name, frames) in frames {
        let seen = case(&frames);
        assert_eq!(seen.failed, None, "{name}");
        assert!(seen.closed, "{name}");
        assert_eq!(seen.messages.last().unwrap().0, Close, "{name}");
        let texts = seen.messages.iter().filter(|(kind, _)| *kind == Text).count();
        assert_eq!(texts, usize::from(matches!(name, "7.1.1" | "7.1.6")), "{name}");
    }
}

#[test]
fn group_7_3_and_7_5_payloads() {
    assert_read("7.3.1", &[close("")], &[(Close, b"")]);
    assert_fails("7.3.2", &[close("a")], 0, 1002);
    assert_read("7.3.3", &[with_code(1000, b"")], &[(Close, &[3, 0xE8])]);
    assert_eq!(case(&[with_code(1000, b"Hello World!")]).failed, None, "7.3.4");
    assert_eq!(
        case(&[with_code(1000, &[b'*'; CLOSE_REASON_BYTES])]).failed,
        None,
        "7.3.5"
    );
    assert_fails(
        "7.3.6",
        &[with_code(1000, &[b'*'; CLOSE_REASON_BYTES + 1])],
        0,
        1002,
    );
    let bad = b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited";
    assert_fails("7.5.1", &[with_code(1000, bad)], 0, 1007);
}

#[test]
fn group_7_7_7_9_and_7_13_codes() {
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
    ] {
        let seen = case(&[with_code(code, b"")]);
        assert_eq!((seen.failed, seen.closed), (None, true), "7.7: {code}");
    }
    for code in [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ] {
        assert_fails("7.9, 7.13", &[with_code(code, b"")], 0, 1002);
    }
}

#[test]
fn a_close_frame_is_read_as_it_was_written() {
    let payload = close_payload(CloseCode::POLICY, "Blocked by policy 'x' of this host.");
    let mut decoder = WebSocketDecoder::new(Sender::Client);
    decoder.push(encode_message(Close, &payload, Some(KEY)));
    let message = decoder.next().unwrap().unwrap();
    assert_eq!(message.close_code(), Some(1008));
    assert_eq!(&message.data()[2..], b"Blocked by policy 'x' of this host.");
    assert!(decoder.is_closed());
}
