//! Open connections that more than one process may use.
//!
//! A socket belongs to whoever has a descriptor of it, and the kernel tells only who connected it. So, for every intercepted
//! connection while it is open:
//! 1. The process that connected holds it. A child it forks meanwhile holds it too, and so do that child's children.
//! 2. One that executes a program is looked at once: descriptors that are not close-on-exec survive.
//! 3. One that ends holds nothing.
//! 4. Every [`audit::PERIOD`] the descriptors of all processes are looked through for what no event tells: descriptors that
//!    were passed over Unix sockets or taken by pidfd_getfd(2), and those that were closed.
//!
//! Events come in the kernel's order but later than what they tell of. A connection that is registered goes through the
//! events since it was opened; who asks whether it was shared at a moment in the past gets an answer that is right once the
//! events until then have been read.
//!
//! Accepted inaccuracy: a descriptor that is passed counts from the audit that finds it, and one that is used and closed
//! between two audits is not found.

mod audit;
mod holders;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use monitor_common::FlowRecord;
use parking_lot::Mutex;
use smallvec::SmallVec;

use self::holders::{Holders, How};
use super::{Attribution, Netns, sockets_of};
use crate::kernel::{SockDiag, Transport};

pub(super) use self::audit::Auditor;

/// Events that are remembered for connections that are registered after them: those of the time that a connection waits to
/// be accepted. When it waits for longer than these last, it counts as shared.
const MAX_RECENT: usize = 4_096;

/// The connections that are open, by the processes that hold them.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// Every connection, also one that nobody is known to hold: then somebody does who is not known.
    open: HashMap<u64, Arc<Shared>>,
    next_id: u64,
    /// Those that a process holds.
    held: HashMap<u32, SmallVec<[Arc<Shared>; 1]>>,
    recent: VecDeque<Step>,
    /// When the youngest of the events that are no longer remembered was, nanoseconds of `CLOCK_BOOTTIME`.
    forgotten_ns: u64,
}

/// What a process did.
#[derive(Debug, Clone, Copy)]
struct Step {
    boottime_ns: u64,
    tgid: u32,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Forked { parent_tgid: u32 },
    Executed,
    Exited,
}

/// One connection and who holds it.
#[derive(Debug)]
struct Shared {
    id: u64,
    socket: Socket,
    opened_ns: u64,
    holders: Mutex<Holders>,
}

/// The client's socket.
#[derive(Debug)]
struct Socket {
    client: SocketAddr,
    listener: SocketAddr,
    netns: Arc<Netns>,
    inode: OnceLock<u32>,
}

/// The ends of a connection as the agent accepted it.
#[derive(Debug, Clone)]
pub struct Ends {
    /// The client's.
    pub client: SocketAddr,
    /// The listener's.
    pub listener: SocketAddr,
    /// The network namespace of both.
    pub netns: Arc<Netns>,
}

/// A connection that is watched until this is dropped.
#[derive(Debug)]
pub(super) struct Watched {
    sharing: Arc<Sharing>,
    shared: Arc<Shared>,
}

impl Sharing {
    /// Watches a connection from now on, and goes through what happened since it was opened.
    pub(super) fn watch(self: &Arc<Self>, flow: &FlowRecord, ends: Ends) -> Watched {
        let mut table = self.table.lock();
        table.next_id += 1;
        let shared = Arc::new(Shared {
            id: table.next_id,
            socket: Socket {
                client: ends.client,
                listener: ends.listener,
                netns: ends.netns,
                inode: OnceLock::new(),
            },
            opened_ns: flow.boottime_ns,
            holders: Mutex::new(Holders::new(flow.tgid, flow.boottime_ns)),
        });
        table.open.insert(shared.id, Arc::clone(&shared));
        if table.forgotten_ns > flow.boottime_ns {
            shared.holders.lock().lose_track(How::Forked);
        }
        table.add(flow.tgid, &shared);
        let missed = table.recent.iter().rev();
        let missed: Vec<Step> = missed
            .take_while(|step| step.boottime_ns > flow.boottime_ns)
            .copied()
            .collect();
        for step in missed.into_iter().rev() {
            table.apply(&shared, step);
        }
        drop(table);
        Watched {
            sharing: Arc::clone(self),
            shared,
        }
    }

    pub(super) fn forked(&self, tgid: u32, parent_tgid: u32, boottime_ns: u64) {
        self.note(Step {
            boottime_ns,
            tgid,
            what: What::Forked { parent_tgid },
        });
    }

    pub(super) fn executed(&self, tgid: u32, boottime_ns: u64) {
        self.note(Step {
            boottime_ns,
            tgid,
            what: What::Executed,
        });
    }

    pub(super) fn exited(&self, tgid: u32, boottime_ns: u64) {
        self.note(Step {
            boottime_ns,
            tgid,
            what: What::Exited,
        });
    }

    fn note(&self, step: Step) {
        let mut table = self.table.lock();
        let holder = match step.what {
            What::Forked { parent_tgid } => parent_tgid,
            What::Executed | What::Exited => step.tgid,
        };
        let held = table.held.get(&holder).cloned().unwrap_or_default();
        for shared in held {
            table.apply(&shared, step);
        }
        if table.recent.len() == MAX_RECENT
            && let Some(oldest) = table.recent.pop_front()
        {
            table.forgotten_ns = oldest.boottime_ns;
        }
        table.recent.push_back(step);
    }
}

impl Table {
    fn add(&mut self, tgid: u32, shared: &Arc<Shared>) {
        let held = self.held.entry(tgid).or_default();
        if !held.iter().any(|known| Arc::ptr_eq(known, shared)) {
            held.push(Arc::clone(shared));
        }
    }

    fn remove(&mut self, tgid: u32, shared: &Arc<Shared>) {
        if let Some(held) = self.held.get_mut(&tgid) {
            held.retain(|known| !Arc::ptr_eq(known, shared));
            if held.is_empty() {
                self.held.remove(&tgid);
            }
        }
    }

    fn apply(&mut self, shared: &Arc<Shared>, step: Step) {
        let mut holders = shared.holders.lock();
        match step.what {
            What::Forked { parent_tgid } if holders.has_at(parent_tgid, step.boottime_ns) => {
                if holders.add(step.tgid, How::Forked, step.boottime_ns) {
                    self.add(step.tgid, shared);
                }
            }
            What::Executed if holders.has_at(step.tgid, step.boottime_ns) => {
                let how = holders.end(step.tgid, step.boottime_ns);
                let kept = shared.socket.is_held_by(step.tgid);
                if kept && holders.add(step.tgid, how.after_exec(), step.boottime_ns) {
                    return;
                }
                self.remove(step.tgid, shared);
            }
            What::Exited if holders.has_at(step.tgid, step.boottime_ns) => {
                holders.end(step.tgid, step.boottime_ns);
                self.remove(step.tgid, shared);
            }
            What::Forked { .. } | What::Executed | What::Exited => {}
        }
    }
}

impl Socket {
    /// Looked up when it is first asked for: most connections are never shared. `None` when no process has it open.
    fn inode(&self) -> Option<u32> {
        if let Some(inode) = self.inode.get() {
            return Some(*inode);
        }
        let find = || SockDiag::open()?.find(Transport::Tcp, self.client, self.listener);
        let found = match self.netns.run(|| find().map_err(|error| error.to_string())) {
            Ok(Ok(found)) => found?,
            Ok(Err(error)) => {
                tracing::debug!(error, "the socket of a client cannot be looked up");
                return None;
            }
            Err(error) => {
                tracing::debug!(%error, "the network namespace of a client cannot be entered");
                return None;
            }
        };
        (found.inode != 0).then(|| *self.inode.get_or_init(|| found.inode))
    }

    fn is_held_by(&self, tgid: u32) -> bool {
        self.inode()
            .is_some_and(|inode| sockets_of(tgid).any(|found| found == inode))
    }
}

impl Watched {
    /// How sure it is that a request that began at `at_ns`, nanoseconds of `CLOCK_BOOTTIME`, is of the process that
    /// connected; `cgroup` is where that one runs.
    pub(super) fn attribution(&self, opened: Attribution, cgroup: &str, at_ns: u64) -> Attribution {
        let reason = self.shared.holders.lock().shared_at(at_ns, cgroup);
        reason.map_or(opened, Attribution::Ambiguous)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut table = self.sharing.table.lock();
        table.open.remove(&self.shared.id);
        let tgids = self.shared.holders.lock().close();
        for tgid in tgids {
            table.remove(tgid, &self.shared);
        }
    }
}

#[cfg(test)]
mod tests;
