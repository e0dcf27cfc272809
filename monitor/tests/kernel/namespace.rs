//! Connections in another network namespace.

use std::io::ErrorKind;
use std::net::TcpStream;

use monitor::identity::{Namespaces, Netns};
use monitor::kernel::KernelEvent;
use monitor_common::Reason;

use crate::rig::{PORT, Pod, V4_HOST, V6_HOST, address, enter, rig};

#[test]
fn each_namespace_has_its_own_listener() {
    let Some(rig) = rig("namespaces") else { return };
    let host = rig.listen();
    let pod = Pod::start();
    let netns = pod.netns();
    assert_ne!(netns.cookie(), Netns::current().unwrap().cookie());
    let inside = rig.listen_in(&netns);
    let connect = |to: &str| TcpStream::connect(address(to, PORT)).unwrap();
    let in_pod = netns.run(|| (connect(V4_HOST), connect(V6_HOST))).unwrap();
    let _on_host = connect(V4_HOST);
    assert_eq!(rig.accept(&inside.v4).1.netns_cookie, netns.cookie());
    assert_eq!(rig.accept(&inside.v6).1.netns_cookie, netns.cookie());
    assert_eq!(
        rig.accept(&host.v4).1.netns_cookie,
        Netns::current().unwrap().cookie()
    );
    assert_eq!(in_pod.0.peer_addr().unwrap(), address(V4_HOST, PORT));
    assert_eq!(in_pod.1.peer_addr().unwrap(), address(V6_HOST, PORT));
}

#[test]
fn a_namespace_without_listener_is_reported_once_a_second() {
    let Some(rig) = rig("missing listener") else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let mut events = rig.kernel.events().unwrap();
    let pod = Pod::start();
    let netns = pod.netns();
    netns
        .run(|| {
            for _ in 0..10 {
                let outcome = TcpStream::connect(address(V4_HOST, PORT));
                assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ConnectionRefused);
            }
        })
        .unwrap();
    assert_eq!(rig.count(Reason::PassedNoListener), 10);
    let mut reports = Vec::new();
    while let Some(event) = events.take() {
        if let KernelEvent::Bypass {
            tgid, netns_cookie, ..
        } = event.unwrap()
        {
            reports.push((tgid, netns_cookie));
        }
    }
    assert_eq!(reports, [(std::process::id(), netns.cookie())]);
}

#[test]
fn namespaces_are_found_and_given_up() {
    let Some(rig) = rig("finding namespaces") else {
        return;
    };
    let attached = format!("/{}", rig.cgroup.strip_prefix(&rig.mount).unwrap().display());
    let namespaces = Namespaces::new(attached);
    let inodes =
        |found: &[std::sync::Arc<Netns>]| found.iter().map(|netns| netns.inode()).collect::<Vec<_>>();
    // This process is below the attach point, so its own namespace is.
    assert_eq!(
        inodes(&namespaces.scan().added),
        [Netns::current().unwrap().inode()]
    );
    let elsewhere = Pod::start();
    enter(&rig.mount, elsewhere.tgid());
    assert!(namespaces.of_process(elsewhere.tgid()).is_none());
    let pod = Pod::start();
    enter(&rig.child_cgroup("pod"), pod.tgid());
    let inode = pod.netns().inode();
    assert_eq!(namespaces.of_process(pod.tgid()).unwrap().inode(), inode);
    assert!(namespaces.of_process(pod.tgid()).is_none());
    assert!(namespaces.scan().added.is_empty());
    drop(pod);
    assert_eq!(inodes(&namespaces.scan().gone), [inode]);
}
