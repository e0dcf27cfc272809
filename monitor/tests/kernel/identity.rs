//! From a flow to its workload.

use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use monitor::identity::{Attribution, AttributionReason, Identity, Netns};
use monitor::kernel::KernelEvents;

use crate::rig::{PORT, Rig, V4_HOST, address, enter, rig};

/// A shell that waits for a line before each of two connections, which it keeps open.
fn shell(user: u32) -> Child {
    let connect = format!("/dev/tcp/{V4_HOST}/{PORT}");
    let script = format!("read -r; exec 3<>{connect}; read -r; exec 4<>{connect}; read -r");
    let mut command = Command::new("bash");
    command
        .args(["-c", &script])
        .uid(user)
        .gid(user)
        .stdin(Stdio::piped());
    command.spawn().unwrap()
}

fn go_on(child: &Child) {
    child.stdin.as_ref().unwrap().write_all(b"\n").unwrap();
}

fn identity(rig: &Rig) -> Identity {
    let identity = Identity::new(rig.kernel.clone(), &rig.mount, &rig.cgroup);
    identity.namespaces().scan();
    identity
}

fn drain(identity: &Identity, events: &mut KernelEvents) {
    while let Some(event) = events.take() {
        identity.on_event(&event.unwrap());
    }
}

#[test]
fn a_process_of_another_user_in_its_own_cgroup_is_told_exactly() {
    let Some(rig) = rig("identity") else { return };
    let listeners = rig.listen();
    let identity = identity(&rig);
    let mut child = shell(65_534);
    enter(&rig.child_cgroup("agent-7"), child.id());
    go_on(&child);
    let (_first, record) = rig.accept(&listeners.v4);
    let (workload, attribution) = identity.resolve(&record);
    assert_eq!(attribution, Attribution::Exact);
    assert_eq!((workload.pid, workload.uid), (child.id(), 65_534));
    assert_eq!(workload.user.as_deref(), Some("nobody"));
    let bash = std::fs::canonicalize("/bin/bash").unwrap();
    assert_eq!(workload.exe.as_deref(), bash.to_str());
    assert_eq!(workload.comm, "bash");
    let attached = rig.cgroup.file_name().unwrap().to_str().unwrap();
    assert_eq!(workload.placement.cgroup, format!("/{attached}/agent-7"));
    assert_eq!(workload.netns, Netns::current().unwrap().inode());
    // A further connection shares the workload.
    go_on(&child);
    let (_second, record) = rig.accept(&listeners.v4);
    let (again, attribution) = identity.resolve(&record);
    assert!(std::sync::Arc::ptr_eq(&workload, &again));
    assert_eq!(attribution, Attribution::Exact);
    go_on(&child);
    child.wait().unwrap();
}

#[test]
fn a_process_that_is_gone_is_exact_when_its_events_were_read_and_late_when_not() {
    let Some(rig) = rig("short-lived") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let mut events = rig.kernel.events().unwrap();
    let listeners = rig.listen();
    let known = identity(&rig);
    let blind = identity(&rig);
    let mut child = shell(0);
    enter(&rig.child_cgroup("short"), child.id());
    drain(&known, &mut events);
    go_on(&child);
    let (_accepted, record) = rig.accept(&listeners.v4);
    child.kill().unwrap();
    child.wait().unwrap();
    drain(&known, &mut events);
    let (workload, attribution) = known.resolve(&record);
    assert_eq!(attribution, Attribution::Exact);
    assert!(workload.exe.as_deref().unwrap().ends_with("bash"));
    let (workload, attribution) = blind.resolve(&record);
    assert_eq!(attribution, Attribution::Late(AttributionReason::ProcessGone));
    assert_eq!((workload.exe.as_deref(), workload.pid), (None, child.id()));
    // What the record itself says is right even then.
    assert!(workload.placement.cgroup.ends_with("/short"));
}

#[test]
fn a_program_executed_since_is_not_accused() {
    let Some(rig) = rig("exec since") else { return };
    let listeners = rig.listen();
    let identity = identity(&rig);
    // The socket survives execve; by the time of the question the process is `sleep`.
    let script = format!("exec 3<>/dev/tcp/{V4_HOST}/{PORT}; exec sleep 20");
    let mut child = Command::new("bash").args(["-c", &script]).spawn().unwrap();
    let (_accepted, record) = rig.accept(&listeners.v4);
    for _ in 0..500 {
        if std::fs::read_to_string(format!("/proc/{}/comm", child.id()))
            .unwrap()
            .trim()
            == "sleep"
        {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let (workload, attribution) = identity.resolve(&record);
    assert_eq!(attribution, Attribution::Late(AttributionReason::ProgramChanged));
    assert_eq!(workload.exe, None);
    assert_eq!(workload.comm, "bash");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_process_from_before_the_agent_is_told_exactly() {
    let Some(rig) = rig("before the agent") else {
        return;
    };
    let listeners = rig.listen();
    let identity = identity(&rig);
    // This process is older than the programs, which have no row of it.
    assert_eq!(rig.kernel.process(std::process::id()).unwrap(), None);
    let _client = TcpStream::connect(address(V4_HOST, PORT)).unwrap();
    let (_accepted, record) = rig.accept(&listeners.v4);
    assert_eq!((record.start_boottime_ns, record.exec_boottime_ns), (0, 0));
    let (workload, attribution) = identity.resolve(&record);
    assert_eq!(attribution, Attribution::Exact);
    assert_eq!(workload.exe.as_deref(), std::env::current_exe().unwrap().to_str());
}
