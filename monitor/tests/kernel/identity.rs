//! From a flow to its workload.

use std::io::{BufRead as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use monitor::identity::{
    Attribution, AttributionReason, Claim, Ends, EvidenceOptions, Identity, Netns, Workload,
};
use monitor::kernel::{KernelEvent, KernelEvents};

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
    let identity = Identity::new(
        rig.kernel.clone(),
        &rig.mount,
        &rig.cgroup,
        EvidenceOptions::default(),
    );
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
    // Cgroups that nobody reported are looked for at most every 200 ms.
    std::thread::sleep(Duration::from_millis(250));
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

/// A copy of `bash`, so that a test can delete or replace its executable.
fn own_bash(folder: &Path) -> PathBuf {
    let path = folder.join("own-bash");
    std::fs::copy("/bin/bash", &path).unwrap();
    path
}

fn sha256sum(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

fn wait_for_hash(workload: &Workload) -> String {
    for _ in 0..2_000 {
        if let Some(digest) = workload.exe_sha256.get() {
            return digest.to_string();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the digest of {:?} is not worked out", workload.exe);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn a_deleted_and_replaced_executable_has_the_digest_of_what_runs() {
    let Some(rig) = rig("deleted executable") else {
        return;
    };
    let listeners = rig.listen();
    let identity = identity(&rig);
    let folder = tempfile::tempdir().unwrap();
    let path = own_bash(folder.path());
    let digest = sha256sum(&path);
    let script = format!("read -r; exec 3<>/dev/tcp/{V4_HOST}/{PORT}; read -r");
    let mut child = Command::new(&path)
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::copy("/bin/cat", &path).unwrap();
    go_on(&child);
    let (_accepted, record) = rig.accept(&listeners.v4);
    let (workload, attribution) = identity.resolve(&record);
    assert_eq!(attribution, Attribution::Exact);
    // The file at the path is another one now, and the kernel says so.
    assert!(
        workload
            .exe
            .as_deref()
            .unwrap()
            .starts_with(path.to_str().unwrap())
    );
    assert_eq!(wait_for_hash(&workload), digest);
    go_on(&child);
    child.wait().unwrap();
}

#[test]
fn short_lived_parents_and_their_child_keep_their_evidence() {
    let Some(rig) = rig("ancestry") else { return };
    let runtime = runtime();
    let _entered = runtime.enter();
    let mut events = rig.kernel.events().unwrap();
    let listeners = rig.listen();
    let identity = identity(&rig);
    // `env` becomes a shell, which runs another one in the background and ends at once.
    let inner = format!("exec 3<>/dev/tcp/{V4_HOST}/{PORT}; read -r -t 5 <&3");
    let outer = format!("bash -c '{inner}' & read -r");
    let mut parent = Command::new("env")
        .args(["bash", "-c", &outer])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    enter(&rig.child_cgroup("ancestry"), parent.id());
    let (accepted, record) = rig.accept(&listeners.v4);
    drain(&identity, &mut events);
    parent.kill().unwrap();
    parent.wait().unwrap();
    drop(accepted);
    for _ in 0..500 {
        if !Path::new(&format!("/proc/{}", record.tgid)).exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    drain(&identity, &mut events);
    let (workload, attribution) = identity.resolve(&record);
    assert_eq!(attribution, Attribution::Exact);
    let pids: Vec<u32> = workload.ancestors.iter().map(|ancestor| ancestor.pid).collect();
    assert_eq!(pids[..2], [parent.id(), std::process::id()]);
    let bash = std::fs::canonicalize("/bin/bash").unwrap();
    assert_eq!(workload.ancestors[0].exe.as_deref(), bash.to_str());
    assert_eq!(workload.euid, Some(0));
    assert!(workload.started_ms.is_some());
    // The process is gone; its executable is still what it was.
    assert_eq!(wait_for_hash(&workload), sha256sum(&bash));
}

#[test]
fn an_id_that_is_used_again_is_another_process() {
    let Some(rig) = rig("pid reuse") else { return };
    let listeners = rig.listen();
    let identity = identity(&rig);
    let script = format!("exec 3<>/dev/tcp/{V4_HOST}/{PORT}");
    let first = Command::new("bash").args(["-c", &script]).spawn().unwrap();
    let pid = first.id();
    let (_accepted, record) = rig.accept(&listeners.v4);
    assert_eq!(record.tgid, pid);
    first.wait_with_output().unwrap();
    let mut second = spawn_as(pid, "sleep", "20");
    let (workload, attribution) = identity.resolve(&record);
    assert_eq!(attribution, Attribution::Late(AttributionReason::ProcessGone));
    assert_eq!(
        (workload.exe.as_deref(), workload.euid, workload.pid),
        (None, None, pid)
    );
    assert!(workload.ancestors.is_empty());
    assert_eq!(workload.exe_sha256.get(), None);
    second.kill().unwrap();
    second.wait().unwrap();
}

/// Starts a program until it has this id: the kernel gives the next free one after the last that was given.
fn spawn_as(pid: u32, program: &str, argument: &str) -> Child {
    for _ in 0..200 {
        std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
        let mut child = Command::new(program).arg(argument).spawn().unwrap();
        if child.id() == pid {
            return child;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    panic!("others took the id 200 times");
}

/// A watched connection of a shell that runs `script` once it is connected with descriptor 3.
fn shared(
    rig: &Rig,
    identity: &Arc<Identity>,
    listener: &TcpListener,
    script: &str,
) -> (Child, TcpStream, Claim) {
    // What the script does is not to be over before its connection is told whose it is.
    let script = format!("exec 3<>/dev/tcp/{V4_HOST}/{PORT}; read -r; {script}");
    let child = Command::new("bash")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (accepted, record) = rig.accept(listener);
    let ends = Ends {
        client: accepted.peer_addr().unwrap(),
        listener: accepted.local_addr().unwrap(),
        netns: Arc::new(Netns::of_pid(child.id()).unwrap()),
    };
    let (workload, attribution) = identity.resolve(&record);
    assert_eq!(attribution, Attribution::Exact);
    let claim = identity.claim(&record, ends, workload, attribution);
    go_on(&child);
    (child, accepted, claim)
}

fn wait_for_line(child: &mut Child) {
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.as_mut().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
}

#[test]
fn a_connection_is_shared_while_a_child_has_its_socket() {
    let Some(rig) = rig("sharing") else { return };
    let runtime = runtime();
    let _entered = runtime.enter();
    let mut events = rig.kernel.events().unwrap();
    let listeners = rig.listen();
    let identity = Arc::new(identity(&rig));
    let fork = Attribution::Ambiguous(AttributionReason::SharedByFork);
    // The cases: what the shell does, and what holds afterwards.
    let cases = [
        // A child without a program of its own has what its parent has.
        ("(echo ready; read -r <&3) & read -r; wait", fork),
        // `sleep` inherits descriptor 3, which is not close-on-exec.
        (
            "sleep 20 & P=$!; until [ \"$(cat /proc/$P/comm)\" = sleep ]; do :; done; echo ready; read -r; kill $P",
            fork,
        ),
        (
            "sleep 20 3<&- & P=$!; until [ \"$(cat /proc/$P/comm)\" = sleep ]; do :; done; echo ready; read -r; kill $P",
            Attribution::Exact,
        ),
        ("(true); true 3<&-; echo ready; read -r", Attribution::Exact),
        // The shell becomes another program, which still has the connection.
        (
            "exec bash -c 'echo ready; read -r'",
            Attribution::Ambiguous(AttributionReason::ProgramChanged),
        ),
    ];
    for (script, expected) in cases {
        let before_ns = monitor::kernel::boottime_ns();
        let (mut child, accepted, claim) = shared(&rig, &identity, &listeners.v4, script);
        wait_for_line(&mut child);
        drain(&identity, &mut events);
        assert_eq!(
            claim.attribution_at(monitor::kernel::boottime_ns()),
            expected,
            "{script}"
        );
        assert_eq!(claim.attribution_at(before_ns), Attribution::Exact, "{script}");
        drop((claim, accepted));
        go_on(&child);
        child.wait().unwrap();
        drain(&identity, &mut events);
    }
}

#[test]
fn evidence_is_taken_at_every_exec() {
    let Some(rig) = rig("cost of evidence") else {
        return;
    };
    let runtime = runtime();
    let _entered = runtime.enter();
    let mut events = rig.kernel.events().unwrap();
    let identity = identity(&rig);
    let sleep = || Command::new("sleep").arg("20").spawn().unwrap();
    let mut children: Vec<Child> = (0..100).map(|_| sleep()).collect();
    let mut execs = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    while execs.len() < children.len() && Instant::now() < deadline {
        let Some(event) = events.take() else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        let event = event.unwrap();
        let began = Instant::now();
        identity.on_event(&event);
        if matches!(event, KernelEvent::Exec { .. }) {
            execs.push(began.elapsed());
        }
    }
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(execs.len(), children.len());
    execs.sort_unstable();
    let (p50, p95) = (execs[execs.len() / 2], execs[execs.len() * 95 / 100]);
    println!("evidence of an exec: p50 {p50:?}, p95 {p95:?}");
}
