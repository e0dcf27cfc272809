//! The thread that keeps the purses filled.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::bell::Bell;
use super::leases::{Holdings, Reach};
use super::link::{Cluster, ClusterError, Link, LinkError, Redis};
use super::random;
use super::script::{Seen, Status};
use crate::core::{Core, Shared};

/// Exchanges sent in one go: some 30 kB, answered by Redis in a few milliseconds.
const BATCH: usize = 64;
/// A store of which nothing is wanted is asked whether it is there this often, in milliseconds.
const TOUCH_MS: u64 = 2_000;
/// How often the purses are looked through, in milliseconds; at a reservation that needs more at once.
const LOOK_MS: u64 = 100;
/// After a failure the store is left alone for this long, in milliseconds, then twice that, up to the second figure, each a little
/// more or less so that the nodes of a cluster do not come at once.
const BREAK_MS: (u64, u64) = (100, 3_000);

/// How the cluster's store is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterHealth {
    /// The cluster's name.
    pub cluster: String,
    /// This node's identity in it.
    pub node: String,
    /// The store answered, the last time it was asked.
    pub reachable: bool,
    /// Milliseconds since that has been so or not been so.
    pub for_ms: u64,
    /// Whether the store is asked at all.
    pub breaker: Breaker,
    /// The store has lost data and gathers from its nodes what they know; nothing is granted meanwhile.
    pub seeding: bool,
    /// The last failure, in words.
    pub last_error: Option<String>,
    /// Exchanges answered, and failures.
    pub exchanges: u64,
    /// Failures to reach the store or to be understood by it.
    pub failures: u64,
    /// Leases held and live.
    pub leases: usize,
    /// Budgets with spending that the store has not been told yet.
    pub unreported: usize,
}

/// Whether a store that failed is asked again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Breaker {
    /// It is asked whenever there is something to ask.
    #[default]
    Closed,
    /// It is left alone for a while.
    Open,
    /// It is tried once.
    HalfOpen,
}

/// What the thread notes.
#[derive(Debug, Clone)]
struct Notes {
    node: String,
    reachable: bool,
    since: Instant,
    seeding: bool,
    last_error: Option<String>,
    exchanges: u64,
    failures: u64,
    retry_at: Option<Instant>,
}

/// The thread; dropping this ends it.
pub(crate) struct Syncer {
    bell: Arc<Bell>,
    notes: Arc<Mutex<Notes>>,
    cluster: String,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread of a ledger.
pub(crate) fn join(core: &Core, cluster: Cluster) -> Result<(), ClusterError> {
    let mut syncer = core.syncer().lock();
    if syncer.is_some() {
        return Err(ClusterError::Joined);
    }
    let (name, ttl_ms) = (cluster.name.clone(), cluster.ttl_ms());
    let link = Redis::new(cluster)?;
    let node = core.shared().node_id(&new_id(), None)?;
    let bell = Arc::new(Bell::default());
    let notes = Arc::new(Mutex::new(Notes {
        node: node.clone(),
        reachable: false,
        since: Instant::now(),
        seeding: false,
        last_error: None,
        exchanges: 0,
        failures: 0,
        retry_at: None,
    }));
    core.with_state(|state, _| state.leases.bell = Some(Arc::clone(&bell)));
    let mut rounds = Rounds {
        shared: Arc::clone(core.shared()),
        link,
        node,
        ttl_ms,
        touched_ms: 0,
    };
    let (rung, noted) = (Arc::clone(&bell), Arc::clone(&notes));
    let thread = thread::Builder::new()
        .name("weir-cluster".to_owned())
        .spawn(move || {
            let look = Duration::from_millis(LOOK_MS.min(ttl_ms / 10).max(1));
            let mut broken_ms = BREAK_MS.0;
            while rung.wait(look) {
                let mut notes = noted.lock().clone();
                if notes.retry_at.is_none_or(|at| Instant::now() >= at) {
                    notes.round(&mut rounds, &rung, &mut broken_ms);
                    *noted.lock() = notes;
                }
                rung.ended();
            }
        });
    *syncer = Some(Syncer {
        bell,
        notes,
        cluster: name,
        thread: Some(thread.map_err(ClusterError::Thread)?),
    });
    Ok(())
}

impl Notes {
    fn round(&mut self, rounds: &mut Rounds<Redis>, bell: &Bell, broken_ms: &mut u64) {
        let outcome = rounds.run();
        self.node.clone_from(&rounds.node);
        let reachable = match outcome {
            Ok(round) => {
                if round.more {
                    bell.ring();
                }
                if round.exchanges == 0 {
                    return;
                }
                self.exchanges += round.exchanges as u64;
                self.seeding = round.seeding;
                (self.retry_at, *broken_ms) = (None, BREAK_MS.0);
                true
            }
            Err(error) => {
                self.failures += 1;
                self.last_error = Some(error.to_string());
                let jitter_ms = random() % (*broken_ms / 2).max(1);
                self.retry_at = Some(Instant::now() + Duration::from_millis(*broken_ms * 3 / 4 + jitter_ms));
                *broken_ms = (*broken_ms * 2)
                    .min(BREAK_MS.1)
                    .min((rounds.ttl_ms / 4).max(BREAK_MS.0));
                false
            }
        };
        if self.reachable != reachable {
            (self.reachable, self.since) = (reachable, Instant::now());
        }
    }
}

impl Syncer {
    pub(crate) fn health(&self, shared: &Shared) -> ClusterHealth {
        let notes = self.notes.lock().clone();
        let holdings: Holdings = shared.with_state(|state, now| state.holdings(now));
        let breaker = match notes.retry_at {
            None => Breaker::Closed,
            Some(at) if Instant::now() < at => Breaker::Open,
            Some(_) => Breaker::HalfOpen,
        };
        ClusterHealth {
            cluster: self.cluster.clone(),
            node: notes.node,
            reachable: notes.reachable,
            for_ms: u64::try_from(notes.since.elapsed().as_millis()).unwrap_or(u64::MAX),
            breaker,
            seeding: notes.seeding,
            last_error: notes.last_error,
            exchanges: notes.exchanges,
            failures: notes.failures,
            leases: holdings.live,
            unreported: holdings.unreported,
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.bell.stop();
        if let Some(thread) = self.thread.take() {
            // Only a panic in the thread could make this an error, and that has been reported by then.
            let _ = thread.join();
        }
    }
}

/// Rounds of exchanges over any link.
pub(crate) struct Rounds<L> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) link: L,
    pub(crate) node: String,
    pub(crate) ttl_ms: u64,
    /// Ledger time at which the store was last asked.
    pub(crate) touched_ms: u64,
}

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) exchanges: usize,
    pub(crate) seeding: bool,
    /// There are purses left to look at.
    pub(crate) more: bool,
}

impl<L: Link> Rounds<L> {
    /// One round of what is due.
    pub(crate) fn run(&mut self) -> Result<Round, LinkError> {
        let (asks, seen): (_, Seen) = self.shared.with_state(|state, now| {
            let (asks, more) = state.asks(self.ttl_ms, BATCH, now, random);
            ((asks, more, now), state.leases.seen.clone())
        });
        let (asks, more, now) = asks;
        if asks.is_empty() && (more || now.ledger_ms.saturating_sub(self.touched_ms) < TOUCH_MS) {
            return Ok(Round {
                more,
                ..Round::default()
            });
        }
        self.touched_ms = now.ledger_ms;
        let answered = if asks.is_empty() {
            self.link
                .touch(&self.node, &seen, self.ttl_ms)
                .map(|reply| vec![reply])
        } else {
            self.link.exchange(&self.node, &seen, &asks)
        };
        let replaced = self.shared.with_state(|state, now| {
            let Ok(replies) = &answered else {
                state.leases.reach = Reach::Gone;
                return false;
            };
            state.leases.reach = Reach::Answers;
            for (asked, reply) in asks.iter().zip(replies) {
                state.hear(asked, reply, now);
            }
            if state.leases.replaced {
                state.forget_leases(now);
                return true;
            }
            false
        });
        if replaced {
            let new = new_id();
            // Where it cannot be kept, the next start finds the old one and takes another then.
            self.node = self.shared.node_id(&new, Some(&self.node)).unwrap_or(new);
        }
        let replies = answered?;
        let seeding = replies
            .iter()
            .any(|reply| matches!(reply.status, Status::Seeding { .. }));
        Ok(Round {
            exchanges: replies.len(),
            seeding,
            more,
        })
    }
}

fn new_id() -> String {
    format!("{:016x}{:016x}", random(), random())
}
