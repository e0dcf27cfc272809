//! Packets of what the connect hooks did not see: UDP from before a mark, and ClientHellos to unmarked addresses.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use monitor_common::{Bypass, Reason, Scope};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::rig::{PORT, Rig, V4_HOST, address, rig, rig_for_agent};
use crate::watch::Watch;

const UNMARKED: &str = "127.8.8.41";
const LISTED: &str = "api.openai.com";

/// The first bytes of a real client for a name: with the key share of today's default about 1,500.
fn hello(name: &str) -> Vec<u8> {
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// A ClientHello with the server name as its last extension but for `after`.
fn plain_hello(name: &[u8], after: &[u8]) -> Vec<u8> {
    let mut server_name = Vec::new();
    server_name.extend(((name.len() + 3) as u16).to_be_bytes());
    server_name.push(0);
    server_name.extend((name.len() as u16).to_be_bytes());
    server_name.extend_from_slice(name);
    let mut extensions = vec![0x0a, 0x0a, 0, 0];
    extensions.extend([0, 0]);
    extensions.extend((server_name.len() as u16).to_be_bytes());
    extensions.extend(server_name);
    extensions.extend_from_slice(after);
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([1, 9]);
    body.extend([0, 2, 0x13, 1]);
    body.extend([1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let mut message = vec![1, 0];
    message.extend((body.len() as u16).to_be_bytes());
    message.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend((message.len() as u16).to_be_bytes());
    record.extend(message);
    record
}

/// A connection to what stands at an address itself, both ends.
fn connection(host: &str) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(address(host, PORT)).unwrap();
    let client = TcpStream::connect(address(host, PORT)).unwrap();
    client.set_nodelay(true).unwrap();
    let (server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    (client, server)
}

fn arrives(server: &mut TcpStream, bytes: usize) -> bool {
    server.read_exact(&mut vec![0; bytes]).is_ok()
}

fn is_marked(rig: &Rig, host: &str) -> bool {
    rig.marked()
        .iter()
        .any(|(address, _)| address.to_string() == host)
}

fn own_cgroup(rig: &Rig) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&rig.cgroup).unwrap())
}

fn named(test: &str) -> Option<Rig> {
    let rig = rig(test)?;
    rig.kernel
        .set_names(&[LISTED.into(), "*.llm.example".into()])
        .unwrap();
    Some(rig)
}

#[test]
fn datagrams_of_a_socket_connected_before_its_address_was_marked_are_dropped() {
    let Some(rig) = rig("older QUIC") else { return };
    let mut watch = Watch::new(&rig);
    for (host, from) in [("127.8.8.40", "127.0.0.1:0"), ("::1", "[::1]:0")] {
        let receiver = UdpSocket::bind(address(host, PORT)).unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let socket = UdpSocket::bind(from).unwrap();
        socket.connect(address(host, PORT)).unwrap();
        socket.send(b"before").unwrap();
        receiver.recv(&mut [0; 16]).unwrap();
        rig.kernel.mark_address(host.parse().unwrap()).unwrap();
        let (passed, refused) = (
            rig.count(Reason::PassedOlderQuic),
            rig.count(Reason::RefusedOlderQuic),
        );
        watch.bypasses();
        assert_eq!(
            socket.send(b"after").unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        let reports = watch.bypasses();
        assert_eq!((reports[0].reason, reports[0].denied), (Bypass::OlderQuic, true));
        assert_eq!((reports[0].tgid, reports[0].cgroup_id), (0, own_cgroup(&rig)));
        assert_eq!(reports[0].destination, address(host, PORT));
        rig.kernel.set_scope(own_cgroup(&rig), Scope::PASS_QUIC).unwrap();
        for _ in 0..5 {
            socket.send(b"allowed").unwrap();
            assert_eq!(receiver.recv(&mut [0; 16]).unwrap(), 7);
        }
        // A connection counts once, not each datagram.
        assert_eq!(rig.count(Reason::PassedOlderQuic), passed + 1);
        assert_eq!(rig.count(Reason::RefusedOlderQuic), refused + 1);
        // One that the connect hook has seen is not older.
        let newer = UdpSocket::bind(from).unwrap();
        newer.connect(address(host, PORT)).unwrap();
        newer.send(b"allowed").unwrap();
        assert_eq!(rig.count(Reason::PassedOlderQuic), passed + 1);
        // And what was let pass is no longer when the scope changes.
        rig.kernel.set_scope(own_cgroup(&rig), Scope::NONE).unwrap();
        newer.send(b"refused").unwrap_err();
        std::thread::sleep(Duration::from_millis(1_050));
    }
}

#[test]
fn a_listed_name_to_an_unmarked_address_is_reported_and_intercepted_from_then_on() {
    let Some(rig) = named("literal address") else {
        return;
    };
    let mut watch = Watch::new(&rig);
    let listeners = rig.listen();
    let hellos = [
        (UNMARKED, hello(LISTED)),
        ("127.8.8.42", hello("Eu.LLM.example")),
        ("::1", plain_hello(LISTED.as_bytes(), b"")),
    ];
    for (number, (host, hello)) in (1..).zip(&hellos) {
        let (mut client, mut server) = connection(host);
        client.write_all(hello).unwrap();
        assert!(arrives(&mut server, hello.len()));
        assert_eq!(rig.count(Reason::PassedUnmarkedAddress), number, "{host}");
        assert!(is_marked(&rig, host));
        let _next = TcpStream::connect(address(host, PORT)).unwrap();
        let listener = if host.contains(':') {
            &listeners.v6
        } else {
            &listeners.v4
        };
        assert_eq!(rig.accept(listener).1.orig_port, PORT);
    }
    let report = &watch.bypasses()[0];
    assert_eq!(
        (report.reason, report.denied, report.tgid, report.protocol),
        (Bypass::UnmarkedAddress, false, 0, 6)
    );
    assert_eq!(report.destination, address(UNMARKED, PORT));
    assert_eq!(report.cgroup_id, own_cgroup(&rig));
}

#[test]
fn a_listed_name_to_an_unmarked_address_is_dropped_where_bypasses_are_denied() {
    let Some(rig) = named("denied literal address") else {
        return;
    };
    rig.kernel
        .set_scope(own_cgroup(&rig), Scope::DENY_BYPASS)
        .unwrap();
    let (mut client, mut server) = connection(UNMARKED);
    client.write_all(&hello(LISTED)).unwrap();
    // Neither it nor what the kernel sends again, although the address is marked by then.
    assert!(!arrives(&mut server, 1));
    assert!(rig.count(Reason::RefusedUnmarkedAddress) >= 2);
    assert_eq!(rig.count(Reason::PassedUnmarkedAddress), 0);
    assert!(is_marked(&rig, UNMARKED));
}

#[test]
fn other_names_and_other_ports_pass() {
    let Some(rig) = named("other names") else { return };
    rig.kernel
        .set_scope(own_cgroup(&rig), Scope::DENY_BYPASS)
        .unwrap();
    let (mut client, mut server) = connection(UNMARKED);
    let names = [
        "openai.com",
        "xapi.openai.com",
        "x.api.openai.com",
        "llm.example",
        "evilllm.example",
        "api.openai.com.example",
    ];
    for name in names {
        let hello = plain_hello(name.as_bytes(), b"");
        client.write_all(&hello).unwrap();
        assert!(arrives(&mut server, hello.len()), "{name}");
    }
    rig.kernel.set_ports(&[PORT + 1]).unwrap();
    let hello = hello(LISTED);
    client.write_all(&hello).unwrap();
    assert!(arrives(&mut server, hello.len()));
    assert_eq!(rig.marked(), []);
    assert_eq!(rig.count(Reason::RefusedUnmarkedAddress), 0);
    assert_eq!(rig.count(Reason::HelloUnread), 0);
}

#[test]
fn cut_and_changed_hellos_are_survived_and_mark_nothing_else() {
    let Some(rig) = named("hostile hellos") else {
        return;
    };
    let (mut client, mut server) = connection(UNMARKED);
    let mut send = |bytes: &[u8]| {
        client.write_all(bytes).unwrap();
        assert!(arrives(&mut server, bytes.len()));
    };
    let whole = plain_hello(LISTED.as_bytes(), b"");
    for end in 1..whole.len() {
        send(&whole[..end]);
    }
    assert_eq!(rig.marked(), [], "cut before the name's end");
    assert!(rig.count(Reason::HelloUnread) > 50);
    // A name of no length, of the wrong kind, too long, and an extension that runs over the end.
    for hello in [
        plain_hello(b"", b""),
        plain_hello(&[b'a'; 256], b""),
        plain_hello(&[b'.'; 255], b""),
        plain_hello(&b"a.".repeat(127), b""),
        [&whole[..47], &[0xff; 900]].concat(),
        [&[22, 3, 1, 0, 9, 1], &[0xff; 3_000][..]].concat(),
        [&[22, 3, 1, 0, 9, 1], &[0; 3_000][..]].concat(),
    ] {
        send(&hello);
    }
    assert_eq!(rig.marked(), []);
    for at in 0..whole.len() {
        for value in [0, 0xff, whole[at] ^ 0x40] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            send(&bytes);
        }
    }
    send(&whole);
    assert!(rig.marked().iter().all(|(host, _)| host.to_string() == UNMARKED));
    assert!(rig.count(Reason::PassedUnmarkedAddress) > 0);
}

#[test]
fn an_agents_own_hello_is_no_bypass() {
    let Some(rig) = rig_for_agent("agent's hello", std::process::id()) else {
        return;
    };
    rig.kernel.set_names(&[LISTED.into()]).unwrap();
    rig.kernel
        .set_scope(own_cgroup(&rig), Scope::DENY_BYPASS)
        .unwrap();
    let hello = hello(LISTED);
    for host in [UNMARKED, V4_HOST] {
        let (mut client, mut server) = connection(host);
        client.write_all(&hello).unwrap();
        assert!(arrives(&mut server, hello.len()), "{host}");
    }
    assert_eq!(rig.count(Reason::RefusedUnmarkedAddress), 0);
    assert_eq!(rig.marked(), []);
}

#[test]
fn what_a_connect_hook_let_pass_is_not_counted_again() {
    let Some(rig) = named("counted once") else { return };
    let (mut client, mut server) = connection(V4_HOST);
    assert_eq!(rig.count(Reason::PassedNoListener), 1);
    let hello = hello(LISTED);
    client.write_all(&hello).unwrap();
    assert!(arrives(&mut server, hello.len()));
    assert_eq!(rig.count(Reason::PassedUnmarkedAddress), 0);
}

#[test]
fn without_an_agent_only_closed_scopes_are_watched() {
    let Some(rig) = named("egress without an agent") else {
        return;
    };
    rig.kernel.set_patience(Duration::ZERO).unwrap();
    let hello = hello(LISTED);
    rig.kernel
        .set_scope(own_cgroup(&rig), Scope::DENY_BYPASS)
        .unwrap();
    let (mut client, mut server) = connection(UNMARKED);
    client.write_all(&hello).unwrap();
    assert!(arrives(&mut server, hello.len()));
    assert_eq!(rig.marked(), []);
    rig.kernel
        .set_scope(own_cgroup(&rig), Scope::DENY_BYPASS.with(Scope::CLOSED))
        .unwrap();
    let (mut client, mut server) = connection(UNMARKED);
    client.write_all(&hello).unwrap();
    assert!(!arrives(&mut server, 1));
    assert!(rig.count(Reason::RefusedUnmarkedAddress) > 0);
}
