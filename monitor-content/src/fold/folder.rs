//! The fold itself: one pass over the characters, with a few bytes of memory of what came before.

use super::map::Map;
use super::table::{Class, class};

/// Bytes that are read ahead to tell which script a word is in; one that goes on so long without saying is judged by the
/// text before it. Also the most that a stream keeps back for it.
pub(super) const WORD_BYTES: usize = 64;

/// Letters that the balance of scripts remembers: a word of another language is not yet another text.
const BALANCE: i8 = 32;

/// What the letters before tell about the script of the word at hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Word {
    /// No letter yet that is of one script only.
    #[default]
    Open,
    /// The last such letter is Latin.
    Latin,
    /// The last such letter is of another script.
    Own,
}

/// Folds a text that may come in pieces.
#[derive(Debug, Clone, Default)]
pub(super) struct Folder {
    word: Word,
    /// Above zero, the letters of late are Latin; below, of other scripts.
    balance: i8,
    after_ascii: bool,
}

/// Folded text under construction.
pub(super) struct Output<'o> {
    pub(super) text: &'o mut String,
    pub(super) map: &'o mut Map,
    /// Where the input starts in the original.
    pub(super) base: usize,
}

impl Output<'_> {
    /// Appends original text as it is.
    pub(super) fn copy(&mut self, input: &str, from: usize, to: usize) {
        if let Some(part) = input.get(from..to).filter(|part| !part.is_empty()) {
            self.map.note(self.text.len(), self.base + from, (1, 1));
            self.text.push_str(part);
        }
    }

    fn replace(&mut self, at: usize, bytes: usize, text: &str) {
        self.map
            .note(self.text.len(), self.base + at, (text.len(), bytes));
        self.text.push_str(text);
    }
}

/// How far a piece was read.
pub(super) struct Taken {
    /// Bytes that are folded; what follows waits for more.
    pub(super) bytes: usize,
    /// From here to `bytes` the text stays as it is, and has not been appended.
    pub(super) clean: usize,
}

impl Folder {
    /// Folds `input`; `last` when no text follows.
    pub(super) fn fold(&mut self, input: &str, last: bool, out: &mut Output<'_>) -> Taken {
        let (mut at, mut clean) = (0, 0);
        loop {
            let ascii = ascii_run(input.as_bytes().get(at..).unwrap_or_default());
            if !ascii.is_empty() {
                self.pass_ascii(ascii);
                at += ascii.len();
            }
            let Some(character) = input.get(at..).and_then(|rest| rest.chars().next()) else {
                return Taken { bytes: at, clean };
            };
            let bytes = character.len_utf8();
            let class = class(character);
            let mut ascii = [0];
            let with = match class {
                Class::Other => self.pass(Word::Open),
                Class::Letter => self.pass(Word::Own),
                Class::Mark if !self.after_ascii => None,
                Class::Mark | Class::Dropped => Some(""),
                Class::Ascii(byte) => Some(self.pass_one(byte, &mut ascii)),
                Class::Lookalike(byte) | Class::Rough(byte) => {
                    match self.is_latin(input.get(at..).unwrap_or_default(), last) {
                        None => return Taken { bytes: at, clean },
                        Some(true) => Some(self.pass_one(byte, &mut ascii)),
                        Some(false) => self.pass(Word::Own),
                    }
                }
                Class::Text(text) => {
                    self.pass_text(text);
                    Some(text)
                }
            };
            if let Some(with) = with {
                out.copy(input, clean, at);
                if !with.is_empty() {
                    out.replace(at, bytes, with);
                }
                clean = at + bytes;
            }
            at += bytes;
        }
    }

    /// Whether the lookalike at the start of `rest` stands for a Latin letter; `None` when more text has to tell.
    fn is_latin(&self, rest: &str, last: bool) -> Option<bool> {
        match self.word {
            Word::Latin => return Some(true),
            Word::Own => return Some(false),
            Word::Open => {}
        }
        let mut rough = false;
        let mut bytes = 0;
        for character in rest.chars() {
            bytes += character.len_utf8();
            if bytes > WORD_BYTES {
                return Some(self.leans_latin(rough));
            }
            let ascii = if character.is_ascii() {
                Some(character as u8)
            } else {
                match class(character) {
                    Class::Letter => return Some(false),
                    Class::Lookalike(_) | Class::Dropped | Class::Mark => continue,
                    Class::Rough(_) => {
                        rough = true;
                        continue;
                    }
                    Class::Other => None,
                    Class::Ascii(byte) => Some(byte),
                    Class::Text(text) => text.bytes().next(),
                }
            };
            match ascii {
                Some(letter) if letter.is_ascii_alphabetic() => return Some(true),
                Some(digit) if digit.is_ascii_digit() => {}
                _ => return Some(self.leans_latin(rough)),
            }
        }
        last.then(|| self.leans_latin(rough))
    }

    /// What a word of nothing but lookalikes is taken for.
    fn leans_latin(&self, rough: bool) -> bool {
        !rough && self.balance >= 0
    }

    fn weigh(&mut self, latin: bool) {
        let by = if latin { 1 } else { -1 };
        self.balance = (self.balance + by).clamp(-BALANCE, BALANCE);
    }

    /// A character that stays.
    fn pass(&mut self, word: Word) -> Option<&'static str> {
        self.word = word;
        self.after_ascii = false;
        if word == Word::Own {
            self.weigh(false);
        }
        None
    }

    /// A character for which `byte` stands.
    fn pass_one<'a>(&mut self, byte: u8, text: &'a mut [u8; 1]) -> &'a str {
        *text = [byte];
        self.pass_ascii(text);
        std::str::from_utf8(text).unwrap_or_default()
    }

    fn pass_text(&mut self, text: &str) {
        match text.chars().next_back() {
            Some(letter) if !letter.is_ascii() && letter.is_alphabetic() => {
                self.pass(Word::Own);
            }
            Some(other) if !other.is_ascii() => {
                self.pass(Word::Open);
            }
            _ => self.pass_ascii(text.as_bytes()),
        }
    }

    /// A run of ASCII. What it leaves behind is the same whatever the pieces it comes in.
    fn pass_ascii(&mut self, run: &[u8]) {
        self.after_ascii = true;
        if let Some(last) = run.iter().rev().find(|b| !b.is_ascii_digit()) {
            self.word = if last.is_ascii_alphabetic() {
                Word::Latin
            } else {
                Word::Open
            };
        }
        let room = usize::from(self.balance.abs_diff(BALANCE));
        if room > 0 {
            let letters = run.iter().filter(|b| b.is_ascii_alphabetic()).take(room).count();
            self.balance += letters as i8;
        }
    }
}

/// The ASCII that `bytes` begin with.
fn ascii_run(bytes: &[u8]) -> &[u8] {
    const STEP: usize = 32;
    let mut at = 0;
    if bytes.first().is_some_and(u8::is_ascii) {
        while bytes.get(at..at + STEP).is_some_and(<[u8]>::is_ascii) {
            at += STEP;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        at += rest.iter().position(|b| !b.is_ascii()).unwrap_or(rest.len());
    }
    bytes.get(..at).unwrap_or_default()
}
