//! Names of pods and containers, for the [`Directory`] that placements ask.
//!
//! 1. `watch`: the API server is watched for the pods of this node: all that is known of a pod, kept current.
//! 2. `fallback`: what it has not told, and cgroups ask for, is looked for in the container runtime ([`super::cri`]) and
//!    then in the kubelet ([`super::kubelet`]). Neither tells a pod's service account as it changes, nor when it is gone.
//! 3. `table`: what all have said, bounded; a deleted pod is remembered for some minutes.
//! 4. Placements are told of each change, then who waits in [`PodNames::settled`].
//!
//! Nothing here is on the way of a connection: a name that is not known yet is missing, and comes later.

mod fallback;
mod object;
mod reading;
mod server;
mod sources;
mod table;
mod watch;
mod whereabouts;

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use tokio::sync::Notify;
use tokio::task::JoinSet;

pub(in crate::identity) use self::object::PodList;
pub(in crate::identity) use self::reading::{ContainerReading, MAX_CONTAINERS, PodReading};
pub(in crate::identity) use self::server::{Server, ServerError};
pub use self::whereabouts::{Whereabouts, WhereaboutsError};

use self::fallback::Wanted;
use self::sources::{SourceState, Sources};
use self::table::{Applied, Source, Table};
use super::spiffe::derived;
use super::{ContainerNames, Directory, Placement, Placements, Pod, SpiffeId};

/// How often pods that were deleted a while ago are looked for, to be forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(30);

/// What is known of the names of this node's pods. Its tasks end when it is dropped, or with their runtime.
#[derive(Debug)]
pub struct PodNames {
    names: Arc<Names>,
    _tasks: JoinSet<()>,
}

/// What the tasks share.
#[derive(Debug)]
struct Names {
    table: RwLock<Table>,
    placements: Weak<Placements>,
    sources: Sources,
    wanted: Wanted,
    /// Something has been learnt, and placements have it.
    learnt: Notify,
    trust_domain: Option<String>,
}

impl PodNames {
    /// Begins to ask those that `whereabouts` names, and has `placements` ask what they say. Returns at once; must be called
    /// inside a runtime.
    #[must_use]
    pub fn start(whereabouts: Whereabouts, placements: &Arc<Placements>) -> Self {
        let Whereabouts {
            watched,
            cri,
            kubelet,
            trust_domain,
        } = whereabouts;
        let watching = watched
            .as_ref()
            .map(|watched| format!("pods of node {} at {}", watched.node, watched.server.api));
        let names = Arc::new(Names {
            table: RwLock::default(),
            placements: Arc::downgrade(placements),
            sources: Sources {
                kubernetes: SourceState::new("kubernetes", watching),
                cri: SourceState::new("cri", cri.as_ref().map(|_| "container runtime".to_owned())),
                kubelet: SourceState::new("kubelet", kubelet.as_ref().map(|server| server.api.to_string())),
            },
            wanted: Wanted::new(cri.is_some() || kubelet.is_some()),
            learnt: Notify::new(),
            trust_domain,
        });
        let mut tasks = JoinSet::new();
        if let Some(watched) = watched {
            tasks.spawn(watch::run(names.clone(), watched));
        }
        if cri.is_some() || kubelet.is_some() {
            tasks.spawn(fallback::run(names.clone(), cri, kubelet.map(Server::new)));
        }
        tasks.spawn(forget(names.clone()));
        placements.set_directory(names.clone());
        Self { names, _tasks: tasks }
    }

    /// Waits until the best source there is has named a pod, given by the uid in its cgroup's path, and placements have
    /// the names; at most for `limit`. Says whether it has.
    pub async fn settled(&self, uid: &str, limit: Duration) -> bool {
        let names = &self.names;
        let best = names.best_source();
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let mut learnt = std::pin::pin!(names.learnt.notified());
            learnt.as_mut().enable();
            if best.is_some_and(|best| names.table.read().is_settled(uid, best)) {
                // The table has it, and placements may be a moment behind.
                names.refresh_pod(uid);
                return true;
            }
            if best.is_none() || tokio::time::timeout_at(deadline, learnt).await.is_err() {
                return false;
            }
        }
    }

    /// Each source of names, and how it does, in words.
    #[must_use]
    pub fn sources(&self) -> Vec<(&'static str, String)> {
        self.names.sources.told()
    }

    /// What the sources have done so far, by name: lists, watches and errors, and pods that found no room.
    #[must_use]
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        let mut counters = self.names.sources.counted();
        counters.push(("pod_dropped", self.names.table.read().dropped()));
        counters
    }

    /// Pods that are known and have not been deleted.
    #[must_use]
    pub fn known(&self) -> usize {
        self.names.table.read().len()
    }
}

impl Names {
    /// The one whose word is final.
    fn best_source(&self) -> Option<Source> {
        let sources = [
            (&self.sources.kubernetes, Source::Api),
            // Either of the others may be the one that answers.
            (&self.sources.cri, Source::Cri),
            (&self.sources.kubelet, Source::Cri),
        ];
        sources
            .into_iter()
            .find_map(|(state, source)| state.is_on().then_some(source))
    }

    /// Takes in what a source says of a pod, and tells whom it concerns.
    fn apply(&self, reading: PodReading, source: Source) {
        let uid = reading.pod.uid.clone();
        let containers: Vec<String> = reading
            .containers
            .iter()
            .map(|container| container.id.clone())
            .collect();
        if !self.apply_quietly(reading, source) {
            return;
        }
        if let Some(placements) = self.placements.upgrade() {
            placements.refresh_pod(&uid);
            for id in &containers {
                placements.refresh_container(id);
            }
        }
        self.learnt.notify_waiters();
    }

    /// Takes in what a source says of a pod. Says whether that was news.
    fn apply_quietly(&self, reading: PodReading, source: Source) -> bool {
        let uid = reading.pod.uid.clone();
        let applied = self.table.write().apply(reading, source, Instant::now());
        if applied == Applied::NoRoom {
            tracing::warn!(
                uid,
                limit = table::MAX_PODS,
                "a pod finds no room in the table of names"
            );
        }
        applied == Applied::Something
    }

    /// A source has named all pods that there are.
    fn finish_list(&self, source: Source, listed: &HashSet<String>) {
        self.table.write().listed(source, listed, Instant::now());
        if let Some(placements) = self.placements.upgrade() {
            placements.refresh_all();
        }
        self.learnt.notify_waiters();
    }

    fn delete(&self, uid: &str) {
        self.table.write().delete(uid, Instant::now());
    }

    fn refresh_pod(&self, uid: &str) {
        if let Some(placements) = self.placements.upgrade() {
            placements.refresh_pod(uid);
        }
    }
}

impl Directory for Names {
    fn pod(&self, uid: &str) -> Option<Arc<Pod>> {
        let pod = self.table.read().pod(uid).cloned();
        if pod.is_none() {
            self.wanted.want_pod(uid);
        }
        pod
    }

    fn container(&self, id: &str) -> Option<ContainerNames> {
        let names = self.table.read().container(id).cloned();
        if names.is_none() {
            self.wanted.want_container(id);
        }
        names
    }

    fn spiffe(&self, placement: &Placement, _tgid: Option<u32>) -> Option<SpiffeId> {
        derived(self.trust_domain.as_deref()?, placement.pod.as_deref()?)
    }
}

async fn forget(names: Arc<Names>) {
    let mut ticks = tokio::time::interval(FORGET_EVERY);
    loop {
        ticks.tick().await;
        names.table.write().forget_deleted(Instant::now());
    }
}

#[cfg(test)]
mod tests;
