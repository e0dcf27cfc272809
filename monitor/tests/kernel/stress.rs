//! Many connections at once: every accepted socket has its record, and it is the right one.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use monitor_common::Reason;
use socket2::SockRef;

use crate::rig::rig;

const THREADS: u64 = 8;
const CONNECTIONS: u64 = 20_000;
const FIRST_PORT: u16 = 4_000;
const PORTS: u16 = 50;

/// Connects to a destination no other connection of the moment has, says on the connection which it is, and resets it,
/// so that its port is free again.
fn client(thread: u64) {
    let tid = std::fs::read_link("/proc/thread-self").unwrap();
    let tid: u32 = tid.file_name().unwrap().to_str().unwrap().parse().unwrap();
    for number in 0..CONNECTIONS / THREADS {
        let port = FIRST_PORT + (number % u64::from(PORTS)) as u16;
        let host = if number % 2 == 0 {
            format!("127.9.0.{thread}")
        } else {
            format!("2001:db8::9:{thread}")
        };
        let destination = SocketAddr::new(host.parse().unwrap(), port);
        let mut stream = TcpStream::connect(destination).unwrap();
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        stream
            .write_all(format!("{destination} {tid}\n").as_bytes())
            .unwrap();
        let mut answer = [0; 1];
        stream.read_exact(&mut answer).unwrap();
    }
}

#[test]
fn every_connection_has_its_own_record() {
    let Some(rig) = rig("20,000 connections") else {
        return;
    };
    let ports: Vec<u16> = (FIRST_PORT..FIRST_PORT + PORTS).collect();
    rig.kernel.set_ports(&ports).unwrap();
    for thread in 0..THREADS {
        rig.kernel
            .mark_address(format!("127.9.0.{thread}").parse().unwrap())
            .unwrap();
        rig.kernel
            .mark_address(format!("2001:db8::9:{thread}").parse().unwrap())
            .unwrap();
    }
    let listeners = rig.listen();
    let (right, missing, wrong) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let serve = |listener: &TcpListener| {
        while right.load(Ordering::Relaxed) + missing.load(Ordering::Relaxed) + wrong.load(Ordering::Relaxed)
            < CONNECTIONS
        {
            let Ok((mut accepted, _)) = listener.accept() else {
                std::thread::sleep(Duration::from_micros(50));
                continue;
            };
            accepted.set_nonblocking(false).unwrap();
            let found = rig.kernel.flow_of(accepted.as_fd()).unwrap();
            let mut said = Vec::new();
            while said.last() != Some(&b'\n') {
                let mut byte = [0; 1];
                accepted.read_exact(&mut byte).unwrap();
                said.push(byte[0]);
            }
            let counter = match found {
                None => &missing,
                Some(record) => {
                    let destination = SocketAddr::new(record.orig_addr.into(), record.orig_port);
                    let is_right = said == format!("{destination} {}\n", record.tid).as_bytes()
                        && record.tgid == std::process::id();
                    if is_right { &right } else { &wrong }
                }
            };
            counter.fetch_add(1, Ordering::Relaxed);
            accepted.write_all(b"!").unwrap();
        }
    };
    listeners.v4.set_nonblocking(true).unwrap();
    listeners.v6.set_nonblocking(true).unwrap();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for listener in [&listeners.v4, &listeners.v6, &listeners.v4, &listeners.v6] {
            scope.spawn(|| serve(listener));
        }
        for thread in 0..THREADS {
            scope.spawn(move || client(thread));
        }
    });
    println!(
        "{CONNECTIONS} connections from {THREADS} threads in {:?}",
        begun.elapsed()
    );
    assert_eq!(
        (missing.into_inner(), wrong.into_inner(), right.into_inner()),
        (0, 0, CONNECTIONS)
    );
    assert_eq!(rig.count(Reason::Redirected), CONNECTIONS);
    assert_eq!(rig.count(Reason::RecordCarried), CONNECTIONS);
    for reason in [
        Reason::TupleFull,
        Reason::TupleMissing,
        Reason::PassedNoStorage,
        Reason::AcceptedStorageFailed,
    ] {
        assert_eq!(rig.count(reason), 0, "{}", reason.name());
    }
}
