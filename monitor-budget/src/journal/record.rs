//! The journal's records, as bytes.
//!
//! A frame is `checksum: u32 | kind and length: u32 | ledger_ms: u64 | body`, little-endian, the length (without padding) in the lower 24 bits, padded
//! with zeros to a multiple of eight bytes. The checksum covers all that follows it and the journal's generation, so that a frame of an older
//! file is never taken for one of this. It is made to find torn and damaged frames, not forgeries.

use std::borrow::Cow;

use crate::alert::MAX_ALERTS;
use crate::book::SlotNumber;
use crate::overrides::{ByHand, Override};
use crate::reservation::Settle;
use crate::unit::Unit;
use crate::window::Window;

/// Longest budget key in bytes: a control-group path is at most 4,096, and policy name and grouping come on top.
pub const MAX_KEY_BYTES: usize = 8_192;

/// Frame without a body.
const HEAD_BYTES: usize = 16;
/// Longest frame taken for one when reading: a key's, with room for its window, its thresholds and its numbers. Reservations stay far below it.
const MAX_FRAME_BYTES: usize = MAX_KEY_BYTES + MAX_WINDOW_BYTES + MAX_ALERTS + 64;
const LENGTH_BITS: u32 = 24;

pub(super) const KIND_DEFINE: u8 = 1;
pub(super) const KIND_FORGET: u8 = 2;
pub(super) const KIND_RESERVE: u8 = 3;
pub(super) const KIND_EXTEND: u8 = 4;
pub(super) const KIND_SETTLE: u8 = 5;
pub(super) const KIND_CLOCK: u8 = 6;
pub(super) const KIND_STEP: u8 = 7;
pub(super) const KIND_BY_HAND: u8 = 8;
pub(super) const KIND_TOLD: u8 = 9;

const OVERRIDE: u8 = 1;
const NO_OVERRIDE: u8 = 2;
const RESET: u8 = 3;
const KIND_PURSE: u8 = 10;

/// Longest text of a window: the longest name of a time zone has some 30 bytes.
const MAX_WINDOW_BYTES: usize = 96;

/// One change, replayed in order at recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// An account was opened in a slot, or its definition changed.
    Define {
        slot: SlotNumber,
        limit: u64,
        unit: Unit,
        window: WindowText<'a>,
        alert_at: &'a [u8],
        key: &'a str,
    },
    /// The account in a slot was dropped.
    Forget { slot: SlotNumber },
    /// A reservation was opened.
    Reserve { amounts: Amounts<'a> },
    /// A reservation was extended.
    Extend { amounts: Amounts<'a> },
    /// A reservation ended with a charge.
    Settle { settles: Settles<'a> },
    /// The agent was alive at this ledger time, and the wall clock showed this.
    Clock { unix_ms: u64 },
    /// Calendar time was set to this.
    Step { unix_ms: u64 },
    /// Somebody changed an account by hand.
    ByHand {
        slot: SlotNumber,
        /// Of the audit row.
        number: u64,
        what: ByHand,
        by: &'a str,
    },
    /// What an account's thresholds had to tell was taken.
    Told { slot: SlotNumber },
    /// What the node holds of a cluster's budget, all of it; empty for a budget that is the node's own.
    Purse { slot: SlotNumber, purse: &'a str },
}

/// A window, as a record has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WindowText<'a> {
    /// As [`crate::Window`] writes it.
    Text(&'a str),
    /// The length of a rolling one in milliseconds, in journals of the first format.
    RollingMs(u64),
}

/// Amounts by slot, to be written or as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amounts<'a> {
    List(&'a [(SlotNumber, u64)]),
    Bytes(&'a [u8]),
    /// The same for each slot, in journals of the first format.
    Same(u64, &'a [u8]),
}

/// Bytes of a slot and an amount.
const AMOUNT_BYTES: usize = 12;
/// Bytes of a slot, what it held and what it is charged.
const SETTLE_BYTES: usize = 20;

impl Amounts<'_> {
    /// The amounts, whichever way they are kept.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SlotNumber, u64)> + '_ {
        let (list, bytes, amount, slots): (&[_], &[u8], _, &[u8]) = match *self {
            Self::List(list) => (list, &[], 0, &[]),
            Self::Bytes(bytes) => (&[], bytes, 0, &[]),
            Self::Same(amount, slots) => (&[], &[], amount, slots),
        };
        let read = bytes.as_chunks::<AMOUNT_BYTES>().0.iter();
        let read = read.filter_map(|entry| {
            let mut entry = entry.as_slice();
            Some((take_slot(&mut entry)?, take(&mut entry)?))
        });
        let same = slots_of(slots).map(move |slot| (slot, amount));
        list.iter().copied().chain(read).chain(same)
    }
}

/// Ends of holds, to be written or as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settles<'a> {
    List(&'a [Settle]),
    Bytes(&'a [u8]),
    /// The same for each slot, in journals of the first format.
    Same {
        held: u64,
        charge: u64,
        slots: &'a [u8],
    },
}

impl Settles<'_> {
    /// The ends, whichever way they are kept.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Settle> + '_ {
        let (list, bytes, held, charge, slots): (&[_], &[u8], _, _, &[u8]) = match *self {
            Self::List(list) => (list, &[], 0, 0, &[]),
            Self::Bytes(bytes) => (&[], bytes, 0, 0, &[]),
            Self::Same { held, charge, slots } => (&[], &[], held, charge, slots),
        };
        let read = bytes.as_chunks::<SETTLE_BYTES>().0.iter();
        let read = read.filter_map(|entry| {
            let mut entry = entry.as_slice();
            Some(Settle {
                slot: take_slot(&mut entry)?,
                held: take(&mut entry)?,
                charge: take(&mut entry)?,
            })
        });
        let same = slots_of(slots).map(move |slot| Settle { slot, held, charge });
        list.iter().copied().chain(read).chain(same)
    }
}

/// A record as read, with its frame's length.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) ledger_ms: u64,
    pub(crate) record: Record<'a>,
    pub(crate) frame_bytes: usize,
}

/// Appends a record's frame and returns its length.
pub(crate) fn append(buffer: &mut Vec<u8>, generation: u64, ledger_ms: u64, record: &Record<'_>) -> usize {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; 8]);
    put(buffer, ledger_ms);
    let kind = match *record {
        Record::Define {
            slot,
            limit,
            unit,
            window,
            alert_at,
            key,
        } => {
            put(buffer, limit);
            put_slot(buffer, slot);
            let window = match window {
                WindowText::Text(text) => Cow::Borrowed(text),
                WindowText::RollingMs(ms) => Cow::Owned(Window::Rolling { ms }.to_string()),
            };
            for bytes in [unit.name().as_bytes(), window.as_bytes(), alert_at] {
                buffer.push(u8::try_from(bytes.len()).unwrap_or(0));
                buffer.extend_from_slice(bytes);
            }
            buffer.extend_from_slice(key.as_bytes());
            KIND_DEFINE
        }
        Record::Forget { slot } => {
            put_slot(buffer, slot);
            KIND_FORGET
        }
        Record::Reserve { amounts } => {
            put_amounts(buffer, amounts);
            KIND_RESERVE
        }
        Record::Extend { amounts } => {
            put_amounts(buffer, amounts);
            KIND_EXTEND
        }
        Record::Settle { settles } => {
            for settle in settles.iter() {
                put_slot(buffer, settle.slot);
                put(buffer, settle.held);
                put(buffer, settle.charge);
            }
            KIND_SETTLE
        }
        Record::Step { unix_ms } => {
            put(buffer, unix_ms);
            KIND_STEP
        }
        Record::Purse { slot, purse } => {
            put_slot(buffer, slot);
            buffer.extend_from_slice(purse.as_bytes());
            KIND_PURSE
        }
        Record::Clock { unix_ms } => {
            put(buffer, unix_ms);
            KIND_CLOCK
        }
        Record::ByHand {
            slot,
            number,
            what,
            by,
        } => {
            put(buffer, number);
            put_slot(buffer, slot);
            put_by_hand(buffer, what);
            buffer.extend_from_slice(by.as_bytes());
            KIND_BY_HAND
        }
        Record::Told { slot } => {
            put_slot(buffer, slot);
            KIND_TOLD
        }
    };
    let length = buffer.len() - start;
    let kind_and_length = u32::from(kind) << LENGTH_BITS | u32::try_from(length).unwrap_or(0);
    buffer.resize(start + length.next_multiple_of(8), 0);
    buffer[start + 4..start + 8].copy_from_slice(&kind_and_length.to_le_bytes());
    let sum = checksum(generation, &buffer[start + 4..]);
    buffer[start..start + 4].copy_from_slice(&sum.to_le_bytes());
    buffer.len() - start
}

/// Reads the frame at the start of `bytes`; `None` if there is no whole and sound one.
pub(crate) fn read(bytes: &[u8], generation: u64) -> Option<Frame<'_>> {
    let (kind, ledger_ms, mut body, frame_bytes) = open(bytes, generation)?;
    let record = match kind {
        KIND_DEFINE => Record::Define {
            limit: take(&mut body)?,
            slot: take_slot(&mut body)?,
            unit: Unit::parse(take_text(&mut body)?)?,
            window: WindowText::Text(take_text(&mut body)?),
            alert_at: take_bytes(&mut body)?,
            key: std::str::from_utf8(body).ok()?,
        },
        KIND_FORGET => Record::Forget {
            slot: take_slot(&mut body)?,
        },
        KIND_RESERVE => Record::Reserve {
            amounts: Amounts::Bytes(body),
        },
        KIND_EXTEND => Record::Extend {
            amounts: Amounts::Bytes(body),
        },
        KIND_SETTLE => Record::Settle {
            settles: Settles::Bytes(body),
        },
        KIND_STEP => Record::Step {
            unix_ms: take(&mut body)?,
        },
        KIND_PURSE => Record::Purse {
            slot: take_slot(&mut body)?,
            purse: std::str::from_utf8(body).ok()?,
        },
        KIND_CLOCK => Record::Clock {
            unix_ms: take(&mut body)?,
        },
        KIND_BY_HAND => Record::ByHand {
            number: take(&mut body)?,
            slot: take_slot(&mut body)?,
            what: take_by_hand(&mut body)?,
            by: std::str::from_utf8(body).ok()?,
        },
        KIND_TOLD => Record::Told {
            slot: take_slot(&mut body)?,
        },
        _ => return None,
    };
    Some(Frame {
        ledger_ms,
        record,
        frame_bytes,
    })
}

/// Opens the frame at the start of `bytes`: its kind, ledger time, body and length with padding.
pub(super) fn open(bytes: &[u8], generation: u64) -> Option<(u8, u64, &[u8], usize)> {
    let (sum, rest) = bytes.split_first_chunk::<4>()?;
    let (kind_and_length, _) = rest.split_first_chunk::<4>()?;
    let kind_and_length = u32::from_le_bytes(*kind_and_length);
    let length = (kind_and_length & ((1 << LENGTH_BITS) - 1)) as usize;
    if !(HEAD_BYTES..=MAX_FRAME_BYTES).contains(&length) {
        return None;
    }
    let frame_bytes = length.next_multiple_of(8);
    if checksum(generation, bytes.get(4..frame_bytes)?) != u32::from_le_bytes(*sum) {
        return None;
    }
    let mut body = bytes.get(8..length)?;
    let ledger_ms = take(&mut body)?;
    Some((
        (kind_and_length >> LENGTH_BITS) as u8,
        ledger_ms,
        body,
        frame_bytes,
    ))
}

/// A checksum eight bytes at a time. Each step is a bijection of the state, so that any change within one word is found, and the
/// multiplication spreads it over those that follow.
pub(crate) fn checksum(seed: u64, bytes: &[u8]) -> u32 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut sum = (seed ^ bytes.len() as u64).wrapping_mul(ODD) ^ ODD;
    let (words, tail) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..tail.len()].copy_from_slice(tail);
    for word in words.iter().chain([&last]) {
        sum = (sum ^ u64::from_le_bytes(*word)).wrapping_mul(ODD);
        sum ^= sum >> 29;
    }
    (sum ^ sum >> 32) as u32
}

fn put(buffer: &mut Vec<u8>, number: u64) {
    buffer.extend_from_slice(&number.to_le_bytes());
}

fn put_slot(buffer: &mut Vec<u8>, slot: SlotNumber) {
    buffer.extend_from_slice(&slot.to_le_bytes());
}

/// Slots written one after the other.
fn slots_of(bytes: &[u8]) -> impl Iterator<Item = SlotNumber> + '_ {
    let slots = bytes.as_chunks::<4>().0.iter();
    slots.map(|four| SlotNumber::from_le_bytes(*four))
}

fn put_amounts(buffer: &mut Vec<u8>, amounts: Amounts<'_>) {
    for (slot, amount) in amounts.iter() {
        put_slot(buffer, slot);
        put(buffer, amount);
    }
}

pub(super) fn take(body: &mut &[u8]) -> Option<u64> {
    let (number, rest) = body.split_first_chunk::<8>()?;
    *body = rest;
    Some(u64::from_le_bytes(*number))
}

pub(super) fn take_slot(body: &mut &[u8]) -> Option<SlotNumber> {
    let (number, rest) = body.split_first_chunk::<4>()?;
    *body = rest;
    Some(SlotNumber::from_le_bytes(*number))
}

fn take_bytes<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = body.split_first()?;
    let (bytes, rest) = rest.split_at_checked(usize::from(*length))?;
    *body = rest;
    Some(bytes)
}

fn take_text<'a>(body: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_bytes(body)?).ok()
}

fn put_by_hand(buffer: &mut Vec<u8>, what: ByHand) {
    match what {
        ByHand::Override(Some(wanted)) => {
            buffer.push(OVERRIDE);
            put(buffer, wanted.limit);
            put(buffer, wanted.until_ms);
        }
        ByHand::Override(None) => buffer.push(NO_OVERRIDE),
        ByHand::Reset => buffer.push(RESET),
    }
}

fn take_by_hand(body: &mut &[u8]) -> Option<ByHand> {
    let (kind, rest) = body.split_first()?;
    *body = rest;
    match *kind {
        OVERRIDE => Some(ByHand::Override(Some(Override {
            limit: take(body)?,
            until_ms: take(body)?,
        }))),
        NO_OVERRIDE => Some(ByHand::Override(None)),
        RESET => Some(ByHand::Reset),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Record<'static>> {
        vec![
            Record::Define {
                slot: 7,
                limit: 100,
                unit: Unit::MicroUsd,
                window: WindowText::Text("month:Europe/Berlin"),
                alert_at: &[50, 80],
                key: "billing/0/wörkload",
            },
            Record::Forget { slot: 7 },
            Record::Reserve {
                amounts: Amounts::List(&[(1, 5)]),
            },
            Record::Extend {
                amounts: Amounts::List(&[(1, 6), (2, 7_000)]),
            },
            Record::Settle {
                settles: Settles::List(&[
                    Settle {
                        slot: 1,
                        held: 11,
                        charge: 9,
                    },
                    Settle {
                        slot: 2,
                        held: 1,
                        charge: 0,
                    },
                ]),
            },
            Record::Clock {
                unix_ms: 1_700_000_000_000,
            },
            Record::Step { unix_ms: 5 },
            Record::ByHand {
                slot: 3,
                number: 8,
                what: ByHand::Override(Some(Override {
                    limit: 500,
                    until_ms: 1_800_000_000_000,
                })),
                by: "uid 0",
            },
            Record::ByHand {
                slot: 3,
                number: 9,
                what: ByHand::Override(None),
                by: "",
            },
            Record::ByHand {
                slot: 3,
                number: 10,
                what: ByHand::Reset,
                by: "ö",
            },
            Record::Told { slot: 3 },
        ]
    }

    #[test]
    fn records_read_back_as_written() {
        for record in samples() {
            let mut bytes = Vec::new();
            let length = append(&mut bytes, 3, 42, &record);
            assert_eq!((length, length % 8), (bytes.len(), 0));
            let frame = read(&bytes, 3).unwrap();
            assert_eq!((frame.ledger_ms, frame.frame_bytes), (42, length));
            match (&frame.record, &record) {
                (Record::Reserve { amounts: read }, Record::Reserve { amounts })
                | (Record::Extend { amounts: read }, Record::Extend { amounts }) => {
                    assert!(read.iter().eq(amounts.iter()));
                }
                (Record::Settle { settles: read }, Record::Settle { settles }) => {
                    assert!(read.iter().eq(settles.iter()));
                }
                (read, written) => assert_eq!(read, written),
            }
        }
    }

    #[test]
    fn no_damaged_cut_or_foreign_frame_is_read() {
        for record in samples() {
            let mut bytes = Vec::new();
            append(&mut bytes, 3, 42, &record);
            assert_eq!(read(&bytes, 4), None, "of another generation");
            for cut in 0..bytes.len() {
                assert_eq!(read(&bytes[..cut], 3), None, "cut to {cut}");
            }
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(read(&damaged, 3), None, "bit {bit}");
            }
        }
        assert_eq!(read(&[0; 64], 3), None);
    }
}
