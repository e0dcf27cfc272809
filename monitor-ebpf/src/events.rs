//! Sending events to the agent, and counting those that find no room.

use aya_ebpf::helpers::generated::bpf_ringbuf_output;
use monitor_common::Reason;

use crate::count::count;
use crate::maps::EVENTS;

/// Sends one record of the event ring.
#[inline(always)]
pub(crate) fn send<T>(event: &T) {
    // SAFETY: the ring is ours, the pointer and the size are those of an initialised record without padding.
    let outcome = unsafe {
        bpf_ringbuf_output(
            (&raw const EVENTS).cast_mut().cast(),
            core::ptr::from_ref(event).cast_mut().cast(),
            size_of::<T>() as u64,
            0,
        )
    };
    if outcome != 0 {
        count(Reason::RingFull);
    }
}
