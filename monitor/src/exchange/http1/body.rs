//! Body framing of HTTP/1.1, read in place and resumable at any byte.

use std::ops::Range;

use super::head::Framing;

/// Bytes of one chunk-size line; extensions are allowed and unused (RFC 9112, section 7.1.1).
const CHUNK_LINE_LIMIT_BYTES: u32 = 4 * 1024;
/// Bytes of a trailer section.
const TRAILER_LIMIT_BYTES: u32 = 16 * 1024;

/// Reads one body, piece by piece.
#[derive(Debug)]
pub(super) struct BodyReader(State);

#[derive(Debug)]
enum State {
    Length(u64),
    UntilClose,
    Chunked(Chunk),
    Done,
}

#[derive(Debug)]
enum Chunk {
    Size {
        size: u64,
        digits: u8,
        line: u32,
        extension: bool,
    },
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    Trailer {
        used: u32,
        line: u32,
        cr: bool,
    },
}

/// What the next bytes of a body are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Bytes of the input that belong to it, from the start.
    pub consumed: usize,
    /// Where in them the body's own bytes lie; empty for framing.
    pub payload: Range<usize>,
    /// These bytes are part of the trailer section.
    pub trailer: bool,
}

/// Chunked coding that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed chunked body")]
pub(super) struct BadChunk;

const START: Chunk = Chunk::Size {
    size: 0,
    digits: 0,
    line: 0,
    extension: false,
};

impl BodyReader {
    pub(super) fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(n) => State::Length(n),
            Framing::Chunked => State::Chunked(START),
            Framing::UntilClose => State::UntilClose,
        })
    }

    /// The body has ended.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.0, State::Done)
    }

    /// The end of the connection is the proper end of this body.
    pub(super) fn ends_with_connection(&self) -> bool {
        matches!(self.0, State::UntilClose)
    }

    /// Reads from the start of `input`; a piece with `consumed == 0` means that more input is needed, or that the body
    /// is done. At most one run of payload a call.
    ///
    /// # Errors
    /// The chunked coding is malformed or over its bounds; the body must be given up.
    pub(super) fn read(&mut self, input: &[u8]) -> Result<Piece, BadChunk> {
        match &mut self.0 {
            State::Done => Ok(Piece {
                consumed: 0,
                payload: 0..0,
                trailer: false,
            }),
            State::UntilClose => Ok(Piece {
                consumed: input.len(),
                payload: 0..input.len(),
                trailer: false,
            }),
            State::Length(left) => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= n as u64;
                if *left == 0 {
                    self.0 = State::Done;
                }
                Ok(Piece {
                    consumed: n,
                    payload: 0..n,
                    trailer: false,
                })
            }
            State::Chunked(chunk) => {
                let (piece, done) = chunk.read(input)?;
                if done {
                    self.0 = State::Done;
                }
                Ok(piece)
            }
        }
    }
}

impl Chunk {
    /// One run of framing, payload or trailer, and whether the body ended with it.
    fn read(&mut self, input: &[u8]) -> Result<(Piece, bool), BadChunk> {
        let mut at = 0;
        let framing = |consumed| Piece {
            consumed,
            payload: consumed..consumed,
            trailer: false,
        };
        while let Some(&byte) = input.get(at) {
            match self {
                Self::Data(left) => {
                    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len() - at);
                    *left -= n as u64;
                    if *left == 0 {
                        *self = Self::DataCr;
                    }
                    return Ok((
                        Piece {
                            consumed: at + n,
                            payload: at..at + n,
                            trailer: false,
                        },
                        false,
                    ));
                }
                Self::Trailer { .. } if at > 0 => return Ok((framing(at), false)),
                Self::Trailer { used, line, cr } => {
                    // The section ends with an empty line.
                    for (i, &byte) in input.iter().enumerate() {
                        *used += 1;
                        match (byte, *cr) {
                            (b'\n', true) if *line == 0 => {
                                return Ok((
                                    Piece {
                                        consumed: i + 1,
                                        payload: 0..0,
                                        trailer: true,
                                    },
                                    true,
                                ));
                            }
                            (b'\n', true) => (*line, *cr) = (0, false),
                            (b'\r', false) => *cr = true,
                            (b'\n' | b'\r', _) | (_, true) => return Err(BadChunk),
                            _ => *line += 1,
                        }
                        if *used > TRAILER_LIMIT_BYTES {
                            return Err(BadChunk);
                        }
                    }
                    return Ok((
                        Piece {
                            consumed: input.len(),
                            payload: 0..0,
                            trailer: true,
                        },
                        false,
                    ));
                }
                Self::Size {
                    size,
                    digits,
                    line,
                    extension,
                } => {
                    *line += 1;
                    if *line > CHUNK_LINE_LIMIT_BYTES {
                        return Err(BadChunk);
                    }
                    match byte {
                        b'\r' if *digits > 0 => *self = Self::SizeLf(*size),
                        b'\r' | b'\n' => return Err(BadChunk),
                        _ if *extension => {}
                        b';' | b' ' | b'\t' if *digits > 0 => *extension = true,
                        _ => {
                            let digit = (byte as char).to_digit(16).ok_or(BadChunk)?;
                            // 15 hex digits cannot overflow, and no honest chunk needs more.
                            if *digits == 15 {
                                return Err(BadChunk);
                            }
                            *size = *size << 4 | u64::from(digit);
                            *digits += 1;
                        }
                    }
                }
                Self::SizeLf(_) if byte != b'\n' => return Err(BadChunk),
                Self::SizeLf(0) => {
                    *self = Self::Trailer {
                        used: 0,
                        line: 0,
                        cr: false,
                    }
                }
                Self::SizeLf(n) => *self = Self::Data(*n),
                Self::DataCr if byte == b'\r' => *self = Self::DataLf,
                Self::DataLf if byte == b'\n' => *self = START,
                Self::DataCr | Self::DataLf => return Err(BadChunk),
            }
            at += 1;
        }
        Ok((framing(at), false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads `wire` in the pieces that `cuts` gives: payload, trailer, bytes left over, done.
    fn read_all(
        framing: Framing,
        wire: &[u8],
        cuts: &[usize],
    ) -> Result<(Vec<u8>, Vec<u8>, usize, bool), BadChunk> {
        let mut reader = BodyReader::new(framing);
        let (mut payload, mut trailer, mut start) = (Vec::new(), Vec::new(), 0);
        for &end in cuts.iter().chain([&wire.len()]) {
            while start < end {
                let piece = reader.read(&wire[start..end])?;
                if piece.consumed == 0 {
                    break;
                }
                payload.extend_from_slice(&wire[start..end][piece.payload.clone()]);
                if piece.trailer {
                    trailer.extend_from_slice(&wire[start..start + piece.consumed]);
                }
                start += piece.consumed;
            }
        }
        Ok((payload, trailer, wire.len() - start, reader.is_done()))
    }

    const WIRE: &[u8] = b"5\r\nhello\r\n6;ext=\"1\"\r\n world\r\n0\r\nX-Sum: 1\r\n\r\nNEXT";

    #[test]
    fn chunks_are_read_at_every_split() {
        for cut in 0..WIRE.len() {
            let read = read_all(Framing::Chunked, WIRE, &[cut]).unwrap();
            assert_eq!(
                read,
                (b"hello world".to_vec(), b"X-Sum: 1\r\n\r\n".to_vec(), 4, true),
                "cut at {cut}"
            );
        }
        let every: Vec<usize> = (1..WIRE.len()).collect();
        assert_eq!(
            read_all(Framing::Chunked, WIRE, &every).unwrap().0,
            b"hello world"
        );
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for wire in [
            &b"\r\n"[..],
            b"5\nhello\r\n",
            b"5\r\nhelloX\r\n",
            b"5\r\nhello\n",
            b"-1\r\n",
            b"0x5\r\nhello\r\n",
            b"1000000000000000\r\n",
            b"0\r\nA: b\n\r\n",
            b"0\r\n\rX",
        ] {
            assert_eq!(
                read_all(Framing::Chunked, wire, &[]),
                Err(BadChunk),
                "{:?}",
                wire.escape_ascii().to_string()
            );
        }
        let extension = [b"5;".to_vec(), vec![b'x'; CHUNK_LINE_LIMIT_BYTES as usize]].concat();
        assert_eq!(read_all(Framing::Chunked, &extension, &[]), Err(BadChunk));
        let trailer = [
            b"0\r\n".to_vec(),
            b"A: b\r\n".repeat(TRAILER_LIMIT_BYTES as usize),
        ]
        .concat();
        assert_eq!(read_all(Framing::Chunked, &trailer, &[]), Err(BadChunk));
    }

    #[test]
    fn a_length_ends_where_it_says() {
        assert_eq!(
            read_all(Framing::Length(3), b"abcdef", &[1, 2]).unwrap(),
            (b"abc".to_vec(), vec![], 3, true)
        );
        assert!(!read_all(Framing::Length(3), b"ab", &[]).unwrap().3);
    }

    proptest! {
        #[test]
        fn any_chunking_at_any_split_reads_the_same(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            mut cuts in prop::collection::vec(0usize..400, 0..8),
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n\r\n");
            cuts.retain(|c| *c < wire.len());
            cuts.sort_unstable();
            let (payload, _, left, done) = read_all(Framing::Chunked, &wire, &cuts).unwrap();
            prop_assert_eq!(payload, chunks.concat());
            prop_assert!(done && left == 0);
        }
    }
}
