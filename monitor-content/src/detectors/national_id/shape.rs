//! How an id is written, and the table that gives the ways beginning with so many letters and digits.

use smallvec::SmallVec;

use super::Rule;

/// Longest run of digits an id begins with; a longer one is none.
pub(super) const MAX_DIGITS: usize = 18;
/// Most letters an id begins with: a codice fiscale's.
pub(super) const MAX_LETTERS: usize = 6;
/// Most letters and digits of an id.
const MAX_SIGNS: usize = 24;

/// One way to write an id.
#[derive(Debug)]
pub(super) struct Shape {
    /// `9` is a digit, `A` a letter, `X` either, `~` a space or a dash (the same all through), anything else itself.
    pub(super) pattern: &'static [u8],
    /// Whether the letters and digits, upper-case and without separators, are such an id.
    pub(super) check: fn(&[u8]) -> bool,
    /// Confidence where no word of the rule is near; 0 when that is none at all.
    pub(super) alone_percent: u8,
    /// Confidence where one is.
    pub(super) near_percent: u8,
}

/// The letters and digits of an id.
#[derive(Default)]
pub(super) struct Number {
    signs: [u8; MAX_SIGNS],
    length: usize,
    /// It was not written in capitals, as such ids are.
    pub(super) lower_case: bool,
}

impl Number {
    pub(super) fn read(text: &[u8], start: usize, end: usize) -> Self {
        let mut number = Self::default();
        let written = text.get(start..end).unwrap_or_default();
        for sign in written.iter().filter(|sign| sign.is_ascii_alphanumeric()) {
            if let Some(slot) = number.signs.get_mut(number.length) {
                *slot = sign.to_ascii_uppercase();
                number.length += 1;
            }
            number.lower_case |= sign.is_ascii_lowercase();
        }
        number
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.signs.get(..self.length).unwrap_or_default()
    }
}

pub(super) enum Fit {
    Not,
    /// The text ends before the pattern does.
    Partly,
    Whole {
        end: usize,
    },
}

/// How what may be an id begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beginning {
    pub(super) letters: usize,
    /// A separator stands between the letters and the digits.
    pub(super) apart: bool,
    pub(super) digits: usize,
    /// The byte after the digits.
    pub(super) next: Option<u8>,
}

/// What may follow the first digits: nothing of the id, or one of these.
const FOLLOWERS: &[&[u8]] = &[b"\0", b" ", b"-", b".", b"/", b"(", b"A"];

impl Beginning {
    fn follower(&self) -> usize {
        match self.next {
            Some(next) if next.is_ascii_alphabetic() => FOLLOWERS.len() - 1,
            Some(next) => FOLLOWERS
                .iter()
                .position(|known| known.contains(&next))
                .unwrap_or(0),
            None => 0,
        }
    }

    fn place(&self) -> usize {
        let row = usize::from(self.apart) * (MAX_LETTERS + 1) + self.letters;
        (row * (MAX_DIGITS + 1) + self.digits) * FOLLOWERS.len() + self.follower()
    }

    /// Every beginning there is, in the order of their places.
    fn all() -> impl Iterator<Item = Self> {
        [false, true].into_iter().flat_map(|apart| {
            (0..=MAX_LETTERS).flat_map(move |letters| {
                (0..=MAX_DIGITS).flat_map(move |digits| {
                    FOLLOWERS.iter().map(move |follower| Self {
                        letters,
                        apart,
                        digits,
                        next: follower.first().copied(),
                    })
                })
            })
        })
    }

    /// Whether an id of this pattern may begin so.
    fn suits(&self, pattern: &[u8]) -> bool {
        let run = |from: usize, sign: u8, length: usize| {
            let rest = pattern.get(from..).unwrap_or_default();
            let kind = |b: &u8| if b.is_ascii_digit() { b'9' } else { *b };
            let fixed = rest
                .iter()
                .take_while(|b| matches!(kind(b), b'X') || kind(b) == sign)
                .count();
            // It has to end there, too, unless what follows may be of the other kind.
            length <= fixed && rest.get(length).is_none_or(|b| kind(b) != sign)
        };
        let separated = matches!(pattern.get(self.letters), Some(b' ' | b'-' | b'~'));
        let after_letters = self.letters + usize::from(self.apart);
        let begins = if self.apart {
            self.letters > 0 && separated && run(after_letters, b'9', self.digits)
        } else {
            self.digits > 0 && !separated && run(after_letters, b'9', self.digits)
        };
        let follows = match pattern.get(after_letters + self.digits) {
            None => self.next != Some(b'A'),
            Some(b'~') => matches!(self.next, Some(b' ' | b'-')),
            Some(b'X') => self.next == Some(b'A'),
            sign => self.next.as_ref() == sign,
        };
        run(0, b'A', self.letters) && begins && follows
    }
}

/// A shape and its rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// The rule's number.
    pub(super) rule: usize,
    pub(super) described: &'static Rule,
    pub(super) shape: &'static Shape,
}

/// The shapes that are written the same.
#[derive(Debug)]
pub(super) struct Written {
    pattern: &'static [u8],
    /// Where its separators are: looking there first tells most patterns of one beginning apart.
    separators: SmallVec<[usize; 6]>,
    /// Spaces may be inside, so that numbers in a row may look like it.
    pub(super) spaced: bool,
    /// Some shape needs no word near it.
    pub(super) alone: bool,
    /// The rules, a bit each.
    pub(super) rules: u128,
    pub(super) entries: SmallVec<[Entry; 2]>,
}

impl Written {
    /// Whether the text at `start` is written so.
    pub(super) fn fit(&self, text: &[u8], start: usize) -> Fit {
        let rest = text.get(start..).unwrap_or_default();
        let misplaced = |at: &usize| match (self.pattern.get(*at), rest.get(*at)) {
            (Some(b'~'), Some(byte)) => !matches!(byte, b' ' | b'-'),
            (sign, Some(byte)) => sign != Some(byte),
            (_, None) => false,
        };
        if self.separators.iter().any(misplaced) {
            return Fit::Not;
        }
        let mut joiner = None;
        let mut rest = rest.iter();
        for sign in self.pattern {
            let Some(byte) = rest.next() else {
                return Fit::Partly;
            };
            let fits = match sign {
                b'9' => byte.is_ascii_digit(),
                b'A' => byte.is_ascii_alphabetic(),
                b'X' => byte.is_ascii_alphanumeric(),
                b'~' => matches!(byte, b' ' | b'-') && *joiner.get_or_insert(byte) == byte,
                _ => byte == sign,
            };
            if !fits {
                return Fit::Not;
            }
        }
        Fit::Whole {
            end: start + self.pattern.len(),
        }
    }
}

/// The patterns by how they begin.
#[derive(Debug)]
pub(super) struct Shapes {
    written: Vec<Written>,
    by_beginning: Vec<SmallVec<[u16; 4]>>,
}

impl Shapes {
    pub(super) fn compile(rules: &[(usize, &'static Rule)]) -> Self {
        let mut all: Vec<Written> = Vec::new();
        for (rule, described) in rules {
            for shape in described.shapes {
                let entry = Entry {
                    rule: *rule,
                    described,
                    shape,
                };
                let at = all
                    .iter()
                    .position(|written| written.pattern == shape.pattern)
                    .unwrap_or_else(|| {
                        all.push(Written {
                            pattern: shape.pattern,
                            separators: (0..)
                                .zip(shape.pattern)
                                .filter_map(|(at, sign)| (!sign.is_ascii_alphanumeric()).then_some(at))
                                .collect(),
                            spaced: shape.pattern.iter().any(|b| matches!(b, b' ' | b'~')),
                            alone: false,
                            rules: 0,
                            entries: SmallVec::new(),
                        });
                        all.len() - 1
                    });
                if let Some(written) = all.get_mut(at) {
                    written.alone |= shape.alone_percent > 0;
                    written.rules |= 1 << rule;
                    written.entries.push(entry);
                }
            }
        }
        let by_beginning = Beginning::all()
            .map(|beginning| {
                let suits =
                    |(place, written): (u16, &Written)| beginning.suits(written.pattern).then_some(place);
                (0..).zip(&all).filter_map(suits).collect()
            })
            .collect();
        Self {
            written: all,
            by_beginning,
        }
    }

    pub(super) fn beginning_with(&self, beginning: Beginning) -> impl Iterator<Item = &Written> {
        let places = self
            .by_beginning
            .get(beginning.place())
            .map_or(&[][..], |places| places);
        places
            .iter()
            .filter_map(|place| self.written.get(usize::from(*place)))
    }
}

pub(super) fn digit(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_digit)
}

/// The end of the digits at `at`, of which at most `most` are looked at.
pub(super) fn digits_end(text: &[u8], at: usize, most: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take(most).take_while(|b| b.is_ascii_digit()).count()
}

/// The next digit at or after `at`, sought eight bytes at a time.
pub(super) fn next_digit(text: &[u8], at: usize) -> Option<usize> {
    const BLOCK_BYTES: usize = 32;
    let rest = text.get(at..)?;
    let (blocks, _) = rest.as_chunks::<BLOCK_BYTES>();
    let clean = blocks.iter().take_while(|block| {
        let (words, _) = block.as_chunks::<8>();
        words.iter().fold(0, |seen, word| seen | digits_of(*word)) == 0
    });
    let skipped = clean.count() * BLOCK_BYTES;
    let tail = rest.get(skipped..)?;
    tail.iter().position(u8::is_ascii_digit).map(|n| at + skipped + n)
}

/// The high bit of each byte that is a digit.
fn digits_of(word: [u8; 8]) -> u64 {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // A digit, and nothing else, is below ten once the bits of `0` are turned over.
    let turned = u64::from_ne_bytes(word) ^ 0x3030_3030_3030_3030;
    !((turned & !HIGH) + 0x7676_7676_7676_7676) & !turned & HIGH
}
