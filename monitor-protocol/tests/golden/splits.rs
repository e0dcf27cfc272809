//! The same reading and the same bytes, however the network cuts the stream; edits that leave the rest alone.

use bytes::Bytes;
use monitor_protocol::*;
use proptest::prelude::*;

use crate::reading::{BOUNDARY, bodies, call_of, fixture, fixtures, framing_of, read_stream, streams};

#[test]
fn every_stream_split_at_every_byte_reads_the_same() {
    for name in streams() {
        let call = call_of(&name);
        let body = fixture(&name);
        let whole = read_stream(&call, framing_of(&name), &[&body]);
        for at in 1..body.len() {
            let (head, tail) = body.split_at(at);
            assert_eq!(
                read_stream(&call, framing_of(&name), &[head, tail]),
                whole,
                "{name} split at {at}"
            );
        }
    }
}

#[test]
fn every_stream_byte_by_byte_reads_the_same() {
    for name in streams() {
        let call = call_of(&name);
        let body = fixture(&name);
        let whole = read_stream(&call, framing_of(&name), &[&body]);
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(read_stream(&call, framing_of(&name), &bytes), whole, "{name}");
    }
}

/// An event that a bare CR completes is there at once, though an LF might follow.
#[test]
fn no_event_waits_for_a_byte_after_its_blank_line() {
    for end in ["\n", "\r\n", "\r"] {
        let mut decoder = FrameDecoder::new(Framing::Sse);
        decoder.push(format!("data: 1{end}{end}").into());
        assert_eq!(decoder.next().unwrap().unwrap().data(), b"1", "{end:?}");
        let mut decoder = FrameDecoder::new(Framing::Sse);
        decoder.push(format!("data: 1{end}").into());
        assert_eq!(decoder.next(), Ok(None), "{end:?}");
        let (first, rest) = end.split_at(1);
        decoder.push(Bytes::from(first.to_owned()));
        if rest.is_empty() || first == "\r" {
            assert_eq!(decoder.next().unwrap().unwrap().data(), b"1", "{end:?}");
        }
        decoder.push(Bytes::from(rest.to_owned()));
        if !rest.is_empty() {
            let rest = decoder.next().unwrap().unwrap();
            assert_eq!(
                (&rest.raw()[..], rest.data()),
                (&b"\n"[..], &b""[..]),
                "the LF comes by itself"
            );
        }
    }
}

#[test]
fn an_event_inside_one_chunk_is_not_copied() {
    let chunk = Bytes::from_static(b"data: 1\n\ndata: 2\n\ndata: 3");
    let mut decoder = FrameDecoder::new(Framing::Sse);
    decoder.push(chunk.clone());
    for at in [0, 9] {
        let event = decoder.next().unwrap().unwrap();
        assert_eq!(event.raw().as_ptr(), chunk[at..].as_ptr());
    }
    assert_eq!(decoder.next(), Ok(None));
    assert_eq!(decoder.remainder(), &b"data: 3"[..]);
}

#[test]
fn an_event_over_the_limit_fails_at_any_split_and_loses_no_byte() {
    let body = b"data: ok\n\ndata: 0123456789\n\ndata: ok\n\n";
    for size in 1..body.len() {
        let mut decoder = FrameDecoder::with_limit(Framing::Sse, 12);
        let mut seen = Vec::new();
        let mut failed = false;
        for chunk in body.chunks(size) {
            decoder.push(Bytes::copy_from_slice(chunk));
            loop {
                match decoder.next() {
                    Ok(Some(event)) => seen.extend_from_slice(event.raw()),
                    Ok(None) => break,
                    Err(error) => {
                        assert_eq!(error, FrameError::TooLarge { limit_bytes: 12 });
                        failed = true;
                        break;
                    }
                }
            }
        }
        assert!(failed, "chunks of {size}");
        assert_eq!(seen, b"data: ok\n\n");
        seen.extend_from_slice(&decoder.remainder());
        assert_eq!(seen, body, "chunks of {size}");
    }
}

/// Every text of every fixture replaced by itself gives text equal to the original, and no other change of reading.
#[test]
fn edits_of_streams_change_their_texts_and_nothing_else() {
    for name in streams() {
        let call = call_of(&name);
        let body = fixture(&name);
        let frames = frames_of(framing_of(&name), &body);
        let mut edited = Vec::new();
        let mut expected = Vec::new();
        for frame in &frames.0 {
            let read = read_event(&call, frame).unwrap();
            assert_eq!(frame.edited(&[]).as_ref(), Ok(frame.raw()));
            let texts: Vec<String> = read
                .deltas
                .iter()
                .map(|delta| format!("<{}\n\">", delta.text))
                .collect();
            let edits: Vec<Edit<'_>> = read
                .deltas
                .iter()
                .zip(&texts)
                .map(|(delta, text)| Edit::text(delta.span.clone(), text))
                .collect();
            edited.extend_from_slice(&frame.edited(&edits).unwrap());
            let channels = read.deltas.iter().map(|delta| delta.channel);
            let pieces: Vec<_> = channels.zip(texts).collect();
            expected.push((pieces, read.usage, read.finish, read.terminal));
        }
        edited.extend_from_slice(&frames.1);
        let after = frames_of(framing_of(&name), &edited);
        assert_eq!(after.0.len(), expected.len(), "{name}");
        for (frame, expected) in after.0.iter().zip(expected) {
            let read = read_event(&call, frame).unwrap();
            let pieces = read.deltas.iter();
            let pieces = pieces.map(|delta| (delta.channel, delta.text.clone().into_owned()));
            let got = (pieces.collect(), read.usage, read.finish, read.terminal);
            assert_eq!(got, expected, "{name}");
        }
    }
}

/// The frames of a stream, and what is left at its end.
fn frames_of(framing: Framing, body: &[u8]) -> (Vec<Frame>, Bytes) {
    let mut decoder = FrameDecoder::new(framing);
    decoder.push(Bytes::copy_from_slice(body));
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next().unwrap() {
        frames.push(frame);
    }
    (frames, decoder.remainder())
}

#[test]
fn multi_line_data_becomes_one_line_and_keeps_what_stands_between() {
    let raw = "id: 1\r\ndata: {\"choices\":[{\"index\":0,\r\n: note\r\ndata: \"delta\":{\"content\":\"ab\"}}]}\r\nretry: 3\r\n\r\n";
    let event = Frame::Sse(SseEvent::parse(raw.into()));
    let read = read_event(&Call::new(Api::OpenAi, Operation::ChatCompletions), &event).unwrap();
    let edited = event
        .edited(&[Edit::text(read.deltas[0].span.clone(), "x")])
        .unwrap();
    assert_eq!(
        std::str::from_utf8(&edited).unwrap(),
        "id: 1\r\ndata: {\"choices\":[{\"index\":0, \"delta\":{\"content\":\"x\"}}]}\r\n: note\r\nretry: 3\r\n\r\n"
    );
}

#[test]
fn edits_of_bodies_keep_every_other_byte() {
    for name in bodies() {
        let call = call_of(&name);
        let body = fixture(&name);
        let spans: Vec<_> = if name.contains("request") {
            let request = read_request(&call, None, &body).unwrap();
            request.texts.iter().map(|text| text.span.clone()).collect()
        } else {
            let response = read_response(&call, &body).unwrap();
            response.texts.iter().map(|text| text.span.clone()).collect()
        };
        for span in &spans {
            let edited = edit(&body, &[Edit::text(span.clone(), "\"é\n")]).unwrap();
            let (head, tail) = (&body[..span.start], &body[span.end..]);
            assert!(
                edited.starts_with(head) && edited.ends_with(tail),
                "{name} {span:?}"
            );
            assert_eq!(
                &edited[head.len()..edited.len() - tail.len()],
                "\\\"é\\n".as_bytes()
            );
            serde_json::from_slice::<serde_json::Value>(&edited).unwrap();
        }
        assert_eq!(edit(&body, &[]).unwrap(), body);
    }
}

/// A field of a form is edited as it stands, a string in an uploaded file of JSON lines as JSON.
#[test]
fn edits_of_forms_keep_every_other_byte() {
    let mut edited_texts = 0;
    for name in fixtures(".form") {
        let call = call_of(&name);
        let body = fixture(&name);
        let read = |body: &[u8]| -> Vec<String> {
            let request = read_request(&call, Some(BOUNDARY), body).unwrap();
            let texts = request.texts.iter();
            texts.map(|text| text.text().into_owned()).collect()
        };
        let before = read(&body);
        let request = read_request(&call, Some(BOUNDARY), &body).unwrap();
        for (at, text) in request.texts.iter().enumerate() {
            let edits = [text.raw_spans().edit(0..before[at].len(), "\"é\n").unwrap()];
            let edited = edit(&body, &edits).unwrap();
            let (head, tail) = (&body[..text.span.start], &body[text.span.end..]);
            assert!(
                edited.starts_with(head) && edited.ends_with(tail),
                "{name} text {at}"
            );
            let mut expected = before.clone();
            "\"é\n".clone_into(&mut expected[at]);
            assert_eq!(read(&edited), expected, "{name} text {at}");
            edited_texts += 1;
        }
    }
    assert!(edited_texts > 10, "{edited_texts}");
}

proptest! {
    #[test]
    fn any_chunking_reads_the_same(
        which in any::<prop::sample::Index>(),
        sizes in prop::collection::vec(1_usize..400, 1..40),
    ) {
        let names = streams();
        let name = which.get(&names);
        let call = call_of(name);
        let body = fixture(name);
        let mut chunks: Vec<&[u8]> = Vec::new();
        let mut rest = &body[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, tail) = rest.split_at((*size).min(rest.len()));
            chunks.push(chunk);
            rest = tail;
        }
        prop_assert_eq!(read_stream(&call, framing_of(name), &chunks), read_stream(&call, framing_of(name), &[&body]));
    }
}
