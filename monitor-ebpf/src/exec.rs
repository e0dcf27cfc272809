//! A process executes a program.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_ktime_get_boot_ns, bpf_probe_read_kernel_str,
};
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use monitor_common::Reason;
use monitor_common::event::{ExecEvent, KIND_EXEC};
use monitor_common::process::FILENAME_BYTES;

use crate::count::count;
use crate::events::send;
use crate::globals::EXEC_FILENAME_AT;
use crate::maps::{PROCESSES, ROW_SCRATCH};

/// Notes when the process executed what, and tells the agent.
///
/// `sched:sched_process_exec` runs in the process itself, after other threads are gone and the new image is in place:
/// `__data_loc char[] filename; pid_t pid; pid_t old_pid`.
#[tracepoint(category = "sched", name = "sched_process_exec")]
pub(crate) fn process_executed(ctx: TracePointContext) -> u32 {
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    let mut event = ExecEvent {
        kind: KIND_EXEC,
        tgid,
        boottime_ns: now_ns,
        // SAFETY: a helper without arguments.
        cgroup_id: unsafe { bpf_get_current_cgroup_id() },
        filename: [0; FILENAME_BYTES],
    };
    // SAFETY: reads of the record the context points to, checked by the helper; the offsets are those the kernel
    // published, and the low half of a `__data_loc` is the text's offset.
    unsafe {
        if let Ok(location) = ctx.read_at::<u32>(EXEC_FILENAME_AT.load() as usize) {
            let text = ctx.as_ptr().cast::<u8>().add((location & 0xffff) as usize);
            // A text that cannot be read leaves the name empty.
            let _ = bpf_probe_read_kernel_str(
                event.filename.as_mut_ptr().cast(),
                FILENAME_BYTES as u32,
                text.cast(),
            );
        }
    }
    let Some(row) = ROW_SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: a per-CPU slot of our own type; tracepoints do not nest on one CPU.
    let row = unsafe { &mut *row };
    // SAFETY: read at once, before anything else touches the map.
    (row.parent_tgid, row.start_boottime_ns) = match unsafe { PROCESSES.get(tgid) } {
        Some(known) => (known.parent_tgid, known.start_boottime_ns),
        None => (0, 0),
    };
    row.reserved = 0;
    row.exec_boottime_ns = now_ns;
    row.filename = event.filename;
    if PROCESSES.insert(tgid, *row, 0).is_err() {
        count(Reason::ProcessTableFull);
    }
    send(&event);
    0
}
