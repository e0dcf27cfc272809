//! Content decoding for reading: bounded output for every piece of input, so that a compressed body of a few kilobytes
//! cannot become gigabytes of memory.

use std::io::{self, Write};

use bytes::Bytes;

use super::fields::ContentEncoding;

/// A body that cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecodeError {
    /// The coding is not known here.
    #[error("unknown content encoding")]
    Unknown,
    /// The bytes are not valid in their coding.
    #[error("malformed {0:?} body")]
    Malformed(ContentEncoding),
    /// The body decodes to more than the bound.
    #[error("the body decodes to more than {0} bytes")]
    TooLarge(usize),
}

/// Decodes one body, piece by piece.
pub(super) struct Decoder {
    encoding: ContentEncoding,
    limit_bytes: usize,
    inner: Inner,
}

enum Inner {
    Identity,
    Gzip(Box<flate2::write::MultiGzDecoder<Sink>>),
    Zlib(Box<flate2::write::ZlibDecoder<Sink>>),
    RawDeflate(Box<flate2::write::DeflateDecoder<Sink>>),
    /// Which of the two deflate formats it is shows in the first two bytes.
    DeflateUndecided(Option<u8>),
    Brotli(Box<brotli::DecompressorWriter<Sink>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Sink>>),
    Unknown,
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
        let sink = Sink {
            bytes: Vec::new(),
            limit_bytes,
            overflowed: false,
        };
        /// Bytes of brotli's input buffer.
        const BROTLI_BUFFER_BYTES: usize = 4_096;
        let inner = match encoding {
            ContentEncoding::Identity => Inner::Identity,
            ContentEncoding::Gzip => Inner::Gzip(Box::new(flate2::write::MultiGzDecoder::new(sink))),
            ContentEncoding::Deflate => Inner::DeflateUndecided(None),
            ContentEncoding::Brotli => Inner::Brotli(Box::new(brotli::DecompressorWriter::new(
                sink,
                BROTLI_BUFFER_BYTES,
            ))),
            ContentEncoding::Zstd => match zstd::stream::write::Decoder::new(sink) {
                Ok(decoder) => Inner::Zstd(Box::new(decoder)),
                Err(_) => Inner::Unknown,
            },
            ContentEncoding::Unknown => Inner::Unknown,
        };
        Self {
            encoding,
            limit_bytes,
            inner,
        }
    }

    /// Decodes the next piece of the body; what comes out may be nothing yet. Without an encoding the piece itself comes
    /// back, not a copy.
    ///
    /// # Errors
    /// The coding is unknown, the bytes are malformed, or the piece decodes to more than the bound.
    pub(super) fn push(&mut self, piece: Bytes) -> Result<Bytes, DecodeError> {
        match &mut self.inner {
            Inner::Identity => Ok(piece),
            Inner::Unknown => Err(DecodeError::Unknown),
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
            Inner::Gzip(d) => drive(d, &piece, |d| d.get_mut(), self.encoding, self.limit_bytes),
            Inner::Zlib(d) => drive(d, &piece, |d| d.get_mut(), self.encoding, self.limit_bytes),
            Inner::RawDeflate(d) => drive(d, &piece, |d| d.get_mut(), self.encoding, self.limit_bytes),
            Inner::Brotli(d) => drive(d, &piece, |d| d.get_mut(), self.encoding, self.limit_bytes),
            Inner::Zstd(d) => drive(d, &piece, |d| d.get_mut(), self.encoding, self.limit_bytes),
        }
    }
}

fn drive<D: Write>(
    decoder: &mut D,
    piece: &[u8],
    sink: impl Fn(&mut D) -> &mut Sink,
    encoding: ContentEncoding,
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
        Err(_) => Err(DecodeError::Malformed(encoding)),
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

    const TEXT: &[u8] = b"{\"choices\":[{\"message\":{\"content\":\"hello hello hello hello hello\"}}]}";

    fn encoded(encoding: ContentEncoding, text: &[u8]) -> Vec<u8> {
        let level = flate2::Compression::default();
        let mut out = Vec::new();
        match encoding {
            ContentEncoding::Gzip => {
                let mut e = flate2::write::GzEncoder::new(&mut out, level);
                e.write_all(text).unwrap();
                e.finish().unwrap();
            }
            ContentEncoding::Deflate => {
                let mut e = flate2::write::ZlibEncoder::new(&mut out, level);
                e.write_all(text).unwrap();
                e.finish().unwrap();
            }
            ContentEncoding::Brotli => {
                let mut e = brotli::CompressorWriter::new(&mut out, 4_096, 5, 22);
                e.write_all(text).unwrap();
                drop(e);
            }
            ContentEncoding::Zstd => out = zstd::encode_all(text, 3).unwrap(),
            _ => out.extend_from_slice(text),
        }
        out
    }

    const ALL: [ContentEncoding; 5] = [
        ContentEncoding::Identity,
        ContentEncoding::Gzip,
        ContentEncoding::Deflate,
        ContentEncoding::Brotli,
        ContentEncoding::Zstd,
    ];

    #[test]
    fn every_coding_decodes_at_every_split() {
        for encoding in ALL {
            let wire = Bytes::from(encoded(encoding, TEXT));
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
            decode_whole(ContentEncoding::Deflate, wire.into(), 1 << 20).unwrap(),
            TEXT
        );
    }

    #[test]
    fn a_bomb_is_refused_in_every_coding() {
        let zeros = vec![0; 8 << 20];
        for encoding in &ALL[1..] {
            let wire = encoded(*encoding, &zeros);
            assert!(wire.len() < 64 * 1024);
            let result = decode_whole(*encoding, wire.into(), 1 << 20);
            assert!(matches!(result, Err(DecodeError::TooLarge(_))), "{encoding:?}");
        }
    }

    #[test]
    fn garbage_is_malformed() {
        for encoding in &ALL[1..] {
            let result = decode_whole(
                *encoding,
                Bytes::from_static(b"\xff\xfe certainly not compressed"),
                1 << 20,
            );
            assert!(matches!(result, Err(DecodeError::Malformed(_))), "{encoding:?}");
        }
        assert!(matches!(
            decode_whole(ContentEncoding::Unknown, Bytes::from_static(b"x"), 9),
            Err(DecodeError::Unknown)
        ));
    }
}
