//! The kernel side as the agent sees it: load and attach the programs, tell them what to look for, read what they found.
//!
//! [`Kernel::load`] goes in this order, so that a connection is never redirected before the rest of its way is ready:
//! 1. check the capabilities and find the object;
//! 2. create the maps and write names, ports and the agent into them;
//! 3. attach what carries and shows the record, then DNS and the process table, and `connect` last.
//!
//! Where programs and maps are pinned ([`Pinning`]), they stay when the agent ends and the next one takes them over. Elsewhere
//! everything is detached when the [`Kernel`] is dropped or its process ends: without the agent, traffic flows as if
//! it had never been there.

use std::fs::File;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aya::Ebpf;
use aya::maps::{Map, MapData, MapError, PerCpuArray, RingBuf, SkStorage};
use aya::programs::links::FdLink;
use monitor_common::process::ProcessRow;
use monitor_common::{ABI_VERSION, AgentRow, FlowRecord, ListenerPorts, Reason, Scope};
use parking_lot::Mutex;

mod capability;
mod cgroup;
mod clock;
mod config;
mod error;
mod events;
mod link;
mod object;
mod pin;
mod programs;
mod scopes;
mod sock_diag;
mod tracefs;

pub use cgroup::find_cgroup2_mount;
pub use clock::boottime_ns;
pub use error::KernelError;
pub use events::{KernelEvent, KernelEvents};
pub use programs::{ProgramState, ProgramStats, ProgramStatus};
pub use sock_diag::{DiagSocket, SockDiag, SockDiagError, Transport};

use config::ConfigMaps;
use pin::Pins;
use scopes::ScopeMaps;

/// What the programs are loaded with.
#[derive(Debug, Clone)]
pub struct KernelOptions {
    /// The cgroup2 directory to attach to: every process below it is watched, and the agent must be below it too.
    pub cgroup: PathBuf,
    /// The agent's own process id in the initial pid namespace; its connections pass.
    pub agent_tgid: u32,
    /// Host names whose addresses are intercepted: `api.openai.com`, or `*.suffix` for every name below a suffix.
    pub names: Vec<String>,
    /// Ports that are intercepted at those addresses.
    pub ports: Vec<u16>,
    /// How old the agent's heartbeat may be before the programs take it for dead: well above the time between two
    /// calls of [`Kernel::beat`].
    pub patience: Duration,
    /// Whether programs and maps stay when the agent ends.
    pub pinning: Pinning,
}

/// Whether an agent of this version is alive whose programs are pinned below `pin_dir`.
///
/// # Errors
///
/// When the pinned row cannot be read.
pub fn is_agent_alive(pin_dir: &Path) -> Result<bool, KernelError> {
    let path = pin::agent_row(pin_dir);
    if !path.exists() {
        return Ok(false);
    }
    let row = MapData::from_pin(path)
        .and_then(Map::from_map_data)
        .and_then(aya::maps::Array::<_, AgentRow>::try_from)
        .and_then(|agent| agent.get(&0, 0))
        .map_err(KernelError::map("AGENT"))?;
    Ok(row.is_alive(boottime_ns()))
}

/// Removes the programs and maps of every version that are pinned below `pin_dir`: nothing is intercepted or refused any
/// more. Returns the directories removed.
///
/// # Errors
///
/// When a pin cannot be removed.
pub fn remove_pins(pin_dir: &Path) -> Result<Vec<PathBuf>, KernelError> {
    let versions = pin::versions(pin_dir);
    versions
        .iter()
        .try_for_each(|version| pin::remove_version(version))?;
    Ok(versions)
}

/// Whether programs and maps stay when the agent ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pinning {
    /// They go with it.
    Never,
    /// They are pinned below this directory where that is possible.
    Wanted(PathBuf),
    /// They are pinned below this directory, or not loaded.
    Required(PathBuf),
}

/// The loaded and attached programs.
pub struct Kernel {
    flows: SkStorage<MapData, FlowRecord>,
    counters: PerCpuArray<MapData, u64>,
    processes: aya::maps::HashMap<MapData, u32, ProcessRow>,
    config: Mutex<ConfigMaps>,
    scopes: Mutex<ScopeMaps>,
    agent_tgid: u32,
    patience: Duration,
    ring: Mutex<Option<Map>>,
    ring_id: u32,
    /// Whether the maps are an earlier agent's.
    inherited: bool,
    programs: Vec<ProgramStatus>,
    /// Or why they are not pinned.
    pins: Result<Arc<Pins>, String>,
    /// The links that are not pinned: dropping them detaches the programs.
    _links: Vec<FdLink>,
    ebpf: Ebpf,
}

/// Forgets the processes that ended while no program saw it: the rows may be an earlier agent's.
fn prune(processes: &mut aya::maps::HashMap<MapData, u32, ProcessRow>) -> Result<(), KernelError> {
    let known: Vec<u32> = processes
        .keys()
        .collect::<Result<_, _>>()
        .map_err(KernelError::map("PROCESSES"))?;
    for tgid in known {
        if !Path::new("/proc").join(tgid.to_string()).exists() {
            config::absent_is_fine(processes.remove(&tgid)).map_err(KernelError::map("PROCESSES"))?;
        }
    }
    Ok(())
}

fn prepare_pins(pinning: &Pinning) -> Result<Result<Arc<Pins>, String>, KernelError> {
    match pinning {
        Pinning::Never => Ok(Err("pinning is not asked for".to_owned())),
        Pinning::Wanted(root) => Ok(Pins::prepare(root).map(Arc::new).map_err(|error| {
            tracing::warn!(%error, "the programs go when the agent ends");
            error.to_string()
        })),
        Pinning::Required(root) => match Pins::prepare(root) {
            Ok(pins) => Ok(Ok(Arc::new(pins))),
            Err(error) => Err(KernelError::MustPin(Box::new(error))),
        },
    }
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel")
            .field("programs", &self.programs)
            .finish_non_exhaustive()
    }
}

impl Kernel {
    /// Loads the programs and attaches them to the cgroup.
    ///
    /// # Errors
    ///
    /// When a capability, the object, the cgroup or a program without which nothing can be intercepted is missing.
    /// Other programs are optional: see [`programs`](Self::programs).
    pub fn load(options: &KernelOptions) -> Result<Self, KernelError> {
        capability::check()?;
        let pins = prepare_pins(&options.pinning)?;
        let inherited = pins.as_ref().is_ok_and(|pins| pins.are_inherited());
        let loaded = Self::load_with(options, pins.clone(), inherited);
        if let (Err(_), Ok(pins), false) = (&loaded, &pins, inherited)
            && let Err(error) = pins.remove()
        {
            tracing::error!(%error, "what was pinned of the programs stays");
        }
        loaded
    }

    fn load_with(
        options: &KernelOptions,
        pins: Result<Arc<Pins>, String>,
        inherited: bool,
    ) -> Result<Self, KernelError> {
        let object = object::find()?;
        let cgroup = File::open(&options.cgroup).map_err(|source| KernelError::Cgroup {
            path: options.cgroup.clone(),
            source,
        })?;
        let tracepoints = tracefs::Tracepoints::find();
        let pinned = pins.as_deref().ok();
        let mut ebpf = programs::create(&object, &tracepoints, pinned)?;
        let mut config = ConfigMaps::take(&mut ebpf)?;
        config.set_names(&options.names)?;
        config.set_ports(&options.ports)?;
        let mut scopes = ScopeMaps::take(&mut ebpf)?;
        scopes.join(options.agent_tgid)?;
        let flows =
            SkStorage::try_from(config::take(&mut ebpf, "FLOWS")?).map_err(KernelError::map("FLOWS"))?;
        let counters = PerCpuArray::try_from(config::take(&mut ebpf, "COUNTERS")?)
            .map_err(KernelError::map("COUNTERS"))?;
        let mut processes = aya::maps::HashMap::try_from(config::take(&mut ebpf, "PROCESSES")?)
            .map_err(KernelError::map("PROCESSES"))?;
        prune(&mut processes)?;
        // Opened when it is read: where it is pinned, another agent may be reading it until then.
        let ring = config::take(&mut ebpf, "EVENTS")?;
        let ring_id = match &ring {
            Map::RingBuf(data) => data.info().map_err(KernelError::map("EVENTS"))?.id(),
            _ => return Err(KernelError::Missing { name: "EVENTS" }),
        };
        let attached = programs::attach(&mut ebpf, &cgroup, &tracepoints, pinned)?;
        if let Some(pins) = pinned {
            for version in pins.remove_other_versions()? {
                tracing::info!(path = %version.display(), "removed the programs of another version");
            }
        }
        Ok(Self {
            flows,
            counters,
            processes,
            config: Mutex::new(config),
            scopes: Mutex::new(scopes),
            agent_tgid: options.agent_tgid,
            patience: options.patience,
            ring: Mutex::new(Some(ring)),
            ring_id,
            inherited,
            programs: attached.statuses,
            pins,
            _links: attached.links,
            ebpf,
        })
    }

    /// The record of an accepted connection; `None` when it did not come by way of the programs. One system call; any
    /// number of threads may call it at once.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the lookup, or the record is of another version of the programs.
    pub fn flow_of(&self, accepted: BorrowedFd<'_>) -> Result<Option<FlowRecord>, KernelError> {
        match self.flows.get(&accepted, 0) {
            Ok(record) if record.version == ABI_VERSION => Ok(Some(record)),
            Ok(record) => Err(KernelError::Abi {
                found: record.version,
                expected: ABI_VERSION,
            }),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(source) => Err(KernelError::Map {
                name: "FLOWS",
                source,
            }),
        }
    }

    /// Names the listeners in a network namespace; its connections to marked addresses go there from now on.
    ///
    /// # Errors
    ///
    /// When the map is full or the kernel refuses the write.
    pub fn set_listener(&self, netns_cookie: u64, listener: ListenerPorts) -> Result<(), KernelError> {
        self.config.lock().set_listener(netns_cookie, listener)
    }

    /// Forgets the listeners in a network namespace; its connections pass. Forgetting what is not there is no error.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the write.
    pub fn remove_listener(&self, netns_cookie: u64) -> Result<(), KernelError> {
        self.config.lock().remove_listener(netns_cookie)
    }

    /// The network namespaces that have listeners, by cookie, as the programs know them: also those of an agent before.
    ///
    /// # Errors
    ///
    /// When the kernel refuses a read.
    pub fn listeners(&self) -> Result<Vec<(u64, ListenerPorts)>, KernelError> {
        self.config.lock().listeners()
    }

    /// Replaces the list of names. Addresses already marked stay marked until they expire.
    ///
    /// # Errors
    ///
    /// When a name cannot be a host name, the list is too long, or the kernel refuses a write.
    pub fn set_names(&self, names: &[String]) -> Result<(), KernelError> {
        self.config.lock().set_names(names)
    }

    /// Replaces the list of ports.
    ///
    /// # Errors
    ///
    /// When the kernel refuses a write.
    pub fn set_ports(&self, ports: &[u16]) -> Result<(), KernelError> {
        self.config.lock().set_ports(ports)
    }

    /// Writes the ports again that this agent has set, over those of an agent that has failed.
    ///
    /// # Errors
    ///
    /// When the kernel refuses a write.
    pub fn reassert_ports(&self) -> Result<(), KernelError> {
        self.config.lock().reassert_ports()
    }

    /// Marks an address for good: an endpoint given as an address, or the self-test's.
    ///
    /// # Errors
    ///
    /// When the map is full or the kernel refuses the write.
    pub fn mark_address(&self, address: IpAddr) -> Result<(), KernelError> {
        self.mark_address_until(address, u64::MAX)
    }

    /// Marks an address until a time in nanoseconds of `CLOCK_BOOTTIME`, as a DNS answer does.
    ///
    /// # Errors
    ///
    /// When the map is full or the kernel refuses the write.
    pub fn mark_address_until(&self, address: IpAddr, expires_ns: u64) -> Result<(), KernelError> {
        self.config.lock().mark_address(address, expires_ns)
    }

    /// Marks an address for as long as a DNS answer does at least, [`TTL_FLOOR_S`](monitor_common::dns::TTL_FLOOR_S) from
    /// now; a longer mark stays. True when it had no mark.
    ///
    /// # Errors
    ///
    /// When the map is full or the kernel refuses the write.
    pub fn learn_address(&self, address: IpAddr) -> Result<bool, KernelError> {
        let floor_ns = u64::from(monitor_common::dns::TTL_FLOOR_S) * 1_000_000_000;
        self.config
            .lock()
            .extend_mark(address, boottime_ns().saturating_add(floor_ns))
    }

    /// Whether connections to a port are intercepted.
    #[must_use]
    pub fn intercepts_port(&self, port: u16) -> bool {
        self.config.lock().has_port(port)
    }

    /// Removes an address's mark, however it came to be. Removing what is not there is no error.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the write.
    pub fn unmark_address(&self, address: IpAddr) -> Result<(), KernelError> {
        self.config.lock().unmark_address(address)
    }

    /// The addresses that are marked, expired ones not yet swept included, with the time their mark ends, in
    /// nanoseconds of `CLOCK_BOOTTIME`; `u64::MAX` for good.
    ///
    /// # Errors
    ///
    /// When the kernel refuses a read.
    pub fn marked_addresses(&self) -> Result<Vec<(IpAddr, u64)>, KernelError> {
        self.config.lock().marked_addresses()
    }

    /// Removes the marks that have expired and returns how many they were. To be called from time to time: the
    /// programs only remove those that are connected to.
    ///
    /// # Errors
    ///
    /// When the kernel refuses a read or a write.
    pub fn sweep_expired_addresses(&self) -> Result<usize, KernelError> {
        self.config.lock().sweep_expired(boottime_ns())
    }

    /// Gives a cgroup a scope of its own, which its descendants without one share.
    ///
    /// # Errors
    ///
    /// When the map is full or the kernel refuses the write.
    pub fn set_scope(&self, cgroup_id: u64, scope: Scope) -> Result<(), KernelError> {
        self.scopes.lock().set(cgroup_id, scope)
    }

    /// Takes a cgroup's own scope away: it has its nearest ancestor's, or the default. Removing what is not there is no
    /// error.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the write.
    pub fn remove_scope(&self, cgroup_id: u64) -> Result<(), KernelError> {
        self.scopes.lock().remove(cgroup_id)
    }

    /// The cgroups that have a scope of their own, by id, as the kernel has them.
    ///
    /// # Errors
    ///
    /// When the kernel refuses a read.
    pub fn scopes(&self) -> Result<Vec<(u64, Scope)>, KernelError> {
        self.scopes.lock().all()
    }

    /// The scope of a cgroup that has none of its own and no ancestor with one.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the write.
    pub fn set_default_scope(&self, scope: Scope) -> Result<(), KernelError> {
        self.scopes.lock().set_default(scope)
    }

    /// Makes this process the agent that accepts connections, alive now: to be called when its listeners are open. Until then,
    /// [`load`](Self::load) only lets its own connections pass, and another agent may be alive.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the write.
    pub fn take_over(&self) -> Result<(), KernelError> {
        self.scopes
            .lock()
            .take_over(self.agent_tgid, boottime_ns(), self.patience)
    }

    /// Says that the agent is alive. False when another agent has taken over since: the row is that one's, and this
    /// one's connections still pass.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the read or the write.
    pub fn beat(&self) -> Result<bool, KernelError> {
        self.scopes.lock().beat(self.agent_tgid, boottime_ns())
    }

    /// Says that the agent has ended: it counts as dead at once. Nothing happens when another agent has taken over.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the read or the write.
    pub fn end(&self) -> Result<(), KernelError> {
        self.scopes.lock().end(self.agent_tgid)
    }

    /// How old the heartbeat may be before the programs take the agent for dead.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the write.
    pub fn set_patience(&self, patience: Duration) -> Result<(), KernelError> {
        self.scopes.lock().set_patience(patience)
    }

    /// Lets the connections of a process pass as an agent's own, until it ends.
    ///
    /// # Errors
    ///
    /// When there are too many agents or the kernel refuses the write.
    pub fn join_agents(&self, tgid: u32) -> Result<(), KernelError> {
        self.scopes.lock().join(tgid)
    }

    /// Treats the connections of a process as any other's again. Removing what is not there is no error.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the write.
    pub fn leave_agents(&self, tgid: u32) -> Result<(), KernelError> {
        self.scopes.lock().leave(tgid)
    }

    /// The agents' processes: this one, and those that still drain after an upgrade.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the read.
    pub fn agents(&self) -> Result<Vec<u32>, KernelError> {
        self.scopes.lock().agents()
    }

    /// The agent as the programs know it.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the read.
    pub fn agent_row(&self) -> Result<AgentRow, KernelError> {
        self.scopes.lock().row()
    }

    /// What the programs counted since they were loaded, summed over the CPUs.
    ///
    /// # Errors
    ///
    /// When the kernel refuses a read.
    pub fn counters(&self) -> Result<Vec<(Reason, u64)>, KernelError> {
        Reason::ALL
            .iter()
            .map(|reason| Ok((*reason, self.counter(*reason)?)))
            .collect()
    }

    /// One counter, summed over the CPUs.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the read.
    pub fn counter(&self, reason: Reason) -> Result<u64, KernelError> {
        let values = self
            .counters
            .get(&(reason as u32), 0)
            .map_err(KernelError::map("COUNTERS"))?;
        Ok(values.iter().sum())
    }

    /// The kernel's row of a process; `None` for one that is older than the programs or gone.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the read.
    pub fn process(&self, tgid: u32) -> Result<Option<ProcessRow>, KernelError> {
        match self.processes.get(&tgid, 0) {
            Ok(row) => Ok(Some(row)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(source) => Err(KernelError::Map {
                name: "PROCESSES",
                source,
            }),
        }
    }

    /// Whether the programs stay when the agent ends; if not, why.
    ///
    /// # Errors
    ///
    /// In words, why they do not stay.
    pub fn stays(&self) -> Result<(), &str> {
        self.pins.as_ref().map(drop).map_err(String::as_str)
    }

    /// Gives up that the programs stay: those that are pinned are detached at once, others with the last of this process's
    /// handles.
    ///
    /// # Errors
    ///
    /// When a pin cannot be removed.
    pub fn unpin(&self) -> Result<(), KernelError> {
        self.pins.as_ref().map_or(Ok(()), |pins| pins.remove())
    }

    /// Each program and whether it is attached.
    #[must_use]
    pub fn programs(&self) -> &[ProgramStatus] {
        &self.programs
    }

    /// Whether the kernel keeps the table of processes and reports their events.
    #[must_use]
    pub fn tracks_processes(&self) -> bool {
        self.are_attached(&["process_executed", "process_forked", "process_exited"])
    }

    /// Whether the kernel reports cgroups as they are made and removed.
    #[must_use]
    pub fn reports_cgroups(&self) -> bool {
        self.are_attached(&["cgroup_made", "cgroup_removed"])
    }

    fn are_attached(&self, names: &[&str]) -> bool {
        let is_attached = |name: &&str| {
            self.programs
                .iter()
                .any(|program| program.name == *name && program.state == ProgramState::Attached)
        };
        names.iter().all(is_attached)
    }

    /// How often each attached program ran and for how long, while `kernel.bpf_stats_enabled` was 1.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the read.
    pub fn program_stats(&self) -> Result<Vec<ProgramStats>, KernelError> {
        programs::stats(&self.ebpf)
    }

    /// The stream of events. There is one; a tokio runtime must be running.
    ///
    /// # Errors
    ///
    /// When it was taken before, or the runtime cannot watch it.
    pub fn events(&self) -> Result<KernelEvents, KernelError> {
        let ring = self.ring.lock().take().ok_or(KernelError::EventsTaken)?;
        KernelEvents::new(RingBuf::try_from(ring).map_err(KernelError::map("EVENTS"))?)
    }

    /// Takes back the stream of events, so that it can be asked for once more: where another agent was to read it, and did not.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to open it.
    pub fn release_events(&self, events: KernelEvents) -> Result<(), KernelError> {
        drop(events);
        let ring = MapData::from_id(self.ring_id).map_err(KernelError::map("EVENTS"))?;
        *self.ring.lock() = Some(Map::RingBuf(ring));
        Ok(())
    }

    /// Whether the maps are those of an agent before.
    #[must_use]
    pub fn is_inherited(&self) -> bool {
        self.inherited
    }
}
