//! The given and family names and the ordinary words that are known, as `names/collect.py` collected them.
//!
//! A name is two bytes, in buckets that are read where they lie in the program file: what its hash adds to the bucket's
//! number, and its marks. Of other words one or two in a thousand are
//! taken for a name.

use crate::tokens::hash::hash;

include!("layout.rs");

static ENTRIES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/names.entries"));
static STARTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/names.starts"));

/// Longest name that is known.
pub(super) const MAX_BYTES: usize = 36;

fn entry(at: u32) -> u16 {
    let at = 2 * at as usize;
    let bytes = ENTRIES.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u16::from_le_bytes)
}

/// The first entry of a bucket.
fn start(bucket: usize) -> u32 {
    let bytes = STARTS.get(4 * bucket..4 * bucket + 4);
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u32::from_le_bytes)
}

/// The marks of a name in small letters; 0 when it is not known.
pub(super) fn marks(name: &[u8]) -> u16 {
    const MARKS: u16 = (1 << MARK_BITS) - 1;
    let (bucket, rest) = place(hash(name));
    (start(bucket)..start(bucket + 1))
        .map(entry)
        .find(|entry| entry & !MARKS == rest)
        .map_or(0, |entry| entry & MARKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names() {
        assert_eq!(marks(b"anna"), GIVEN | FAMILY);
        assert_eq!(marks(b"may"), GIVEN | FAMILY | WORD);
        assert_eq!(marks(b"pipeline"), WORD);
        assert_eq!(marks(b"muller") & (FAMILY | WORD), FAMILY);
        assert_eq!(marks("анна".as_bytes()), GIVEN);
        for word in ["pipeline", "xyzzy", ""] {
            assert_eq!(marks(word.as_bytes()) & (GIVEN | FAMILY), 0, "{word}");
        }
    }
}
