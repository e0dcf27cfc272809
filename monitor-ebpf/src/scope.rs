//! The scope of a cgroup: its own row, else its nearest ancestor's, else the default.

use aya_ebpf::helpers::generated::{
    bpf_get_current_ancestor_cgroup_id, bpf_get_current_cgroup_id, bpf_skb_ancestor_cgroup_id,
    bpf_skb_cgroup_id,
};
use aya_ebpf::programs::SkBuffContext;
use monitor_common::{AgentRow, Scope};

use crate::maps::{AGENT, SCOPES};

/// Levels below the root down to which ancestors are looked for. Kubernetes uses 4, a systemd user session 6, one nested in
/// the other 10; a cgroup deeper than this has its own row's scope or that of an ancestor above.
const MAX_LEVELS: i32 = 16;

/// The agent's row. An array's element is always there; the verifier does not know.
#[inline(always)]
pub(crate) fn agent() -> Option<&'static AgentRow> {
    AGENT.get(0)
}

/// The scope of the calling thread's cgroup.
#[inline(always)]
pub(crate) fn of_current(agent: &AgentRow) -> Scope {
    if agent.any_scope == Scope::NONE {
        return Scope::NONE;
    }
    // SAFETY: a helper without arguments.
    if let Some(scope) = own(unsafe { bpf_get_current_cgroup_id() }) {
        return scope;
    }
    // Down from the root, since the cgroup's level is not known: the last that is found is the nearest.
    let mut nearest = agent.default_scope;
    for level in 0..=MAX_LEVELS {
        // SAFETY: a helper that takes a level, and gives 0 for one that the cgroup does not have.
        let id = unsafe { bpf_get_current_ancestor_cgroup_id(level) };
        if id == 0 {
            break;
        }
        nearest = own(id).unwrap_or(nearest);
    }
    nearest
}

/// The scope of the cgroup of a packet's socket.
#[inline(always)]
pub(crate) fn of_packet(ctx: &SkBuffContext, agent: &AgentRow) -> Scope {
    if agent.any_scope == Scope::NONE {
        return Scope::NONE;
    }
    // SAFETY: the context of this hook.
    if let Some(scope) = own(unsafe { bpf_skb_cgroup_id(ctx.skb.skb) }) {
        return scope;
    }
    let mut nearest = agent.default_scope;
    for level in 0..=MAX_LEVELS {
        // SAFETY: the context of this hook and a level, as above.
        let id = unsafe { bpf_skb_ancestor_cgroup_id(ctx.skb.skb, level) };
        if id == 0 {
            break;
        }
        nearest = own(id).unwrap_or(nearest);
    }
    nearest
}

#[inline(always)]
fn own(cgroup_id: u64) -> Option<Scope> {
    // SAFETY: read at once, before anything else touches the map.
    unsafe { SCOPES.get(cgroup_id) }.copied()
}
