//! The lab: one machine's worth of workloads, providers and names, made of namespaces and thrown away at the end.
//!
//! ```text
//!   host netns ──veth──┐
//!                      ├── "internet" netns: stand-in providers, an ordinary site, DNS
//!   workload netns ─veth┘
//! ```
//!
//! Everything of one lab carries its slot's number: cgroup, namespaces, interfaces, addresses, directory. A lab whose
//! process died leaves a slot that nobody holds; the next start removes what is left of it.

pub(crate) mod address;
pub(crate) mod agent;
pub(crate) mod authority;
pub(crate) mod cgroup;
pub(crate) mod container;
pub(crate) mod dns;
pub(crate) mod entry;
pub(crate) mod netns;
mod pins;
pub(crate) mod redis;
pub(crate) mod slot;
pub(crate) mod wall_clock;
pub(crate) mod workload;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::provider::{Golden, Log, Providers};
use address::AddressPlan;
use authority::Authority;
use cgroup::Cgroup;
use netns::Netns;
use slot::Slot;

/// A running lab. Dropping it kills every process in its cgroup and removes all it made.
pub(crate) struct Lab {
    /// Addresses and names of this lab.
    pub(crate) plan: AddressPlan,
    /// The cgroup that the agent attaches to; all of the lab's processes live in its children.
    pub(crate) cgroup: Cgroup,
    /// A cgroup beside it, of processes that no agent sees.
    pub(crate) outside: Cgroup,
    /// The lab's certificate authority.
    pub(crate) authority: Arc<Authority>,
    /// What the stand-in providers received and sent.
    pub(crate) log: Arc<Log>,
    /// Scripted raw answers, by case.
    pub(crate) golden: Arc<Golden>,
    internet: Netns,
    links: std::sync::atomic::AtomicU8,
    slot: Slot,
}

impl Lab {
    /// Makes the namespaces, starts DNS and the stand-in providers, and routes the host's netns to them.
    pub(crate) async fn up() -> Result<Self> {
        let slot = Slot::take()?;
        let plan = AddressPlan::of(slot.number());
        let cgroup = Cgroup::create(&slot.name())?;
        let outside = Cgroup::create(&slot.outside_name())?;
        let internet = Netns::create(&format!("{}-inet", slot.name()))?;
        for address in plan.services() {
            internet.add_address(&address)?;
        }
        let authority = Arc::new(Authority::new()?);
        fs::write(slot.dir().join("lab-ca.pem"), authority.ca_pem())?;
        fs::write(
            slot.dir().join("resolv.conf"),
            format!("nameserver {}\noptions timeout:2 attempts:2\n", plan.dns_v4()),
        )?;
        let log = Arc::new(Log::default());
        let golden = Arc::new(Golden::default());
        let lab = Self {
            plan,
            cgroup,
            outside,
            authority,
            log,
            golden,
            internet,
            links: std::sync::atomic::AtomicU8::new(0),
            slot,
        };
        lab.link(None)?;
        dns::serve(&lab.internet, &lab.plan)?;
        Providers::serve(&lab.internet, &lab.plan, &lab.authority, &lab.log, &lab.golden)?;
        Ok(lab)
    }

    /// A further netns for workloads, with a link and routes to the lab's internet.
    pub(crate) fn workload_netns(&self, name: &str) -> Result<Netns> {
        let netns = Netns::create(&format!("{}-{name}", self.slot.name()))?;
        self.link(Some(&netns))?;
        Ok(netns)
    }

    /// A further netns with nothing but loopback, up.
    pub(crate) fn bare_netns(&self, name: &str) -> Result<Netns> {
        Netns::create(&format!("{}-{name}", self.slot.name()))
    }

    /// A netns for workloads that nobody has set up: its loopback interface is down.
    pub(crate) fn unready_netns(&self, name: &str) -> Result<Netns> {
        let netns = Netns::bare(&format!("{}-{name}", self.slot.name()))?;
        self.link(Some(&netns))?;
        Ok(netns)
    }

    /// The netns of everything outside.
    pub(crate) fn internet(&self) -> &Netns {
        &self.internet
    }

    /// Where an agent whose files are in `dir` pins its programs.
    pub(crate) fn pin_dir(&self, dir: &Path) -> PathBuf {
        pins::dir(&self.slot.name(), dir)
    }

    /// A map that the agent whose files are in `dir` has pinned.
    pub(crate) fn pinned_map(&self, dir: &Path, name: &str) -> Result<PathBuf> {
        let root = self.pin_dir(dir);
        let versions =
            fs::read_dir(&root).with_context(|| format!("nothing is pinned in {}", root.display()))?;
        versions
            .flatten()
            .map(|version| version.path().join("maps").join(name))
            .find(|path| path.exists())
            .with_context(|| format!("no map {name} is pinned in {}", root.display()))
    }

    /// The directory of this lab; readable for every user, gone with the lab.
    pub(crate) fn dir(&self) -> &Path {
        self.slot.dir()
    }

    /// The bundle of the lab's CA alone: what an agent needs to verify the stand-in providers.
    pub(crate) fn lab_bundle(&self) -> PathBuf {
        self.dir().join("lab-ca.pem")
    }

    /// Writes the bundle that a workload trusts: the lab's CA and the node's.
    pub(crate) fn write_node_bundle(&self, node_ca_pem: &str) -> Result<PathBuf> {
        let path = self.dir().join("node-bundle.pem");
        fs::write(&path, format!("{}\n{node_ca_pem}", self.authority.ca_pem()))
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    /// The resolv.conf that workloads see.
    pub(crate) fn resolv_conf(&self) -> PathBuf {
        self.dir().join("resolv.conf")
    }

    fn link(&self, netns: Option<&Netns>) -> Result<()> {
        let index = self.links.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        netns::link(&self.plan.link(index), netns, &self.internet)
    }
}
