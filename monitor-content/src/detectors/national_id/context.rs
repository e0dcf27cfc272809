//! The words that stand near an id, and the words of other numbers.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use smallvec::SmallVec;

use super::rules;
use crate::Folded;
use crate::bytes::ESCAPE_BYTES;
use crate::finding::Ahead;

/// How far before an id its word may begin. With the bytes that tell whether a word begins there it is within
/// what an engine may look at.
const BEFORE_BYTES: usize = 64;
/// How far after an id, in the same line, its word may end. That much is held back, but only for what passed its
/// check and has no word before it.
const AFTER_BYTES: usize = 48;

/// How far from an id a word may be that is also a common one.
const CLOSE_BYTES: usize = 16;

/// Longer than any word.
const MAX_WORD_BYTES: usize = 63;
/// How much further than asked words are sought, so that the next numbers have theirs.
const BLOCK_BYTES: usize = 256;
/// Bytes after a word that tell whether it ends there.
const LOOK_AHEAD_BYTES: usize = 2;

const _: () = assert!(BEFORE_BYTES + ESCAPE_BYTES <= super::super::CONTEXT_BYTES);

/// Words that name numbers of another kind. One that is nearer than an id's own word takes it back:
/// `SSN on file, phone 212555012`.
const FOREIGN: &[&str] = &[
    "phone",
    "telephone",
    "mobile",
    "fax",
    "tel",
    "cell",
    "whatsapp",
    "telefon",
    "téléphone",
    "teléfono",
    "telefone",
    "telefono",
    "order",
    "invoice",
    "iban",
    "isbn",
    "issn",
    "tracking",
    "ticket",
    "zip",
    "postcode",
    "price",
    "amount",
    "total",
    "timestamp",
    "serial number",
    "電話",
    "电话",
    "전화",
    "телефон",
];

/// A word in the text.
#[derive(Debug, Clone, Copy)]
struct Hit {
    start: usize,
    end: usize,
    owner: Owner,
}

/// The words of one text that were found so far. Each byte is looked at about once, however many numbers ask.
#[derive(Debug, Default)]
pub(super) struct Words {
    hits: SmallVec<[Hit; 8]>,
    /// The words that start at or after this offset are known ...
    low: usize,
    /// ... if they end at or before this one.
    high: usize,
}

/// The words near an id on one side of it.
#[derive(Debug, Default)]
pub(super) struct Nearby {
    /// The rules of each, and how far it is.
    words: SmallVec<[(u128, usize); 8]>,
    /// The rules of all, a bit each.
    pub(super) rules: u128,
}

/// Whose a word is.
#[derive(Debug, Clone, Copy, Default)]
struct Owner {
    rules: u128,
    /// It may be the beginning of a longer word: `henkilötunnu*`.
    goes_on: bool,
    /// It says nothing from afar: `tin!`.
    close: bool,
}

/// Every word, and whose it is.
struct Vocabulary {
    automaton: AhoCorasick,
    owners: Vec<Owner>,
}

impl Vocabulary {
    fn new() -> Option<Self> {
        let foreign = FOREIGN.iter().map(|word| (*word, 0));
        let own = rules::all().enumerate().flat_map(|(number, rule)| {
            let words = rule.words.iter().copied().flatten();
            words.map(move |word| (*word, 1 << number))
        });
        let mut words: Vec<String> = Vec::new();
        let mut owners: Vec<Owner> = Vec::new();
        for (word, rules) in foreign.chain(own) {
            let bare = word.trim_end_matches(['*', '!']);
            // Folding leaves a word of another script as it is, or not, by what is round it.
            for form in [bare, Folded::of(bare).text()] {
                let at = words.iter().position(|known| known == form).unwrap_or_else(|| {
                    words.push(form.to_owned());
                    owners.push(Owner {
                        rules: 0,
                        goes_on: word.ends_with('*'),
                        close: word.ends_with('!'),
                    });
                    words.len() - 1
                });
                if let Some(owner) = owners.get_mut(at) {
                    owner.rules |= rules;
                    owner.close &= word.ends_with('!');
                    owner.goes_on |= word.ends_with('*');
                }
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(&words)
            .ok()?;
        Some(Self { automaton, owners })
    }
}

static VOCABULARY: LazyLock<Option<Vocabulary>> = LazyLock::new(Vocabulary::new);

impl Words {
    /// The words before `start`. One that names another number takes back what came before it.
    pub(super) fn before(&mut self, text: &[u8], start: usize, ahead: Ahead) -> Nearby {
        let low = start.saturating_sub(BEFORE_BYTES);
        self.find(text, low, start, ahead);
        let mut nearby = Nearby::default();
        for hit in self
            .hits
            .iter()
            .filter(|hit| hit.start >= low && hit.end <= start)
        {
            if hit.owner.rules == 0 {
                nearby = Nearby::default();
            } else {
                nearby.add(hit.owner, start - hit.end);
            }
        }
        nearby
    }

    /// The words after an id in its line, up to one that names another number; `None` when text still to come may hold
    /// one. The next number may begin within the id, so the words before it are kept.
    pub(super) fn after(&mut self, text: &[u8], start: usize, end: usize, ahead: Ahead) -> Option<Nearby> {
        let rest = text.get(end..).unwrap_or_default();
        let line = rest.iter().take(AFTER_BYTES).position(|b| *b == b'\n');
        if line.is_none() && rest.len() < AFTER_BYTES + LOOK_AHEAD_BYTES && ahead == Ahead::Wait {
            return None;
        }
        let high = end + line.unwrap_or(AFTER_BYTES).min(rest.len());
        self.find(text, start.saturating_sub(BEFORE_BYTES), high, ahead);
        let mut nearby = Nearby::default();
        let hits = self.hits.iter().filter(|hit| hit.start >= end && hit.end <= high);
        for hit in hits.take_while(|hit| hit.owner.rules != 0) {
            nearby.add(hit.owner, hit.start - end);
        }
        Some(nearby)
    }

    /// Makes the words known that start at or after `low` and end at or before `high`.
    fn find(&mut self, text: &[u8], low: usize, high: usize, ahead: Ahead) {
        if low > self.high {
            self.hits.clear();
            (self.low, self.high) = (low, low);
        }
        let Some(vocabulary) = VOCABULARY.as_ref().filter(|_| high > self.high) else {
            return;
        };
        self.hits.retain(|hit| hit.start >= low);
        let known = if ahead == Ahead::Wait {
            text.len().saturating_sub(LOOK_AHEAD_BYTES)
        } else {
            text.len()
        };
        let from = self.high.saturating_sub(MAX_WORD_BYTES).max(self.low);
        let to = (high + BLOCK_BYTES).min(known).max(high);
        for hit in vocabulary
            .automaton
            .find_overlapping_iter(text.get(from..to).unwrap_or_default())
        {
            let (start, end) = (from + hit.start(), from + hit.end());
            let owner = vocabulary
                .owners
                .get(hit.pattern().as_usize())
                .copied()
                .unwrap_or_default();
            if end > self.high && begins_word(text, start) && (owner.goes_on || ends_word(text, end)) {
                self.hits.push(Hit { start, end, owner });
            }
        }
        self.high = to;
    }
}

impl Nearby {
    fn add(&mut self, owner: Owner, distance: usize) {
        if !owner.close || distance <= CLOSE_BYTES {
            self.words.push((owner.rules, distance));
            self.rules |= owner.rules;
        }
    }

    /// How near the nearest word of a rule is: the larger the nearer.
    pub(super) fn nearness(&self, rule: usize) -> usize {
        let mine = self.words.iter().filter(|(rules, _)| rules & (1 << rule) != 0);
        usize::MAX - mine.map(|(_, distance)| *distance).min().unwrap_or(usize::MAX)
    }
}

/// Whether a word may begin at `at`: after no letter or digit, or where capitals begin after small letters.
fn begins_word(text: &[u8], at: usize) -> bool {
    let Some([before @ .., last]) = text.get(..at) else {
        return true;
    };
    match last {
        b'a'..=b'z' => {
            text.get(at).is_some_and(u8::is_ascii_uppercase) || crate::bytes::ends_escape(text, at)
        }
        b'A'..=b'Z' => false,
        0x80.. => {
            !before.last().is_some_and(|lead| (0xC3..=0xDF).contains(lead))
                || text.get(at).is_none_or(|b| *b >= 0xE0)
        }
        _ => true,
    }
}

/// Whether a word may end at `at`: before no letter, or where capitals begin.
fn ends_word(text: &[u8], at: usize) -> bool {
    match (text.get(..at).and_then(<[u8]>::last), text.get(at)) {
        (Some(last), Some(b'A'..=b'Z')) => !last.is_ascii_uppercase(),
        (_, Some(b's')) => !text.get(at + 1).is_some_and(u8::is_ascii_alphabetic),
        (_, Some(next)) => !next.is_ascii_alphabetic(),
        _ => true,
    }
}
