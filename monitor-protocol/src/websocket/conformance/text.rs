//! Group 6: UTF-8.

use super::super::MessageKind::Text;
use super::*;

const KOSME: &str = "Hello-\u{b5}@\u{df}\u{f6}\u{e4}\u{fc}\u{e0}\u{e1}-UTF-8!!";

#[test]
fn group_6_1_and_6_2_valid_text_in_any_fragments() {
    assert_read("6.1.1", &[text("")], &[(Text, b"")]);
    let empty = [raw(false, 1, ""), raw(false, 0, ""), raw(true, 0, "")];
    assert_read("6.1.2", &empty, &[(Text, b"")]);
    let middle = [raw(false, 1, ""), raw(false, 0, "middle"), raw(true, 0, "")];
    assert_read("6.1.3", &middle, &[(Text, b"middle")]);
    for size in 1..KOSME.len() {
        let mut parts: Vec<Raw> = KOSME
            .as_bytes()
            .chunks(size)
            .map(|part| raw(false, 0, part))
            .collect();
        parts[0].opcode = 1;
        parts.last_mut().unwrap().fin = true;
        assert_read("6.2", &parts, &[(Text, KOSME.as_bytes())]);
    }
}

#[test]
fn group_6_3_and_6_4_invalid_text_fails_at_its_first_wrong_byte() {
    let valid = "\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}".as_bytes();
    for bad in [&b"\xED\xA0\x80"[..], b"\xF4\x90\x80\x80"] {
        let whole = [valid, bad, b"edited"].concat();
        assert_fails("6.3.1", &[text(&whole)], 0, 1007);
        for sender in [Sender::Client, Sender::Server] {
            // 6.4: neither the end of the frame nor that of the message is waited for.
            let frame = wire(sender, &[raw(false, 1, &whole)]);
            let header = frame.len() - whole.len();
            let mut decoder = WebSocketDecoder::new(sender);
            let mut failed_after = None;
            for (at, byte) in frame.iter().enumerate() {
                decoder.push(Bytes::copy_from_slice(&[*byte]));
                if decoder.next().is_err() {
                    failed_after = Some(at + 1 - header);
                    break;
                }
            }
            assert_eq!(
                failed_after,
                Some(valid.len() + 2),
                "6.4: the second byte shows it"
            );
        }
        let parts = [raw(false, 1, valid), raw(false, 0, bad), raw(true, 0, "edited")];
        assert_fails("6.3.2, 6.4.1 to 6.4.4", &parts, 0, 1007);
    }
}

/// 6.5 to 6.23: the sequences of Markus Kuhn's stress test, and others at the borders of the code space.
#[test]
fn group_6_5_to_6_23_sequences() {
    for valid in [
        "\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}",
        "\0",
        "\u{80}",
        "\u{800}",
        "\u{10000}",
        "\u{7f}",
        "\u{7ff}",
        "\u{ffff}",
        "\u{10ffff}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{fffd}",
        "\u{fffe}",
        "\u{1fffe}",
        "\u{2ffff}",
    ] {
        assert_read("valid", &[text(valid)], &[(Text, valid.as_bytes())]);
    }
    let invalid: [&[u8]; 34] = [
        b"\x80",
        b"\xBF",
        b"\x80\xBF",
        b"\x80\xBF\x80\xBF\x80\xBF",
        b"\xC0 \xC1 \xC2 ",
        b"\xE0 \xE1 ",
        b"\xF0 \xF1 ",
        b"\xF8 \xFC ",
        b"\xCE",
        b"\xCE\xBA\xE1",
        b"\xCE\xBA\xE1\xBD",
        b"\xF0\x80\x80",
        b"\xF8\x80\x80\x80",
        b"\xFC\x80\x80\x80\x80",
        b"\xDF",
        b"\xEF\xBF",
        b"\xF7\xBF\xBF",
        b"\xC0\xE0\x80\xF0\x80\x80",
        b"\xFE",
        b"\xFF",
        b"\xFE\xFE\xFF\xFF",
        b"\xC0\xAF",
        b"\xE0\x80\xAF",
        b"\xF0\x80\x80\xAF",
        b"\xC1\xBF",
        b"\xE0\x9F\xBF",
        b"\xF0\x8F\xBF\xBF",
        b"\xC0\x80",
        b"\xF8\x87\xBF\xBF\xBF",
        b"\xED\xA0\x80",
        b"\xED\xAF\xBF",
        b"\xED\xBF\xBF",
        b"\xED\xA0\x80\xED\xB0\x80",
        b"\xF7\xBF\xBF\xBF",
    ];
    for bad in invalid {
        assert_fails(&format!("{bad:x?}"), &[text(bad)], 0, 1007);
        let parts: Vec<Raw> = [raw(false, 1, "")]
            .into_iter()
            .chain(bad.iter().map(|byte| raw(false, 0, [*byte])))
            .chain([raw(true, 0, "")])
            .collect();
        assert_fails(&format!("{bad:x?} in fragments"), &parts, 0, 1007);
        assert_eq!(case(&[binary(bad)]).failed, None, "bytes may be anything");
    }
}

#[test]
fn long_text_is_checked_once() {
    let work = |len: usize| {
        let wire = wire(Sender::Client, &[text(vec![b'x'; len])]);
        crate::work::of(|| drop(read(Sender::Client, &wire, 7)))
    };
    assert!(work(10_000) > 0);
    assert!(work(100_000) <= 100_000 + 16);
}
