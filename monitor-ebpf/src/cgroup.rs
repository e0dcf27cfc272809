//! A cgroup is made or removed.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use monitor_common::event::{CGROUP_PATH_BYTES, CgroupEvent, KIND_CGROUP};

use crate::events::send;
use crate::globals::{CGROUP_ID_AT, CGROUP_LEVEL_AT, CGROUP_PATH_AT, CGROUP_ROOT_AT};
use crate::maps::SCOPES;

/// The hierarchy id of cgroup2; those of cgroup v1 count from 1.
const CGROUP2: i32 = 0;

/// Tells the agent of a new cgroup.
///
/// `cgroup:cgroup_mkdir`: `int root; int level; u64 id; __data_loc char[] path`.
#[tracepoint(category = "cgroup", name = "cgroup_mkdir")]
pub(crate) fn cgroup_made(ctx: TracePointContext) -> u32 {
    report(&ctx, false);
    0
}

/// Forgets the scope of a cgroup, and tells the agent. Its id is not given to another one before the machine restarts.
///
/// `cgroup:cgroup_rmdir` has the fields of `cgroup_mkdir`.
#[tracepoint(category = "cgroup", name = "cgroup_rmdir")]
pub(crate) fn cgroup_removed(ctx: TracePointContext) -> u32 {
    if let Some(id) = report(&ctx, true) {
        // Most have none of their own.
        let _ = SCOPES.remove(id);
    }
    0
}

/// Sends the event of a cgroup2 cgroup and gives its id.
#[inline(always)]
fn report(ctx: &TracePointContext, removed: bool) -> Option<u64> {
    // SAFETY: reads of the record the context points to, checked by the helper, at the offsets the kernel published.
    let (root, level, id, location) = unsafe {
        (
            ctx.read_at::<i32>(CGROUP_ROOT_AT.load() as usize).ok()?,
            ctx.read_at::<u32>(CGROUP_LEVEL_AT.load() as usize).ok()?,
            ctx.read_at::<u64>(CGROUP_ID_AT.load() as usize).ok()?,
            ctx.read_at::<u32>(CGROUP_PATH_AT.load() as usize).ok()?,
        )
    };
    if root != CGROUP2 {
        return None;
    }
    let mut event = CgroupEvent {
        kind: KIND_CGROUP,
        removed: u32::from(removed),
        id,
        level,
        reserved: 0,
        path: [0; CGROUP_PATH_BYTES],
    };
    // SAFETY: a read of the record the context points to, checked by the helper; the low half of a `__data_loc` is the
    // text's offset. A text that cannot be read leaves the path empty.
    unsafe {
        let text = ctx.as_ptr().cast::<u8>().add((location & 0xffff) as usize);
        let _ = bpf_probe_read_kernel_str(
            event.path.as_mut_ptr().cast(),
            CGROUP_PATH_BYTES as u32,
            text.cast(),
        );
    }
    send(&event);
    Some(id)
}
