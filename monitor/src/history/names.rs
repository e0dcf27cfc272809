//! Who asked and what was asked, as the history tells them apart.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::event::{Exchange, ShortText};
use crate::identity::Workload;

/// The name of what is not told apart any more: the workloads, or the models of a workload, beyond their bound.
pub const OTHER: &str = "(other)";

/// Longest name kept of a workload. Paths of executables and cgroups may be as long as the kernel's `PATH_MAX`; few are longer than
/// this.
const MAX_NAME_BYTES: usize = 1_024;

/// Who asked. Without any field: a workload that is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Asker {
    pub(super) exe: Option<Arc<str>>,
    pub(super) uid: Option<u32>,
    pub(super) cgroup: Option<Arc<str>>,
    pub(super) container: Option<Arc<str>>,
    pub(super) user: Option<Arc<str>>,
    pub(super) unit: Option<Arc<str>>,
    pub(super) namespace: Option<Arc<str>>,
    pub(super) pod: Option<Arc<str>>,
    pub(super) service_account: Option<Arc<str>>,
}

/// What was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Asked {
    pub(super) provider: Option<Arc<str>>,
    pub(super) model: Option<Arc<str>>,
    pub(super) operation: Option<Arc<str>>,
}

/// The fields of an [`Asker`], borrowed from a workload.
#[derive(PartialEq, Eq, Hash)]
struct AskerView<'a> {
    exe: Option<&'a str>,
    uid: Option<u32>,
    cgroup: Option<&'a str>,
    container: Option<&'a str>,
    user: Option<&'a str>,
    unit: Option<&'a str>,
    namespace: Option<&'a str>,
    pod: Option<&'a str>,
    service_account: Option<&'a str>,
}

impl<'a> AskerView<'a> {
    fn of(workload: Option<&'a Workload>) -> Self {
        let placement = workload.map(|workload| &*workload.placement);
        let pod = placement.and_then(|placement| placement.pod.as_deref());
        let view = Self {
            exe: workload.and_then(|workload| workload.exe.as_deref()),
            uid: workload.map(|workload| workload.uid),
            cgroup: placement.map(|placement| &*placement.cgroup),
            container: placement
                .and_then(|placement| placement.container.as_ref())
                .map(|container| &*container.id),
            user: workload.and_then(|workload| workload.user.as_deref()),
            unit: placement.and_then(|placement| placement.unit.as_deref()),
            namespace: pod.and_then(|pod| pod.namespace.as_deref()),
            pod: pod.and_then(|pod| pod.name.as_deref()),
            service_account: pod.and_then(|pod| pod.service_account.as_deref()),
        };
        Self {
            exe: view.exe.map(clip),
            cgroup: view.cgroup.map(clip),
            container: view.container.map(clip),
            user: view.user.map(clip),
            unit: view.unit.map(clip),
            namespace: view.namespace.map(clip),
            pod: view.pod.map(clip),
            service_account: view.service_account.map(clip),
            ..view
        }
    }
}

fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_NAME_BYTES)]
}

impl Asker {
    /// All workloads beyond the bound.
    pub(super) fn other() -> Self {
        Self {
            exe: Some(OTHER.into()),
            ..Self::default()
        }
    }

    fn view(&self) -> AskerView<'_> {
        AskerView {
            exe: self.exe.as_deref(),
            uid: self.uid,
            cgroup: self.cgroup.as_deref(),
            container: self.container.as_deref(),
            user: self.user.as_deref(),
            unit: self.unit.as_deref(),
            namespace: self.namespace.as_deref(),
            pod: self.pod.as_deref(),
            service_account: self.service_account.as_deref(),
        }
    }
}

impl From<AskerView<'_>> for Asker {
    fn from(view: AskerView<'_>) -> Self {
        Self {
            exe: view.exe.map(Arc::from),
            uid: view.uid,
            cgroup: view.cgroup.map(Arc::from),
            container: view.container.map(Arc::from),
            user: view.user.map(Arc::from),
            unit: view.unit.map(Arc::from),
            namespace: view.namespace.map(Arc::from),
            pod: view.pod.map(Arc::from),
            service_account: view.service_account.map(Arc::from),
        }
    }
}

impl Asked {
    /// What is told apart in nothing.
    pub(super) fn other() -> Self {
        Self {
            provider: Some(OTHER.into()),
            model: Some(OTHER.into()),
            operation: Some(OTHER.into()),
        }
    }

    /// The models of a workload beyond the bound.
    pub(super) fn other_model(&self) -> Self {
        Self {
            model: Some(OTHER.into()),
            ..self.clone()
        }
    }
}

/// Values that are each kept once and known by a small number.
#[derive(Debug)]
pub(super) struct Interned<T> {
    values: Vec<T>,
    by_hash: HashMap<u64, SmallVec<[u32; 1]>>,
    hasher: RandomState,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            by_hash: HashMap::new(),
            hasher: RandomState::new(),
        }
    }
}

impl<T> Interned<T> {
    /// The number of the value that hashes as `hash` and is what `is` says.
    fn find(&self, hash: u64, is: impl Fn(&T) -> bool) -> Option<u32> {
        let candidates = self.by_hash.get(&hash)?;
        candidates
            .iter()
            .copied()
            .find(|&number| self.values.get(number as usize).is_some_and(&is))
    }

    fn push(&mut self, hash: u64, value: T) -> u32 {
        // A batch has fewer values than `MAX_WAITING_ROWS`, and an answer fewer than `MAX_GROUPS`.
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.by_hash.entry(hash).or_default().push(number);
        self.values.push(value);
        number
    }

    /// The value of a number.
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.values.get(number as usize)
    }

    /// Every value, in the order of their numbers.
    pub(super) fn values(&self) -> &[T] {
        &self.values
    }
}

impl<T: Hash + Eq> Interned<T> {
    /// The number of a value.
    pub(super) fn intern(&mut self, value: T) -> u32 {
        let hash = self.hasher.hash_one(&value);
        match self.find(hash, |known| *known == value) {
            Some(number) => number,
            None => self.push(hash, value),
        }
    }
}

impl Interned<Asker> {
    /// The number of an exchange's workload; `None` when it is new and there is no `room` for it.
    pub(super) fn asker(&mut self, exchange: &Exchange, room: bool) -> Option<u32> {
        let view = AskerView::of(exchange.workload.as_deref());
        let hash = self.hasher.hash_one(&view);
        let known = self.find(hash, |asker| asker.view() == view);
        known.or_else(|| room.then(|| self.push(hash, view.into())))
    }
}

impl Interned<Asked> {
    /// The number of what an exchange asked; `None` when it is new and there is no `room` for it.
    pub(super) fn asked(&mut self, exchange: &Exchange, room: bool) -> Option<u32> {
        let model = exchange.model.as_ref().map(ShortText::as_str);
        let view = (Some(&*exchange.provider), model, Some(exchange.operation));
        let hash = self.hasher.hash_one(view);
        let known = self.find(hash, |asked| {
            (
                asked.provider.as_deref(),
                asked.model.as_deref(),
                asked.operation.as_deref(),
            ) == view
        });
        let made = || Asked {
            provider: Some(exchange.provider.clone()),
            model: model.map(Arc::from),
            operation: Some(exchange.operation.into()),
        };
        known.or_else(|| room.then(|| self.push(hash, made())))
    }
}
