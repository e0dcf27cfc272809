//! LLM-bound connections that the agent never got to see, because they were open before it could intercept them: before
//! its listener in their namespace, or before their address was marked. Each is put on record once, as a bypass, and
//! closed where the configuration says so, so that its client connects again, through the agent.
//!
//! They are looked for with sock_diag when a namespace gets its listener (all of them, right after the start) and when
//! addresses are newly marked. What is redirected shows the agent's listener as its remote end in the kernel's tables,
//! so a connection that shows a provider's address is the agent's own, was let pass by the programs (on record as what
//! let it pass), or is one of these.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;
use monitor_common::{Bypass as KernelBypass, Reason, Scope};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::config::{Match, OlderConnections};
use crate::event::{Bypass, BypassReason, Event, Transport as RecordedTransport};
use crate::identity::{Netns, Placement, socket_owners, sockets_of};
use crate::intercept::Interceptor;
use crate::kernel::{DiagSocket, KernelError, KernelEvent, SockDiag, SockDiagError, Transport, boottime_ns};

/// Namespaces that may wait to be looked at: as many as can have listeners.
const WAITING: usize = monitor_common::capacity::LISTENERS;
/// Connections that are remembered as being on record, and ways around that the programs have reported lately: one that
/// is forgotten may be put on record once more.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();
/// Connections of one look that are put on record; the others are counted in the log and found again by the next look.
const MAX_FOUND: usize = 4_096;
/// Between a cue and its look: the programs' reports of what they let pass are read first, and namespaces that appear
/// together are looked at together.
const SETTLE: Duration = Duration::from_millis(100);

/// When to look.
enum Cue {
    /// A namespace has its listener now.
    Namespace(Arc<Netns>),
    /// Addresses may have been marked.
    Marks,
}

/// Finds them. Cheap to clone.
#[derive(Clone)]
pub(super) struct Older {
    cues: mpsc::Sender<Cue>,
    search: Arc<Search>,
}

struct Search {
    interceptor: Arc<Interceptor>,
    state: Mutex<State>,
}

struct State {
    action: OlderConnections,
    matches: Match,
    /// The addresses that were marked at the last look.
    marked: HashSet<IpAddr>,
    /// The kernel's count of marks at the last look; `None` when the agent itself has marked since.
    marks_counted: Option<u64>,
    /// Cookies of the connections on record.
    on_record: LruCache<u64, ()>,
    /// What the programs reported.
    passed: LruCache<Passed, ()>,
}

/// A connection that the programs let pass, or whose packets they drop, as far as their report tells. Not by its namespace:
/// where a packet is seen, it is not known.
#[derive(PartialEq, Eq, Hash)]
struct Passed {
    cgroup_id: u64,
    destination: SocketAddr,
}

/// One connection that was found, and the namespace it is in.
struct Found {
    socket: DiagSocket,
    netns: Arc<Netns>,
    placement: Option<Arc<Placement>>,
    closed: bool,
}

impl Older {
    /// Begins; looks when it is told to. A tokio runtime must be running.
    pub(super) fn start(interceptor: Arc<Interceptor>, action: OlderConnections, matches: Match) -> Self {
        let (cues, mut waiting) = mpsc::channel(WAITING);
        let search = Arc::new(Search {
            interceptor,
            state: Mutex::new(State {
                action,
                matches,
                marked: HashSet::new(),
                marks_counted: None,
                on_record: LruCache::new(REMEMBERED),
                passed: LruCache::new(REMEMBERED),
            }),
        });
        let looking = search.clone();
        tokio::spawn(async move {
            while let Some(cue) = waiting.recv().await {
                let mut cues = vec![cue];
                tokio::time::sleep(SETTLE).await;
                while let Ok(more) = waiting.try_recv() {
                    cues.push(more);
                }
                let search = looking.clone();
                // A look reads much of /proc and many sockets.
                match tokio::task::spawn_blocking(move || search.look(cues)).await {
                    Ok(records) => looking.record(records).await,
                    Err(error) => tracing::error!(%error, "the look for older connections failed"),
                }
            }
        });
        Self { cues, search }
    }

    /// A namespace has its listener now.
    pub(super) fn namespace(&self, netns: &Arc<Netns>) {
        self.cue(Cue::Namespace(netns.clone()));
    }

    /// Addresses may have been marked by the programs.
    pub(super) fn marks(&self) {
        self.cue(Cue::Marks);
    }

    /// The agent itself has marked addresses.
    pub(super) fn marked(&self) {
        self.search.state.lock().marks_counted = None;
        self.cue(Cue::Marks);
    }

    /// The configuration has changed.
    pub(super) fn configure(&self, action: OlderConnections, matches: Match) {
        let mut state = self.search.state.lock();
        (state.action, state.matches) = (action, matches);
    }

    /// Notes what the programs let pass or refused: it is on record already. To be called with every event.
    pub(super) fn on_event(&self, event: &KernelEvent) {
        if let KernelEvent::Bypass {
            reason,
            cgroup_id,
            destination,
            ..
        } = event
            // Made while no agent was alive: older than this one.
            && *reason != KernelBypass::AgentDown
        {
            let passed = Passed {
                cgroup_id: *cgroup_id,
                destination: *destination,
            };
            self.search.state.lock().passed.put(passed, ());
        }
    }

    fn cue(&self, cue: Cue) {
        if self.cues.try_send(cue).is_err() {
            tracing::warn!("too many network namespaces at once: one is not searched for older connections");
        }
    }
}

impl Search {
    /// Looks where the cues say, and returns what to put on record.
    fn look(&self, cues: Vec<Cue>) -> Vec<Bypass> {
        match self.try_look(cues) {
            Ok(records) => records,
            Err(error) => {
                tracing::error!(%error, "older connections cannot be looked for");
                Vec::new()
            }
        }
    }

    fn try_look(&self, cues: Vec<Cue>) -> Result<Vec<Bypass>, KernelError> {
        let fresh = self.read_marks()?;
        let mut namespaces: HashMap<u64, Arc<Netns>> = HashMap::new();
        for cue in cues {
            if let Cue::Namespace(netns) = cue {
                namespaces.insert(netns.cookie(), netns);
            }
        }
        let mut found = Vec::new();
        for netns in namespaces.values() {
            self.look_in(netns, None, &mut found);
        }
        if !fresh.is_empty() {
            for netns in self.interceptor.identity.namespaces().all() {
                if !namespaces.contains_key(&netns.cookie()) {
                    self.look_in(&netns, Some(&fresh), &mut found);
                }
            }
        }
        Ok(self.describe(found))
    }

    /// Reads the marks if any can have been added, and returns those that were.
    fn read_marks(&self) -> Result<HashSet<IpAddr>, KernelError> {
        let kernel = &self.interceptor.kernel;
        // Counted before they are read: a mark added in between is found by the next look at the latest.
        let counted = kernel.counter(Reason::AddressMarked)?;
        let mut state = self.state.lock();
        if state.marks_counted == Some(counted) {
            return Ok(HashSet::new());
        }
        let now_ns = boottime_ns();
        let marked: HashSet<IpAddr> = kernel
            .marked_addresses()?
            .into_iter()
            .filter(|(address, expires_ns)| *expires_ns > now_ns && *address != crate::selftest::ADDRESS.ip())
            .map(|(address, _)| address)
            .collect();
        let fresh = marked.difference(&state.marked).copied().collect();
        (state.marked, state.marks_counted) = (marked, Some(counted));
        Ok(fresh)
    }

    /// Looks in one namespace: for connections to any address that matters, or to these only.
    fn look_in(&self, netns: &Arc<Netns>, only: Option<&HashSet<IpAddr>>, found: &mut Vec<Found>) {
        match self.try_look_in(netns, only, found) {
            Ok(()) => {}
            // Whoever was in it has left.
            Err(SockDiagError::Socket(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(
                %error,
                netns = netns.inode(),
                "connections that are older than the agent are not known"
            ),
        }
    }

    fn try_look_in(
        &self,
        netns: &Arc<Netns>,
        only: Option<&HashSet<IpAddr>>,
        found: &mut Vec<Found>,
    ) -> Result<(), SockDiagError> {
        let kernel = &self.interceptor.kernel;
        let mut diag = netns.run(SockDiag::open)??;
        let candidates = diag.connected(Transport::Tcp, |socket| {
            socket.inode != 0
                && kernel.intercepts_port(socket.remote.port())
                && !socket.remote.ip().is_loopback()
                && only.is_none_or(|only| only.contains(&socket.remote.ip()))
        })?;
        if candidates.is_empty() {
            return Ok(());
        }
        // After the list, so that every socket of an agent on it is known as such.
        let agents = kernel.agents().unwrap_or_else(|error| {
            tracing::warn!(%error, "agents that still drain are not known");
            vec![std::process::id()]
        });
        let own: HashSet<u32> = agents.into_iter().flat_map(sockets_of).collect();
        let mut placements = HashMap::new();
        for socket in candidates {
            let placement = placements
                .entry(socket.cgroup_id)
                .or_insert_with(|| self.placement(socket.cgroup_id))
                .clone();
            if own.contains(&socket.inode) || !self.is_wanted(&socket, placement.as_deref()) {
                continue;
            }
            if found.len() == MAX_FOUND {
                tracing::warn!(
                    limit = MAX_FOUND,
                    "too many older connections at once; some are not on record"
                );
                return Ok(());
            }
            self.state.lock().on_record.put(socket.cookie, ());
            found.push(Found {
                closed: self.close(&mut diag, &socket),
                socket,
                netns: netns.clone(),
                placement,
            });
        }
        Ok(())
    }

    /// Whether it would be intercepted if it were made now, and is not on record.
    fn is_wanted(&self, socket: &DiagSocket, placement: Option<&Placement>) -> bool {
        let namespaces = self.interceptor.identity.namespaces();
        let cgroup = placement.map_or("/", |placement| &placement.cgroup);
        if !namespaces.is_watched_cgroup(cgroup) {
            return false;
        }
        let state = self.state.lock();
        let passed = Passed {
            cgroup_id: socket.cgroup_id.unwrap_or_default(),
            destination: socket.remote,
        };
        if state.on_record.contains(&socket.cookie) || state.passed.contains(&passed) {
            return false;
        }
        state.marked.contains(&socket.remote.ip())
            || placement.is_some_and(|placement| {
                let policies = self.interceptor.node.policies.load();
                policies.scope_of(placement, state.matches).has(Scope::ALL_TLS)
            })
    }

    fn placement(&self, cgroup_id: Option<u64>) -> Option<Arc<Placement>> {
        let placement = self.interceptor.identity.placements().of(cgroup_id?, 0);
        Some(placement).filter(|placement| !placement.cgroup.is_empty())
    }

    /// Closes a connection where that is configured. True when it is gone.
    fn close(&self, diag: &mut SockDiag, socket: &DiagSocket) -> bool {
        if self.state.lock().action != OlderConnections::Close {
            return false;
        }
        let outcome = diag
            .destroy(socket)
            .and_then(|_| diag.find(Transport::Tcp, socket.local, socket.remote));
        match outcome {
            Ok(left) => left.is_none_or(|left| left.cookie != socket.cookie),
            Err(error) => {
                tracing::warn!(%error, remote = %socket.remote, "an older connection is not closed");
                false
            }
        }
    }

    /// The records of what was found.
    fn describe(&self, found: Vec<Found>) -> Vec<Bypass> {
        let inodes = found.iter().map(|found| found.socket.inode).collect();
        let owners = socket_owners(&inodes);
        let at_ms = self.interceptor.node.clock.now_ms();
        let mut records = Vec::with_capacity(found.len());
        for Found {
            socket,
            netns,
            placement,
            closed,
        } in found
        {
            let owners = owners.get(&socket.inode).map_or(&[][..], Vec::as_slice);
            let sighted = self
                .interceptor
                .identity
                .place_socket(&socket, owners, netns.cookie());
            records.push(Bypass {
                at_ms,
                workload: sighted.workload,
                attribution: sighted.attribution,
                placement: placement.or(sighted.placement),
                reason: BypassReason::OlderConnection,
                denied: closed,
                transport: RecordedTransport::Tcp,
                destination: Some(socket.remote),
                server_name: None,
                unreported: 0,
            });
        }
        records
    }

    async fn record(&self, records: Vec<Bypass>) {
        if records.is_empty() {
            return;
        }
        let closed = records.iter().filter(|record| record.denied).count();
        tracing::warn!(
            connections = records.len(),
            closed,
            "LLM-bound connections are older than the agent or the mark of their address"
        );
        let recorder = &self.interceptor.node.recorder;
        for record in records {
            recorder.ready().await;
            recorder.send(Event::Bypass(Arc::new(record)));
        }
    }
}
