//! Decoders of frames: no byte lost, the same frames at any split, edits that read back.

use bytes::Bytes;
use monitor_protocol::{Edit, Frame, FrameDecoder, FrameError, Framing, MAX_FRAME_BYTES};

use crate::memory;

/// A limit small enough to be met.
const SMALL_LIMIT_BYTES: usize = 64;

/// What a decoder makes of a stream.
struct Reading {
    frames: Vec<Frame>,
    error: Option<FrameError>,
}

/// The first byte chooses the splits and the limit.
pub fn check(framing: Framing, input: &[u8]) {
    let Some((&choice, stream)) = input.split_first() else {
        return;
    };
    let limit_bytes = if choice & 1 == 1 {
        SMALL_LIMIT_BYTES
    } else {
        MAX_FRAME_BYTES
    };
    let whole = read(framing, limit_bytes, stream, |rest| rest);
    let mut state = u32::from(choice) | 1;
    let split = read(framing, limit_bytes, stream, |_| {
        state = state.wrapping_mul(0x9E37_79B1).rotate_left(7);
        1 + state as usize % 23
    });
    assert_eq!(split.error.is_some(), whole.error.is_some());
    assert!(
        documents(&split).eq(documents(&whole)),
        "a split changed the frames"
    );
    if limit_bytes == MAX_FRAME_BYTES {
        for (index, frame) in whole.frames.iter().enumerate() {
            check_edit(framing, frame, index == 0, choice);
        }
    }
}

/// What says something: a lone line end may be a frame or not, as the stream is split.
fn documents(reading: &Reading) -> impl Iterator<Item = (&[u8], &[u8], bool)> {
    let frames = reading.frames.iter();
    frames
        .map(|frame| (frame.name(), frame.data(), frame.is_exception()))
        .filter(|(name, data, is_exception)| !name.is_empty() || !data.is_empty() || *is_exception)
}

fn read(
    framing: Framing,
    limit_bytes: usize,
    stream: &[u8],
    mut size: impl FnMut(usize) -> usize,
) -> Reading {
    memory::bounded(stream.len(), || {
        let mut decoder = FrameDecoder::with_limit(framing, limit_bytes);
        let mut frames = Vec::new();
        let mut error = None;
        let mut rest = stream;
        while !rest.is_empty() {
            let (chunk, tail) = rest.split_at(size(rest.len()).min(rest.len()));
            rest = tail;
            decoder.push(Bytes::copy_from_slice(chunk));
            loop {
                match decoder.next() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => {
                        assert_eq!(error, None, "an error is the end");
                        break;
                    }
                    Err(now) => {
                        assert_eq!(*error.get_or_insert(now), now);
                        break;
                    }
                }
            }
        }
        frames.extend(decoder.finish());
        let mut raw = Vec::with_capacity(stream.len());
        for frame in &frames {
            assert!(!frame.raw().is_empty());
            raw.extend_from_slice(frame.raw());
        }
        raw.extend_from_slice(&decoder.remainder());
        assert!(raw == stream, "a byte was lost or changed");
        assert!(decoder.remainder().is_empty());
        Reading { frames, error }
    })
}

/// A decoder as it is when `frame` comes: some bytes are not read at the start of a stream as they are later.
pub(crate) fn decoder_before(framing: Framing, frame: &Frame, is_first: bool) -> FrameDecoder {
    let mut decoder = FrameDecoder::new(framing);
    let before = match framing {
        Framing::JsonArray if frame.raw().trim_ascii_start().starts_with(b",") => "[0 ",
        Framing::Sse if !is_first => ":\n\n",
        _ => return decoder,
    };
    decoder.push(Bytes::from(before));
    assert!(matches!(decoder.next(), Ok(Some(_))));
    decoder
}

/// An edit of a frame reads back as the frame with that edit.
fn check_edit(framing: Framing, frame: &Frame, is_first: bool, choice: u8) {
    assert_eq!(frame.edited(&[]).as_ref(), Ok(frame.raw()));
    let data = frame.data();
    if data.is_empty() {
        return;
    }
    // Of a JSON array only whole elements are replaced: what is no JSON may lack the bytes that end it.
    let (edit, expected) = if framing == Framing::JsonArray {
        (Edit::json(0..data.len(), "[7]"), b"[7]".to_vec())
    } else {
        let start = usize::from(choice) % data.len();
        let end = start + (data.len() - start).min(usize::from(choice >> 5));
        let expected = [&data[..start], b"7", &data[end..]].concat();
        (Edit::json(start..end, "7"), expected)
    };
    let edited = frame.edited(&[edit]).unwrap();
    let mut decoder = decoder_before(framing, frame, is_first);
    decoder.push(edited);
    let mut read = None;
    loop {
        // The edit is of any bytes and not of a string's: it may have made the payload a chunk that is none.
        let next = match decoder.next() {
            Err(FrameError::Chunk) if framing == Framing::EventStream => return,
            next => next.unwrap().or_else(|| decoder.finish()),
        };
        let Some(frame) = next else { break };
        if !frame.data().is_empty() {
            read = Some(frame);
        }
    }
    let read = read.unwrap();
    assert_eq!(read.name(), frame.name());
    if framing == Framing::Sse {
        // Line ends between `data` lines become spaces, and one space before the value is the field's.
        let expected: Vec<u8> = expected
            .iter()
            .map(|&byte| if byte == b'\n' { b' ' } else { byte })
            .collect();
        assert_eq!(read.data().trim_ascii_start(), expected.trim_ascii_start());
    } else {
        assert_eq!(read.data(), expected);
    }
}
