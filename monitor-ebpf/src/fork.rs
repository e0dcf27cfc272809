//! A process is forked.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use monitor_common::Reason;
use monitor_common::event::{ForkEvent, KIND_FORK};
use monitor_common::process::FILENAME_BYTES;

use crate::count::count;
use crate::events::send;
use crate::globals::{NEWTASK_FLAGS_AT, NEWTASK_PID_AT};
use crate::maps::{PROCESSES, ROW_SCRATCH};

/// `clone` made a thread of the same process.
const CLONE_THREAD: u64 = 0x0001_0000;

/// Gives the child its parent's program, and tells the agent.
///
/// `task:task_newtask` runs in the parent, before the child runs: `pid_t pid; char comm[16]; unsigned long clone_flags;
/// short oom_score_adj`. Unlike `sched:sched_process_fork` it tells threads from processes.
#[tracepoint(category = "task", name = "task_newtask")]
pub(crate) fn process_forked(ctx: TracePointContext) -> u32 {
    // SAFETY: reads of the record the context points to, checked by the helper, at the offsets the kernel published.
    let (pid, flags) = unsafe {
        (
            ctx.read_at::<u32>(NEWTASK_PID_AT.load() as usize),
            ctx.read_at::<u64>(NEWTASK_FLAGS_AT.load() as usize),
        )
    };
    let (Ok(tgid), Ok(flags)) = (pid, flags) else {
        return 0;
    };
    if flags & CLONE_THREAD != 0 {
        return 0;
    }
    let parent_tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    let Some(row) = ROW_SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: a per-CPU slot of our own type; tracepoints do not nest on one CPU.
    let row = unsafe { &mut *row };
    // SAFETY: read at once, before anything else touches the map.
    match unsafe { PROCESSES.get(parent_tgid) } {
        Some(parent) => {
            row.exec_boottime_ns = parent.exec_boottime_ns;
            row.filename = parent.filename;
        }
        None => {
            row.exec_boottime_ns = 0;
            row.filename = [0; FILENAME_BYTES];
        }
    }
    row.parent_tgid = parent_tgid;
    row.reserved = 0;
    row.start_boottime_ns = now_ns;
    if PROCESSES.insert(tgid, *row, 0).is_err() {
        count(Reason::ProcessTableFull);
    }
    send(&ForkEvent {
        kind: KIND_FORK,
        tgid,
        parent_tgid,
        reserved: 0,
        boottime_ns: now_ns,
    });
    0
}
