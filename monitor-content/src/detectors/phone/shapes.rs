//! How national numbers are written in the large countries, and what says so.
//!
//! Each shape is what a national plan publishes or its operators print: the North American 3-3-4, the French pairs, a
//! trunk zero and an area code, Brazil's and China's mobiles. The figure is the confidence such a shape deserves alone.

use super::countries;
use crate::detectors::groups::{Group, Joint, MAX_DIGITS, MAX_GROUPS, Run, number};

/// How a number begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prefix {
    /// `+`.
    Plus,
    /// `00`, the international prefix of most countries.
    Zeros,
    /// Anything else.
    National,
}

/// The digits and groups of a candidate, without prefix and without a trunk zero in brackets.
#[derive(Debug)]
pub(super) struct Number {
    prefix: Prefix,
    /// Its first group stands in brackets.
    bracketed: bool,
    digits: [u8; MAX_DIGITS],
    count: usize,
    lens: [usize; MAX_GROUPS],
    joints: [Joint; MAX_GROUPS],
    length: usize,
}

impl Number {
    /// `None` when the brackets do not fit.
    pub(super) fn of(run: &Run, groups: &[Group], lead: &[u8]) -> Option<Self> {
        let mut number = Self {
            prefix: if lead.contains(&b'+') {
                Prefix::Plus
            } else {
                Prefix::National
            },
            bracketed: false,
            digits: [0; MAX_DIGITS],
            count: 0,
            lens: [0; MAX_GROUPS],
            joints: [Joint::End; MAX_GROUPS],
            length: 0,
        };
        let mut inside = lead.contains(&b'(');
        let mut before = Joint::End;
        let last = groups.len().checked_sub(1)?;
        for (index, group) in groups.iter().enumerate() {
            let of = run.of(group);
            let joint = if index == last { Joint::End } else { group.joint };
            // `+44 (0)20`: how it is dialled at home.
            let trunk = of == [0] && before == Joint::Open && joint == Joint::Close;
            if !trunk {
                for (slot, digit) in number.digits.iter_mut().skip(number.count).zip(of) {
                    *slot = *digit;
                }
                number.count += of.len();
                *number.lens.get_mut(number.length)? = of.len();
                *number.joints.get_mut(number.length)? = joint;
                number.length += 1;
            }
            match joint {
                Joint::Open if inside => return None,
                Joint::Open => inside = true,
                Joint::Close if !inside => return None,
                Joint::Close => {
                    number.bracketed |= index == 0;
                    inside = false;
                }
                _ => {}
            }
            before = joint;
        }
        if inside {
            return None;
        }
        if number.prefix == Prefix::National && number.digits().starts_with(&[0, 0]) && number.lens()[0] != 1
        {
            number.prefix = Prefix::Zeros;
            number.digits.copy_within(2.., 0);
            number.count -= 2;
        }
        Some(number)
    }

    pub(super) fn digits(&self) -> &[u8] {
        self.digits.get(..self.count).unwrap_or_default()
    }

    pub(super) fn groups(&self) -> usize {
        self.length
    }

    fn lens(&self) -> &[usize] {
        self.lens.get(..self.length).unwrap_or_default()
    }

    /// What joins the groups, one fewer than they are.
    fn joints(&self) -> &[Joint] {
        self.joints
            .get(..self.length.saturating_sub(1))
            .unwrap_or_default()
    }

    /// Groups as somebody would write them: not a list of small numbers.
    pub(super) fn plausible(&self) -> bool {
        let single = self.lens().iter().skip(1).filter(|len| **len == 1).count();
        let wide = self
            .joints()
            .iter()
            .filter(|joint| **joint == Joint::Wide)
            .count();
        self.length <= 7 && single <= 1 && wide <= 1
    }
}

const SPACE: Joint = Joint::One(b' ');
const DASH: Joint = Joint::One(b'-');
const DOT: Joint = Joint::One(b'.');
const SLASH: Joint = Joint::One(b'/');

/// The confidence that the way it is written gives by itself; `None` when it is like no phone number's.
pub(super) fn evidence(number: &Number) -> Option<u8> {
    if !number.plausible() {
        return None;
    }
    match number.prefix {
        Prefix::Plus => international(number).then_some(90),
        Prefix::Zeros if number.length > 1 => international(number).then_some(75),
        Prefix::Zeros => international(number).then_some(45),
        Prefix::National => national(number),
    }
}

fn international(number: &Number) -> bool {
    let digits = number.digits();
    let Some((length, national)) = countries::code(digits) else {
        return false;
    };
    let rest = digits.get(length..).unwrap_or_default();
    let trunk = usize::from(rest.first() == Some(&0));
    let fits = national.contains(&rest.len()) || (trunk == 1 && national.contains(&(rest.len() - 1)));
    // The first digit of a North American area code is never 0 or 1.
    let area = digits.first() != Some(&1) || rest.first().is_some_and(|d| *d >= 2);
    // All the same digit is a placeholder.
    fits && area && rest.iter().any(|d| Some(d) != rest.first())
}

fn national(number: &Number) -> Option<u8> {
    north_american(number)
        .or_else(|| trunk_zero(number))
        .or_else(|| others(number))
}

/// NPA-NXX-XXXX, with or without the 1: area code and exchange begin with 2 to 9.
fn north_american(number: &Number) -> Option<u8> {
    let (mut digits, mut lens, mut joints) = (number.digits(), number.lens(), number.joints());
    let mut bracketed = number.bracketed;
    if let ([1, rest @ ..], [1, rest_lens @ ..], [joint, rest_joints @ ..]) = (digits, lens, joints) {
        bracketed = *joint == Joint::Open;
        (digits, lens, joints) = (rest, rest_lens, rest_joints);
    }
    if digits.len() != 10 || digits.first()? < &2 || digits.get(3)? < &2 {
        return None;
    }
    match (lens, joints) {
        ([3, 3, 4], [Joint::Close, DASH | DOT | SPACE]) if bracketed => Some(85),
        ([3, 7], [Joint::Close]) if bracketed => Some(70),
        ([3, 3, 4], [DASH, DASH]) => Some(75),
        ([3, 3, 4], [DOT, DOT]) => Some(70),
        ([3, 3, 4], [SPACE | SLASH, DASH]) => Some(70),
        ([3, 3, 4], [SPACE, SPACE]) => Some(55),
        _ => None,
    }
}

/// A trunk zero, an area or network code and the subscriber's digits.
fn trunk_zero(number: &Number) -> Option<u8> {
    let (digits, lens, joints) = (number.digits(), number.lens(), number.joints());
    let [0, second, ..] = digits else {
        return None;
    };
    let [first_len, rest @ ..] = lens else {
        return None;
    };
    let total = digits.len();
    // `0 (532) 123 45 67`.
    if *first_len == 1 && joints.first() == Some(&Joint::Open) {
        return (total == 11 && joints.get(1) == Some(&Joint::Close)).then_some(75);
    }
    if *second == 0 || !(2..=6).contains(first_len) || rest.is_empty() || rest.iter().any(|len| *len < 2) {
        return None;
    }
    if number.bracketed {
        return (8..=12).contains(&total).then_some(75);
    }
    if joints
        .iter()
        .any(|j| matches!(j, Joint::Open | Joint::Close | Joint::Wide))
        || *first_len > 5
    {
        return None;
    }
    // France, and Belgium's mobiles.
    if lens == [2, 2, 2, 2, 2] {
        let same = joints.iter().all(|j| Some(j) == joints.first());
        return (same && !steps(digits)).then_some(75);
    }
    // United States postal codes and social security numbers, and what is printed in blocks of four.
    let other = matches!((lens, joints), ([5, 4], [DASH]) | ([3, 2, 4], _) | ([4, 4, 4], _));
    if other || !(9..=12).contains(&total) || (total == 12 && *first_len < 4) {
        return None;
    }
    let dotted = joints.contains(&DOT);
    match lens {
        [_, 5..=9] if !dotted => Some(60),
        [_, _] => None,
        [4, 3, 3]
        | [3 | 4, 3, 4]
        | [2 | 3, 4, 4]
        | [5, 3, 3]
        | [4, 2, 2, 2]
        | [2 | 3, 3, 2, 2]
        | [2, 3, 3, 2] => Some(65),
        [_, _, _] | [_, _, _, _] if !dotted && rest.iter().all(|len| *len <= 4) => Some(60),
        _ => None,
    }
}

/// Two-digit groups that count up evenly: an example of a list, not a number.
fn steps(digits: &[u8]) -> bool {
    let values = || digits.chunks(2).map(number);
    let steps = || values().zip(values().skip(1)).map(|(a, b)| b.wrapping_sub(a));
    let first = steps().next();
    steps().all(|step| Some(step) == first)
}

fn others(number: &Number) -> Option<u8> {
    let (digits, lens, joints) = (number.digits(), number.lens(), number.joints());
    let first = *digits.first()?;
    match (lens, joints) {
        // Brazil: area code; mobiles have nine digits that begin with 9.
        ([2, 5, 4], [Joint::Close, DASH | SPACE]) if number.bracketed && digits.get(2) == Some(&9) => {
            Some(80)
        }
        ([2, 4, 4], [Joint::Close, DASH | SPACE]) if number.bracketed => Some(70),
        ([2, 5, 4], [SPACE, DASH]) if digits.get(2) == Some(&9) => Some(70),
        // Russia and Kazakhstan: 8 is the trunk prefix.
        ([1, 3, 3, 2, 2], [Joint::Open, Joint::Close, ..]) if first == 8 || first == 7 => Some(85),
        ([1, 3, 3, 2, 2], [DASH, DASH, DASH, DASH]) if first == 8 => Some(70),
        // China's mobiles.
        ([3, 4, 4], [SPACE, SPACE] | [DASH, DASH]) if first == 1 && *digits.get(1)? >= 3 => Some(65),
        // Spain.
        ([3, 2, 2, 2], [SPACE, SPACE, SPACE]) if (6..=9).contains(&first) => Some(60),
        ([2, 3, 2, 2], [SPACE, SPACE, SPACE]) if first == 9 => Some(60),
        _ => None,
    }
}

/// Whether the groups are years, or the first or last three a date.
pub(super) fn dates(run: &Run, groups: &[Group]) -> bool {
    let date = |three: &[Group]| {
        let [a, b, c] = three else {
            return false;
        };
        let same = a.joint == b.joint && matches!(a.joint, DASH | DOT | SLASH);
        let [x, y, z] = [a, b, c].map(|group| run.value(group).unwrap_or(u32::MAX));
        let year = |group: &Group, value| group.len == 4 && (1900..2100).contains(&value);
        let day = |group: &Group, value| group.len <= 2 && (1..=31).contains(&value);
        same && (day(b, y) && (year(a, x) && day(c, z) || day(a, x) && year(c, z)))
    };
    let years = groups.iter().all(|group| {
        group.len == 4
            && run
                .value(group)
                .is_some_and(|value| (1900..2100).contains(&value))
    });
    years
        || groups.first_chunk::<3>().is_some_and(|g| date(g))
        || groups.last_chunk::<3>().is_some_and(|g| date(g))
}
