//! What holds in every framing: no byte lost, the same frames at any split, cuts that clients read.

use bytes::Bytes;
use monitor_protocol::*;
use proptest::prelude::*;

/// Names and documents of the frames of a stream in chunks, the error that ended it, and all bytes that came out.
type Seen = (Vec<(Vec<u8>, Vec<u8>)>, Option<FrameError>, Vec<u8>);

fn read(framing: Framing, limit_bytes: usize, chunks: &[&[u8]]) -> Seen {
    let mut decoder = FrameDecoder::with_limit(framing, limit_bytes);
    let (mut fields, mut failed, mut raw) = (Vec::new(), None, Vec::new());
    let mut see = |frame: Frame| {
        raw.extend_from_slice(frame.raw());
        if !frame.name().is_empty() || !frame.data().is_empty() {
            fields.push((frame.name().to_vec(), frame.data().to_vec()));
        }
    };
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        loop {
            match decoder.next() {
                Ok(Some(frame)) => see(frame),
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
    }
    decoder.finish().map(&mut see);
    raw.extend_from_slice(&decoder.remainder());
    (fields, failed, raw)
}

fn documents(framing: Framing, stream: &str) -> Vec<String> {
    let (fields, failed, _) = read(framing, MAX_FRAME_BYTES, &[stream.as_bytes()]);
    assert_eq!(failed, None);
    let documents = fields.into_iter();
    documents
        .map(|(_, data)| String::from_utf8(data).unwrap())
        .collect()
}

fn fails(framing: Framing, stream: &str) -> Option<FrameError> {
    let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
    let whole = read(framing, MAX_FRAME_BYTES, &[stream.as_bytes()]);
    let split = read(framing, MAX_FRAME_BYTES, &bytes);
    assert_eq!((&split.0, split.1), (&whole.0, whole.1), "{stream:?}");
    assert_eq!(
        (&whole.2[..], &split.2[..]),
        (stream.as_bytes(), stream.as_bytes())
    );
    whole.1
}

#[test]
fn lines_end_in_lf_or_crlf_and_the_last_need_not() {
    let stream = "{\"a\":1}\r\n\n  \r\n{\"b\":\"\\n\"}\n{\"c\":\r3}";
    assert_eq!(
        documents(Framing::Ndjson, stream),
        ["{\"a\":1}", "{\"b\":\"\\n\"}", "{\"c\":\r3}"]
    );
}

#[test]
fn elements_are_there_as_soon_as_they_end() {
    let mut decoder = FrameDecoder::new(Framing::JsonArray);
    let mut seen = Vec::new();
    for (chunk, expected) in [
        ("[{\"a\":\"]}\\\"\"}", "[{\"a\":\"]}\\\"\"}"),
        ("\n,\r\n{\"b\":[{}]}", "\n,\r\n{\"b\":[{}]}"),
        ("\n]", "\n]"),
        ("\n", "\n"),
    ] {
        decoder.push(chunk.into());
        let frame = decoder.next().unwrap().unwrap();
        assert_eq!(frame.raw(), expected);
        seen.push(String::from_utf8(frame.data().to_vec()).unwrap());
        assert_eq!(decoder.next(), Ok(None));
    }
    assert_eq!(seen, ["{\"a\":\"]}\\\"\"}", "{\"b\":[{}]}", "", ""]);
}

#[test]
fn elements_of_any_kind() {
    assert_eq!(
        documents(
            Framing::JsonArray,
            " [1 ,-2.5e3,\"a,]\\\\\", true,null,[],{} ] \n"
        ),
        ["1", "-2.5e3", "\"a,]\\\\\"", "true", "null", "[]", "{}"]
    );
    assert!(documents(Framing::JsonArray, "[]").is_empty());
    assert!(documents(Framing::JsonArray, "[ ] ").is_empty());
}

#[test]
fn what_is_no_array_is_refused_at_any_split() {
    for stream in [
        "{}",
        "[,{}]",
        "[{},]",
        "[{}{}]",
        "[{}] x",
        "\u{feff}[]",
        "x",
        "[1 2]",
        "]",
    ] {
        assert_eq!(
            fails(Framing::JsonArray, stream),
            Some(FrameError::NotAnArray),
            "{stream:?}"
        );
    }
}

/// A form feed is white space to Rust's `trim_ascii`, and none to JSON.
#[test]
fn a_form_feed_after_an_array_is_refused_at_any_split() {
    let stream = "[{}]\n\n\u{c}";
    assert_eq!(fails(Framing::JsonArray, stream), Some(FrameError::NotAnArray));
}

/// What follows an array is passed on as it comes, so no limit is for it.
#[test]
fn white_space_after_an_array_may_be_long() {
    let stream = format!("[{{}}]{}", " ".repeat(100));
    for size in [1, 9, 200] {
        let chunks: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
        assert_eq!(read(Framing::JsonArray, 20, &chunks).1, None);
    }
}

/// The standard knows a byte order mark at the start of the stream only; later it is part of a field's name.
#[test]
fn a_byte_order_mark_after_a_blank_line_is_none() {
    assert_eq!(documents(Framing::Sse, "\u{feff}data: 1\n\n"), ["1"]);
    assert!(documents(Framing::Sse, "\n\u{feff}data: 1\n\n").is_empty());
}

/// `data` without a colon is a field without a value; what is written in its place needs the colon.
#[test]
fn an_event_whose_first_data_line_has_no_colon_can_be_edited() {
    let event = Frame::Sse(SseEvent::parse("data\ndata: {\"a\":\"bc\"}\n\n".into()));
    assert_eq!(event.data(), b"\n{\"a\":\"bc\"}");
    assert_eq!(event.edited(&[]).as_ref(), Ok(event.raw()));
    let edited = event.edited(&[Edit::text(7..9, "x")]).unwrap();
    assert_eq!(SseEvent::parse(edited).data(), b"{\"a\":\"x\"}");
}

#[test]
fn frames_over_the_limit_end_the_reading() {
    for (framing, stream) in [
        (Framing::Sse, "data: 0123456789012\n\n"),
        (Framing::Ndjson, "{\"a\":\"0123456789\"}\n"),
        (Framing::JsonArray, "[{\"a\":\"0123456789\"}]"),
        (Framing::JsonArray, "[                      {}]"),
    ] {
        for size in 1..stream.len() {
            let chunks: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
            let seen = read(framing, 16, &chunks);
            assert_eq!(
                seen.1,
                Some(FrameError::TooLarge { limit_bytes: 16 }),
                "{framing:?}"
            );
            assert_eq!((seen.0.len(), &seen.2[..]), (0, stream.as_bytes()));
        }
    }
}

#[test]
fn a_document_inside_one_chunk_is_not_copied() {
    for (framing, stream) in [
        (Framing::Ndjson, "{\"a\":1}\n{\"b\":2}\n"),
        (Framing::JsonArray, "[{\"a\":1},{\"b\":2}"),
    ] {
        let chunk = Bytes::from_static(stream.as_bytes());
        let mut decoder = FrameDecoder::new(framing);
        decoder.push(chunk.clone());
        for at in [0, 8] {
            let frame = decoder.next().unwrap().unwrap();
            assert_eq!(frame.raw().as_ptr(), chunk[at..].as_ptr(), "{framing:?}");
        }
    }
}

/// A cut ends what is there as one document, whether an element was sent or none.
#[test]
fn a_cut_array_is_one_document() {
    let call = Call::new(Api::OpenAi, Operation::ChatCompletions);
    let reason = RefusalReason::Unavailable;
    for (before, elements) in [("", 1), ("[{\"a\":1}", 2), ("[{\"a\":1}\n,\r\n{\"b\":2}", 3)] {
        let cut = cut(&call, Framing::JsonArray, !before.is_empty(), &reason);
        let stream = [before.as_bytes(), &cut].concat();
        let read: Vec<serde_json::Value> = serde_json::from_slice(&stream).unwrap();
        assert_eq!(read.len(), elements);
        assert!(read.last().unwrap()["error"].is_object());
    }
}

#[test]
fn a_cut_line_is_an_error_document() {
    let call = Call::new(Api::OpenAi, Operation::ChatCompletions);
    let cut = cut(&call, Framing::Ndjson, true, &RefusalReason::Unavailable);
    let line = cut.strip_suffix(b"\n").unwrap();
    assert!(!line.contains(&b'\n'));
    let read: serde_json::Value = serde_json::from_slice(line).unwrap();
    assert!(read["error"].is_object());
}

proptest! {
    /// Any bytes at any split: the same frames, and no byte lost.
    #[test]
    fn any_bytes_at_any_split(
        framing in prop::sample::select(&[Framing::Sse, Framing::Ndjson, Framing::JsonArray][..]),
        limit_bytes in prop::sample::select(&[20, MAX_FRAME_BYTES][..]),
        pieces in prop::collection::vec(
            prop::sample::select(&[
                "\n", "\r", "\r\n", "data", ":", " ", "event: x", "data: y", "\u{feff}", "é", "[", "]", ",", "{", "}", "\"",
                "\\", "1", "{}", "[{\"a\":\"", "\"}", "\u{c}", "\t",
            ][..]),
            0..24,
        ),
        sizes in prop::collection::vec(1_usize..9, 1..9),
    ) {
        let stream = pieces.concat().into_bytes();
        let mut chunks = Vec::new();
        let mut rest = &stream[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, tail) = rest.split_at((*size).min(rest.len()));
            chunks.push(chunk);
            rest = tail;
        }
        let whole = read(framing, limit_bytes, &[&stream]);
        let split = read(framing, limit_bytes, &chunks);
        prop_assert_eq!(&whole.2, &stream);
        prop_assert_eq!(&split.2, &stream);
        prop_assert_eq!((split.0, split.1.is_some()), (whole.0, whole.1.is_some()));
    }

    /// Any documents in an array, written in any way: the same documents out, and an edit is that edit.
    #[test]
    fn any_documents_in_an_array(
        strings in prop::collection::vec(".{0,12}", 1..6),
        separator in prop::sample::select(&[",", "\n,\n", " ,\r\n\t"][..]),
        size in 1_usize..30,
    ) {
        let documents: Vec<String> = strings
            .iter()
            .map(|text| serde_json::json!({"a": text, "b": [{"c": text}]}).to_string())
            .collect();
        let stream = format!("[{}\n]\n", documents.join(separator));
        let mut decoder = FrameDecoder::new(Framing::JsonArray);
        let (mut read, mut edited) = (Vec::new(), Vec::new());
        for chunk in stream.as_bytes().chunks(size) {
            decoder.push(Bytes::copy_from_slice(chunk));
            while let Some(frame) = decoder.next().unwrap() {
                if frame.data().is_empty() {
                    edited.extend_from_slice(frame.raw());
                } else {
                    read.push(String::from_utf8(frame.data().to_vec()).unwrap());
                    edited.extend_from_slice(&frame.edited(&[Edit::json(0..1, "{\"x\":0,")]).unwrap());
                }
            }
        }
        prop_assert_eq!(&read, &documents);
        let expected: Vec<String> = documents
            .iter()
            .map(|document| document.replacen('{', "{\"x\":0,", 1))
            .collect();
        prop_assert_eq!(String::from_utf8(edited).unwrap(), format!("[{}\n]\n", expected.join(separator)));
    }
}

/// Found by fuzzing: an event as long as the limit, whose last CRLF a split cuts in two.
#[test]
fn a_split_in_the_last_line_end_does_not_move_the_limit() {
    let event = b"data: 1\r\n\r\n";
    let within = event.len() - 1;
    for cut in 1..event.len() {
        for (limit_bytes, fits) in [(within, true), (within - 1, false)] {
            let mut decoder = FrameDecoder::with_limit(Framing::Sse, limit_bytes);
            let mut read = Ok(());
            for part in [&event[..cut], &event[cut..]] {
                decoder.push(Bytes::copy_from_slice(part));
                while let Some(frame) = decoder.next().transpose() {
                    read = read.and(frame.map(drop));
                    if read.is_err() {
                        break;
                    }
                }
            }
            assert_eq!(read.is_ok(), fits, "cut at {cut}, limit {limit_bytes}");
        }
    }
}
