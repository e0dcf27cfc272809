//! Programs that the lab uses: found, else installed with apt where that can be done.

use std::path::PathBuf;
use std::process::Command;

use crate::root;
use crate::step::{Failure, capture, say};

/// What every run in the lab needs, and the tests of every crate: the program and the Debian package that has it.
const LAB: [(&str, &str); 3] = [
    ("ip", "iproute2"),
    ("curl", "curl"),
    ("redis-server", "redis-server"),
];
/// What virtual machines need, beside what the lab does.
const VM: [(&str, &str); 2] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
];
/// What the suite `identity` needs: container runtimes, and what makes and boots a machine.
const RUNTIMES: [(&str, &str); 8] = [
    ("podman", "podman"),
    ("runc", "runc"),
    ("netavark", "netavark"),
    ("iptables", "iptables"),
    ("busybox", "busybox-static"),
    ("containerd", "containerd"),
    ("systemd-nspawn", "systemd-container"),
    ("debootstrap", "debootstrap"),
];
/// What the suite `budgets` needs: a store for a cluster's budgets, and a wall clock of an agent's own.
const BUDGETS: [(&str, &str); 2] = [("redis-server", "redis-server"), ("faketime", "faketime")];
/// What building a C++ program needs.
const BUILDING: [(&str, &str); 2] = [("g++", "g++"), ("make", "make")];
/// What JavaScript needs.
const NODE: [(&str, &str); 2] = [("node", "nodejs"), ("npm", "npm")];
/// Where programs are that are not on every user's path: daemons, and helpers of podman.
const OFF_PATH: [&str; 3] = ["/usr/sbin", "/usr/lib/podman", "/usr/libexec/podman"];
/// How often an installation is tried: one that upgrades other packages can fail half-way and pass when repeated.
const TRIES: u32 = 3;

/// Installs what the lab needs and this machine has not.
pub(crate) fn for_lab() -> Result<(), Failure> {
    all_of(&LAB)
}

/// Installs a C++ compiler.
pub(crate) fn for_building() -> Result<(), Failure> {
    all_of(&BUILDING)
}

/// Installs Node.js and npm.
pub(crate) fn for_node() -> Result<(), Failure> {
    all_of(&NODE)
}

/// Installs what virtual machines need and this machine has not.
pub(crate) fn for_vm() -> Result<(), Failure> {
    all_of(&LAB)?;
    all_of(&VM)
}

/// Installs what the suite `budgets` needs and this machine has not.
pub(crate) fn for_budgets() -> Result<(), Failure> {
    all_of(&BUDGETS)
}

/// Installs the container runtimes that this machine has not.
pub(crate) fn for_containers() -> Result<(), Failure> {
    all_of(&RUNTIMES)
}

fn all_of(programs: &[(&str, &'static str)]) -> Result<(), Failure> {
    let missing: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| !present(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        install(&missing)
    }
}

/// Installs nginx for its lane of the bench. The lane is left out where that fails: it is a comparison, no requirement.
pub(crate) fn for_bench() {
    if !present("nginx")
        && let Err(failure) = install(&["nginx-light"])
    {
        say(&format!("no nginx, its lane will be left out: {failure}"));
    }
}

/// Installs Debian packages, as root.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failure> {
    let listed = packages.join(" ");
    if !present("apt-get") {
        return Err(Failure::new(format!("install what Debian has as: {listed}")));
    }
    if !root::is_root() {
        return Err(Failure::new(format!(
            "missing packages; install them with: sudo apt-get install {listed}"
        )));
    }
    say(&format!("installing {listed}"));
    let mut outcome = Ok(String::new());
    for _ in 0..TRIES {
        outcome = capture(Command::new("apt-get").args(["update", "-qq"])).and_then(|_| {
            capture(
                Command::new("apt-get")
                    .env("DEBIAN_FRONTEND", "noninteractive")
                    .args(["install", "--yes", "--no-install-recommends"])
                    .args(packages),
            )
        });
        if outcome.is_ok() {
            return Ok(());
        }
    }
    outcome.map(drop)
}

fn present(program: &str) -> bool {
    find(program).is_some()
}

/// Where a program of this machine is.
pub(crate) fn path_of(program: &str) -> Result<PathBuf, Failure> {
    find(program).ok_or_else(|| Failure::new(format!("no {program} on this machine")))
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(OFF_PATH.map(PathBuf::from))
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}
