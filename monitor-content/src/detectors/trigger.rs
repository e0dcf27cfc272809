//! Where one of some hundred short strings may begin: the search in front of the rules.
//!
//! Every position costs one table load: three bytes select an entry, whose bits say which fourth bytes are worth a
//! look. A position it names may still be nothing, so the caller compares; it never passes over one that is. Unlike a
//! vectorised search of several strings, it does not grow slower with their number.

/// Entries in the table; one byte each, so that it stays in the first-level cache beside the text.
const ENTRIES_LOG2: u32 = 13;
/// Positions looked at in one step.
const STEP: usize = 8;
/// The case of ASCII letters.
const LOWER: u32 = 0x2020_2020;

/// The search.
pub(super) struct Triggers {
    /// By hash of three bytes, one bit for each value of the fourth byte's lowest three bits.
    table: Box<[u8; 1 << ENTRIES_LOG2]>,
    /// Set on every byte before the look: [`LOWER`] when case does not matter.
    fold: u32,
}

impl std::fmt::Debug for Triggers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Triggers")
    }
}

impl Triggers {
    /// Fewest bytes of a string that is searched for.
    pub(super) const MIN_BYTES: usize = 3;

    /// Searches for the beginnings of `strings`, each at least [`Self::MIN_BYTES`] long; shorter ones are not found.
    pub(super) fn new<'a>(strings: impl IntoIterator<Item = &'a [u8]>, ignore_case: bool) -> Self {
        let mut triggers = Self {
            table: Box::new([0; 1 << ENTRIES_LOG2]),
            fold: if ignore_case { LOWER } else { 0 },
        };
        for string in strings {
            let &[a, b, c, ref rest @ ..] = string else {
                continue;
            };
            let fourth = rest.first().copied();
            let quad = u32::from_le_bytes([a, b, c, fourth.unwrap_or_default()]) | triggers.fold;
            let bits = match fourth {
                Some(_) => 1 << (quad >> 24 & 7),
                None => u8::MAX,
            };
            if let Some(entry) = triggers.table.get_mut(hash(quad)) {
                *entry |= bits;
            }
        }
        triggers
    }

    /// The first position at or after `from` where a string may begin. A string needs a byte after its third.
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(block) = text.get(at..at + STEP + 3) {
            let hits = self.block(block);
            if hits != 0 {
                return Some(at + hits.trailing_zeros() as usize);
            }
            at += STEP;
        }
        let tail = text.get(at..)?;
        tail.windows(4)
            .position(|quad| {
                quad.try_into()
                    .is_ok_and(|quad| self.bit(u32::from_le_bytes(quad)) != 0)
            })
            .map(|n| at + n)
    }

    /// One bit for each of the [`STEP`] positions of a block.
    #[inline]
    fn block(&self, block: &[u8]) -> u32 {
        let quads = |at: usize| {
            block
                .get(at..at + 8)
                .and_then(|bytes| bytes.try_into().ok())
                .map_or(0, u64::from_le_bytes)
        };
        let (low, high) = (quads(0), quads(3));
        let mut hits = 0;
        for i in 0..4 {
            hits |= self.bit((low >> (8 * i)) as u32) << i;
            hits |= self.bit((high >> (8 * (i + 1))) as u32) << (i + 4);
        }
        hits
    }

    #[inline]
    fn bit(&self, quad: u32) -> u32 {
        let quad = quad | self.fold;
        u32::from(self.table[hash(quad) & ((1 << ENTRIES_LOG2) - 1)]) >> (quad >> 24 & 7) & 1
    }
}

/// Multiplicative hashing of the first three bytes.
#[inline]
fn hash(quad: u32) -> usize {
    ((quad << 8).wrapping_mul(0x9E37_79B1) >> (32 - ENTRIES_LOG2)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_string_is_found_at_every_place() {
        let strings = ["hf_", "sk-", "ghp_", "AKIA", "é🙂"];
        let triggers = Triggers::new(strings.iter().map(|s| s.as_bytes()), false);
        for string in strings {
            for before in 0..40 {
                let text = format!("{}{string}x", " ".repeat(before));
                let mut at = 0;
                while triggers.find(text.as_bytes(), at).is_some_and(|hit| hit < before) {
                    at += 1;
                }
                assert_eq!(triggers.find(text.as_bytes(), at), Some(before), "{text:?}");
            }
        }
        assert_eq!(triggers.find(b"plain words only, and no more than that", 0), None);
        assert_eq!(triggers.find(b"hf", 0), None);
        assert_eq!(triggers.find(b"", 3), None);
    }

    #[test]
    fn case_is_ignored_when_told() {
        let triggers = Triggers::new([&b"password"[..]], true);
        assert_eq!(triggers.find(b"The DB_PASSWORD is", 0), Some(7));
    }
}
