//! Programs that stay when the agent ends, and the next agent's that take their place.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;

use monitor::identity::Netns;
use monitor::kernel::{Kernel, KernelError, KernelOptions, Pinning};
use monitor_common::{ABI_VERSION, ListenerPorts, Reason};

use crate::rig::{PORT, Rig, V4_HOST, address, enter, rig};

/// A directory for pins, removed at the end.
struct PinDir(PathBuf);

impl PinDir {
    fn new(test: &str) -> Self {
        Self(PathBuf::from(format!(
            "/sys/fs/bpf/weir-test-{}-{test}",
            std::process::id()
        )))
    }

    fn version(&self) -> PathBuf {
        self.0.join(format!("v{ABI_VERSION}"))
    }
}

impl Drop for PinDir {
    fn drop(&mut self) {
        for version in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            for folder in ["links", "maps"] {
                let _absent = fs::remove_dir_all(version.path().join(folder));
            }
        }
        let _absent = fs::remove_dir_all(&self.0);
    }
}

fn load(pins: &PinDir, cgroup: PathBuf) -> Result<Kernel, KernelError> {
    let kernel = Kernel::load(&KernelOptions {
        cgroup,
        agent_tgid: 0,
        names: Vec::new(),
        ports: vec![PORT],
        patience: std::time::Duration::MAX,
        pinning: Pinning::Required(pins.0.clone()),
    })?;
    kernel.take_over()?;
    Ok(kernel)
}

/// A connection to the marked address goes to the listener, whether or not anybody holds the programs.
fn redirects(rig: &Rig, cgroup: &std::path::Path, listener: &std::net::TcpListener) -> bool {
    enter(cgroup, std::process::id());
    let arrived = TcpStream::connect_timeout(&address(V4_HOST, PORT), std::time::Duration::from_secs(1))
        .is_ok_and(|_| listener.accept().is_ok());
    enter(&rig.cgroup, std::process::id());
    arrived
}

#[test]
fn programs_stay_and_are_taken_over() {
    let Some(rig) = rig("pinned") else { return };
    let pins = PinDir::new("stay");
    let cgroup = rig.child_cgroup("pinned");
    let kernel = load(&pins, cgroup.clone()).unwrap();
    assert_eq!(kernel.stays(), Ok(()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(false).unwrap();
    let ports = ListenerPorts {
        v4: listener.local_addr().unwrap().port(),
        ..ListenerPorts::default()
    };
    let netns = Netns::current().unwrap().cookie();
    kernel.set_listener(netns, ports).unwrap();
    kernel.mark_address(V4_HOST.parse().unwrap()).unwrap();
    assert!(redirects(&rig, &cgroup, &listener));
    drop(kernel);
    assert!(
        redirects(&rig, &cgroup, &listener),
        "nothing is attached without the first agent"
    );

    let next = load(&pins, cgroup.clone()).unwrap();
    assert_eq!(next.listeners().unwrap(), [(netns, ports)]);
    assert_eq!(
        next.counter(Reason::Redirected).unwrap(),
        2,
        "counters do not go on"
    );
    assert!(redirects(&rig, &cgroup, &listener));
    assert_eq!(
        next.counter(Reason::Redirected).unwrap(),
        3,
        "one program too many or too few is attached"
    );
    next.unpin().unwrap();
    assert!(!pins.version().exists());
    assert!(
        !redirects(&rig, &cgroup, &listener),
        "unpinned programs still run"
    );
}

#[test]
fn a_link_whose_cgroup_is_gone_is_made_anew() {
    let Some(rig) = rig("enolink") else { return };
    let pins = PinDir::new("enolink");
    let cgroup = rig.child_cgroup("gone");
    let first = load(&pins, cgroup.clone()).unwrap();
    let netns = Netns::current().unwrap().cookie();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ports = ListenerPorts {
        v4: listener.local_addr().unwrap().port(),
        ..ListenerPorts::default()
    };
    first.set_listener(netns, ports).unwrap();
    first.mark_address(V4_HOST.parse().unwrap()).unwrap();
    drop(first);
    fs::remove_dir(&cgroup).unwrap();
    let cgroup = rig.child_cgroup("gone");
    let second = load(&pins, cgroup.clone()).unwrap();
    assert!(redirects(&rig, &cgroup, &listener));
    assert_eq!(second.counter(Reason::Redirected).unwrap(), 1);
    // And one that is attached elsewhere.
    let other = rig.child_cgroup("other");
    let third = load(&pins, other.clone()).unwrap();
    assert!(redirects(&rig, &other, &listener));
    drop(second);
    // The kernel detaches what lost its pin some time later.
    let detached = (0..50).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        !redirects(&rig, &cgroup, &listener)
    });
    assert!(detached, "the link to the first cgroup is still there");
    third.unpin().unwrap();
}

#[test]
fn pins_of_another_version_go_and_a_wrong_map_is_an_error() {
    let Some(rig) = rig("versions") else { return };
    let pins = PinDir::new("versions");
    let cgroup = rig.child_cgroup("versions");
    drop(load(&pins, cgroup.clone()).unwrap());
    // What this version pinned, as another version's.
    fs::rename(pins.version(), pins.0.join("v999999")).unwrap();
    drop(load(&pins, cgroup.clone()).unwrap());
    assert!(!pins.0.join("v999999").exists());

    let maps = pins.version().join("maps");
    fs::rename(maps.join("NAMES"), maps.join("PORTS")).unwrap();
    let error = load(&pins, cgroup).unwrap_err().to_string();
    assert!(
        error.contains("another layout") && error.contains(&pins.version().display().to_string()),
        "{error}"
    );
}

#[test]
fn what_cannot_be_pinned_is_said_or_refused() {
    let Some(rig) = rig("unpinnable") else { return };
    let elsewhere = tempfile::tempdir().unwrap();
    let options = |pinning| KernelOptions {
        cgroup: rig.child_cgroup("unpinnable"),
        agent_tgid: 0,
        names: Vec::new(),
        ports: vec![PORT],
        patience: std::time::Duration::MAX,
        pinning,
    };
    let kernel = Kernel::load(&options(Pinning::Wanted(elsewhere.path().to_path_buf()))).unwrap();
    assert!(kernel.stays().unwrap_err().contains("bpf file system"));
    drop(kernel);
    let refused = Kernel::load(&options(Pinning::Required(elsewhere.path().to_path_buf())));
    assert!(matches!(refused, Err(KernelError::MustPin(_))));
}
