//! What is LLM-bound and cannot be intercepted: each way in both modes, its counter and its report.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use monitor_common::{Bypass, ListenerPorts, Scope};
use socket2::{Domain, Protocol, Socket, Type};

use crate::rig::{PORT, Pod, Rig, V4_HOST, V6_HOST, address, rig, rig_for_agent};
use crate::watch::Watch;

/// Connects and tells how it went: what stands at the address itself takes it, and is told from a refusal.
fn outcome(socket: &Socket, to: SocketAddr) -> Result<(), i32> {
    socket
        .connect(&to.into())
        .map_err(|error| error.raw_os_error().unwrap())
}

fn tcp() -> Socket {
    Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()
}

fn own_cgroup(rig: &Rig) -> u64 {
    std::fs::metadata(&rig.cgroup).unwrap().ino()
}

/// Runs one way around in the scope, and checks counter and report.
#[track_caller]
fn check(rig: &Rig, watch: &mut Watch, bypass: Bypass, refused: bool, protocol: u8, way: &dyn Fn()) {
    let counter = bypass.counter(refused);
    let before = rig.count(counter);
    watch.bypasses();
    way();
    assert_eq!(rig.count(counter), before + 1, "{}", counter.name());
    let reports = watch.bypasses();
    let [report] = reports.as_slice() else {
        panic!("one report: {reports:?}")
    };
    assert_eq!((report.reason, report.denied), (bypass, refused));
    assert_eq!(report.tgid, std::process::id());
    assert_eq!(report.cgroup_id, own_cgroup(rig));
    assert_eq!(report.protocol, protocol);
    assert!(
        [address(V4_HOST, PORT), address(V6_HOST, PORT)].contains(&report.destination),
        "{}",
        report.destination
    );
}

/// Reports are bounded for each cgroup and reason.
fn next_second() {
    std::thread::sleep(Duration::from_millis(1_050));
}

#[test]
fn each_way_around_passes_or_is_refused_as_the_scope_says() {
    let Some(rig) = rig("ways around") else { return };
    let mut watch = Watch::new(&rig);
    let own = own_cgroup(&rig);
    // What stands at the true address, so that passing and being refused look different.
    let _true_v4 = TcpListener::bind(address(V4_HOST, PORT)).unwrap();
    let to = address(V4_HOST, PORT);
    let ended = |outcome: Result<(), i32>, refused: bool| {
        assert_eq!(outcome, if refused { Err(libc::EPERM) } else { Ok(()) });
    };
    for refused in [false, true] {
        let scope = if refused { Scope::DENY_BYPASS } else { Scope::NONE };
        rig.kernel.set_scope(own, scope).unwrap();
        check(&rig, &mut watch, Bypass::NoListener, refused, 6, &|| {
            ended(outcome(&tcp(), to), refused);
        });
        let listeners = rig.listen();
        check(&rig, &mut watch, Bypass::BoundDevice, refused, 6, &|| {
            let bound = tcp();
            bound.bind_device(Some(b"lo")).unwrap();
            ended(outcome(&bound, to), refused);
        });
        drop(listeners);
        rig.kernel
            .remove_listener(monitor::identity::Netns::current().unwrap().cookie())
            .unwrap();
        next_second();
    }
}

/// Of the protocols that are neither TCP nor UDP, only echo requests run the hooks. MPTCP runs them as TCP.
#[test]
fn another_protocol_is_a_bypass() {
    let Some(rig) = rig("other protocols") else { return };
    let mut watch = Watch::new(&rig);
    let pod = Pod::start();
    let netns = pod.netns();
    let _listeners = rig.listen_in(&netns);
    netns
        .run(|| std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 65535"))
        .unwrap()
        .unwrap();
    for refused in [false, true] {
        let scope = if refused { Scope::DENY_BYPASS } else { Scope::NONE };
        rig.kernel.set_scope(own_cgroup(&rig), scope).unwrap();
        check(&rig, &mut watch, Bypass::Protocol, refused, 1, &|| {
            let echo = || Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4)).unwrap();
            let outcome = netns.run(|| outcome(&echo(), address(V4_HOST, PORT))).unwrap();
            assert_eq!(outcome, if refused { Err(libc::EPERM) } else { Ok(()) });
        });
        next_second();
    }
}

#[test]
fn a_socket_without_storage_is_a_bypass() {
    let Some(rig) = rig("no storage") else { return };
    let mut watch = Watch::new(&rig);
    let pod = Pod::start();
    let netns = pod.netns();
    let _listeners = rig.listen_in(&netns);
    let starved = netns
        .run(|| std::fs::write("/proc/sys/net/core/optmem_max", "100"))
        .unwrap();
    if let Err(error) = starved {
        println!("SKIPPED no storage: this kernel has no such limit for a namespace ({error})");
        return;
    }
    for refused in [false, true] {
        let scope = if refused { Scope::DENY_BYPASS } else { Scope::NONE };
        rig.kernel.set_scope(own_cgroup(&rig), scope).unwrap();
        check(&rig, &mut watch, Bypass::NoStorage, refused, 6, &|| {
            let outcome = netns.run(|| outcome(&tcp(), address(V4_HOST, PORT))).unwrap();
            let wanted = if refused { libc::EPERM } else { libc::ECONNREFUSED };
            assert_eq!(outcome, Err(wanted));
        });
        next_second();
    }
}

#[test]
fn quic_is_refused_so_that_clients_take_tcp_at_once() {
    let Some(rig) = rig("quic") else { return };
    let mut watch = Watch::new(&rig);
    let own = own_cgroup(&rig);
    let mapped = address(&format!("::ffff:{V4_HOST}"), PORT);
    let ways: [(&str, SocketAddr); 3] = [
        ("127.0.0.1:0", address(V4_HOST, PORT)),
        ("[::1]:0", address(V6_HOST, PORT)),
        ("[::]:0", mapped),
    ];
    for refused in [true, false] {
        let scope = if refused { Scope::NONE } else { Scope::PASS_QUIC };
        rig.kernel.set_scope(own, scope).unwrap();
        for (from, to) in ways {
            check(&rig, &mut watch, Bypass::Quic, refused, 17, &|| {
                let socket = UdpSocket::bind(from).unwrap();
                let kind = socket
                    .send_to(b"hello", to)
                    .map(drop)
                    .map_err(|error| error.kind());
                if refused {
                    assert_eq!(kind, Err(ErrorKind::ConnectionRefused), "{to}");
                } else {
                    // The address of documentation leads nowhere.
                    assert!(kind.is_ok() || to.ip() == V6_HOST.parse::<std::net::IpAddr>().unwrap());
                }
            });
            next_second();
        }
    }
    // Another port, another address.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    rig.kernel.set_scope(own, Scope::NONE).unwrap();
    socket.send_to(b"hello", address(V4_HOST, PORT + 1)).unwrap();
    socket.send_to(b"hello", address("127.8.8.9", PORT)).unwrap();
    assert_eq!(watch.bypasses(), []);
}

/// As glibc's `getaddrinfo` does for each address of a name.
#[test]
fn a_connected_udp_socket_is_nothing_until_it_sends() {
    let Some(rig) = rig("connected UDP") else { return };
    let mut watch = Watch::new(&rig);
    let to = address(V4_HOST, PORT);
    for refused in [true, false] {
        let scope = if refused { Scope::NONE } else { Scope::PASS_QUIC };
        rig.kernel.set_scope(own_cgroup(&rig), scope).unwrap();
        let count = |rig: &Rig| rig.count(Bypass::Quic.counter(refused));
        let before = count(&rig);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(to).unwrap();
        assert_eq!(socket.peer_addr().unwrap(), to);
        assert_eq!((watch.bypasses(), count(&rig)), (vec![], before));
        let sent = socket.send(b"hello").map_err(|error| error.kind());
        assert_eq!(
            sent,
            if refused {
                Err(ErrorKind::PermissionDenied)
            } else {
                Ok(5)
            }
        );
        let reports = watch.bypasses();
        assert_eq!((reports.len(), count(&rig)), (1, before + 1));
        assert_eq!((reports[0].reason, reports[0].denied), (Bypass::Quic, refused));
        next_second();
    }
    assert_eq!(rig.count(Bypass::OlderQuic.counter(true)), 0);
}

#[test]
fn reports_are_bounded_and_say_what_they_leave_out() {
    let Some(rig) = rig("bounded reports") else { return };
    let mut watch = Watch::new(&rig);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let burst = || {
        for _ in 0..10 {
            socket.send_to(b"hello", address(V4_HOST, PORT)).unwrap_err();
        }
    };
    burst();
    assert_eq!(watch.bypasses().len(), 1);
    // Another reason has a report of its own.
    TcpStream::connect(address(V4_HOST, PORT)).unwrap_err();
    assert_eq!(watch.bypasses()[0].reason, Bypass::NoListener);
    next_second();
    burst();
    let reports = watch.bypasses();
    assert_eq!((reports.len(), reports[0].unreported), (1, 9));
    assert_eq!(rig.count(Bypass::Quic.counter(true)), 20);
}

#[test]
fn a_dead_agent_leaves_each_scope_as_it_says() {
    let Some(rig) = rig("stale heartbeat") else { return };
    let mut watch = Watch::new(&rig);
    let own = own_cgroup(&rig);
    let listeners = rig.listen();
    let _true_v4 = TcpListener::bind(address(V4_HOST, PORT)).unwrap();
    let to = address(V4_HOST, PORT);
    rig.kernel.set_patience(Duration::from_millis(1)).unwrap();
    next_second();
    for refused in [false, true] {
        let scope = if refused { Scope::CLOSED } else { Scope::NONE };
        rig.kernel.set_scope(own, scope).unwrap();
        let wanted = if refused { Err(libc::ECONNREFUSED) } else { Ok(()) };
        check(&rig, &mut watch, Bypass::AgentDown, refused, 6, &|| {
            assert_eq!(outcome(&tcp(), to), wanted);
        });
        next_second();
        // UDP is refused only for an agent's sake.
        check(&rig, &mut watch, Bypass::AgentDown, refused, 17, &|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let sent = socket.send_to(b"hello", to).map(drop);
            assert_eq!(sent.map_err(|error| error.raw_os_error().unwrap()), wanted);
        });
        next_second();
        let counter = Bypass::AgentDown.counter(refused);
        let before = rig.count(counter);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(to).unwrap();
        assert_eq!(rig.count(counter), before);
        assert_eq!(socket.send(b"hello").is_err(), refused);
        assert_eq!(rig.count(counter), before + 1);
        next_second();
    }
    // Alive again.
    rig.kernel.set_patience(Duration::MAX).unwrap();
    TcpStream::connect(to).unwrap();
    rig.accept(&listeners.v4);
}

#[test]
fn an_agent_that_ends_is_known_dead_at_once() {
    let mut agent = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let Some(rig) = rig_for_agent("agent's end", agent.id()) else {
        agent.kill().unwrap();
        agent.wait().unwrap();
        return;
    };
    let own = own_cgroup(&rig);
    let listeners = rig.listen();
    rig.kernel.set_scope(own, Scope::CLOSED).unwrap();
    TcpStream::connect(address(V4_HOST, PORT)).unwrap();
    rig.accept(&listeners.v4);
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert_eq!(rig.kernel.agent_row().unwrap().heartbeat_ns, 0);
    assert_eq!(
        TcpStream::connect(address(V4_HOST, PORT)).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    assert_eq!(rig.count(Bypass::AgentDown.counter(true)), 1);
    // Its process id is nobody's privilege any more.
    assert_eq!(rig.count(monitor_common::Reason::PassedAgent), 0);
    let row = rig.kernel.agent_row().unwrap();
    assert_eq!(row.tgid, agent.id());
}

#[test]
fn a_listener_that_drains_still_gets_its_records() {
    let Some(rig) = rig("draining listener") else {
        return;
    };
    let old = rig.listen();
    let client = TcpStream::connect(address(V4_HOST, PORT)).unwrap();
    let new = rig.listen();
    rig.accept(&old.v4);
    drop(client);
    // On its way to the old one while the new one is made known.
    let netns = monitor::identity::Netns::current().unwrap();
    let (before, after) = (old.ports(), new.ports());
    rig.kernel
        .set_listener(
            netns.cookie(),
            ListenerPorts {
                draining_v4: before.v4,
                draining_v6: before.v6,
                ..after
            },
        )
        .unwrap();
    let _straight = TcpStream::connect(old.v4.local_addr().unwrap()).unwrap();
    assert_eq!(rig.count(monitor_common::Reason::TupleMissing), 1);
    let _redirected = TcpStream::connect(address(V6_HOST, PORT)).unwrap();
    rig.accept(&new.v6);
}
