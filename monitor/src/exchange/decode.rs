//! Content decoding for reading: bounded output for every piece of input, so that a compressed body of a few kilobytes
//! cannot become gigabytes of memory.

use std::io::{self, Write};

use bytes::Bytes;

use smallvec::SmallVec;

use super::fields::{Coding, ContentEncoding};

/// A body that cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecodeError {
    /// The coding is not known here.
    #[error("unknown content encoding")]
    Unknown,
    /// The bytes are not valid in their coding.
    #[error("malformed {0:?} body")]
    Malformed(Coding),
    /// The body decodes to more than the bound.
    #[error("the body decodes to more than {0} bytes")]
    TooLarge(usize),
}

/// Decodes one body, piece by piece. Every coding that is taken off is bounded on its own.
pub(super) struct Decoder {
    stages: SmallVec<[Stage; 1]>,
    known: bool,
}

/// Takes one coding off.
struct Stage {
    coding: Coding,
    limit_bytes: usize,
    inner: Inner,
}

enum Inner {
    Gzip(Box<flate2::write::MultiGzDecoder<Sink>>),
    Zlib(Box<flate2::write::ZlibDecoder<Sink>>),
    RawDeflate(Box<flate2::write::DeflateDecoder<Sink>>),
    /// Which of the two deflate formats it is shows in the first two bytes.
    DeflateUndecided(Option<u8>),
    Brotli(Box<brotli::DecompressorWriter<Sink>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Sink>>),
}

/// Output of one piece, bounded.
struct Sink {
    bytes: Vec<u8>,
    limit_bytes: usize,
    overflowed: bool,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit_bytes {
            self.overflowed = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Decoder {
    /// A decoder for one body; a single piece may decode to `limit_bytes` at most.
    pub(super) fn new(encoding: ContentEncoding, limit_bytes: usize) -> Self {
        let stages = encoding
            .outermost_first()
            .map(|coding| Stage::new(coding, limit_bytes));
        let stages: Option<_> = stages.collect();
        Self {
            known: encoding.is_known() && stages.is_some(),
            stages: stages.unwrap_or_default(),
        }
    }

    /// Decodes the next piece of the body; what comes out may be nothing yet. Without an encoding the piece itself comes
    /// back, not a copy.
    ///
    /// # Errors
    /// The coding is unknown, the bytes are malformed, or the piece decodes to more than the bound.
    pub(super) fn push(&mut self, piece: Bytes) -> Result<Bytes, DecodeError> {
        if !self.known {
            return Err(DecodeError::Unknown);
        }
        self.stages
            .iter_mut()
            .try_fold(piece, |piece, stage| stage.push(piece))
    }
}

impl Stage {
    /// `None` where the system has no memory for a decoder.
    fn new(coding: Coding, limit_bytes: usize) -> Option<Self> {
        /// Bytes of brotli's input buffer.
        const BROTLI_BUFFER_BYTES: usize = 4_096;
        let sink = Sink {
            bytes: Vec::new(),
            limit_bytes,
            overflowed: false,
        };
        let inner = match coding {
            Coding::Gzip => Inner::Gzip(Box::new(flate2::write::MultiGzDecoder::new(sink))),
            Coding::Deflate => Inner::DeflateUndecided(None),
            Coding::Brotli => Inner::Brotli(Box::new(brotli::DecompressorWriter::new(
                sink,
                BROTLI_BUFFER_BYTES,
            ))),
            Coding::Zstd => Inner::Zstd(Box::new(zstd::stream::write::Decoder::new(sink).ok()?)),
        };
        Some(Self {
            coding,
            limit_bytes,
            inner,
        })
    }

    fn push(&mut self, piece: Bytes) -> Result<Bytes, DecodeError> {
        match &mut self.inner {
            Inner::DeflateUndecided(first) => {
                let mut head = Vec::with_capacity(piece.len() + 1);
                head.extend(first.take());
                head.extend_from_slice(&piece);
                let [a, b, ..] = head[..] else {
                    *first = head.first().copied();
                    return Ok(Bytes::new());
                };
                let sink = Sink {
                    bytes: Vec::new(),
                    limit_bytes: self.limit_bytes,
                    overflowed: false,
                };
                // RFC 1950, section 2.2: method 8, and the two bytes are a multiple of 31.
                self.inner = if a & 0x0f == 8 && u16::from_be_bytes([a, b]).is_multiple_of(31) {
                    Inner::Zlib(Box::new(flate2::write::ZlibDecoder::new(sink)))
                } else {
                    Inner::RawDeflate(Box::new(flate2::write::DeflateDecoder::new(sink)))
                };
                self.push(head.into())
            }
            Inner::Gzip(d) => drive(d, &piece, |d| d.get_mut(), self.coding, self.limit_bytes),
            Inner::Zlib(d) => drive(d, &piece, |d| d.get_mut(), self.coding, self.limit_bytes),
            Inner::RawDeflate(d) => drive(d, &piece, |d| d.get_mut(), self.coding, self.limit_bytes),
            Inner::Brotli(d) => drive(d, &piece, |d| d.get_mut(), self.coding, self.limit_bytes),
            Inner::Zstd(d) => drive(d, &piece, |d| d.get_mut(), self.coding, self.limit_bytes),
        }
    }
}

fn drive<D: Write>(
    decoder: &mut D,
    piece: &[u8],
    sink: impl Fn(&mut D) -> &mut Sink,
    coding: Coding,
    limit_bytes: usize,
) -> Result<Bytes, DecodeError> {
    let written = decoder.write_all(piece).and_then(|()| decoder.flush());
    let sink = sink(decoder);
    if sink.overflowed {
        return Err(DecodeError::TooLarge(limit_bytes));
    }
    let out = std::mem::take(&mut sink.bytes);
    match written {
        Ok(()) => Ok(out.into()),
        Err(_) => Err(DecodeError::Malformed(coding)),
    }
}

/// A whole body, decoded.
///
/// # Errors
/// As [`Decoder::push`]; a body that stops before its end decodes to what there is.
pub(super) fn decode_whole(
    encoding: ContentEncoding,
    body: Bytes,
    limit_bytes: usize,
) -> Result<Bytes, DecodeError> {
    Decoder::new(encoding, limit_bytes).push(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::testing::encoded;

    const TEXT: &[u8] = b"{\"choices\":[{\"message\":{\"content\":\"hello hello hello hello hello\"}}]}";

    const ALL: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

    /// No coding, one, two, and three.
    fn encodings(text: &[u8]) -> Vec<(ContentEncoding, Vec<u8>)> {
        let mut all = vec![(ContentEncoding::default(), text.to_vec())];
        for one in ALL {
            all.push((ContentEncoding::of(one), encoded(one, text)));
        }
        let twice = encoded(Coding::Brotli, &encoded(Coding::Gzip, text));
        all.push((
            ContentEncoding::parse(b"deflate, gzip, br"),
            encoded(
                Coding::Brotli,
                &encoded(Coding::Gzip, &encoded(Coding::Deflate, text)),
            ),
        ));
        all.push((ContentEncoding::parse(b"gzip, br"), twice));
        all
    }

    #[test]
    fn every_coding_decodes_at_every_split() {
        for (encoding, wire) in encodings(TEXT) {
            let wire = Bytes::from(wire);
            for cut in 0..=wire.len() {
                let mut decoder = Decoder::new(encoding, 1 << 20);
                let mut out = decoder.push(wire.slice(..cut)).unwrap().to_vec();
                out.extend_from_slice(&decoder.push(wire.slice(cut..)).unwrap());
                assert_eq!(out, TEXT, "{encoding:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn deflate_without_the_zlib_wrapper_is_read_too() {
        let mut e = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        e.write_all(TEXT).unwrap();
        let wire = e.finish().unwrap();
        assert_eq!(
            decode_whole(ContentEncoding::of(Coding::Deflate), wire.into(), 1 << 20).unwrap(),
            TEXT
        );
    }

    #[test]
    fn a_bomb_is_refused_in_every_coding() {
        let zeros = vec![0; 8 << 20];
        for (encoding, wire) in encodings(&zeros).split_off(1) {
            assert!(wire.len() < 64 * 1024);
            let result = decode_whole(encoding, wire.into(), 1 << 20);
            assert!(matches!(result, Err(DecodeError::TooLarge(_))), "{encoding:?}");
        }
    }

    #[test]
    fn garbage_is_malformed() {
        let garbage = Bytes::from_static(b"\xff\xfe certainly not compressed");
        for coding in ALL {
            let result = decode_whole(ContentEncoding::of(coding), garbage.clone(), 1 << 20);
            assert!(matches!(result, Err(DecodeError::Malformed(_))), "{coding:?}");
        }
        for unread in [&b"compress"[..], b"gzip, gzip, gzip, gzip"] {
            assert!(matches!(
                decode_whole(ContentEncoding::parse(unread), garbage.clone(), 9),
                Err(DecodeError::Unknown)
            ));
        }
    }
}
