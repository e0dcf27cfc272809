//! What happens to a connection.

use std::io::ErrorKind;
use std::net::TcpStream;

use monitor_common::flow::{FLAG_MAPPED, FLAG_MARKED, FLAG_V6_SOCKET};
use monitor_common::{ListenerPorts, NormalAddr, Reason};
use socket2::{Domain, Socket, Type};

use crate::rig::{PORT, Rig, V4_HOST, V6_HOST, address, rig, rig_for_agent};

fn check(rig: &Rig, record: &monitor_common::FlowRecord, host: &str, flags: u32) {
    let own = std::process::id();
    assert_eq!(
        record.orig_addr,
        NormalAddr::from(host.parse::<std::net::IpAddr>().unwrap())
    );
    assert_eq!(record.orig_port, PORT);
    assert_eq!(record.flags, flags | FLAG_MARKED);
    assert_eq!(record.tgid, own);
    assert_eq!((record.uid, record.gid), (0, 0));
    let tid: u32 = std::fs::read_link("/proc/thread-self")
        .unwrap()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(record.tid, tid);
    let comm = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
    assert_eq!(String::from_utf8_lossy(record.comm()), comm.trim_end());
    let cgroup = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&rig.cgroup).unwrap());
    assert_eq!(record.cgroup_id, cgroup);
    assert_eq!(
        record.netns_cookie,
        monitor::identity::Netns::current().unwrap().cookie()
    );
    assert_ne!(record.socket_cookie, 0);
    let now_ns = monitor::kernel::boottime_ns();
    assert!(record.boottime_ns <= now_ns && record.boottime_ns + 10_000_000_000 > now_ns);
}

#[test]
fn ipv4_goes_to_the_listener_with_its_record() {
    let Some(rig) = rig("ipv4") else { return };
    let listeners = rig.listen();
    let client = TcpStream::connect(address(V4_HOST, PORT)).unwrap();
    let (_accepted, record) = rig.accept(&listeners.v4);
    check(&rig, &record, V4_HOST, 0);
    assert_eq!(client.peer_addr().unwrap(), address(V4_HOST, PORT));
    assert_eq!(rig.count(Reason::Redirected), 1);
    assert_eq!(rig.count(Reason::RecordCarried), 1);
}

#[test]
fn ipv6_goes_to_the_listener_with_its_record() {
    let Some(rig) = rig("ipv6") else { return };
    let listeners = rig.listen();
    let client = TcpStream::connect(address(V6_HOST, PORT)).unwrap();
    let (_accepted, record) = rig.accept(&listeners.v6);
    check(&rig, &record, V6_HOST, FLAG_V6_SOCKET);
    assert_eq!(client.peer_addr().unwrap(), address(V6_HOST, PORT));
}

#[test]
fn a_mapped_address_goes_to_the_ipv4_listener() {
    let Some(rig) = rig("mapped") else { return };
    let listeners = rig.listen();
    let mapped = address(&format!("::ffff:{V4_HOST}"), PORT);
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    socket.connect(&mapped.into()).unwrap();
    let (accepted, record) = rig.accept(&listeners.v4);
    check(&rig, &record, V4_HOST, FLAG_V6_SOCKET | FLAG_MAPPED);
    assert_eq!(socket.peer_addr().unwrap().as_socket().unwrap(), mapped);
    // The agent sees the true other end of what it accepted.
    assert!(accepted.peer_addr().unwrap().ip().is_loopback());
    assert_eq!(
        accepted.peer_addr().unwrap().port(),
        socket.local_addr().unwrap().as_socket().unwrap().port()
    );
}

#[test]
fn what_is_not_asked_for_passes() {
    let Some(rig) = rig("passing") else { return };
    let _listeners = rig.listen();
    let refused = |to| {
        assert_eq!(
            TcpStream::connect(to).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        )
    };
    refused(address("127.8.8.9", PORT));
    assert_eq!(rig.count(Reason::PassedNotMarked), 1);
    refused(address(V4_HOST, PORT + 1));
    assert_eq!(rig.count(Reason::PassedPort), 1);
    assert_eq!(rig.count(Reason::Redirected), 0);
}

#[test]
fn the_agents_own_connections_pass() {
    let Some(rig) = rig_for_agent("agent", std::process::id()) else {
        return;
    };
    let _listeners = rig.listen();
    let outcome = TcpStream::connect(address(V4_HOST, PORT));
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(rig.count(Reason::PassedAgent), 1);
}

#[test]
fn an_expired_mark_passes_and_goes_away() {
    let Some(rig) = rig("expiry") else { return };
    let _listeners = rig.listen();
    let (expired, swept, kept) = ("127.8.8.20", "127.8.8.21", "127.8.8.22");
    let now_ns = monitor::kernel::boottime_ns();
    for (host, expires_ns) in [
        (expired, now_ns),
        (swept, now_ns),
        (kept, now_ns + 60_000_000_000),
    ] {
        rig.kernel
            .mark_address_until(host.parse().unwrap(), expires_ns)
            .unwrap();
    }
    assert_eq!(
        TcpStream::connect(address(expired, PORT)).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    assert_eq!(rig.count(Reason::AddressExpired), 1);
    assert_eq!(rig.marked().len(), 2);
    assert_eq!(rig.kernel.sweep_expired_addresses().unwrap(), 1);
    assert_eq!(
        rig.marked().first().map(|(host, _)| host.to_string()).as_deref(),
        Some(kept)
    );
    assert_eq!(
        TcpStream::connect(address(kept, PORT))
            .unwrap()
            .peer_addr()
            .unwrap(),
        address(kept, PORT)
    );
}

#[test]
fn a_flow_nobody_accepts_gives_its_row_back() {
    let Some(rig) = rig("abandoned") else { return };
    let listeners = rig.listen();
    let ports = listeners.ports();
    drop(listeners);
    for host in [V4_HOST, V6_HOST] {
        assert_eq!(
            TcpStream::connect(address(host, PORT)).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
    }
    assert_ne!(ports, ListenerPorts::default());
    assert_eq!(rig.count(Reason::Redirected), 2);
    assert_eq!(rig.count(Reason::FlowAbandoned), 2);
}

#[test]
fn a_connection_straight_to_the_listener_has_no_record() {
    let Some(rig) = rig("straight") else { return };
    let listeners = rig.listen();
    let _client = TcpStream::connect(listeners.v4.local_addr().unwrap()).unwrap();
    let (accepted, _) = listeners.v4.accept().unwrap();
    assert_eq!(
        rig.kernel.flow_of(std::os::fd::AsFd::as_fd(&accepted)).unwrap(),
        None
    );
    assert_eq!(rig.count(Reason::TupleMissing), 1);
}

#[test]
fn a_socket_connected_again_elsewhere_shows_its_new_peer() {
    let Some(rig) = rig("reconnect") else { return };
    let listeners = rig.listen();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ports = listeners.ports();
    drop(listeners);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    assert!(socket.connect(&address(V4_HOST, PORT).into()).is_err());
    let other_address = other.local_addr().unwrap();
    assert_ne!(other_address.port(), ports.v4);
    socket.connect(&other_address.into()).unwrap();
    assert_eq!(socket.peer_addr().unwrap().as_socket().unwrap(), other_address);
}

#[test]
fn lists_are_replaced() {
    let Some(rig) = rig("reload") else { return };
    let listeners = rig.listen();
    rig.kernel.set_ports(&[8443, PORT + 1]).unwrap();
    assert!(TcpStream::connect(address(V4_HOST, PORT)).is_err());
    let _client = TcpStream::connect(address(V4_HOST, 8443)).unwrap();
    assert_eq!(rig.accept(&listeners.v4).1.orig_port, 8443);
    rig.kernel.unmark_address(V4_HOST.parse().unwrap()).unwrap();
    rig.kernel.unmark_address(V4_HOST.parse().unwrap()).unwrap();
    assert!(TcpStream::connect(address(V4_HOST, 8443)).is_err());
    rig.kernel
        .set_names(&["a.example".into(), "*.b.example".into()])
        .unwrap();
    rig.kernel.set_names(&["*.b.example".into()]).unwrap();
    assert!(rig.kernel.set_names(&["not a name".into()]).is_err());
}
