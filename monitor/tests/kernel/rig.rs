//! A cgroup of the test's own, this process in it, and the programs attached to it.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use monitor::identity::Netns;
use monitor::kernel::{Kernel, KernelOptions, find_cgroup2_mount};
use monitor_common::{FlowRecord, ListenerPorts, Reason};
use parking_lot::{Mutex, MutexGuard};

/// Any address that leads nowhere: nothing in these tests may reach it.
pub(crate) const V4_HOST: &str = "127.8.8.8";
pub(crate) const V6_HOST: &str = "2001:db8::8";
pub(crate) const PORT: u16 = 443;

/// One test at a time: they share this process's cgroup.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub(crate) struct Rig {
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) mount: PathBuf,
    pub(crate) cgroup: PathBuf,
    home: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

/// The rig, or `None` with a line that says why there is none.
pub(crate) fn rig(test: &str) -> Option<Rig> {
    rig_for_agent(test, 0)
}

/// With a process whose connections pass.
pub(crate) fn rig_for_agent(test: &str, agent_tgid: u32) -> Option<Rig> {
    let turn = ONE_AT_A_TIME.lock();
    match Rig::new(agent_tgid, turn) {
        Ok(rig) => Some(rig),
        Err(reason) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            panic!("{test} must run where CI=true: {reason}")
        }
        Err(reason) => {
            println!("SKIPPED {test}: {reason}");
            None
        }
    }
}

impl Rig {
    fn new(agent_tgid: u32, turn: MutexGuard<'static, ()>) -> Result<Self, String> {
        let mount = find_cgroup2_mount().map_err(|error| error.to_string())?;
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let own = own
            .lines()
            .find_map(|line| line.strip_prefix("0::/"))
            .ok_or("not in a cgroup2 hierarchy")?;
        let home = mount.join(own);
        let cgroup = mount.join(format!("weir-test-{}", std::process::id()));
        fs::create_dir_all(&cgroup)
            .map_err(|error| format!("cannot create {}: {error}", cgroup.display()))?;
        let options = KernelOptions {
            cgroup: cgroup.clone(),
            agent_tgid,
            names: Vec::new(),
            ports: vec![PORT],
            // No test that is not about heartbeats beats.
            patience: Duration::MAX,
            pinning: monitor::kernel::Pinning::Never,
        };
        let kernel = match Kernel::load(&options) {
            Ok(kernel) => {
                kernel.take_over().unwrap();
                Arc::new(kernel)
            }
            Err(error) => {
                fs::remove_dir(&cgroup).unwrap();
                return Err(error.to_string());
            }
        };
        let rig = Self {
            kernel,
            mount,
            cgroup,
            home,
            _turn: turn,
        };
        enter(&rig.cgroup, std::process::id());
        for host in [V4_HOST, V6_HOST] {
            rig.kernel.mark_address(host.parse().unwrap()).unwrap();
        }
        Ok(rig)
    }

    /// A cgroup below the test's own.
    pub(crate) fn child_cgroup(&self, name: &str) -> PathBuf {
        let path = self.cgroup.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Listeners in this thread's network namespace, known to the programs.
    pub(crate) fn listen(&self) -> Listeners {
        self.listen_in(Netns::current().unwrap())
    }

    /// Listeners in a network namespace, known to the programs.
    pub(crate) fn listen_in(&self, netns: &Netns) -> Listeners {
        let listeners = netns.run(Listeners::bind).unwrap();
        self.kernel
            .set_listener(netns.cookie(), listeners.ports())
            .unwrap();
        listeners
    }

    /// The record of the next connection.
    pub(crate) fn accept(&self, listener: &TcpListener) -> (TcpStream, FlowRecord) {
        let (accepted, _) = listener.accept().unwrap();
        let record = self
            .kernel
            .flow_of(accepted.as_fd())
            .unwrap()
            .expect("a record on the accepted socket");
        (accepted, record)
    }

    pub(crate) fn count(&self, reason: Reason) -> u64 {
        self.kernel.counter(reason).unwrap()
    }

    /// The addresses that are marked, without those every rig marks.
    pub(crate) fn marked(&self) -> Vec<(IpAddr, u64)> {
        let mut marked = self.kernel.marked_addresses().unwrap();
        marked.retain(|(_, expires_ns)| *expires_ns != u64::MAX);
        marked.sort();
        marked
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        enter(&self.home, std::process::id());
        for entry in fs::read_dir(&self.cgroup).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                remove(&entry.path());
            }
        }
        remove(&self.cgroup);
    }
}

/// Moves a process into a cgroup.
pub(crate) fn enter(cgroup: &Path, tgid: u32) {
    fs::write(cgroup.join("cgroup.procs"), tgid.to_string()).unwrap();
}

/// A cgroup is busy until the last process in it has been reaped.
fn remove(cgroup: &Path) {
    for _ in 0..200 {
        if fs::remove_dir(cgroup).is_ok() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    eprintln!("cannot remove {}", cgroup.display());
}

pub(crate) struct Listeners {
    pub(crate) v4: TcpListener,
    pub(crate) v6: TcpListener,
}

impl Listeners {
    fn bind() -> Self {
        Self {
            v4: TcpListener::bind("127.0.0.1:0").unwrap(),
            v6: TcpListener::bind("[::1]:0").unwrap(),
        }
    }

    pub(crate) fn ports(&self) -> ListenerPorts {
        ListenerPorts {
            v4: self.v4.local_addr().unwrap().port(),
            v6: self.v6.local_addr().unwrap().port(),
            ..ListenerPorts::default()
        }
    }
}

pub(crate) fn address(host: &str, port: u16) -> SocketAddr {
    SocketAddr::new(host.parse().unwrap(), port)
}

/// A process in a network namespace of its own with its loopback up, ended when dropped.
pub(crate) struct Pod(std::process::Child);

impl Pod {
    pub(crate) fn start() -> Self {
        let pod = Self(
            Command::new("unshare")
                .args(["--net", "sleep", "60"])
                .spawn()
                .unwrap(),
        );
        let host = Netns::current().unwrap();
        for _ in 0..500 {
            // `unshare` enters its namespace before it executes `sleep`.
            let comm = fs::read_to_string(format!("/proc/{}/comm", pod.tgid())).unwrap();
            if comm.trim() == "sleep" && pod.netns().inode() != host.inode() {
                let up = pod
                    .netns()
                    .run(|| Command::new("ip").args(["link", "set", "lo", "up"]).status());
                assert!(up.unwrap().unwrap().success());
                return pod;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("no new network namespace");
    }

    pub(crate) fn tgid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn netns(&self) -> Netns {
        Netns::of_pid(self.tgid()).unwrap()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
