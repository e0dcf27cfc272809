//! Reads text once, in any pieces, and adds up the weights of its features.
//!
//! White space counts as one space, a digit as `0`, and a third and further repetition of a character as nothing. Each
//! character ends a 3-, 4- and 5-gram, each word a 1-, 2- and 3-gram. The training script does the same, step by step.

use super::character::{Character, Kind, SPACE, SPREAD, ascii, of};
use super::model::Head;

/// Characters from one checkpoint to the next, at least; the word that goes on is read to its end.
const CHECKPOINT: u32 = 32;
/// Where there is no end of a word, a checkpoint comes after so many.
const FORCED: u32 = 96;
/// A longer run of letters is read as several words.
const MAX_WORD: u32 = 32;

const M1: u32 = 0x85EB_CA6B;
const M2: u32 = M1.wrapping_mul(M1);
const M3: u32 = M2.wrapping_mul(M1);
const M4: u32 = M3.wrapping_mul(M1);
const K1: u32 = 0xC2B2_AE35;
const K2: u32 = 0x27D4_EB2F;
const K3: u32 = 0x1656_67B1;

/// The prefix sums at one place of the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Check {
    /// Bytes before it.
    pub(super) at: usize,
    /// Sum of the weights of the features that end before it.
    pub(super) sum: i64,
    /// The number of them.
    pub(super) features: u64,
}

/// The state between two characters.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    /// Codes of the last four characters, the last one first.
    last: [u32; 4],
    word: u32,
    /// The two words before.
    words: [u32; 2],
    /// How many of them there are.
    behind: u8,
    length: u32,
    since: u32,
    repeats: u32,
    /// A character whose bytes have not all come, and how many are missing.
    partial: u32,
    missing: u32,
    now: Check,
    last_check: u64,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            last: [SPACE.code; 4],
            word: 0,
            words: [0; 2],
            behind: 0,
            length: 0,
            since: 0,
            repeats: 0,
            partial: 0,
            missing: 0,
            now: Check::default(),
            last_check: u64::MAX,
        }
    }
}

fn slot(hash: u32, factor: u32) -> u32 {
    (hash ^ (hash >> 13)).wrapping_mul(factor)
}

impl Reader {
    /// Reads the next bytes of a text and shows every checkpoint in them.
    pub(super) fn read(&mut self, head: &Head, bytes: &[u8], see: &mut impl FnMut(Check)) {
        for byte in bytes {
            if *byte < 0x80 {
                self.step(head, ascii(*byte), 1, see);
            } else if *byte < 0xC0 {
                self.partial = (self.partial << 6) | u32::from(byte & 0x3F);
                self.missing = self.missing.saturating_sub(1);
                if self.missing == 0 {
                    let width = match self.partial {
                        0..0x800 => 2,
                        0x800..0x1_0000 => 3,
                        _ => 4,
                    };
                    self.step(head, of(self.partial), width, see);
                    self.partial = 0;
                }
            } else {
                (self.partial, self.missing) = match byte {
                    0..0xE0 => (u32::from(byte & 0x1F), 1),
                    0xE0..0xF0 => (u32::from(byte & 0x0F), 2),
                    _ => (u32::from(byte & 0x07), 3),
                };
            }
        }
    }

    /// Ends the text: its last word, and a checkpoint where there was none just before.
    pub(super) fn finish(&mut self, head: &Head, see: &mut impl FnMut(Check)) {
        if self.length > 0 {
            self.end_word(head);
        }
        if self.last_check != self.now.features {
            self.last_check = self.now.features;
            see(self.now);
        }
    }

    #[inline]
    fn step(&mut self, head: &Head, character: Character, width: usize, see: &mut impl FnMut(Check)) {
        let Character { code, kind } = character;
        if code == self.last[0] {
            self.repeats += 1;
            if self.repeats > 1 || kind == Kind::Space {
                self.now.at += width;
                return;
            }
        } else {
            self.repeats = 0;
        }
        let ended = self.length > 0 && (kind != Kind::Word || self.length >= MAX_WORD);
        if ended {
            self.end_word(head);
        }
        if (ended && self.since >= CHECKPOINT) || self.since >= FORCED {
            self.since = 0;
            self.last_check = self.now.features;
            see(self.now);
        }
        self.since += 1;
        let [p1, p2, p3, p4] = self.last;
        let three = code
            .wrapping_add(p1.wrapping_mul(M1))
            .wrapping_add(p2.wrapping_mul(M2));
        let four = three.wrapping_add(p3.wrapping_mul(M3));
        let five = four.wrapping_add(p4.wrapping_mul(M4));
        let sum =
            head.character(slot(three, K1)) + head.character(slot(four, K2)) + head.character(slot(five, K3));
        self.now.sum += i64::from(sum);
        self.now.features += 3;
        self.now.at += width;
        self.last = [code, p1, p2, p3];
        match kind {
            Kind::Word | Kind::Alone => {
                self.word = (self.word.rotate_left(5) ^ code).wrapping_mul(SPREAD);
                self.length = if kind == Kind::Alone {
                    MAX_WORD
                } else {
                    self.length + 1
                };
            }
            Kind::Space | Kind::Other => {}
        }
    }

    fn end_word(&mut self, head: &Head) {
        let [w1, w2] = self.words;
        let one = self.word;
        let mut sum = head.word(slot(one, K1));
        self.now.features += 1;
        if self.behind >= 1 {
            sum += head.word(slot(w1.wrapping_mul(M1).wrapping_add(one), K2));
            self.now.features += 1;
        }
        if self.behind >= 2 {
            let three = w2
                .wrapping_mul(M2)
                .wrapping_add(w1.wrapping_mul(M1))
                .wrapping_add(one);
            sum += head.word(slot(three, K3));
            self.now.features += 1;
        }
        self.now.sum += i64::from(sum);
        self.behind = (self.behind + 1).min(2);
        self.words = [one, w1];
        self.word = 0;
        self.length = 0;
    }
}
