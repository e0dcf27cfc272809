//! Scopes: which cgroup has which, and what `ALL_TLS` sends to the agent.

use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use monitor::kernel::KernelEvent;
use monitor_common::flow::FLAG_MARKED;
use monitor_common::{Bypass, Reason, Scope};

use crate::rig::{PORT, Pod, Rig, V4_HOST, address, enter, rig};
use crate::watch::Watch;

/// Addresses of the pod's own, no loopback addresses and not marked.
const UNMARKED_V4: &str = "192.0.2.10";
const UNMARKED_V6: &str = "2001:db8::10";

fn id_of(cgroup: &Path) -> u64 {
    std::fs::metadata(cgroup).unwrap().ino()
}

/// A pod that has the unmarked addresses.
pub(crate) fn pod() -> Pod {
    let pod = Pod::start();
    pod.netns()
        .run(|| {
            for local in [format!("{UNMARKED_V4}/32"), format!("{UNMARKED_V6}/128")] {
                let added = Command::new("ip")
                    .args(["addr", "add", &local, "dev", "lo"])
                    .status();
                assert!(added.unwrap().success(), "{local}");
            }
        })
        .unwrap();
    pod
}

/// Whether a connection from the pod's namespace is redirected now.
fn redirected(rig: &Rig, pod: &Pod, to: SocketAddr) -> bool {
    let before = rig.count(Reason::Redirected);
    pod.netns()
        .run(|| drop(TcpStream::connect_timeout(&to, std::time::Duration::from_secs(5))))
        .unwrap();
    rig.count(Reason::Redirected) > before
}

#[test]
fn every_connection_of_the_scope_is_redirected_and_no_other() {
    let Some(rig) = rig("all TLS") else { return };
    let pod = pod();
    let netns = pod.netns();
    let listeners = rig.listen_in(&netns);
    let to = |host: &str, port| address(host, port);
    assert!(!redirected(&rig, &pod, to(UNMARKED_V4, PORT)));
    rig.kernel.set_scope(id_of(&rig.cgroup), Scope::ALL_TLS).unwrap();
    for (host, listener) in [(UNMARKED_V4, &listeners.v4), (UNMARKED_V6, &listeners.v6)] {
        let client = netns.run(|| TcpStream::connect(to(host, PORT)).unwrap()).unwrap();
        let (_accepted, record) = rig.accept(listener);
        assert_eq!(IpAddr::from(record.orig_addr), host.parse::<IpAddr>().unwrap());
        assert_eq!(record.flags & FLAG_MARKED, 0);
        assert_eq!(client.peer_addr().unwrap(), to(host, PORT));
    }
    // Another port, and this host.
    assert!(!redirected(&rig, &pod, to(UNMARKED_V4, PORT + 1)));
    for host in [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "::1",
        "::",
        "::ffff:127.0.0.1",
    ] {
        assert!(!redirected(&rig, &pod, to(host, PORT)), "{host}");
    }
    // Marked addresses still are what they are.
    netns
        .run(|| drop(TcpStream::connect(address(V4_HOST, PORT)).unwrap()))
        .unwrap();
    assert_ne!(rig.accept(&listeners.v4).1.flags & FLAG_MARKED, 0);
    // UDP too.
    netns
        .run(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.send_to(b"hello", to(UNMARKED_V4, PORT)).unwrap_err();
            socket.send_to(b"hello", to("127.0.0.1", PORT)).unwrap();
            socket.connect(to(UNMARKED_V4, PORT)).unwrap();
            socket.send(b"hello").unwrap_err();
        })
        .unwrap();
    assert_eq!(rig.count(Bypass::Quic.counter(true)), 2);
}

#[test]
fn a_cgroup_has_its_nearest_ancestors_scope_or_the_default() {
    let Some(rig) = rig("inherited scopes") else {
        return;
    };
    let pod = pod();
    let _listeners = rig.listen_in(&pod.netns());
    let (outer, inner) = (rig.child_cgroup("outer"), rig.child_cgroup("outer/inner"));
    let to = address(UNMARKED_V4, PORT);
    let is = |cgroup: &Path| {
        enter(cgroup, std::process::id());
        let redirected = redirected(&rig, &pod, to);
        enter(&rig.cgroup, std::process::id());
        redirected
    };
    assert!(!is(&inner));
    rig.kernel.set_scope(id_of(&outer), Scope::ALL_TLS).unwrap();
    assert!(is(&outer) && is(&inner) && !is(&rig.cgroup));
    rig.kernel.set_scope(id_of(&inner), Scope::NONE).unwrap();
    assert!(is(&outer) && !is(&inner));
    rig.kernel.set_default_scope(Scope::ALL_TLS).unwrap();
    assert!(is(&rig.cgroup) && !is(&inner));
    rig.kernel.remove_scope(id_of(&inner)).unwrap();
    rig.kernel.set_scope(id_of(&outer), Scope::NONE).unwrap();
    assert!(!is(&inner) && is(&rig.cgroup));
    std::fs::remove_dir(&inner).unwrap();
}

#[test]
fn a_removed_cgroup_takes_its_scope_along() {
    let Some(rig) = rig("removed cgroups") else { return };
    let mut watch = Watch::new(&rig);
    let cgroup = rig.child_cgroup("passing");
    let id = id_of(&cgroup);
    let path = format!("/{}", cgroup.strip_prefix(&rig.mount).unwrap().display());
    rig.kernel.set_scope(id, Scope::ALL_TLS).unwrap();
    std::fs::remove_dir(&cgroup).unwrap();
    assert_eq!(rig.kernel.scopes().unwrap(), []);
    assert_eq!(rig.kernel.agent_row().unwrap().any_scope, Scope::NONE);
    for gone in [false, true] {
        let event = watch.until(|event| matches!(event, KernelEvent::Cgroup { id: of, .. } if *of == id));
        assert_eq!(
            event,
            KernelEvent::Cgroup {
                id,
                path: path.clone(),
                removed: gone
            }
        );
    }
}

#[test]
fn a_full_table_of_scopes_is_an_error_and_leaves_the_rest_as_it_is() {
    let Some(rig) = rig("full scopes") else { return };
    let pod = pod();
    let _listeners = rig.listen_in(&pod.netns());
    let own = id_of(&rig.cgroup);
    rig.kernel.set_scope(own, Scope::ALL_TLS).unwrap();
    for number in 1..monitor_common::capacity::SCOPES as u64 {
        rig.kernel.set_scope(1 << 40 | number, Scope::NONE).unwrap();
    }
    let error = rig.kernel.set_scope(1 << 41, Scope::DENY_BYPASS).unwrap_err();
    assert!(error.to_string().contains("65536 cgroups"), "{error}");
    assert!(redirected(&rig, &pod, address(UNMARKED_V4, PORT)));
    rig.kernel.set_scope(own, Scope::NONE).unwrap();
    assert!(!redirected(&rig, &pod, address(UNMARKED_V4, PORT)));
}
