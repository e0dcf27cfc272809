//! Streamed answers: what is read lies in the frame's data, and edits of it read back.

use bytes::Bytes;
use monitor_protocol::{Call, Edit, Frame, FrameDecoder, Framing, MessageKind, encode_message, read_event};

use crate::{MARKER, event_stream, frames::decoder_before, memory};

/// The first bytes choose the call; the next, the framing, whose stream is put together around the rest.
pub fn check(input: &[u8]) {
    let Some((call, rest)) = monitor_fuzz_seeds::call(input) else {
        return;
    };
    let Some((&framing, rest)) = rest.split_first() else {
        return;
    };
    let framing = Framing::ALL[usize::from(framing) % Framing::ALL.len()];
    let stream = match framing {
        Framing::EventStream => messages(rest),
        Framing::WebSocket => encode_message(MessageKind::Text, rest, None).to_vec(),
        Framing::Sse | Framing::Ndjson | Framing::JsonArray => rest.to_vec(),
    };
    memory::bounded(input.len(), || {
        let mut decoder = FrameDecoder::new(framing);
        decoder.push(Bytes::from(stream));
        let mut is_first = true;
        while let Ok(Some(frame)) = decoder.next() {
            check_frame(&call, framing, &frame, is_first);
            is_first = false;
        }
    });
}

/// Event stream messages from lines: name, tab, payload.
fn messages(input: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for line in input.split(|&byte| byte == b'\n') {
        let tab = line.iter().position(|&byte| byte == b'\t').unwrap_or(0);
        let (name, payload) = line.split_at(tab);
        let mut headers = vec![11];
        headers.extend_from_slice(b":event-type\x07");
        headers.extend_from_slice(&(name.len() as u16).to_be_bytes());
        headers.extend_from_slice(name);
        event_stream::message(&mut stream, &headers, payload.get(1..).unwrap_or_default());
    }
    stream
}

fn check_frame(call: &Call, framing: Framing, frame: &Frame, is_first: bool) {
    let Ok(read) = read_event(call, frame) else {
        return;
    };
    let data = frame.data();
    let mut edits = Vec::new();
    for delta in &read.deltas {
        assert_eq!(frame.text(delta.span.clone()), delta.text);
        edits.push(Edit::text(delta.span.clone(), MARKER));
    }
    if let Some(span) = &read.usage_span {
        let usage = data.get(span.clone()).unwrap();
        serde_json::from_slice::<serde::de::IgnoredAny>(usage).unwrap();
    }
    if let Some(usage) = read.usage {
        let _ = usage.usage();
    }
    let channels: Vec<_> = read.deltas.iter().map(|delta| delta.channel).collect();
    edits.extend(read.echoes.iter().map(|echo| Edit::json(echo.clone(), "null")));
    if edits.is_empty() {
        return;
    }
    let edited = frame.edited(&edits).unwrap();
    let mut decoder = decoder_before(framing, frame, is_first);
    decoder.push(edited);
    let mut texts = 0;
    while let Some(frame) = decoder.next().unwrap() {
        if frame.data().is_empty() {
            continue;
        }
        let after = read_event(call, &frame).unwrap();
        texts += after.deltas.iter().filter(|delta| delta.text == MARKER).count();
        for channel in &channels {
            assert!(after.deltas.iter().any(|delta| delta.channel == *channel));
        }
        assert_eq!(
            (
                after.usage,
                after.finish,
                after.error,
                after.terminal,
                after.begins
            ),
            (read.usage, read.finish, read.error, read.terminal, read.begins)
        );
    }
    assert!(
        texts >= channels.len(),
        "{texts} of {} edits are read",
        channels.len()
    );
}
