//! Keeps listeners in every network namespace below the attach point: opened when a process appears in one, closed when
//! the last has left, because a listening socket keeps its namespace from going away.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use monitor_common::{Bypass, ListenerPorts};
use parking_lot::Mutex;

use super::older::Older;
use crate::identity::Netns;
use crate::intercept::{Interceptor, NamespaceListeners, Workers};
use crate::kernel::{KernelError, KernelEvent};

/// How often all processes are looked at: the net under the events, which can be lost when the ring is full.
pub(super) const RESCAN: Duration = Duration::from_secs(5);

/// The listeners of the node.
pub(super) struct Keeper {
    interceptor: Arc<Interceptor>,
    older: Older,
    state: Arc<Mutex<State>>,
}

/// Which namespaces have listeners, by cookie.
#[derive(Default)]
pub(super) struct State {
    listening: HashMap<u64, ListenerPorts>,
    /// The listeners of the agent before, which still take what was on its way to them.
    draining: HashMap<u64, ListenerPorts>,
    /// Those in which none can be opened, and why: tried again at each scan.
    failing: HashMap<u64, (Arc<Netns>, String)>,
}

impl State {
    /// How many namespaces have listeners.
    pub(super) fn listening(&self) -> usize {
        self.listening.len()
    }

    /// The namespaces without listeners, by inode, and why.
    pub(super) fn failing(&self) -> Vec<(u64, String)> {
        self.failing
            .values()
            .map(|(netns, why)| (netns.inode(), why.clone()))
            .collect()
    }
}

impl Keeper {
    pub(super) fn new(interceptor: Arc<Interceptor>, older: Older) -> Self {
        Self {
            interceptor,
            older,
            state: Arc::default(),
        }
    }

    /// The state, for the local API.
    pub(super) fn state(&self) -> Arc<Mutex<State>> {
        self.state.clone()
    }

    /// Looks at every process.
    pub(super) fn rescan(&self, workers: &Workers) {
        let changes = self.interceptor.identity.namespaces().scan();
        for netns in changes.gone {
            self.close(netns.cookie(), workers);
        }
        let again: Vec<_> = self
            .state
            .lock()
            .failing
            .values()
            .map(|(netns, _)| netns.clone())
            .collect();
        for netns in changes.added.into_iter().chain(again) {
            self.open(&netns, workers);
        }
    }

    /// Looks at the process of an event.
    pub(super) fn on_event(&self, event: &KernelEvent, workers: &Workers) {
        let namespaces = self.interceptor.identity.namespaces();
        match *event {
            KernelEvent::Exec { tgid, .. } => {
                if let Some(netns) = namespaces.of_process(tgid) {
                    self.open(&netns, workers);
                }
            }
            KernelEvent::Bypass {
                reason: Bypass::NoListener,
                tgid,
                netns_cookie,
                ..
            } => {
                let netns = namespaces
                    .of_process(tgid)
                    .or_else(|| namespaces.by_cookie(netns_cookie));
                match netns {
                    Some(netns) => self.open(&netns, workers),
                    None => tracing::warn!(
                        tgid,
                        "a connection passed: its network namespace has no listener and its process is gone"
                    ),
                }
            }
            KernelEvent::Bypass { .. }
            | KernelEvent::Cgroup { .. }
            | KernelEvent::Fork { .. }
            | KernelEvent::Exit { .. } => {}
        }
    }

    /// Takes what an earlier agent left in the kernel's table: while it still drains, its listeners are named beside this
    /// one's; after a crash they are gone, and so are their rows.
    ///
    /// # Errors
    /// The kernel refuses a read or a write.
    pub(super) fn inherit(&self, drains: bool) -> Result<(), KernelError> {
        let kernel = &self.interceptor.kernel;
        let rows = kernel.listeners()?;
        if drains {
            self.state.lock().draining = rows.into_iter().collect();
            return Ok(());
        }
        rows.into_iter()
            .try_for_each(|(cookie, _)| kernel.remove_listener(cookie))
    }

    /// The agent before has closed its listeners: connections go to this one's alone.
    pub(super) fn drained(&self) {
        let mut state = self.state.lock();
        for cookie in std::mem::take(&mut state.draining).into_keys() {
            let outcome = match state.listening.get_mut(&cookie) {
                Some(ports) => {
                    (ports.draining_v4, ports.draining_v6) = (0, 0);
                    self.interceptor.kernel.set_listener(cookie, *ports)
                }
                None => self.interceptor.kernel.remove_listener(cookie),
            };
            if let Err(error) = outcome {
                tracing::error!(%error, "the kernel's table keeps a listener of the agent before");
            }
        }
    }

    /// Writes the kernel's rows again, after another agent has written its own and failed.
    ///
    /// # Errors
    /// The kernel refuses a write.
    pub(super) fn reassert(&self) -> Result<(), KernelError> {
        let state = self.state.lock();
        let kernel = &self.interceptor.kernel;
        for (cookie, _) in kernel.listeners()? {
            if !state.listening.contains_key(&cookie) {
                kernel.remove_listener(cookie)?;
            }
        }
        state
            .listening
            .iter()
            .try_for_each(|(cookie, ports)| kernel.set_listener(*cookie, *ports))
    }

    /// Closes all listeners: no connection is redirected any more.
    pub(super) fn close_all(&self, workers: &Workers) {
        let listening: Vec<u64> = self.state.lock().listening.keys().copied().collect();
        for cookie in listening {
            self.close(cookie, workers);
        }
    }

    /// Closes all listeners and leaves the kernel's table alone: it is another agent's.
    pub(super) fn leave_all(&self, workers: &Workers) {
        for cookie in std::mem::take(&mut self.state.lock().listening).into_keys() {
            workers.close(cookie);
        }
    }

    fn open(&self, netns: &Arc<Netns>, workers: &Workers) {
        let cookie = netns.cookie();
        if self.state.lock().listening.contains_key(&cookie) {
            return;
        }
        match self.listen(netns, workers) {
            Ok(ports) => {
                let mut state = self.state.lock();
                state.failing.remove(&cookie);
                state.listening.insert(cookie, ports);
                tracing::info!(netns = netns.inode(), "listening");
                drop(state);
                self.older.namespace(netns);
            }
            Err(why) => {
                let known = self
                    .state
                    .lock()
                    .failing
                    .insert(cookie, (netns.clone(), why.clone()));
                if known.is_none_or(|(_, before)| before != why) {
                    tracing::warn!(
                        netns = netns.inode(),
                        why,
                        "no listener in a network namespace: its connections pass"
                    );
                }
            }
        }
    }

    fn listen(&self, netns: &Arc<Netns>, workers: &Workers) -> Result<ListenerPorts, String> {
        let listeners = NamespaceListeners::open(netns, workers.count())
            .map_err(|e| format!("cannot listen on its loopback address ({e}); is `lo` up?"))?;
        let before = self.state.lock().draining.get(&netns.cookie()).copied();
        let before = before.unwrap_or_default();
        let ports = ListenerPorts {
            draining_v4: before.v4,
            draining_v6: before.v6,
            ..listeners.ports
        };
        workers.listen(netns, listeners);
        self.interceptor
            .kernel
            .set_listener(netns.cookie(), ports)
            .map_err(|e| {
                workers.close(netns.cookie());
                e.to_string()
            })?;
        Ok(ports)
    }

    fn close(&self, cookie: u64, workers: &Workers) {
        let mut state = self.state.lock();
        state.failing.remove(&cookie);
        if state.listening.remove(&cookie).is_some() {
            // First the kernel's row, so that no connection is sent to a listener that is gone.
            if let Err(error) = self.interceptor.kernel.remove_listener(cookie) {
                tracing::error!(%error, "a listener cannot be taken from the kernel's table");
            }
            workers.close(cookie);
        }
    }
}
