use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::*;
use crate::identity::AttributionReason;
use crate::kernel::boottime_ns;

/// A process id that no process has.
const CONNECTOR: u32 = u32::MAX - 9;
const CHILD: u32 = u32::MAX - 8;
const GRANDCHILD: u32 = u32::MAX - 7;

fn flow(boottime_ns: u64) -> FlowRecord {
    FlowRecord {
        version: monitor_common::ABI_VERSION,
        flags: 0,
        orig_addr: monitor_common::NormalAddr::from_v4(0),
        orig_port: 443,
        listener_port: 1,
        tgid: CONNECTOR,
        tid: CONNECTOR,
        uid: 0,
        gid: 0,
        reserved: 0,
        comm: [0; monitor_common::COMM_BYTES],
        cgroup_id: 1,
        netns_cookie: 1,
        socket_cookie: 1,
        boottime_ns,
        start_boottime_ns: 0,
        exec_boottime_ns: 0,
    }
}

fn ends(client: SocketAddr, listener: SocketAddr) -> Ends {
    Ends {
        client,
        listener,
        netns: Arc::new(Netns::of_pid(std::process::id()).unwrap()),
    }
}

fn nowhere() -> Ends {
    ends(([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into())
}

fn grade(watched: &Watched, at_ns: u64) -> Option<AttributionReason> {
    watched.attribution(Attribution::Exact, "/a", at_ns).reason()
}

#[test]
fn a_child_shares_from_its_fork_until_it_executes_or_ends() {
    let sharing = Arc::new(Sharing::default());
    let watched = sharing.watch(&flow(10), nowhere());
    // Read late: the connector was not connected yet.
    sharing.executed(CONNECTOR, 5);
    sharing.forked(1_000_000_000, CONNECTOR, 6);
    assert_eq!(grade(&watched, 15), None);
    sharing.forked(CHILD, CONNECTOR, 20);
    sharing.forked(GRANDCHILD, CHILD, 25);
    assert_eq!(grade(&watched, 19), None);
    assert_eq!(grade(&watched, 21), Some(AttributionReason::SharedByFork));
    // Nobody has the socket of this test, so it did not survive.
    sharing.executed(CHILD, 30);
    assert_eq!(grade(&watched, 31), Some(AttributionReason::SharedByFork));
    sharing.exited(GRANDCHILD, 40);
    assert_eq!(grade(&watched, 41), None);
    // A request that began before is told by what was then, and children of others are nothing to it.
    assert_eq!(grade(&watched, 21), Some(AttributionReason::SharedByFork));
    sharing.forked(CHILD, GRANDCHILD, 50);
    assert_eq!(grade(&watched, 51), None);
    drop(watched);
    let table = sharing.table.lock();
    assert!(table.held.is_empty() && table.open.is_empty());
}

#[test]
fn events_from_before_the_registration_count() {
    let sharing = Arc::new(Sharing::default());
    sharing.forked(GRANDCHILD, CONNECTOR, 5);
    sharing.forked(CHILD, CONNECTOR, 20);
    sharing.exited(CONNECTOR, 25);
    let watched = sharing.watch(&flow(10), nowhere());
    assert_eq!(grade(&watched, 30), Some(AttributionReason::SharedByFork));
    sharing.exited(CHILD, 40);
    assert_eq!(grade(&watched, 41), None);
    drop(watched);
    let table = sharing.table.lock();
    assert!(table.held.is_empty() && table.open.is_empty());
}

#[test]
fn what_is_forgotten_counts_as_shared() {
    let sharing = Arc::new(Sharing::default());
    for step in 0..=MAX_RECENT as u64 {
        sharing.exited(1, 100 + step);
    }
    let late = sharing.watch(&flow(10), nowhere());
    assert!(grade(&late, 200).unwrap().crosses_cgroups());
    let in_time = sharing.watch(&flow(101), nowhere());
    assert_eq!(grade(&in_time, 200), None);
    for child in 0..100 {
        sharing.forked(child + 1_000_000_000, CONNECTOR, 300);
        sharing.exited(child + 1_000_000_000, 301);
    }
    assert_eq!(grade(&in_time, 400), None);
    for child in 0..100 {
        sharing.forked(child + 1_000_000_000, CONNECTOR, 500);
    }
    for child in 0..100 {
        sharing.exited(child + 1_000_000_000, 501);
    }
    assert!(grade(&in_time, 600).unwrap().crosses_cgroups());
}

#[test]
fn an_audit_finds_who_has_the_socket_and_who_has_not() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let sharing = Arc::new(Sharing::default());
    let both = ends(client.local_addr().unwrap(), client.peer_addr().unwrap());
    let watched = sharing.watch(&flow(10), both);
    sharing.forked(CHILD, CONNECTOR, 20);
    // Nobody who is known has it any more.
    sharing.exited(CONNECTOR, 25);
    sharing.exited(CHILD, 26);
    // This process is neither the connector nor its child, and runs elsewhere.
    sharing.audit(Duration::ZERO, usize::MAX, 0);
    let now_ns = boottime_ns();
    let reason = grade(&watched, now_ns);
    assert_eq!(reason, Some(AttributionReason::PassedDescriptorAcrossCgroups));
    assert_eq!(watched.shared.holders.lock().close(), [std::process::id()]);
    drop(watched);
    let table = sharing.table.lock();
    assert!(table.held.is_empty() && table.open.is_empty());
}

#[test]
fn an_audit_that_was_cut_short_ends_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let sharing = Arc::new(Sharing::default());
    let both = ends(client.local_addr().unwrap(), client.peer_addr().unwrap());
    let watched = sharing.watch(&flow(10), both);
    let next = sharing.audit(Duration::ZERO, 1, 0);
    assert_ne!(next, 0);
    assert!(watched.shared.holders.lock().has(CONNECTOR));
    drop(client);
}
