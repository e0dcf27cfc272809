//! Maps filled on purpose: counted, and the mode respected.

use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;

use aya::maps::{HashMap, Map, MapData, MapInfo};
use monitor_common::process::{FILENAME_BYTES, ProcessRow};
use monitor_common::{Bypass, ListenerPorts, NormalAddr, Reason, Scope, TupleKey, capacity};

use crate::rig::{PORT, Pod, Rig, V4_HOST, address, rig};

/// A map of this process's own programs. Other tests may run beside this one, so names do not do.
fn map(name: &str) -> Map {
    let ids = std::fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
    let id = ids
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .filter_map(|info| {
            info.lines()
                .find_map(|line| line.strip_prefix("map_id:\t")?.parse().ok())
        })
        .find(|id| MapInfo::from_id(*id).is_ok_and(|info| info.name_as_str() == Some(name)))
        .unwrap();
    Map::HashMap(MapData::from_id(id).unwrap())
}

fn deny(rig: &Rig) {
    let own = std::fs::metadata(&rig.cgroup).unwrap().ino();
    rig.kernel.set_scope(own, Scope::DENY_BYPASS).unwrap();
}

#[test]
fn full_addresses_leave_the_rest_marked() {
    let Some(rig) = rig("full addresses") else { return };
    let listeners = rig.listen();
    let soon = monitor::kernel::boottime_ns() + 3_600_000_000_000;
    let marked = rig.kernel.marked_addresses().unwrap().len();
    for number in marked as u32..capacity::ADDRESSES as u32 {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + number);
        rig.kernel.mark_address_until(address.into(), soon).unwrap();
    }
    rig.kernel.set_names(&["api.openai.com".into()]).unwrap();
    crate::dns::answer("api.openai.com", "192.0.2.77");
    assert_eq!(rig.count(Reason::AddressMapFull), 1);
    assert!(rig.kernel.mark_address("192.0.2.78".parse().unwrap()).is_err());
    let _client = TcpStream::connect(address(V4_HOST, PORT)).unwrap();
    rig.accept(&listeners.v4);
}

#[test]
fn full_listeners_leave_a_namespace_without_one() {
    let Some(rig) = rig("full listeners") else { return };
    let host = rig.listen();
    for number in 1..capacity::LISTENERS as u64 {
        rig.kernel
            .set_listener(1 << 40 | number, ListenerPorts::default())
            .unwrap();
    }
    let pod = Pod::start();
    let netns = pod.netns();
    assert!(rig.kernel.set_listener(netns.cookie(), host.ports()).is_err());
    let connect = || {
        netns
            .run(|| {
                TcpStream::connect(address(V4_HOST, PORT))
                    .unwrap_err()
                    .raw_os_error()
            })
            .unwrap()
    };
    assert_eq!(connect(), Some(libc::ECONNREFUSED));
    deny(&rig);
    assert_eq!(connect(), Some(libc::EPERM));
    for refused in [false, true] {
        assert_eq!(rig.count(Bypass::NoListener.counter(refused)), 1);
    }
    let _client = TcpStream::connect(address(V4_HOST, PORT)).unwrap();
    rig.accept(&host.v4);
}

#[test]
fn full_tuples_cost_a_flow_its_record_and_are_counted() {
    let Some(rig) = rig("full tuples") else { return };
    let listeners = rig.listen();
    let mut tuples =
        HashMap::<_, TupleKey, [u8; size_of::<monitor_common::FlowRecord>()]>::try_from(map("TUPLES"))
            .unwrap();
    let key = |client_port| TupleKey {
        netns_cookie: 1 << 40,
        client_addr: NormalAddr::LOOPBACK_V4,
        client_port,
        reserved: 0,
    };
    for port in 0..capacity::TUPLES as u32 {
        tuples
            .insert(key(port), [0; size_of::<monitor_common::FlowRecord>()], 0)
            .unwrap();
    }
    let _client = TcpStream::connect(address(V4_HOST, PORT)).unwrap();
    let (accepted, _) = listeners.v4.accept().unwrap();
    assert_eq!(rig.kernel.flow_of(accepted.as_fd()).unwrap(), None);
    assert_eq!(
        (rig.count(Reason::TupleFull), rig.count(Reason::TupleMissing)),
        (1, 1)
    );
    tuples.remove(&key(0)).unwrap();
    let _client = TcpStream::connect(address(V4_HOST, PORT)).unwrap();
    rig.accept(&listeners.v4);
}

#[test]
fn full_processes_cost_a_flow_its_stamps_and_are_counted() {
    let Some(rig) = rig("full processes") else { return };
    let listeners = rig.listen();
    let mut processes = HashMap::<_, u32, ProcessRow>::try_from(map("PROCESSES")).unwrap();
    let row = ProcessRow {
        parent_tgid: 1,
        reserved: 0,
        start_boottime_ns: 1,
        exec_boottime_ns: 1,
        filename: [0; FILENAME_BYTES],
    };
    let mut number = 1 << 28;
    while processes.insert(number, row, 0).is_ok() {
        number += 1;
    }
    assert!(number - (1 << 28) > 60_000);
    let script = format!("exec 3<>/dev/tcp/{V4_HOST}/{PORT}; read -r -t 5 <&3");
    let mut child = std::process::Command::new("bash")
        .args(["-c", &script])
        .spawn()
        .unwrap();
    let (accepted, record) = rig.accept(&listeners.v4);
    assert_eq!(record.tgid, child.id());
    assert_eq!((record.start_boottime_ns, record.exec_boottime_ns), (0, 0));
    assert!(rig.count(Reason::ProcessTableFull) >= 2);
    drop(accepted);
    child.wait().unwrap();
}
