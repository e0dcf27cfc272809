//! Digits written in groups, as phone numbers, dates, addresses and national identifiers are.
//!
//! [`Run::read`] reads the groups that start at one place, as far as they are joined by the usual separators, and at
//! most [`MAX_DIGITS`] digits in [`MAX_GROUPS`] groups. It looks at fewer than 128 bytes, so that a run that starts at
//! each group of an endless row costs a bounded number of steps.

use crate::finding::Ahead;

/// An international phone number has 15 digits, a card 19, the longest national identifier 20.
pub(super) const MAX_DIGITS: usize = 24;
/// The longest written forms have eight groups; a few more tell a row of numbers.
pub(super) const MAX_GROUPS: usize = 12;
/// Bytes after a run that a reader may look at without asking whether they have come.
const AFTER_BYTES: usize = 3;

/// What stands between two groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    /// One of ` `, `-`, `.` or `/`.
    One(u8),
    /// `(`, or ` (`, or `-(`.
    Open,
    /// `)`, or `) `, or `)-`, or `)/`.
    Close,
    /// Two or three separators: `. `, ` - `, ` / `.
    Wide,
    /// Nothing joins the last group to what follows.
    End,
}

/// One group of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    /// Offset of its first digit in the text.
    pub(super) start: usize,
    /// Index of its first digit in the run's digits.
    pub(super) first: usize,
    /// How many digits it has.
    pub(super) len: usize,
    /// What joins it to the next group.
    pub(super) joint: Joint,
}

impl Group {
    /// Offset after its last digit.
    pub(super) fn end(&self) -> usize {
        self.start + self.len
    }
}

/// Groups of digits in a row.
#[derive(Debug)]
pub(super) struct Run {
    digits: [u8; MAX_DIGITS],
    count: usize,
    groups: [Group; MAX_GROUPS],
    length: usize,
    /// Later text may prolong it, or is among the few bytes after it that decide.
    pub(super) open: bool,
    /// More digits follow than are read: the last group may not be whole.
    pub(super) cut: bool,
}

impl Run {
    /// Reads the groups from the digit at `start` on.
    pub(super) fn read(text: &[u8], start: usize, ahead: Ahead) -> Self {
        const NONE: Group = Group {
            start: 0,
            first: 0,
            len: 0,
            joint: Joint::End,
        };
        let mut run = Self {
            digits: [0; MAX_DIGITS],
            count: 0,
            groups: [NONE; MAX_GROUPS],
            length: 0,
            open: false,
            cut: false,
        };
        let mut at = start;
        loop {
            let (first, group) = (run.count, at);
            while let Some(digit) = text.get(at).filter(|b| b.is_ascii_digit()) {
                let Some(slot) = run.digits.get_mut(run.count) else {
                    run.cut = true;
                    break;
                };
                *slot = digit - b'0';
                run.count += 1;
                at += 1;
            }
            let len = at - group;
            if run.cut && len == 0 {
                break;
            }
            let (joint, next) = if run.cut {
                (Joint::End, at)
            } else {
                joint(text, at)
            };
            let more = text.get(next).is_some_and(u8::is_ascii_digit);
            if let Some(slot) = run.groups.get_mut(run.length) {
                *slot = Group {
                    start: group,
                    first,
                    len,
                    joint: if more { joint } else { Joint::End },
                };
                run.length += 1;
            }
            if !more || run.cut {
                break;
            }
            if run.length == MAX_GROUPS {
                run.cut = true;
                break;
            }
            at = next;
        }
        run.open = ahead == Ahead::Wait && !run.cut && at + AFTER_BYTES >= text.len();
        run
    }

    /// The values of all digits, `0..=9` each.
    pub(super) fn digits(&self) -> &[u8] {
        self.digits.get(..self.count).unwrap_or_default()
    }

    /// The groups, at least one.
    pub(super) fn groups(&self) -> &[Group] {
        self.groups.get(..self.length).unwrap_or_default()
    }

    /// The values of one group's digits.
    pub(super) fn of(&self, group: &Group) -> &[u8] {
        self.digits
            .get(group.first..group.first + group.len)
            .unwrap_or_default()
    }

    /// The number a group writes; 24 digits fit no `u32`, so only what has at most nine is read.
    pub(super) fn value(&self, group: &Group) -> Option<u32> {
        (group.len <= 9).then(|| number(self.of(group)))
    }
}

/// The number that up to nine digits write.
pub(super) fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |n, d| n * 10 + u32::from(*d))
}

/// The separators after a group, and the offset after them.
fn joint(text: &[u8], at: usize) -> (Joint, usize) {
    let rest = text.get(at..).unwrap_or_default();
    match rest {
        [b'(', ..] => (Joint::Open, at + 1),
        [b' ' | b'-', b'(', ..] => (Joint::Open, at + 2),
        [b')', b' ' | b'-' | b'/' | b'.', ..] => (Joint::Close, at + 2),
        [b')', ..] => (Joint::Close, at + 1),
        [b' ', b'-' | b'/' | b'.', b' ', ..] => (Joint::Wide, at + 3),
        [b'.' | b'-' | b'/', b' ', ..] | [b' ', b' ' | b'-' | b'/', ..] => (Joint::Wide, at + 2),
        [one @ (b' ' | b'-' | b'.' | b'/'), ..] => (Joint::One(*one), at + 1),
        _ => (Joint::End, at),
    }
}

/// The offset of the next group of digits that starts at or after `at`. One that goes on from before `at` is passed.
pub(super) fn next_group(text: &[u8], mut at: usize) -> Option<usize> {
    if at > 0 && text.get(at - 1).is_some_and(u8::is_ascii_digit) {
        at = digits_end(text, at);
    }
    const BLOCK_BYTES: usize = 32;
    let (blocks, _) = text.get(at..)?.as_chunks::<BLOCK_BYTES>();
    let clean = blocks
        .iter()
        .take_while(|block| !block.iter().fold(false, |any, b| any | b.is_ascii_digit()))
        .count();
    at += clean * BLOCK_BYTES;
    let rest = text.get(at..)?;
    rest.iter().position(u8::is_ascii_digit).map(|n| at + n)
}

/// The offset after the digits at `at`.
pub(super) fn digits_end(text: &[u8], at: usize) -> usize {
    text.get(at..)
        .and_then(|rest| rest.iter().position(|b| !b.is_ascii_digit()))
        .map_or(text.len(), |n| at + n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Vec<(usize, Joint)> {
        let run = Run::read(
            text.as_bytes(),
            next_group(text.as_bytes(), 0).unwrap(),
            Ahead::Nothing,
        );
        run.groups().iter().map(|g| (g.len, g.joint)).collect()
    }

    #[test]
    fn groups_and_joints() {
        use Joint::{Close, End, One, Open, Wide};
        assert_eq!(
            shape("+44 (0)20 7946-0958."),
            [(2, Open), (1, Close), (2, One(b' ')), (4, One(b'-')), (4, End)]
        );
        assert_eq!(shape("(555) 123.4567 x"), [(3, Close), (3, One(b'.')), (4, End)]);
        assert_eq!(shape("12. 3. 1985, 4"), [(2, Wide), (1, Wide), (4, End)]);
        assert_eq!(shape("12 - 3"), [(2, Wide), (1, End)]);
        assert_eq!(shape("1   2"), [(1, End)]);
        assert_eq!(shape("7-a"), [(1, End)]);
    }

    #[test]
    fn a_run_is_bounded() {
        let text = "1 ".repeat(200);
        let run = Run::read(text.as_bytes(), 0, Ahead::Nothing);
        assert!(run.cut && run.groups().len() == MAX_GROUPS);
        let text = "1".repeat(200);
        let run = Run::read(text.as_bytes(), 0, Ahead::Wait);
        assert!(run.cut && !run.open && run.digits().len() == MAX_DIGITS);
    }

    #[test]
    fn what_may_go_on_is_open() {
        for (text, open) in [
            ("123", true),
            ("123 ", true),
            ("123 a", true),
            ("123 ab", true),
            ("123 and", false),
        ] {
            assert_eq!(Run::read(text.as_bytes(), 0, Ahead::Wait).open, open, "{text}");
            assert!(!Run::read(text.as_bytes(), 0, Ahead::Cut).open);
        }
    }

    #[test]
    fn every_group_is_found() {
        for before in 0..80 {
            let text = format!("{}42", "x".repeat(before));
            assert_eq!(next_group(text.as_bytes(), 0), Some(before));
            assert_eq!(next_group(text.as_bytes(), before + 1), None);
        }
    }
}
