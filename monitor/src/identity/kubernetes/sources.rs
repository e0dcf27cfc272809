//! Who is asked for names, and how that goes: for the local API, metrics and the log.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// The sources of names.
#[derive(Debug)]
pub(in crate::identity) struct Sources {
    pub(in crate::identity) kubernetes: SourceState,
    pub(in crate::identity) cri: SourceState,
    pub(in crate::identity) kubelet: SourceState,
}

/// How one source does.
#[derive(Debug)]
pub(in crate::identity) struct SourceState {
    name: &'static str,
    /// What is asked, in words; `None` when it is not asked.
    what: Option<String>,
    outcome: Mutex<Outcome>,
    lists: AtomicU64,
    watches: AtomicU64,
    errors: AtomicU64,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Outcome {
    #[default]
    NotYet,
    Good,
    Bad(String),
}

impl SourceState {
    pub(in crate::identity) fn new(name: &'static str, what: Option<String>) -> Self {
        Self {
            name,
            what,
            outcome: Mutex::default(),
            lists: AtomicU64::new(0),
            watches: AtomicU64::new(0),
            errors: AtomicU64::new(0),
        }
    }

    /// Whether it is asked at all.
    pub(in crate::identity) const fn is_on(&self) -> bool {
        self.what.is_some()
    }

    /// It has answered with all it has.
    pub(in crate::identity) fn listed(&self) {
        self.lists.fetch_add(1, Ordering::Relaxed);
        self.succeeded();
    }

    /// A watch has begun.
    pub(in crate::identity) fn watching(&self) {
        self.watches.fetch_add(1, Ordering::Relaxed);
        self.succeeded();
    }

    /// It answers.
    pub(in crate::identity) fn succeeded(&self) {
        let before = std::mem::replace(&mut *self.outcome.lock(), Outcome::Good);
        if matches!(before, Outcome::Bad(_)) {
            tracing::info!(source = self.name, "names of pods are current again");
        }
    }

    /// It does not answer, or not as it should.
    pub(in crate::identity) fn failed(&self, error: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        let now = Outcome::Bad(error.to_owned());
        let mut outcome = self.outcome.lock();
        if *outcome != now {
            *outcome = now;
            tracing::warn!(
                source = self.name,
                error,
                "names of pods may be missing or out of date"
            );
        }
    }

    fn told(&self) -> String {
        match (&self.what, &*self.outcome.lock()) {
            (None, _) => "off".to_owned(),
            (Some(what), Outcome::NotYet) => format!("{what}: not asked yet"),
            (Some(what), Outcome::Good) => format!("{what}: ok"),
            (Some(what), Outcome::Bad(error)) => format!("{what}: {error}"),
        }
    }
}

impl Sources {
    /// Each source and how it does, in words.
    pub(in crate::identity) fn told(&self) -> Vec<(&'static str, String)> {
        [&self.kubernetes, &self.cri, &self.kubelet]
            .map(|source| (source.name, source.told()))
            .into()
    }

    /// What has happened so far, by a name of its own.
    pub(in crate::identity) fn counted(&self) -> Vec<(&'static str, u64)> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        vec![
            ("kubernetes_list", read(&self.kubernetes.lists)),
            ("kubernetes_watch", read(&self.kubernetes.watches)),
            ("kubernetes_error", read(&self.kubernetes.errors)),
            ("cri_list", read(&self.cri.lists)),
            ("cri_error", read(&self.cri.errors)),
            ("kubelet_list", read(&self.kubelet.lists)),
            ("kubelet_error", read(&self.kubelet.errors)),
        ]
    }
}
