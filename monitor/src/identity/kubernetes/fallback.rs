//! Asks the container runtime and the kubelet for pods and containers that cgroups ask for and nobody has named.
//!
//! A cgroup is there before its container is listed, so what is wanted is asked for a few times; what is still unknown
//! then is none of Kubernetes'. However many are wanted, the runtime is asked for all its containers, and not more often
//! than [`PAUSES`] say.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::table::Source;
use super::{Names, PodReading, Server};
use crate::identity::cri::Runtime;
use crate::identity::kubelet;

/// Pods and containers that may be wanted at once. What finds no room is asked for when its placement is next refreshed.
const MAX_WANTED: usize = 1_024;

/// Pauses after each time that something is asked for in vain. After the last it is given up.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// What cgroups ask for.
#[derive(Debug)]
pub(super) struct Wanted {
    /// How often each has been asked for; `None` when there is nobody to ask.
    asked: Option<Mutex<HashMap<Name, usize>>>,
    /// Something was added.
    added: Notify,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    Pod(String),
    Container(String),
}

impl Wanted {
    /// `can_ask` says whether there is anybody to ask.
    pub(super) fn new(can_ask: bool) -> Self {
        Self {
            asked: can_ask.then(Mutex::default),
            added: Notify::new(),
        }
    }

    pub(super) fn want_pod(&self, uid: &str) {
        self.want(|| Name::Pod(uid.to_owned()));
    }

    pub(super) fn want_container(&self, id: &str) {
        self.want(|| Name::Container(id.to_owned()));
    }

    fn want(&self, name: impl FnOnce() -> Name) {
        let Some(asked) = &self.asked else { return };
        let mut asked = asked.lock();
        if asked.len() < MAX_WANTED
            && let Entry::Vacant(entry) = asked.entry(name())
        {
            entry.insert(0);
            drop(asked);
            self.added.notify_one();
        }
    }

    /// Forgets what `is_known` by now. Returns how often that which was asked for least has been, if anything is left.
    fn still(&self, is_known: impl Fn(&Name) -> bool) -> Option<usize> {
        let mut asked = self.asked.as_ref()?.lock();
        asked.retain(|name, _| !is_known(name));
        asked.values().min().copied()
    }

    /// Everything has been asked for once more; gives up what has been often enough.
    fn asked(&self) {
        if let Some(asked) = &self.asked {
            asked.lock().retain(|_, times| {
                *times += 1;
                *times < PAUSES.len()
            });
        }
    }
}

/// Asks for as long as the agent runs.
pub(super) async fn run(names: Arc<Names>, cri: Option<Runtime>, kubelet: Option<Server>) {
    loop {
        names.wanted.added.notified().await;
        while let Some(times) = still_wanted(&names) {
            if let Some(cri) = &cri {
                ask_cri(&names, cri).await;
            }
            if let Some(kubelet) = &kubelet
                && still_wanted(&names).is_some()
            {
                ask_kubelet(&names, kubelet).await;
            }
            names.wanted.asked();
            let pause = PAUSES.get(times).copied().unwrap_or_default();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // What is new does not wait for what has been asked for often.
                () = names.wanted.added.notified() => tokio::time::sleep(PAUSES[0]).await,
            }
        }
    }
}

fn still_wanted(names: &Names) -> Option<usize> {
    let table = names.table.read();
    names.wanted.still(|name| match name {
        Name::Pod(uid) => table.pod(uid).is_some(),
        Name::Container(id) => table.container(id).is_some(),
    })
}

async fn ask_cri(names: &Names, cri: &Runtime) {
    let state = &names.sources.cri;
    match cri.list().await {
        Ok(Some(pods)) => {
            state.listed();
            take(names, pods, Source::Cri);
        }
        // None of the usual sockets exists: a node without containers of Kubernetes.
        Ok(None) => {}
        Err(error) => state.failed(&error.to_string()),
    }
}

async fn ask_kubelet(names: &Names, server: &Server) {
    let state = &names.sources.kubelet;
    match kubelet::pods(server).await {
        Ok(pods) => {
            state.listed();
            take(names, pods, Source::Kubelet);
        }
        Err(error) => state.failed(&error.to_string()),
    }
}

fn take(names: &Names, pods: Vec<PodReading>, source: Source) {
    let listed: HashSet<String> = pods.iter().map(|reading| reading.pod.uid.clone()).collect();
    for reading in pods {
        names.apply(reading, source);
    }
    names
        .table
        .write()
        .listed(source, &listed, std::time::Instant::now());
}
