//! On this process's own sockets.

use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt as _;

use super::*;

fn inode(fd: &impl AsRawFd) -> u32 {
    let link = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap();
    let text = link.to_str().unwrap().to_owned();
    let inode = text.strip_prefix("socket:[").unwrap().strip_suffix(']').unwrap();
    inode.parse().unwrap()
}

/// A connection over loopback: listener, client, server.
fn pair(address: &str) -> (TcpListener, TcpStream, TcpStream) {
    let listener = TcpListener::bind(address).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let server = listener.accept().unwrap().0;
    (listener, client, server)
}

#[test]
fn a_connection_is_listed_once_from_each_end_and_found_by_its_ends() {
    let mut diag = SockDiag::open().unwrap();
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (_listener, client, server) = pair(address);
        let (local, remote) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        let listed = diag
            .connected(Transport::Tcp, |socket| {
                socket.local == local || socket.remote == local
            })
            .unwrap();
        assert_eq!(listed.len(), 2, "{listed:?}");
        let of_client = listed.iter().find(|socket| socket.remote == remote).unwrap();
        assert_eq!(of_client.inode, inode(&client));
        assert_eq!(of_client.state, 1);
        assert_eq!(of_client.uid, fs::metadata("/proc/self").unwrap().uid());
        assert!(of_client.cgroup_id.is_some_and(|id| id != 0));
        let found = diag.find(Transport::Tcp, local, remote).unwrap().unwrap();
        assert_eq!(
            (found.inode, found.cookie, found.cgroup_id),
            (of_client.inode, of_client.cookie, of_client.cgroup_id)
        );
        let other = diag.find(Transport::Tcp, remote, local).unwrap().unwrap();
        assert_eq!(other.inode, inode(&server));
    }
}

#[test]
fn what_is_not_connected_is_not_found() {
    let mut diag = SockDiag::open().unwrap();
    let (listener, client, _server) = pair("127.0.0.1:0");
    let listening = listener.local_addr().unwrap();
    let nobody: SocketAddr = "127.0.0.1:1".parse().unwrap();
    assert_eq!(diag.find(Transport::Tcp, nobody, listening).unwrap(), None);
    // The listener has the local end and answers for it.
    assert_eq!(diag.find(Transport::Tcp, listening, nobody).unwrap(), None);
    // The requests that failed leave nothing behind.
    let (local, remote) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    assert!(diag.find(Transport::Tcp, local, remote).unwrap().is_some());
}

#[test]
fn a_mapped_address_is_its_ipv4_address() {
    let mut diag = SockDiag::open().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let listening = listener.local_addr().unwrap();
    let mapped: SocketAddr = format!("[::ffff:127.0.0.1]:{}", listening.port())
        .parse()
        .unwrap();
    let client = TcpStream::connect(mapped).unwrap();
    let local = canonical(client.local_addr().unwrap());
    let found = diag.find(Transport::Tcp, local, listening).unwrap().unwrap();
    assert_eq!((found.local, found.remote), (local, listening));
    assert_eq!(found.inode, inode(&client));
    let listed = diag
        .connected(Transport::Tcp, |socket| socket.local == local)
        .unwrap();
    assert_eq!(listed.len(), 1);
}

#[test]
fn a_connected_udp_socket_is_listed() {
    let mut diag = SockDiag::open().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let own = socket.local_addr().unwrap();
    assert!(
        diag.connected(Transport::Udp, |found| found.local == own)
            .unwrap()
            .is_empty()
    );
    socket.connect("127.0.0.1:9").unwrap();
    let listed = diag
        .connected(Transport::Udp, |found| found.local == own)
        .unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].inode, inode(&socket));
    assert_eq!(listed[0].transport, Transport::Udp);
}

#[test]
fn a_destroyed_connection_is_gone_at_both_ends() {
    let mut diag = SockDiag::open().unwrap();
    let (_listener, client, mut server) = pair("127.0.0.1:0");
    let (local, remote) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    let found = diag.find(Transport::Tcp, local, remote).unwrap().unwrap();
    match diag.destroy(&found) {
        Err(SockDiagError::NoDestroy) if std::env::var("CI").is_err() => {
            println!("SKIPPED: this kernel cannot destroy sockets");
            return;
        }
        Err(SockDiagError::Refused { source, .. })
            if source.kind() == io::ErrorKind::PermissionDenied && std::env::var("CI").is_err() =>
        {
            println!("SKIPPED: destroying sockets needs CAP_NET_ADMIN");
            return;
        }
        outcome => assert!(outcome.unwrap()),
    }
    assert_eq!(diag.find(Transport::Tcp, local, remote).unwrap(), None);
    let ended = server.read(&mut [0; 1]).unwrap_err();
    assert_eq!(ended.kind(), io::ErrorKind::ConnectionReset);
    assert!(!diag.destroy(&found).unwrap());
}

#[test]
fn a_broken_reply_is_an_error() {
    let mut long = vec![0; 16];
    long[0..4].copy_from_slice(&100_u32.to_ne_bytes());
    assert!(matches!(
        wire::next(&long, Transport::Tcp, 0),
        Err(SockDiagError::Malformed)
    ));
    // A length that would not move on.
    assert!(matches!(
        wire::next(&[0; 16], Transport::Tcp, 0),
        Err(SockDiagError::Malformed)
    ));
    assert!(wire::next(&[], Transport::Tcp, 0).unwrap().is_none());
}
