//! Network namespaces of the lab, made with `ip` so that a person can look into them the same way.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use nix::sched::{CloneFlags, setns};

use super::address::Link;

/// Where `ip` keeps named namespaces.
pub(super) const NETNS_DIR: &str = "/run/netns";

/// A named netns.
#[derive(Clone, Debug)]
pub(crate) struct Netns {
    name: String,
}

impl Netns {
    /// Makes a netns with loopback up.
    pub(crate) fn create(name: &str) -> Result<Self> {
        let netns = Self::bare(name)?;
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        Ok(netns)
    }

    /// Makes a netns that nobody has set up: its loopback interface is down.
    pub(crate) fn bare(name: &str) -> Result<Self> {
        ip(&["netns", "add", name])?;
        Ok(Self {
            name: name.to_owned(),
        })
    }

    /// Its name for `ip netns`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its inode: what `/proc/<pid>/ns/net` shows.
    pub(crate) fn inode(&self) -> Result<u64> {
        Ok(fs::metadata(path_of(&self.name))?.ino())
    }

    /// Adds an address to its loopback interface. `nodad`: an IPv6 address must be usable at once.
    pub(crate) fn add_address(&self, address: &str) -> Result<()> {
        add_address(Some(self), "lo", address)
    }

    /// Takes every address of these networks for its own.
    pub(crate) fn own(&self, networks: &[&str]) -> Result<()> {
        for network in networks {
            in_netns(Some(self), &["route", "add", "local", network, "dev", "lo"])?;
        }
        Ok(())
    }

    /// Removes it; its processes must have ended.
    pub(crate) fn remove(self) -> Result<()> {
        ip(&["netns", "del", &self.name])
    }

    /// Runs `work` on a thread inside this netns. Sockets made there stay there.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let path = path_of(&self.name);
        std::thread::scope(|scope| {
            scope
                .spawn(move || {
                    let file = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
                    setns(file, CloneFlags::CLONE_NEWNET).context("entering the netns")?;
                    work()
                })
                .join()
                .map_err(|_| anyhow!("a thread in netns {} panicked", self.name))?
        })
    }
}

/// Joins the netns of workloads (or the host's) to the internet with a veth pair, addresses and routes.
pub(crate) fn link(link: &Link, near: Option<&Netns>, internet: &Netns) -> Result<()> {
    ip(&[
        "link",
        "add",
        &link.near_name,
        "type",
        "veth",
        "peer",
        "name",
        &link.far_name,
        "netns",
        internet.name(),
    ])?;
    if let Some(near) = near {
        ip(&["link", "set", &link.near_name, "netns", near.name()])?;
    }
    for (netns, name, addresses) in [
        (near, &link.near_name, &link.near),
        (Some(internet), &link.far_name, &link.far),
    ] {
        for address in addresses {
            add_address(netns, name, address)?;
        }
        in_netns(netns, &["link", "set", name, "up"])?;
    }
    for (route, gateway) in link.routes.iter().zip(&link.gateways) {
        in_netns(
            near,
            &[
                "route",
                "add",
                route,
                "via",
                &gateway.to_string(),
                "dev",
                &link.near_name,
            ],
        )?;
    }
    Ok(())
}

/// Removes every netns whose name begins with the lab's name, and the lab's interfaces in the host's netns.
pub(crate) fn remove_all(lab: &str, slot: u8) -> Result<()> {
    for name in names_in(Path::new(NETNS_DIR))? {
        if name.strip_prefix(lab).is_some_and(|rest| rest.starts_with('-')) {
            ip(&["netns", "del", &name])?;
        }
    }
    // A netns dies only when its last process and socket are gone; the host's end of a pair must not wait for that.
    let prefix = format!("wl{slot}l");
    for name in names_in(Path::new("/sys/class/net"))? {
        if name.starts_with(&prefix) {
            // The pair may vanish by itself between the listing and this.
            if let Err(error) = ip(&["link", "del", &name])
                && Path::new("/sys/class/net").join(&name).exists()
            {
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Where a named netns is.
pub(crate) fn path_of(name: &str) -> PathBuf {
    Path::new(NETNS_DIR).join(name)
}

fn names_in(dir: &Path) -> Result<Vec<String>> {
    match fs::read_dir(dir) {
        Ok(entries) => Ok(entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("listing {}", dir.display())),
    }
}

fn add_address(netns: Option<&Netns>, interface: &str, address: &str) -> Result<()> {
    let mut arguments = vec!["address", "add", address, "dev", interface];
    if address.contains(':') {
        arguments.push("nodad");
    }
    in_netns(netns, &arguments)
}

fn in_netns(netns: Option<&Netns>, arguments: &[&str]) -> Result<()> {
    match netns {
        Some(netns) => ip(&[&["-n", netns.name()], arguments].concat()),
        None => ip(arguments),
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .context("running `ip` (install iproute2)")?;
    if !output.status.success() {
        bail!(
            "ip {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
