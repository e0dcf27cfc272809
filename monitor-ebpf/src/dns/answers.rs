//! The addresses in the answer section.

use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use monitor_common::dns::{MAX_ANSWERS, TTL_CEILING_S, TTL_FLOOR_S};
use monitor_common::{NormalAddr, Reason};

use super::Scratch;
use crate::count::count;
use crate::maps::ADDRESSES;

/// Type, class, TTL and length after a record's name (RFC 1035 section 4.1.3).
const RECORD_HEAD_BYTES: u32 = 10;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;
/// The two high bits of a compression pointer (RFC 1035 section 4.1.4).
const POINTER: u8 = 0xc0;
/// Names of records are nearly always pointers, one step each; an uncompressed one takes a step for each label. Room
/// for every record with seven labels.
const MAX_STEPS: u32 = MAX_ANSWERS * 8;
const NS_PER_S: u64 = 1_000_000_000;

/// Marks each address. The walk is at the first record.
#[inline(always)]
pub(super) fn mark(scratch: &mut Scratch) -> Result<(), Reason> {
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    for _ in 0..MAX_STEPS {
        if scratch.answers == 0 {
            return Ok(());
        }
        let at = scratch.position();
        if at >= scratch.length {
            return Err(end_of(scratch));
        }
        let byte = scratch.byte(at);
        let head = match byte {
            0 => at + 1,
            POINTER.. => at + 2,
            1..=63 => {
                scratch.at = at + 1 + u32::from(byte);
                continue;
            }
            _ => return Err(Reason::DnsMalformed),
        };
        if head + RECORD_HEAD_BYTES > scratch.length {
            return Err(end_of(scratch));
        }
        let data = head + RECORD_HEAD_BYTES;
        let data_bytes = u32::from(scratch.word(head + 8));
        if data + data_bytes > scratch.length {
            return Err(end_of(scratch));
        }
        if scratch.word(head + 2) == CLASS_IN {
            let address = match (scratch.word(head), data_bytes) {
                (TYPE_A, 4) => Some(NormalAddr::from_v4(scratch.raw_long(data))),
                (TYPE_AAAA, 16) => Some(NormalAddr::from_v6([
                    scratch.raw_long(data),
                    scratch.raw_long(data + 4),
                    scratch.raw_long(data + 8),
                    scratch.raw_long(data + 12),
                ])),
                _ => None,
            };
            if let Some(address) = address {
                let ttl_s = scratch.long(head + 4).clamp(TTL_FLOOR_S, TTL_CEILING_S);
                insert(address, now_ns + u64::from(ttl_s) * NS_PER_S);
            }
        }
        scratch.at = data + data_bytes;
        scratch.answers -= 1;
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

/// Marks an address, never for less long than it is marked already: the agent's own marks have no end.
#[inline(always)]
fn insert(address: NormalAddr, expires_ns: u64) {
    // SAFETY: read at once, before anything else touches the map.
    if let Some(known) = unsafe { ADDRESSES.get(address) }
        && *known >= expires_ns
    {
        return;
    }
    count(if ADDRESSES.insert(address, expires_ns, 0).is_ok() {
        Reason::AddressMarked
    } else {
        Reason::AddressMapFull
    });
}
