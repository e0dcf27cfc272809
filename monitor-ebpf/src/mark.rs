//! Marking an address as an LLM host's.

use monitor_common::{NormalAddr, Reason};

use crate::count::count;
use crate::maps::ADDRESSES;

pub(crate) const NS_PER_S: u64 = 1_000_000_000;

/// Marks an address, never for less long than it is marked already: the agent's own marks have no end.
#[inline(always)]
pub(crate) fn insert(address: NormalAddr, expires_ns: u64) {
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
