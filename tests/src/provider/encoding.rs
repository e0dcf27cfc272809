//! Content encodings of answers, whole and event by event.

use std::io::Write;

use anyhow::{Context, Result};

/// A content encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Encoding {
    /// By its name in `content-encoding`.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Its name in `content-encoding`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// Encodes an answer piece by piece; each piece can be decoded as soon as it has arrived.
pub(super) enum Encoder {
    Identity,
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Deflate(flate2::write::ZlibEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    /// An encoder at a fast level.
    pub(super) fn new(encoding: Option<Encoding>) -> Result<Self> {
        let level = flate2::Compression::fast();
        Ok(match encoding {
            None => Self::Identity,
            Some(Encoding::Gzip) => Self::Gzip(flate2::write::GzEncoder::new(Vec::new(), level)),
            Some(Encoding::Deflate) => Self::Deflate(flate2::write::ZlibEncoder::new(Vec::new(), level)),
            Some(Encoding::Brotli) => {
                Self::Brotli(Box::new(brotli::CompressorWriter::new(Vec::new(), 4096, 4, 20)))
            }
            Some(Encoding::Zstd) => Self::Zstd(zstd::stream::write::Encoder::new(Vec::new(), 1)?),
        })
    }

    /// The bytes to send for this piece.
    pub(super) fn push(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        fn flushed<W: Write>(writer: &mut W, data: &[u8]) -> std::io::Result<()> {
            writer.write_all(data)?;
            writer.flush()
        }
        Ok(match self {
            Self::Identity => data.to_vec(),
            Self::Gzip(encoder) => {
                flushed(encoder, data)?;
                std::mem::take(encoder.get_mut())
            }
            Self::Deflate(encoder) => {
                flushed(encoder, data)?;
                std::mem::take(encoder.get_mut())
            }
            Self::Brotli(encoder) => {
                flushed(encoder.as_mut(), data)?;
                std::mem::take(encoder.get_mut())
            }
            Self::Zstd(encoder) => {
                flushed(encoder, data)?;
                std::mem::take(encoder.get_mut())
            }
        })
    }

    /// The bytes that end the encoding.
    pub(super) fn finish(self) -> Result<Vec<u8>> {
        match self {
            Self::Identity => Ok(Vec::new()),
            Self::Gzip(encoder) => encoder.finish().context("ending gzip"),
            Self::Deflate(encoder) => encoder.finish().context("ending deflate"),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish().context("ending zstd"),
        }
    }
}
