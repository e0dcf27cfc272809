//! The tokens of a vocabulary and their ranks, looked up in tables that the build script laid out.

use super::hash::hash;

/// Which byte strings are tokens, and which of two merges comes first.
pub(super) struct Ranks {
    /// Open addressing: rank plus one in the upper half, the hash's lower half in the lower one; 0 is free.
    slots: &'static [u8],
    slot_bits: u32,
    /// Where each token starts in `bytes`, and where the last one ends.
    starts: &'static [u8],
    bytes: &'static [u8],
}

macro_rules! ranks {
    ($name:literal, $bits:literal) => {
        Ranks {
            slots: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".slots")),
            slot_bits: $bits,
            starts: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".starts")),
            bytes: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".bytes")),
        }
    };
}

pub(super) static O200K: Ranks = ranks!("o200k_base", 19);
pub(super) static CL100K: Ranks = ranks!("cl100k_base", 18);

/// No token of a built-in vocabulary is longer.
pub(super) const MAX_TOKEN_BYTES: usize = 128;

impl Ranks {
    /// The rank of the token that is spelt `token`.
    pub(super) fn get(&self, token: &[u8]) -> Option<u32> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let hash = hash(token);
        let mut slot = (hash >> (64 - self.slot_bits)) as usize;
        loop {
            let entry = self.slot(slot);
            if entry == 0 {
                return None;
            }
            let rank = (entry >> 32) as u32 - 1;
            if entry as u32 == hash as u32 && self.token(rank) == token {
                return Some(rank);
            }
            slot = (slot + 1) & ((1 << self.slot_bits) - 1);
        }
    }

    /// Reads every page of the tables once.
    pub(super) fn touch(&self) {
        const PAGE_BYTES: usize = 4096;
        for table in [self.slots, self.starts, self.bytes] {
            std::hint::black_box(
                table
                    .iter()
                    .step_by(PAGE_BYTES)
                    .fold(0, |sum: u8, byte| sum ^ byte),
            );
        }
    }

    fn slot(&self, slot: usize) -> u64 {
        self.slots
            .as_chunks()
            .0
            .get(slot)
            .map_or(0, |entry| u64::from_le_bytes(*entry))
    }

    fn token(&self, rank: u32) -> &'static [u8] {
        let start = |rank: usize| {
            self.starts
                .as_chunks()
                .0
                .get(rank)
                .map_or(0, |at| u32::from_le_bytes(*at) as usize)
        };
        self.bytes
            .get(start(rank as usize)..start(rank as usize + 1))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_has_its_rank() {
        for (ranks, tokenizer) in [
            (&O200K, bpe_openai::o200k_base()),
            (&CL100K, bpe_openai::cl100k_base()),
        ] {
            let bpe = &tokenizer.bpe;
            for rank in 0..bpe.num_tokens() as u32 {
                let token = bpe.token_bytes(rank);
                assert_eq!(ranks.get(token), Some(rank));
                assert!(token.len() <= MAX_TOKEN_BYTES);
            }
            assert!(
                (0..=255).all(|byte| ranks.get(&[byte]).is_some()),
                "any text has tokens"
            );
            assert_eq!(ranks.get(b"no such token at all"), None);
            assert_eq!(ranks.get(b""), None);
        }
    }
}
