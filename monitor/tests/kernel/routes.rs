//! Ways to connect that are not a plain `connect`: what becomes of each.

#![expect(unsafe_code, reason = "system calls without a safe wrapper")]

use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;

use monitor::identity::Netns;
use monitor_common::{FlowRecord, Reason};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::rig::{Listeners, PORT, Pod, Rig, V4_HOST, address, rig};

fn to() -> SocketAddr {
    address(V4_HOST, PORT)
}

/// The connection reached the agent's listener with its record.
#[track_caller]
fn assert_redirected(rig: &Rig, listeners: &Listeners) -> (TcpStream, FlowRecord) {
    let (accepted, record) = rig.accept(&listeners.v4);
    assert_eq!(SocketAddr::new(record.orig_addr.into(), record.orig_port), to());
    assert_eq!(record.tgid, std::process::id());
    assert_eq!(rig.count(Reason::Redirected), 1);
    (accepted, record)
}

fn tcp() -> Socket {
    Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()
}

#[test]
fn fast_open_at_connect_is_redirected() {
    let Some(rig) = rig("TCP_FASTOPEN_CONNECT") else {
        return;
    };
    let listeners = rig.listen();
    let socket = tcp();
    let on: libc::c_int = 1;
    // SAFETY: an option whose value is one int.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_FASTOPEN_CONNECT,
            (&raw const on).cast(),
            4,
        )
    };
    assert_eq!(outcome, 0);
    socket.connect(&to().into()).unwrap();
    assert_eq!(socket.send(b"hello").unwrap(), 5);
    let (_accepted, _) = assert_redirected(&rig, &listeners);
    assert_eq!(socket.peer_addr().unwrap().as_socket().unwrap(), to());
}

#[test]
fn fast_open_at_send_is_redirected() {
    let Some(rig) = rig("MSG_FASTOPEN") else { return };
    let listeners = rig.listen();
    let socket = tcp();
    let sent = socket.send_to_with_flags(b"hello", &SockAddr::from(to()), libc::MSG_FASTOPEN);
    assert_eq!(sent.unwrap(), 5);
    let (_accepted, _) = assert_redirected(&rig, &listeners);
    assert_eq!(socket.peer_addr().unwrap().as_socket().unwrap(), to());
}

#[test]
fn mptcp_is_redirected_and_falls_back_to_tcp() {
    let Some(rig) = rig("MPTCP") else { return };
    let listeners = rig.listen();
    let socket = match Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP)) {
        Ok(socket) => socket,
        Err(error) => return println!("SKIPPED MPTCP: this kernel has none ({error})"),
    };
    socket.connect(&to().into()).unwrap();
    let (_accepted, record) = assert_redirected(&rig, &listeners);
    // The hook sees the subflow; `getpeername` is asked of the socket above it, which has no record.
    let seen = socket.peer_addr().unwrap().as_socket().unwrap();
    assert_eq!(seen.port(), record.listener_port);
    assert!(seen.ip().is_loopback());
}

#[test]
fn io_uring_is_redirected_as_the_process_that_asked() {
    let Some(rig) = rig("io_uring") else { return };
    let listeners = rig.listen();
    let mut ring = match io_uring::IoUring::new(4) {
        Ok(ring) => ring,
        Err(error) => return println!("SKIPPED io_uring: this kernel refuses it ({error})"),
    };
    let socket = tcp();
    let destination = SockAddr::from(to());
    let connect = io_uring::opcode::Connect::new(
        io_uring::types::Fd(socket.as_raw_fd()),
        destination.as_ptr().cast(),
        destination.len(),
    )
    .build()
    // By a worker of the kernel's, which is a thread of this process.
    .flags(io_uring::squeue::Flags::ASYNC);
    // SAFETY: socket and address outlive the wait below.
    unsafe { ring.submission().push(&connect).unwrap() };
    ring.submit_and_wait(1).unwrap();
    assert_eq!(ring.completion().next().unwrap().result(), 0);
    let (_accepted, record) = assert_redirected(&rig, &listeners);
    assert_ne!(record.tid, record.tgid);
}

#[test]
fn another_thread_is_the_same_process() {
    let Some(rig) = rig("second thread") else { return };
    let listeners = rig.listen();
    let (_client, tid) = std::thread::spawn(|| {
        // SAFETY: a system call without arguments.
        (TcpStream::connect(to()).unwrap(), unsafe { libc::gettid() })
    })
    .join()
    .unwrap();
    let (_accepted, record) = assert_redirected(&rig, &listeners);
    assert_eq!(i64::from(record.tid), i64::from(tid));
}

#[test]
fn a_socket_belongs_to_the_namespace_it_was_made_in() {
    let Some(rig) = rig("setns") else { return };
    let host = rig.listen();
    let pod = Pod::start();
    let inside = rig.listen_in(&pod.netns());
    // Made on the host, connected from within: the host's.
    let socket = tcp();
    pod.netns().run(|| socket.connect(&to().into()).unwrap()).unwrap();
    let (_accepted, record) = assert_redirected(&rig, &host);
    assert_eq!(record.netns_cookie, Netns::current().unwrap().cookie());
    // Made within by a process that went there.
    let _client = pod.netns().run(|| TcpStream::connect(to()).unwrap()).unwrap();
    let (_accepted, record) = rig.accept(&inside.v4);
    assert_eq!(record.netns_cookie, pod.netns().cookie());
}

#[test]
fn an_inherited_socket_is_its_connectors() {
    let Some(rig) = rig("inherited socket") else {
        return;
    };
    let listeners = rig.listen();
    let _client = TcpStream::connect(to()).unwrap();
    // A child that has the socket too changes nothing of the record.
    let child = std::process::Command::new("sleep").arg("0.1").spawn();
    let (_accepted, _) = assert_redirected(&rig, &listeners);
    child.unwrap().wait().unwrap();
}
