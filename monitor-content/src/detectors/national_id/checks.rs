//! Check digits. Every function takes the letters and digits of an id, in capitals and without separators.

use super::dates::is_yyyymmdd;

/// The value of a digit, or of a letter as ISO/IEC 7064 and ICAO 9303 count them: A is 10.
pub(super) fn value(sign: u8) -> u32 {
    match sign {
        b'0'..=b'9' => u32::from(sign - b'0'),
        b'A'..=b'Z' => u32::from(sign - b'A') + 10,
        _ => 0,
    }
}

/// The sum of the signs' values, each times its weight. Signs without a weight are left out.
pub(super) fn weighted(number: &[u8], weights: &[u32]) -> u32 {
    number
        .iter()
        .zip(weights)
        .map(|(sign, weight)| value(*sign) * weight)
        .sum()
}

/// The number the digits at `range` write; 0 when there are none.
pub(super) fn part(number: &[u8], range: std::ops::Range<usize>) -> u64 {
    let digits = number.get(range).unwrap_or_default();
    digits
        .iter()
        .fold(0, |n, digit| n * 10 + u64::from(value(*digit)))
}

/// The value of the sign at `at`.
pub(super) fn at(number: &[u8], at: usize) -> u32 {
    number.get(at).map_or(0, |sign| value(*sign))
}

/// The letter at `at`, or the digit as written.
pub(super) fn sign(number: &[u8], at: usize) -> u8 {
    number.get(at).copied().unwrap_or_default()
}

/// Whether all signs are the same, as in what people type to fill a field.
pub(super) fn uniform(number: &[u8]) -> bool {
    number.windows(2).all(|pair| pair.first() == pair.last())
}

/// ISO/IEC 7812-1 annex B, over digits.
pub(super) fn luhn(number: &[u8]) -> bool {
    let sum: u32 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(place, sign)| match (place % 2, value(*sign)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => 2 * digit - 9,
            (_, digit) => 2 * digit,
        })
        .sum();
    sum.is_multiple_of(10) && !uniform(number)
}

/// ISO/IEC 7064 MOD 11,10.
pub(super) fn mod_11_10(number: &[u8]) -> bool {
    let Some((last, body)) = number.split_last() else {
        return false;
    };
    let product = body.iter().fold(10, |product, digit| {
        let sum = match (value(*digit) + product) % 10 {
            0 => 10,
            sum => sum,
        };
        sum * 2 % 11
    });
    (product + value(*last)) % 10 == 1
}

/// ISO/IEC 7064 MOD 11-2, the last sign of which may be an X for ten.
pub(super) fn mod_11_2(number: &[u8]) -> bool {
    let Some((last, body)) = number.split_last() else {
        return false;
    };
    let check = match last {
        b'X' => 10,
        b'0'..=b'9' => value(*last),
        _ => return false,
    };
    let sum = body.iter().fold(0, |sum, digit| (sum + value(*digit)) * 2 % 11);
    (sum + check) % 11 == 1
}

/// Verhoeff, "Error Detecting Decimal Codes" (1969): the dihedral group of order ten.
pub(super) fn verhoeff(number: &[u8]) -> bool {
    /// The permutation of the digits at each place, which come round after eight.
    const PERMUTED: [[u32; 10]; 8] = {
        const STEP: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
        let mut table = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]; 8];
        let mut place = 1;
        while place < 8 {
            let mut digit = 0;
            while digit < 10 {
                table[place][digit] = STEP[table[place - 1][digit] as usize];
                digit += 1;
            }
            place += 1;
        }
        table
    };
    let product = |left: u32, right: u32| match (left < 5, right < 5) {
        (true, true) => (left + right) % 5,
        (true, false) => 5 + (left + right - 5) % 5,
        (false, true) => 5 + (left - 5 + 5 - right) % 5,
        (false, false) => (left + 5 - right) % 5,
    };
    let sum = number.iter().rev().enumerate().fold(0, |sum, (place, sign)| {
        let row = PERMUTED.get(place % 8);
        product(
            sum,
            row.and_then(|row| row.get(value(*sign) as usize))
                .copied()
                .unwrap_or_default(),
        )
    });
    sum == 0
}

/// The check digit of ICAO 9303 part 3, section 4.9: weights 7, 3, 1 over digits and letters.
pub(super) fn icao(body: &[u8]) -> u32 {
    body.iter()
        .zip([7, 3, 1].iter().cycle())
        .map(|(sign, weight)| value(*sign) * weight)
        .sum::<u32>()
        % 10
}

/// Any number of the shape: the issuer defines no check.
pub(super) fn any(number: &[u8]) -> bool {
    !uniform(number)
}

/// Eight digits that are no date.
pub(super) fn no_date(number: &[u8]) -> bool {
    any(number) && !is_yyyymmdd(number, 0)
}
