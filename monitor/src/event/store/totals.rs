//! Totals by workload since the agent's start. What was spent when, on which models, is in the history.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use serde::Serialize;

use crate::event::{Connection, Counts, Exchange};
use crate::identity::{Placement, Workload};

/// Workloads with totals of their own. The one not seen for longest makes room.
pub const MAX_WORKLOADS: usize = 4_096;
const WORKLOADS: NonZeroUsize = match NonZeroUsize::new(MAX_WORKLOADS) {
    Some(bound) => bound,
    None => NonZeroUsize::MIN,
};

/// One workload's total.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkloadTotal {
    /// Executable's path.
    pub exe: Option<Arc<str>>,
    /// Uid.
    pub uid: u32,
    /// User's name.
    pub user: Option<String>,
    /// Path in the cgroup2 hierarchy.
    pub cgroup: Arc<str>,
    /// The systemd unit.
    pub unit: Option<String>,
    /// The container's id.
    pub container: Option<String>,
    /// The container's name.
    pub container_name: Option<String>,
    /// The pod's namespace.
    pub namespace: Option<String>,
    /// The pod's name.
    pub pod: Option<String>,
    /// The pod's service account.
    pub service_account: Option<String>,
    /// The SPIFFE id.
    pub spiffe: Option<String>,
    /// The process seen last.
    pub last_pid: u32,
    /// When it was seen last, Unix milliseconds.
    pub last_seen_ms: u64,
    /// Connections it closed.
    pub connections: u64,
    /// What its exchanges came to.
    #[serde(flatten)]
    pub counts: Counts,
}

/// What tells workloads apart here: processes come and go, these stay.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct WorkloadKey {
    /// Executable's path.
    exe: Option<Arc<str>>,
    /// Uid.
    uid: u32,
    /// Path in the cgroup2 hierarchy.
    cgroup: Arc<str>,
    /// The container's id, where the path does not hold it.
    container: Option<Arc<str>>,
}

impl WorkloadKey {
    fn of(workload: &Workload) -> Self {
        Self {
            exe: workload.exe.as_deref().map(Arc::from),
            uid: workload.uid,
            cgroup: workload.placement.cgroup.as_str().into(),
            container: workload.placement.container_beside_path().map(Arc::from),
        }
    }
}

#[derive(Debug)]
struct Row {
    user: Option<String>,
    placement: Arc<Placement>,
    last_pid: u32,
    last_seen_ms: u64,
    connections: u64,
    counts: Counts,
}

#[derive(Debug)]
pub(super) struct Totals {
    rows: LruCache<WorkloadKey, Row>,
}

impl Default for Totals {
    fn default() -> Self {
        // `unbounded` allocates nothing until there are workloads; the bound is kept in `row`.
        Self {
            rows: LruCache::unbounded(),
        }
    }
}

impl Totals {
    pub(super) fn add_exchange(&mut self, exchange: &Exchange) {
        let Some(workload) = &exchange.workload else {
            return;
        };
        let ended_ms = exchange.started_ms.saturating_add(exchange.duration_us / 1_000);
        self.row(workload, ended_ms).counts.add(&Counts::of(exchange));
    }

    pub(super) fn add_connection(&mut self, connection: &Connection) {
        if let Some(workload) = &connection.workload {
            let row = self.row(workload, connection.closed_ms.unwrap_or(connection.opened_ms));
            row.connections = row.connections.saturating_add(1);
        }
    }

    fn row(&mut self, workload: &Workload, seen_ms: u64) -> &mut Row {
        let key = WorkloadKey::of(workload);
        if !self.rows.contains(&key) && self.rows.len() >= WORKLOADS.get() {
            self.rows.pop_lru();
        }
        let row = self.rows.get_or_insert_mut(key, || Row {
            user: None,
            placement: Arc::clone(&workload.placement),
            last_pid: 0,
            last_seen_ms: 0,
            connections: 0,
            counts: Counts::default(),
        });
        row.last_pid = workload.pid;
        if !Arc::ptr_eq(&row.placement, &workload.placement) {
            row.placement = Arc::clone(&workload.placement);
        }
        row.last_seen_ms = row.last_seen_ms.max(seen_ms);
        if row.user != workload.user {
            row.user.clone_from(&workload.user);
        }
        row
    }

    pub(super) fn workloads(&self) -> Vec<WorkloadTotal> {
        let mut totals: Vec<_> = self
            .rows
            .iter()
            .map(|(key, row)| {
                let placement = &row.placement;
                let (container, pod) = (placement.container.as_ref(), placement.pod.as_deref());
                WorkloadTotal {
                    exe: key.exe.clone(),
                    uid: key.uid,
                    user: row.user.clone(),
                    cgroup: key.cgroup.clone(),
                    unit: placement.unit.clone(),
                    container: container.map(|container| container.id.clone()),
                    container_name: container.and_then(|container| container.name.clone()),
                    namespace: pod.and_then(|pod| pod.namespace.clone()),
                    pod: pod.and_then(|pod| pod.name.clone()),
                    service_account: pod.and_then(|pod| pod.service_account.clone()),
                    spiffe: placement.spiffe.as_ref().map(|spiffe| spiffe.id.clone()),
                    last_pid: row.last_pid,
                    last_seen_ms: row.last_seen_ms,
                    connections: row.connections,
                    counts: row.counts,
                }
            })
            .collect();
        totals.sort_by_key(|total| std::cmp::Reverse(total.last_seen_ms));
        totals
    }
}

#[cfg(test)]
mod tests;
