//! The addresses in the answer section.

use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use monitor_common::dns::{MAX_ADDRESSES, TTL_CEILING_S, TTL_FLOOR_S};
use monitor_common::{NormalAddr, Reason};

use super::MAX_LABEL_BYTES;
use crate::mark;
use crate::scratch::{Scratch, unknown};

/// Type, class, TTL and length after a record's name (RFC 1035 section 4.1.3).
const RECORD_HEAD_BYTES: u32 = 10;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;
/// The two high bits of a compression pointer (RFC 1035 section 4.1.4).
const POINTER: u8 = 0xc0;
/// Names of records are nearly always pointers, one step each; an uncompressed one takes a step for each label.
const MAX_STEPS: u32 = 128;
/// Added to the place of an IPv6 address.
const IS_V6: u32 = 1 << 16;
/// From a record's data back to its TTL.
const TTL_BEFORE_DATA_BYTES: u32 = 6;

/// Marks each address. The walk is at the first record. Found first and marked then, because the verifier multiplies the
/// steps of a loop by the ways through each.
#[inline(always)]
pub(super) fn mark(scratch: &mut Scratch) -> Result<(), Reason> {
    scratch.found = 0;
    let outcome = find(scratch);
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    for number in 0..MAX_ADDRESSES as u32 {
        if number >= unknown(&scratch.found) {
            break;
        }
        let place = scratch.place(number);
        let data = place & !IS_V6;
        let address = if place & IS_V6 != 0 {
            NormalAddr::from_v6([
                scratch.raw_long(data),
                scratch.raw_long(data + 4),
                scratch.raw_long(data + 8),
                scratch.raw_long(data + 12),
            ])
        } else {
            NormalAddr::from_v4(scratch.raw_long(data))
        };
        let ttl_s = scratch
            .long(data - TTL_BEFORE_DATA_BYTES)
            .clamp(TTL_FLOOR_S, TTL_CEILING_S);
        mark::insert(address, now_ns + u64::from(ttl_s) * mark::NS_PER_S);
    }
    outcome
}

/// Walks the records and notes where the addresses are.
#[inline(always)]
fn find(scratch: &mut Scratch) -> Result<(), Reason> {
    for _ in 0..MAX_STEPS {
        if unknown(&scratch.answers) == 0 {
            return Ok(());
        }
        let at = scratch.position();
        if at >= scratch.length {
            return Err(end_of(scratch));
        }
        let byte = scratch.byte(at);
        if byte.wrapping_sub(1) < MAX_LABEL_BYTES {
            scratch.at = at + 1 + u32::from(byte);
            continue;
        }
        if byte != 0 && byte < POINTER {
            return Err(Reason::DnsMalformed);
        }
        let data = at + 1 + u32::from(byte != 0) + RECORD_HEAD_BYTES;
        // The length of the data; within the copy also where the record is not.
        let data_bytes = u32::from(scratch.word(data - 2));
        if data + data_bytes > scratch.length {
            return Err(end_of(scratch));
        }
        let kind = scratch.word(data - RECORD_HEAD_BYTES);
        let is_v4 = kind == TYPE_A && data_bytes == 4;
        let is_v6 = kind == TYPE_AAAA && data_bytes == 16;
        if (is_v4 || is_v6) && scratch.word(data - RECORD_HEAD_BYTES + 2) == CLASS_IN {
            let number = unknown(&scratch.found);
            if number >= MAX_ADDRESSES as u32 {
                return Err(Reason::DnsTruncated);
            }
            scratch.set_place(number, data | if is_v6 { IS_V6 } else { 0 });
            scratch.found = number + 1;
        }
        scratch.at = data + data_bytes;
        scratch.answers = unknown(&scratch.answers) - 1;
    }
    Err(Reason::DnsTruncated)
}

/// A record that runs over the end: cut short, or wrong.
#[inline(always)]
fn end_of(scratch: &Scratch) -> Reason {
    if scratch.cut != 0 {
        Reason::DnsTruncated
    } else {
        Reason::DnsMalformed
    }
}
