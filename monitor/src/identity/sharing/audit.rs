//! Who has the sockets of open connections, whatever the events said.
//!
//! One audit reads the descriptors of every process, about a microsecond each, on a thread of its own, and only while a
//! connection is open that is not quite new.

use std::collections::HashMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Shared, Sharing, Table};
use crate::identity::owners::descriptors_of;
use crate::identity::procfs;
use crate::kernel::boottime_ns;

/// How often. A passed descriptor is found after half of it on average; an audit of a node with 500 processes and 20,000
/// descriptors takes some 30 ms of one processor.
pub(super) const PERIOD: Duration = Duration::from_secs(15);
/// Connections younger than this are left to the next audit: most are closed by then.
const MIN_AGE: Duration = Duration::from_secs(3);
/// Descriptors that one audit reads; the next one goes on where it ended. A process may have a million.
const MAX_DESCRIPTORS: usize = 200_000;

/// The thread of the audits; it ends with this.
#[derive(Debug)]
pub(in crate::identity) struct Auditor {
    _stop: Option<Sender<()>>,
}

impl Auditor {
    /// Starts it.
    pub(in crate::identity) fn start(sharing: &Arc<Sharing>) -> Self {
        let (stop, stopped) = channel::<()>();
        let sharing: Weak<Sharing> = Arc::downgrade(sharing);
        let run = move || {
            let mut next_tgid = 0;
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                let Some(sharing) = sharing.upgrade() else { return };
                next_tgid = sharing.audit(MIN_AGE, MAX_DESCRIPTORS, next_tgid);
            }
        };
        let thread = std::thread::Builder::new().name("audit".into()).spawn(run);
        if let Err(error) = &thread {
            tracing::error!(%error, "no thread to look for passed connections; they will not be noticed");
        }
        Self {
            _stop: thread.is_ok().then_some(stop),
        }
    }
}

impl Sharing {
    /// Looks through the descriptors of every process from `first_tgid` on, `max_descriptors` at most, for the sockets of
    /// connections older than `min_age`. The process where the next audit is to begin.
    pub(super) fn audit(&self, min_age: Duration, max_descriptors: usize, first_tgid: u32) -> u32 {
        let began_ns = boottime_ns();
        let opened_before_ns = began_ns.saturating_sub(u64::try_from(min_age.as_nanos()).unwrap_or(u64::MAX));
        let mut watched: HashMap<u32, (Arc<Shared>, Vec<u32>)> = HashMap::new();
        for shared in self.older_than(opened_before_ns) {
            // A socket that no process has open any more is of nobody's to use.
            if let Some(inode) = shared.socket.inode() {
                watched.insert(inode, (shared, Vec::new()));
            }
        }
        if watched.is_empty() {
            return 0;
        }
        let mut tgids = procfs::processes();
        tgids.sort_unstable();
        let (mut read, mut next_tgid) = (0, 0);
        for tgid in tgids.into_iter().filter(|tgid| *tgid >= first_tgid) {
            if read >= max_descriptors {
                next_tgid = tgid;
                break;
            }
            for socket in descriptors_of(tgid).take(max_descriptors) {
                read += 1;
                if let Some((_, found)) = socket.and_then(|inode| watched.get_mut(&inode))
                    && found.last() != Some(&tgid)
                {
                    found.push(tgid);
                }
            }
        }
        let complete = first_tgid == 0 && next_tgid == 0;
        let mut table = self.table.lock();
        for (shared, found) in watched.into_values() {
            table.audited(&shared, &found, complete, began_ns);
        }
        tracing::debug!(
            descriptors = read,
            micros = boottime_ns().saturating_sub(began_ns) / 1_000,
            "looked for shared connections"
        );
        next_tgid
    }

    fn older_than(&self, opened_before_ns: u64) -> Vec<Arc<Shared>> {
        let table = self.table.lock();
        let open = table.open.values();
        open.filter(|shared| shared.opened_ns <= opened_before_ns)
            .cloned()
            .collect()
    }
}

impl Table {
    /// Takes over what an audit that began at a time has found of one connection; of an incomplete one only who has it.
    fn audited(&mut self, shared: &Arc<Shared>, found: &[u32], complete: bool, began_ns: u64) {
        let mut holders = shared.holders.lock();
        if holders.is_closed() {
            return;
        }
        for tgid in found {
            if holders.pass(*tgid, began_ns) {
                self.add(*tgid, shared);
            }
        }
        if complete {
            for tgid in holders.end_others(found, began_ns) {
                self.remove(tgid, shared);
            }
        }
    }
}
