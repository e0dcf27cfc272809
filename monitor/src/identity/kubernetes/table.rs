//! The known pods and containers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::reading::{MAX_CONTAINERS, PodReading};
use crate::identity::{ContainerNames, Pod};

/// Pods that are remembered, those deleted a moment ago included. The kubelet's own default is 110 on a node, and the
/// most in use are about 1,000. With ordinary pods that is some MiB; with every bound of every pod reached, 500 MiB.
pub(super) const MAX_PODS: usize = 2_048;

/// How long a pod is remembered after it was deleted: its connections may still be open, and their records unwritten.
pub(super) const DELETED_KEPT: Duration = Duration::from_secs(300);

/// Who said what is known of a pod. A later one knows more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The container runtime: names and labels as they were when the pod was made.
    Cri,
    /// The kubelet, when it was asked last.
    Kubelet,
    /// The API server, kept current.
    Api,
}

/// The known pods, by the uid in the cgroup's path, and their containers by id.
#[derive(Debug, Default)]
pub(super) struct Table {
    pods: HashMap<String, Known>,
    containers: HashMap<String, ContainerNames>,
    /// Pods that found no room.
    dropped: u64,
}

#[derive(Debug)]
struct Known {
    pod: Arc<Pod>,
    /// Ids, the oldest first.
    containers: Vec<String>,
    source: Source,
    deleted: Option<Instant>,
}

/// What a reading changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Applied {
    /// Nothing: it was known.
    Nothing,
    /// The pod, or its containers.
    Something,
    /// Nothing, for want of room.
    NoRoom,
}

impl Table {
    pub(super) fn pod(&self, uid: &str) -> Option<&Arc<Pod>> {
        self.pods.get(uid).map(|known| &known.pod)
    }

    pub(super) fn container(&self, id: &str) -> Option<&ContainerNames> {
        self.containers.get(id)
    }

    /// Whether a source as good as `source` has said what it knows of a pod.
    pub(super) fn is_settled(&self, uid: &str, source: Source) -> bool {
        self.pods.get(uid).is_some_and(|known| known.source >= source)
    }

    /// Pods that have not been deleted.
    pub(super) fn len(&self) -> usize {
        let there = self.pods.values().filter(|known| known.deleted.is_none());
        there.count()
    }

    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes in what a source says. Of a pod that a better source knows, only containers that it has not named yet.
    pub(super) fn apply(&mut self, reading: PodReading, source: Source, now: Instant) -> Applied {
        let PodReading { pod, containers } = reading;
        if !self.pods.contains_key(&pod.uid) && self.pods.len() >= MAX_PODS {
            self.forget_deleted(now + DELETED_KEPT);
            if self.pods.len() >= MAX_PODS {
                self.dropped += 1;
                return Applied::NoRoom;
            }
        }
        let mut changed = false;
        let known = self.pods.entry(pod.uid.clone()).or_insert_with(|| {
            changed = true;
            Known {
                pod: Arc::new(Pod::default()),
                containers: Vec::new(),
                source,
                deleted: None,
            }
        });
        let is_better = source >= known.source;
        if is_better {
            known.source = source;
            known.deleted = None;
            if *known.pod != pod {
                known.pod = Arc::new(pod);
                changed = true;
            }
        }
        for container in containers {
            let is_known = known.containers.contains(&container.id);
            if is_known && (!is_better || self.containers.get(&container.id) == Some(&container.names)) {
                continue;
            }
            changed = true;
            if !is_known {
                if known.containers.len() >= MAX_CONTAINERS {
                    self.containers.remove(&known.containers.remove(0));
                }
                known.containers.push(container.id.clone());
            }
            self.containers.insert(container.id, container.names);
        }
        if changed {
            Applied::Something
        } else {
            Applied::Nothing
        }
    }

    /// A pod has been deleted.
    pub(super) fn delete(&mut self, uid: &str, now: Instant) {
        if let Some(known) = self.pods.get_mut(uid) {
            known.deleted.get_or_insert(now);
        }
    }

    /// A source has named all pods that there are: others that it named before have been deleted.
    pub(super) fn listed(&mut self, source: Source, listed: &HashSet<String>, now: Instant) {
        for (uid, known) in &mut self.pods {
            if known.source == source && !listed.contains(uid) {
                known.deleted.get_or_insert(now);
            }
        }
    }

    /// Forgets what was deleted some minutes before `now`.
    pub(super) fn forget_deleted(&mut self, now: Instant) {
        let containers = &mut self.containers;
        self.pods.retain(|_, known| {
            let is_kept = known
                .deleted
                .is_none_or(|deleted| now.saturating_duration_since(deleted) < DELETED_KEPT);
            if !is_kept {
                for id in &known.containers {
                    containers.remove(id);
                }
            }
            is_kept
        });
    }
}

#[cfg(test)]
mod tests;
