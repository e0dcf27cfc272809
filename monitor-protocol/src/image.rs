//! The size of an image in pixels, from the start of its file: what providers' formulas for image tokens go by.
//!
//! Formats: PNG (RFC 2083, section 4.1.1), JPEG (ITU T.81, annex B), GIF89a (section 18), WebP (RFC 9649, sections 2.5 to
//! 2.7). Only as much of the file is decoded as its headers take.

mod formula;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// Bytes of the file that are searched for a size. A JPEG's stands behind its metadata: EXIF with a thumbnail and a colour
/// profile take two segments of 64 KiB at most each.
const SEARCHED_BYTES: usize = 256 * 1024;
/// The other formats say it in their first bytes.
const HEADER_BYTES: usize = 48;

pub(crate) use formula::tokens;

/// An image in a prompt, as far as the request tells what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    /// `None` where it is behind a reference, or in a format that is not known here.
    pub(crate) size: Option<Size>,
    /// Little detail is asked for (OpenAI's `detail: low`).
    pub(crate) low: bool,
}

/// Width and height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Size {
    fn new(width: u32, height: u32) -> Option<Self> {
        (width > 0 && height > 0).then_some(Self { width, height })
    }

    /// The size of an image that a `data:` URL holds.
    pub(crate) fn of_data_url(url: &str) -> Option<Self> {
        let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
        head.ends_with(";base64").then(|| Self::of_base64(data))?
    }

    /// The size of an image in base64.
    pub(crate) fn of_base64(data: &str) -> Option<Self> {
        let header = decoded(data, HEADER_BYTES)?;
        if header.starts_with(&[0xff, 0xd8]) {
            return jpeg(&decoded(data, SEARCHED_BYTES)?);
        }
        png(&header).or_else(|| gif(&header)).or_else(|| webp(&header))
    }

    /// Scaled down, never up, so that the longer side is `longest` at most and the shorter `shortest`.
    pub(crate) fn fit(self, longest: u32, shortest: u32) -> Self {
        let (long, short) = (self.width.max(self.height), self.width.min(self.height));
        let by_long = f64::from(longest) / f64::from(long);
        let by_short = f64::from(shortest) / f64::from(short);
        let scale = by_long.min(by_short).min(1.0);
        // At most the side it was, so it fits; at least one.
        let side = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
        Self {
            width: side(self.width),
            height: side(self.height),
        }
    }

    /// How many squares of `side` pixels cover it.
    pub(crate) fn tiles(self, side: u32) -> u64 {
        u64::from(self.width.div_ceil(side)) * u64::from(self.height.div_ceil(side))
    }
}

/// The first bytes of what `data` encodes, `most` at most.
fn decoded(data: &str, most: usize) -> Option<Vec<u8>> {
    // Four characters are three bytes.
    let whole = most.div_ceil(3) * 4;
    match data.get(..whole) {
        Some(start) => STANDARD_NO_PAD.decode(start).ok(),
        None => STANDARD.decode(data).ok(),
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_be_bytes(bytes).into())
}

fn le16(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_le_bytes(bytes).into())
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(bytes))
}

fn png(file: &[u8]) -> Option<Size> {
    let is_png = file.starts_with(b"\x89PNG\r\n\x1a\n") && file.get(12..16) == Some(b"IHDR");
    is_png.then(|| Size::new(be32(file, 16)?, be32(file, 20)?))?
}

fn gif(file: &[u8]) -> Option<Size> {
    let is_gif = file.starts_with(b"GIF87a") || file.starts_with(b"GIF89a");
    is_gif.then(|| Size::new(le16(file, 6)?, le16(file, 8)?))?
}

/// Lossy, lossless and extended files have their size in different places.
fn webp(file: &[u8]) -> Option<Size> {
    if !file.starts_with(b"RIFF") || file.get(8..12) != Some(b"WEBP") {
        return None;
    }
    let le24 = |at: usize| Some(le16(file, at)? | u32::from(*file.get(at + 2)?) << 16);
    match file.get(12..16)? {
        b"VP8 " if file.get(23..26) == Some(&[0x9d, 0x01, 0x2a]) => {
            Size::new(le16(file, 26)? & 0x3fff, le16(file, 28)? & 0x3fff)
        }
        b"VP8L" if file.get(20) == Some(&0x2f) => {
            let bits = le16(file, 21)? | le16(file, 23)? << 16;
            Size::new((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
        }
        b"VP8X" => Size::new(le24(24)? + 1, le24(27)? + 1),
        _ => None,
    }
}

/// Goes from segment to segment to the start of a frame (SOF0 to SOF15 but the three that are no frames).
fn jpeg(file: &[u8]) -> Option<Size> {
    let mut at = 2;
    loop {
        if *file.get(at)? != 0xff {
            return None;
        }
        match *file.get(at + 1)? {
            // Fill bytes.
            0xff => at += 1,
            // Without a length.
            0x01 | 0xd0..=0xd8 => at += 2,
            0xc4 | 0xc8 | 0xcc => at += 2 + segment(file, at)?,
            0xc0..=0xcf => return Size::new(be16(file, at + 7)?, be16(file, at + 5)?),
            // The data begins, or the file ends, without a frame.
            0xda | 0xd9 => return None,
            _ => at += 2 + segment(file, at)?,
        }
    }
}

/// The length of a segment, its own two bytes included; less is no length and would not move on.
fn segment(file: &[u8], at: usize) -> Option<usize> {
    let length = be16(file, at + 2)?;
    (length >= 2).then_some(length as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base64(bytes: &[u8]) -> String {
        STANDARD.encode(bytes)
    }

    fn size(bytes: &[u8]) -> Option<(u32, u32)> {
        Size::of_base64(&base64(bytes)).map(|size| (size.width, size.height))
    }

    fn png_of(width: u32, height: u32) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        file.extend(width.to_be_bytes());
        file.extend(height.to_be_bytes());
        file.extend([8, 6, 0, 0, 0]);
        file
    }

    fn jpeg_of(width: u16, height: u16, metadata: usize) -> Vec<u8> {
        let mut file = vec![0xff, 0xd8];
        let mut left = metadata;
        while left > 0 {
            let length = left.min(60_000);
            file.extend([0xff, 0xe1]);
            file.extend(u16::try_from(length + 2).unwrap().to_be_bytes());
            file.extend(vec![0xab; length]);
            left -= length;
        }
        file.extend([0xff, 0xff, 0xc2, 0, 17, 8]);
        file.extend(height.to_be_bytes());
        file.extend(width.to_be_bytes());
        file.extend([3, 1, 0x22, 0]);
        file
    }

    #[test]
    fn every_format_says_its_size() {
        assert_eq!(size(&png_of(1024, 768)), Some((1024, 768)));
        assert_eq!(size(b"GIF89a\x40\x01\xf0\0\0\0\0"), Some((320, 240)));
        assert_eq!(size(&jpeg_of(4000, 3000, 0)), Some((4000, 3000)));
        assert_eq!(
            size(&jpeg_of(640, 480, 150_000)),
            Some((640, 480)),
            "behind metadata"
        );
        let mut lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\x10\x02\0\x9d\x01\x2a".to_vec();
        lossy.extend([0x80, 0x02, 0xe0, 0x01]);
        assert_eq!(size(&lossy), Some((640, 480)));
        let mut lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f".to_vec();
        lossless.extend((639_u32 | 479 << 14).to_le_bytes());
        assert_eq!(size(&lossless), Some((640, 480)));
        let extended = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x7f\x02\0\xdf\x01\0";
        assert_eq!(size(extended), Some((640, 480)));
    }

    #[test]
    fn what_is_no_image_has_no_size() {
        for bytes in [
            &b""[..],
            b"%PDF-1.7",
            b"\xff\xd8",
            b"\xff\xd8\xff\xe0\0\0",
            b"GIF89a",
            b"RIFFxxxxWEBPVP8?",
        ] {
            assert_eq!(size(bytes), None, "{bytes:?}");
        }
        assert_eq!(size(&png_of(0, 10)), None);
        assert_eq!(Size::of_base64("not base64!"), None);
        assert_eq!(size(&jpeg_of(640, 480, 1_000_000)), None, "not searched so far");
    }

    #[test]
    fn data_urls() {
        let url = format!("data:image/png;base64,{}", base64(&png_of(10, 20)));
        assert_eq!(Size::of_data_url(&url), Size::new(10, 20));
        assert_eq!(Size::of_data_url("https://example.com/a.png"), None);
        assert_eq!(Size::of_data_url("data:image/png,raw"), None);
    }

    #[test]
    fn fitting_keeps_the_proportions() {
        let size = Size {
            width: 4096,
            height: 2048,
        };
        assert_eq!(
            size.fit(2048, 768),
            Size {
                width: 1536,
                height: 768
            }
        );
        assert_eq!(
            Size {
                width: 100,
                height: 50
            }
            .fit(2048, 768),
            Size {
                width: 100,
                height: 50
            }
        );
        assert_eq!(
            Size {
                width: 1,
                height: u32::MAX
            }
            .fit(2048, 768),
            Size {
                width: 1,
                height: 2048
            }
        );
        assert_eq!(
            Size {
                width: 1536,
                height: 768
            }
            .tiles(512),
            6
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_not(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
            let mut bytes = bytes;
            let _ = size(&bytes);
            bytes.splice(0..0, [0xff, 0xd8]);
            let _ = size(&bytes);
        }
    }
}
