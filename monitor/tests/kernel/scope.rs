//! What the agent tells the programs of cgroups and of itself.

use std::time::Duration;

use monitor_common::Scope;

use crate::rig::{rig, rig_for_agent};

#[test]
fn the_flags_of_any_scope_follow_the_rows() {
    let Some(rig) = rig("scope rows") else { return };
    let any = || rig.kernel.agent_row().unwrap().any_scope;
    assert_eq!(any(), Scope::NONE);
    rig.kernel.set_scope(7, Scope::ALL_TLS).unwrap();
    rig.kernel.set_scope(8, Scope::CLOSED).unwrap();
    assert_eq!(any(), Scope::ALL_TLS.with(Scope::CLOSED));
    rig.kernel.set_default_scope(Scope::PASS_QUIC).unwrap();
    assert_eq!(any(), Scope::ALL_TLS.with(Scope::CLOSED).with(Scope::PASS_QUIC));
    rig.kernel.set_scope(8, Scope::NONE).unwrap();
    rig.kernel.remove_scope(7).unwrap();
    rig.kernel.remove_scope(7).unwrap();
    assert_eq!(any(), Scope::PASS_QUIC);
    assert_eq!(rig.kernel.scopes().unwrap(), [(8, Scope::NONE)]);
    rig.kernel.set_default_scope(Scope::NONE).unwrap();
    assert_eq!(any(), Scope::NONE);
}

#[test]
fn an_agent_is_alive_from_the_start_and_beats() {
    let own = std::process::id();
    let Some(rig) = rig_for_agent("heartbeat", own) else {
        return;
    };
    let first = rig.kernel.agent_row().unwrap();
    assert_eq!(first.tgid, own);
    assert!(first.is_alive(monitor::kernel::boottime_ns()));
    assert!(rig.kernel.beat().unwrap());
    assert!(rig.kernel.agent_row().unwrap().heartbeat_ns > first.heartbeat_ns);
    rig.kernel.set_patience(Duration::from_millis(1)).unwrap();
    let row = rig.kernel.agent_row().unwrap();
    assert!(!row.is_alive(row.heartbeat_ns + 1_000_001));
    for other in 2..9 {
        rig.kernel.join_agents(other).unwrap();
    }
    assert!(rig.kernel.join_agents(9).is_err());
    rig.kernel.leave_agents(2).unwrap();
    rig.kernel.leave_agents(2).unwrap();
    rig.kernel.join_agents(9).unwrap();
}
