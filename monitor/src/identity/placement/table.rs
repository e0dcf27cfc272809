//! The cgroups of the node and what is known of each, kept current.
//!
//! 1. The hierarchy is walked at the start, and again from time to time: the net under the kernel's events.
//! 2. [`Placements::on_cgroup`] adds and removes cgroups as the kernel reports them; one that a connection comes from
//!    before that is found by its process.
//! 3. What the path says is read once; names come from the [`Directory`], again when it says that it has learnt more.
//! 4. Each change is put on a list for the writer of scopes: [`Placements::changed`].
//!
//! A placement is replaced, never changed: whoever holds one can tell by the pointer whether it is still the current one.
//!
//! On a hybrid node processes of several containers can be in one cgroup, with the containers in the hierarchies of the
//! first version only. Then the cgroup's own placement has no container, and its processes have placements of their own,
//! one for each container. The kernel's scope of the cgroup follows from the cgroup's own.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use super::path::{PathReading, is_users_manager, read_path};
use super::process::{is_hybrid, read_process};
use super::{Container, Directory, NoDirectory, Placement, Pod};
use crate::identity::cgroup::Hierarchy;
use crate::identity::procfs;

/// Cgroups that are remembered. A node has a few thousand; one that does not fit is worked out for each connection.
pub(crate) const MAX_CGROUPS: usize = 65_536;

/// Containers that are remembered of all cgroups that do not have their name in the path.
const MAX_MEMBERS: usize = 4_096;

/// How long a cgroup is remembered after it was removed: longer than a connection waits for its workload, and a record
/// for its line.
pub(crate) const GONE_KEPT: Duration = Duration::from_secs(60);

/// Pause between walks for cgroups that nobody reported: a walk of thousands of cgroups takes tens of milliseconds, and a
/// workload could ask for one with each connection.
const WALK_PAUSE: Duration = Duration::from_millis(200);

/// The known cgroups and what is known of each. Any number of threads may ask at once.
#[derive(Debug)]
pub struct Placements {
    hierarchy: Hierarchy,
    hybrid: bool,
    directory: RwLock<Arc<dyn Directory>>,
    table: RwLock<Table>,
    /// Held while placements are replaced, so that of two refreshes the later one has the last word.
    refreshing: Mutex<()>,
    changed: Notify,
    walked: Mutex<Option<Instant>>,
    conflicts: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<u64, Entry>,
    /// How many placements of processes there are in all entries.
    members: usize,
    changes: Changes,
    /// Raised before a refresh looks at the entries: what was worked out before may have missed it.
    generation: u64,
}

#[derive(Debug)]
struct Entry {
    placement: Arc<Placement>,
    /// A process that was seen in it; 0 for none.
    tgid: u32,
    added: Instant,
    removed: Option<Instant>,
    /// Placements of processes in containers that the path does not tell, by the container's id.
    members: HashMap<String, Arc<Placement>>,
}

/// Cgroups that appeared, were removed, or of which something else is known now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// These.
    Cgroups(HashSet<u64>),
    /// More than could be remembered.
    All,
}

impl Default for Changes {
    fn default() -> Self {
        Self::Cgroups(HashSet::new())
    }
}

impl Changes {
    fn add(&mut self, id: u64) {
        if let Self::Cgroups(ids) = self {
            if ids.len() < MAX_CGROUPS {
                ids.insert(id);
            } else {
                *self = Self::All;
            }
        }
    }
}

/// Where a process runs.
#[derive(Debug)]
pub(in crate::identity) struct Place {
    pub(in crate::identity) placement: Arc<Placement>,
    /// It was read from the process and not from the cgroup, so it is only as true as the process is the right one.
    pub(in crate::identity) by_process: bool,
}

impl Placements {
    /// Knows nothing yet; `mount` is where cgroup2 is mounted.
    #[must_use]
    pub fn new(mount: PathBuf) -> Self {
        Self {
            hierarchy: Hierarchy::new(mount),
            hybrid: procfs::cgroup_lines(std::process::id()).is_some_and(|lines| is_hybrid(&lines)),
            directory: RwLock::new(Arc::new(NoDirectory)),
            table: RwLock::default(),
            refreshing: Mutex::default(),
            changed: Notify::new(),
            walked: Mutex::default(),
            conflicts: AtomicU64::new(0),
        }
    }

    /// Asks `directory` from now on, for every cgroup anew.
    pub fn set_directory(&self, directory: Arc<dyn Directory>) {
        *self.directory.write() = directory;
        self.refresh_all();
    }

    /// Where a process runs that was in a cgroup when it connected. A cgroup that is not known is looked for by the process,
    /// then in the hierarchy; one that is gone without having been known has an empty path.
    ///
    /// The cgroup of a known one costs a lookup in a table, except that on a hybrid node the process is asked as well where
    /// the path does not name a pod.
    #[must_use]
    pub fn of(&self, cgroup_id: u64, tgid: u32) -> Arc<Placement> {
        self.place(cgroup_id, tgid).placement
    }

    pub(in crate::identity) fn place(&self, cgroup_id: u64, tgid: u32) -> Place {
        let placement = self.of_cgroup(cgroup_id, tgid);
        if self.hybrid
            && placement.pod.is_none()
            && let Some(placement) = self.of_process(cgroup_id, tgid, &placement)
        {
            return Place {
                placement,
                by_process: true,
            };
        }
        Place {
            placement,
            by_process: false,
        }
    }

    /// What the cgroup says, whatever a process in it may say more.
    pub(in crate::identity) fn of_cgroup(&self, cgroup_id: u64, tgid: u32) -> Arc<Placement> {
        if let Some(known) = self.known(cgroup_id, tgid) {
            return known;
        }
        if let Some(path) = self.hierarchy.of_process(cgroup_id, tgid) {
            return self.add(cgroup_id, &path, tgid);
        }
        let may_walk = {
            let walked = *self.walked.lock();
            walked.is_none_or(|walked| walked.elapsed() >= WALK_PAUSE)
        };
        if may_walk {
            self.walk();
        }
        self.known(cgroup_id, tgid).unwrap_or_default()
    }

    /// Whether nothing else is known of the cgroup, or of its process, since `placement` was handed out.
    #[must_use]
    pub fn is_current(&self, cgroup_id: u64, placement: &Arc<Placement>) -> bool {
        let table = self.table.read();
        table.entries.get(&cgroup_id).is_some_and(|entry| {
            Arc::ptr_eq(&entry.placement, placement)
                || placement
                    .container
                    .as_ref()
                    .and_then(|container| entry.members.get(&container.id))
                    .is_some_and(|member| Arc::ptr_eq(member, placement))
        })
    }

    /// What is known of a cgroup that exists, as far as it has been seen.
    #[must_use]
    pub fn get(&self, cgroup_id: u64) -> Option<Arc<Placement>> {
        let table = self.table.read();
        let entry = table.entries.get(&cgroup_id)?;
        entry.removed.is_none().then(|| Arc::clone(&entry.placement))
    }

    /// Every cgroup that exists, as far as it has been seen.
    #[must_use]
    pub fn all(&self) -> Vec<(u64, Arc<Placement>)> {
        let table = self.table.read();
        let there = table.entries.iter().filter(|(_, entry)| entry.removed.is_none());
        there
            .map(|(id, entry)| (*id, Arc::clone(&entry.placement)))
            .collect()
    }

    /// Returns when [`take_changes`](Self::take_changes) may have something. For one waiter; cancel safe.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What has changed since the last call.
    #[must_use]
    pub fn take_changes(&self) -> Changes {
        std::mem::take(&mut self.table.write().changes)
    }

    /// How often the hierarchies of one process named different containers, of which none was believed.
    #[must_use]
    pub fn conflicts(&self) -> u64 {
        self.conflicts.load(Ordering::Relaxed)
    }

    /// Remembers the cgroup of a process while the process is there.
    pub fn learn(&self, cgroup_id: u64, tgid: u32) {
        self.of_cgroup(cgroup_id, tgid);
    }

    /// The kernel reported that a cgroup appeared, with its path in the hierarchy, or was removed. One whose path cannot be
    /// relied on is left to the next walk, or to the first connection from it.
    pub fn on_cgroup(&self, cgroup_id: u64, path: &str, removed: bool) {
        if removed {
            self.remove(cgroup_id, Instant::now());
        } else if self.hierarchy.has(cgroup_id, path) {
            self.add(cgroup_id, path, 0);
        }
    }

    /// Reads the whole hierarchy: what nobody reported is added, what is gone is marked so. Forgets what was removed some
    /// time ago.
    pub fn walk(&self) {
        let began = Instant::now();
        *self.walked.lock() = Some(began);
        let found = self.hierarchy.walk(MAX_CGROUPS);
        for (id, path) in &found {
            self.add(*id, path, 0);
        }
        let mut table = self.table.write();
        if found.len() < MAX_CGROUPS {
            let gone = table.entries.iter().filter(|(id, entry)| {
                entry.removed.is_none() && entry.added < began && !found.contains_key(id)
            });
            let gone: Vec<u64> = gone.map(|(id, _)| *id).collect();
            for id in gone {
                table.mark_removed(id, began);
            }
        }
        table.forget_removed(began);
        drop(table);
        self.changed.notify_one();
    }

    /// The directory has learnt more of a pod, or of its containers. Not to be called with a lock held that the directory
    /// takes to answer.
    pub fn refresh_pod(&self, uid: &str) {
        self.refresh(|placement| placement.pod.as_ref().is_some_and(|pod| pod.uid == uid));
    }

    /// The directory has learnt more of a container. As [`refresh_pod`](Self::refresh_pod).
    pub fn refresh_container(&self, id: &str) {
        self.refresh(|placement| {
            placement
                .container
                .as_ref()
                .is_some_and(|container| container.id == id)
        });
    }

    /// The directory has learnt more of the SPIFFE id of a cgroup, given by its path. As [`refresh_pod`](Self::refresh_pod).
    pub fn refresh_cgroup(&self, path: &str) {
        self.refresh(|placement| placement.cgroup == path);
    }

    /// The directory has become another. As [`refresh_pod`](Self::refresh_pod).
    pub fn refresh_all(&self) {
        self.refresh(|_| true);
    }

    fn known(&self, cgroup_id: u64, tgid: u32) -> Option<Arc<Placement>> {
        {
            let table = self.table.read();
            let entry = table.entries.get(&cgroup_id)?;
            if entry.tgid != 0 || tgid == 0 {
                return Some(Arc::clone(&entry.placement));
            }
        }
        // The first process that is seen in it: its SPIFFE id may take one.
        let _one_at_a_time = self.refreshing.lock();
        let old = {
            let mut table = self.table.write();
            let entry = table.entries.get_mut(&cgroup_id)?;
            entry.tgid = tgid;
            Arc::clone(&entry.placement)
        };
        let mut new = Placement::clone(&old);
        new.spiffe = self.directory().spiffe(&old, Some(tgid));
        if new == *old {
            return Some(old);
        }
        let new = Arc::new(new);
        self.replace(cgroup_id, &old, &new);
        Some(new)
    }

    /// The placement of a process that is in another container than its cgroup names.
    fn of_process(&self, cgroup_id: u64, tgid: u32, cgroups: &Arc<Placement>) -> Option<Arc<Placement>> {
        let lines = procfs::cgroup_lines(tgid)?;
        let process = read_process(&lines);
        if process.conflict {
            self.conflicts.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                tgid,
                cgroup = process.cgroup,
                "the hierarchies of a process name different containers; none is believed"
            );
            return None;
        }
        // Another cgroup than the connection's: the process has moved, or is another one.
        if process.cgroup != cgroups.cgroup {
            return None;
        }
        let id = process.reading.container?.id;
        if cgroups.container.as_ref().is_some_and(|known| known.id == id) {
            return None;
        }
        {
            let table = self.table.read();
            if let Some(known) = table.entries.get(&cgroup_id)?.members.get(id) {
                return Some(Arc::clone(known));
            }
        }
        let _one_at_a_time = self.refreshing.lock();
        let read = placement(&cgroups.cgroup, &process.reading);
        let member = Arc::new(self.named(read, tgid, None));
        let mut table = self.table.write();
        if table.members >= MAX_MEMBERS {
            for entry in table.entries.values_mut() {
                entry.members.clear();
            }
            table.members = 0;
        }
        let known = table
            .entries
            .get_mut(&cgroup_id)?
            .members
            .insert(id.to_owned(), Arc::clone(&member));
        table.members += usize::from(known.is_none());
        Some(member)
    }

    /// Remembers a cgroup that exists.
    fn add(&self, cgroup_id: u64, path: &str, tgid: u32) -> Arc<Placement> {
        let now = Instant::now();
        loop {
            let generation = {
                let mut table = self.table.write();
                if let Some(entry) = table.entries.get_mut(&cgroup_id) {
                    // A removal that was reported before what the walk saw, or a walk that missed it.
                    let known = Arc::clone(&entry.placement);
                    if entry.removed.take().is_some() {
                        table.changes.add(cgroup_id);
                    }
                    return known;
                }
                table.generation
            };
            let placement = Arc::new(self.named(placement(path, &read_path(path)), tgid, None));
            let mut table = self.table.write();
            if table.generation != generation {
                // The directory has learnt more meanwhile, which must not be missed.
                continue;
            }
            if table.entries.len() >= MAX_CGROUPS {
                table.forget_removed(now + GONE_KEPT);
            }
            if table.entries.len() < MAX_CGROUPS {
                let entry = Entry {
                    placement: Arc::clone(&placement),
                    tgid,
                    added: now,
                    removed: None,
                    members: HashMap::new(),
                };
                table.entries.insert(cgroup_id, entry);
                table.changes.add(cgroup_id);
                drop(table);
                self.changed.notify_one();
            }
            return placement;
        }
    }

    fn remove(&self, cgroup_id: u64, now: Instant) {
        self.table.write().mark_removed(cgroup_id, now);
        self.changed.notify_one();
    }

    fn refresh(&self, concerns: impl Fn(&Placement) -> bool) {
        let _one_at_a_time = self.refreshing.lock();
        let stale: Vec<(u64, Arc<Placement>, u32)> = {
            let mut table = self.table.write();
            table.generation += 1;
            let all = table.entries.iter().flat_map(|(id, entry)| {
                let all = std::iter::once(&entry.placement).chain(entry.members.values());
                all.map(|placement| (*id, placement, entry.tgid))
            });
            all.filter(|(_, placement, _)| concerns(placement))
                .map(|(id, placement, tgid)| (id, Arc::clone(placement), tgid))
                .collect()
        };
        for (id, old, tgid) in stale {
            let new = self.named(Placement::clone(&old), tgid, Some(&old));
            if new != *old {
                self.replace(id, &old, &Arc::new(new));
            }
        }
        self.changed.notify_one();
    }

    fn replace(&self, cgroup_id: u64, old: &Arc<Placement>, new: &Arc<Placement>) {
        let mut table = self.table.write();
        let Some(entry) = table.entries.get_mut(&cgroup_id) else {
            return;
        };
        if Arc::ptr_eq(&entry.placement, old) {
            entry.placement = Arc::clone(new);
            table.changes.add(cgroup_id);
            drop(table);
            self.changed.notify_one();
            return;
        }
        let member = entry.members.values_mut().find(|member| Arc::ptr_eq(member, old));
        if let Some(member) = member {
            *member = Arc::clone(new);
        }
    }

    /// With what the directory knows of it. `before` is what was known before.
    fn named(&self, mut placement: Placement, tgid: u32, before: Option<&Placement>) -> Placement {
        let directory = self.directory();
        let pod = placement.pod.take();
        placement.pod = pod.map(|pod| directory.pod(&pod.uid).unwrap_or(pod));
        // A user may give a container of their own any id.
        let is_users_own = placement.unit.as_deref().is_some_and(is_users_manager);
        if let Some(container) = placement.container.as_mut().filter(|_| !is_users_own)
            && let Some(names) = directory.container(&container.id)
        {
            container.name = names.name;
            container.image = names.image;
        }
        placement.spiffe = before.and_then(|before| before.spiffe.clone());
        let spiffe = directory.spiffe(&placement, Some(tgid).filter(|tgid| *tgid != 0));
        placement.spiffe = spiffe;
        placement
    }

    fn directory(&self) -> Arc<dyn Directory> {
        Arc::clone(&self.directory.read())
    }
}

impl Table {
    fn mark_removed(&mut self, id: u64, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&id)
            && entry.removed.is_none()
        {
            entry.removed = Some(now);
            self.changes.add(id);
        }
    }

    fn forget_removed(&mut self, now: Instant) {
        let mut members = 0;
        self.entries.retain(|_, entry| {
            let is_kept = entry
                .removed
                .is_none_or(|removed| now.saturating_duration_since(removed) < GONE_KEPT);
            members += if is_kept { entry.members.len() } else { 0 };
            is_kept
        });
        self.members = members;
    }
}

/// What a path says, without names.
fn placement(cgroup: &str, reading: &PathReading<'_>) -> Placement {
    Placement {
        cgroup: cgroup.to_owned(),
        unit: reading.unit.as_deref().map(str::to_owned),
        slice: reading.slice.map(str::to_owned),
        container: reading.container.map(|container| Container {
            id: container.id.to_owned(),
            runtime: container.runtime,
            name: None,
            image: None,
        }),
        pod: reading.pod_uid.as_deref().map(|uid| {
            Arc::new(Pod {
                uid: uid.to_owned(),
                ..Pod::default()
            })
        }),
        spiffe: None,
    }
}

#[cfg(test)]
mod tests;
