//! A process ends.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use monitor_common::AgentRow;
use monitor_common::event::{ExitEvent, KIND_EXIT};

use crate::events::send;
use crate::globals::EXIT_GROUP_DEAD_AT;
use crate::maps::{AGENT, AGENTS, PROCESSES};

/// Forgets the process, and tells the agent.
///
/// `sched:sched_process_exit` runs in each ending thread. Newer kernels say whether it is the process's last; on
/// others the first thread stands for the process, which is wrong only for a process whose first thread ends early.
#[tracepoint(category = "sched", name = "sched_process_exit")]
pub(crate) fn process_exited(ctx: TracePointContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    let ended = match EXIT_GROUP_DEAD_AT.load() {
        0 => tgid == pid_tgid as u32,
        // SAFETY: a read of the record the context points to, checked by the helper, at the offset the kernel published.
        at => unsafe { ctx.read_at::<u8>(at as usize) }.is_ok_and(|dead| dead != 0),
    };
    if !ended {
        return 0;
    }
    // A process from before the agent has no row.
    let _ = PROCESSES.remove(tgid);
    if AGENTS.get_ptr(tgid).is_some() {
        forget_agent(tgid);
    }
    // SAFETY: a helper without arguments.
    let boottime_ns = unsafe { bpf_ktime_get_boot_ns() };
    send(&ExitEvent {
        kind: KIND_EXIT,
        tgid,
        boottime_ns,
    });
    0
}

/// An agent that ended, however it did: its id may be given to another process, and nobody accepts any more.
#[inline(always)]
fn forget_agent(tgid: u32) {
    let _ = AGENTS.remove(tgid);
    if let Some(agent) = AGENT.get_ptr_mut(0) {
        // SAFETY: a value of our own type, checked for null. The agent that wrote it is gone; one that takes over
        // at this moment beats again.
        let agent: &mut AgentRow = unsafe { &mut *agent };
        if agent.tgid == tgid {
            agent.heartbeat_ns = 0;
        }
    }
}
