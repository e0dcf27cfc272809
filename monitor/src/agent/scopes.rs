//! Tells the kernel programs how each cgroup's connections are treated.
//!
//! A cgroup without a row has its nearest ancestor's scope, or the default; so only those that differ from that are
//! written, and the map stays small. Rows follow the cgroups as they appear and go, what becomes known of them, and the
//! policies.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use monitor_common::{Reason, Scope};
use parking_lot::Mutex;

use crate::config::Match;
use crate::identity::{Changes, Placement, Placements};
use crate::intercept::Interceptor;
use crate::kernel::{Kernel, KernelError};
use crate::policy::Policies;

/// How often the whole hierarchy is walked although the kernel reports every change.
const WALK_EVERY: Duration = Duration::from_secs(60);

/// The kernel's table of scopes.
pub(super) trait ScopeRows {
    /// Gives a cgroup a row.
    fn set(&self, cgroup_id: u64, scope: Scope) -> Result<(), KernelError>;
    /// Takes a cgroup's row away; one that is not there is no error.
    fn remove(&self, cgroup_id: u64) -> Result<(), KernelError>;
    /// The scope of cgroups without a row and without an ancestor with one.
    fn set_default(&self, scope: Scope) -> Result<(), KernelError>;
}

impl ScopeRows for Kernel {
    fn set(&self, cgroup_id: u64, scope: Scope) -> Result<(), KernelError> {
        self.set_scope(cgroup_id, scope)
    }

    fn remove(&self, cgroup_id: u64) -> Result<(), KernelError> {
        self.remove_scope(cgroup_id)
    }

    fn set_default(&self, scope: Scope) -> Result<(), KernelError> {
        self.set_default_scope(scope)
    }
}

/// The scopes of the node's cgroups.
pub(super) struct Scopes {
    interceptor: Arc<Interceptor>,
    state: Arc<Mutex<State>>,
}

/// What is written, and what could not be.
#[derive(Debug, Default)]
pub(super) struct State {
    /// For cgroups of which no policy says.
    matches: Match,
    default: Scope,
    /// By path, so that a cgroup's descendants are next to each other.
    cgroups: BTreeMap<String, Cgroup>,
    paths: HashMap<u64, String>,
    rows: HashMap<u64, Scope>,
    /// Cgroups whose row could not be written or removed, and why: tried again.
    failing: HashMap<u64, String>,
    /// Rows that could not be written because the table was full.
    full: u64,
    /// Rows that could not be written or removed for another reason.
    failed: u64,
    /// Events that the kernel had lost when the hierarchy was walked last.
    lost: Option<u64>,
    walked: Option<Instant>,
}

#[derive(Debug)]
struct Cgroup {
    id: u64,
    /// As the policies would have it.
    wanted: Scope,
    /// As the kernel has it: its own row's or an ancestor's.
    actual: Scope,
}

impl Scopes {
    /// Writes nothing yet. Rows of an earlier agent are taken over.
    pub(super) fn new(interceptor: Arc<Interceptor>) -> Result<Self, KernelError> {
        let state = State {
            rows: interceptor.kernel.scopes()?.into_iter().collect(),
            ..State::default()
        };
        Ok(Self {
            interceptor,
            state: Arc::new(Mutex::new(state)),
        })
    }

    /// Writes every row again, over those of an agent that has failed.
    pub(super) fn reassert(&self) -> Result<(), KernelError> {
        let rows = self.interceptor.kernel.scopes()?.into_iter().collect();
        let policies = self.interceptor.node.policies.load();
        let mut state = self.state.lock();
        state.rows = rows;
        state.reset(&*self.interceptor.kernel, &policies, self.there());
        Ok(())
    }

    /// The state, for the local API.
    pub(super) fn state(&self) -> Arc<Mutex<State>> {
        self.state.clone()
    }

    /// Works out every cgroup anew: at the start, and when the policies have changed. `matches` is for connections of which
    /// no policy says.
    pub(super) fn reset(&self, matches: Match) {
        let policies = self.interceptor.node.policies.load();
        let mut state = self.state.lock();
        state.matches = matches;
        state.reset(&*self.interceptor.kernel, &policies, self.there());
    }

    /// Follows what has changed since the last call.
    pub(super) fn update(&self) {
        let placements = self.placements();
        let policies = self.interceptor.node.policies.load();
        let kernel = &*self.interceptor.kernel;
        let mut state = self.state.lock();
        match placements.take_changes() {
            Changes::All => state.reset(kernel, &policies, self.there()),
            Changes::Cgroups(ids) => {
                for id in ids {
                    match placements.get(id).filter(|placement| self.is_below(placement)) {
                        Some(placement) => state.put(kernel, &policies, id, &placement),
                        None => state.forget(kernel, id),
                    }
                }
            }
        }
    }

    /// Looks at the whole hierarchy where the kernel does not report cgroups or has lost a report, and otherwise from time to
    /// time; tries again what could not be written.
    pub(super) fn rescan(&self) {
        let kernel = &*self.interceptor.kernel;
        let lost = kernel.counter(Reason::RingFull).ok();
        let is_due = {
            let mut state = self.state.lock();
            let is_due = lost.is_none()
                || state.lost != lost
                || !kernel.reports_cgroups()
                || state.walked.is_none_or(|walked| walked.elapsed() >= WALK_EVERY);
            if is_due {
                (state.lost, state.walked) = (lost, Some(Instant::now()));
            }
            is_due
        };
        if is_due {
            self.placements().walk();
        }
        self.update();
        self.state.lock().retry(kernel);
    }

    fn placements(&self) -> &Placements {
        self.interceptor.identity.placements()
    }

    fn there(&self) -> Vec<(u64, Arc<Placement>)> {
        let mut all = self.placements().all();
        all.retain(|(_, placement)| self.is_below(placement));
        all
    }

    fn is_below(&self, placement: &Placement) -> bool {
        self.interceptor.identity.namespaces().covers(&placement.cgroup)
    }
}

impl State {
    /// How many cgroups have a row.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// How many rows are missing or wrong, and why one of them is; `None` where all is as it should be.
    pub(super) fn failing(&self) -> Option<(usize, &str)> {
        let why = self.failing.values().next()?;
        Some((self.failing.len(), why))
    }

    /// What could not be written since the start, by reason.
    pub(super) fn errors(&self) -> [(&'static str, u64); 2] {
        [
            ("scope_table_full", self.full),
            ("scope_not_written", self.failed),
        ]
    }

    fn reset(&mut self, kernel: &impl ScopeRows, policies: &Policies, all: Vec<(u64, Arc<Placement>)>) {
        let default = policies.scope_of(&Placement::default(), self.matches);
        if let Err(error) = kernel.set_default(default) {
            self.failed += 1;
            tracing::error!(%error, "the default scope is not in the kernel");
        } else {
            self.default = default;
        }
        self.cgroups.clear();
        self.paths.clear();
        self.failing.clear();
        for (id, placement) in all {
            self.paths.insert(id, placement.cgroup.clone());
            let wanted = policies.scope_of(&placement, self.matches);
            let cgroup = Cgroup {
                id,
                wanted,
                actual: default,
            };
            self.cgroups.insert(placement.cgroup.clone(), cgroup);
        }
        let gone = self.rows.keys().filter(|id| !self.paths.contains_key(id));
        for id in gone.copied().collect::<Vec<_>>() {
            self.remove(kernel, id);
        }
        // In the order of the paths, which has ancestors first.
        let paths: Vec<String> = self.cgroups.keys().cloned().collect();
        for path in paths {
            self.settle(kernel, &path);
        }
    }

    /// A cgroup is there, or something else is known of it.
    fn put(&mut self, kernel: &impl ScopeRows, policies: &Policies, id: u64, placement: &Placement) {
        let wanted = policies.scope_of(placement, self.matches);
        let path = &placement.cgroup;
        match self.cgroups.get_mut(path) {
            Some(known) if known.id == id && known.wanted == wanted => return,
            Some(known) if known.id == id => known.wanted = wanted,
            known => {
                // Another cgroup had the path, and its removal was not reported.
                if let Some(gone) = known.map(|known| known.id) {
                    self.forget(kernel, gone);
                }
                self.paths.insert(id, path.clone());
                let actual = self.default;
                self.cgroups.insert(path.clone(), Cgroup { id, wanted, actual });
            }
        }
        self.settle(kernel, path);
        for below in self.below(path) {
            self.settle(kernel, &below);
        }
    }

    /// A cgroup is gone.
    fn forget(&mut self, kernel: &impl ScopeRows, id: u64) {
        self.failing.remove(&id);
        if let Some(path) = self.paths.remove(&id)
            && self.cgroups.get(&path).is_some_and(|cgroup| cgroup.id == id)
        {
            self.cgroups.remove(&path);
        }
        if self.rows.contains_key(&id) {
            self.remove(kernel, id);
        }
    }

    fn retry(&mut self, kernel: &impl ScopeRows) {
        let failing: Vec<u64> = self.failing.keys().copied().collect();
        for id in failing {
            match self.paths.get(&id).cloned() {
                Some(path) => {
                    self.settle(kernel, &path);
                    for below in self.below(&path) {
                        self.settle(kernel, &below);
                    }
                }
                None => self.remove(kernel, id),
            }
        }
    }

    /// Gives a cgroup the row that it needs, and none that it does not need. Its ancestors are settled.
    fn settle(&mut self, kernel: &impl ScopeRows, path: &str) {
        let inherited = self.inherited(path);
        let Some(cgroup) = self.cgroups.get(path) else {
            return;
        };
        let (id, wanted) = (cgroup.id, cgroup.wanted);
        match (wanted != inherited, self.rows.get(&id)) {
            (true, Some(row)) if *row == wanted => self.done(id),
            (true, _) => match kernel.set(id, wanted) {
                Ok(()) => {
                    self.rows.insert(id, wanted);
                    self.done(id);
                }
                Err(error) => self.note(id, path, &error),
            },
            (false, Some(_)) => self.remove(kernel, id),
            (false, None) => self.done(id),
        }
        let actual = self.rows.get(&id).copied().unwrap_or(inherited);
        if let Some(cgroup) = self.cgroups.get_mut(path) {
            cgroup.actual = actual;
        }
    }

    fn remove(&mut self, kernel: &impl ScopeRows, id: u64) {
        match kernel.remove(id) {
            Ok(()) => {
                self.rows.remove(&id);
                self.done(id);
            }
            Err(error) => self.note(id, "a cgroup that is gone or needs none", &error),
        }
    }

    fn done(&mut self, id: u64) {
        self.failing.remove(&id);
    }

    fn note(&mut self, id: u64, cgroup: &str, error: &KernelError) {
        if self.failing.is_empty() {
            // One of many that fail alike; readiness and the counters have the rest.
            tracing::error!(cgroup, %error, "a cgroup's scope is not what the policies say");
        }
        if self.failing.insert(id, error.to_string()).is_none() {
            match error {
                KernelError::ScopeTableFull { .. } => self.full += 1,
                _ => self.failed += 1,
            }
        }
    }

    /// The scope of a cgroup without a row.
    fn inherited(&self, path: &str) -> Scope {
        let mut below = path;
        while below != "/"
            && let Some((above, _)) = below.rsplit_once('/')
        {
            let above = if above.is_empty() { "/" } else { above };
            if let Some(cgroup) = self.cgroups.get(above) {
                return cgroup.actual;
            }
            below = above;
        }
        self.default
    }

    /// The paths below a path, ancestors first.
    fn below(&self, path: &str) -> Vec<String> {
        let prefix = if path == "/" {
            path.to_owned()
        } else {
            format!("{path}/")
        };
        let from = (Bound::Excluded(prefix.as_str()), Bound::Unbounded);
        self.cgroups
            .range::<str, _>(from)
            .take_while(|(below, _)| below.starts_with(&prefix))
            .map(|(below, _)| below.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests;
