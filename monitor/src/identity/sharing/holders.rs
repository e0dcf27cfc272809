//! Who holds one connection, and since when.

use smallvec::SmallVec;

use crate::identity::{AttributionReason, procfs};

/// Holders that are remembered of one connection. With more at a time it counts as shared for good.
const MAX_HOLDERS: usize = 64;
/// Of these, those that hold it no longer: a request that began while they did may still be under way.
const MAX_ENDED: usize = 16;
/// Holders whose cgroup is looked up for one request.
const MAX_PLACED: usize = 8;

/// How a process came to hold a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It connected.
    Connected,
    /// It was forked by a holder.
    Forked,
    /// It connected, and has executed another program since.
    Executed,
    /// It was found with the socket, and no event says how it came to it.
    Passed,
}

impl How {
    pub(super) const fn after_exec(self) -> Self {
        match self {
            Self::Connected => Self::Executed,
            other => other,
        }
    }

    const fn reason(self, across: bool) -> Option<AttributionReason> {
        Some(match (self, across) {
            (Self::Connected, _) => return None,
            (Self::Executed, _) => AttributionReason::ProgramChanged,
            (Self::Forked, false) => AttributionReason::SharedByFork,
            (Self::Forked, true) => AttributionReason::SharedByForkAcrossCgroups,
            (Self::Passed, false) => AttributionReason::PassedDescriptor,
            (Self::Passed, true) => AttributionReason::PassedDescriptorAcrossCgroups,
        })
    }
}

#[derive(Debug)]
struct Holder {
    tgid: u32,
    how: How,
    from_ns: u64,
    /// `u64::MAX` while it holds it.
    until_ns: u64,
    /// It was seen in another cgroup than the one that connected.
    across: bool,
}

impl Holder {
    const fn is_present(&self) -> bool {
        self.until_ns == u64::MAX
    }
}

/// The processes that hold one connection, or did.
#[derive(Debug)]
pub(super) struct Holders {
    list: SmallVec<[Holder; 1]>,
    /// There were too many to remember.
    lost: Option<How>,
    closed: bool,
}

impl Holders {
    pub(super) fn new(tgid: u32, from_ns: u64) -> Self {
        let mut holders = Self {
            list: SmallVec::new(),
            lost: None,
            closed: false,
        };
        holders.add(tgid, How::Connected, from_ns);
        holders
    }

    /// From now on it counts as shared.
    pub(super) fn lose_track(&mut self, how: How) {
        self.lost = Some(how);
    }

    /// Whether a process holds it now.
    pub(super) fn has(&self, tgid: u32) -> bool {
        self.find(tgid).is_some()
    }

    /// Whether a process holds it now and did so at a time: an event of before is not about this connection.
    pub(super) fn has_at(&self, tgid: u32, at_ns: u64) -> bool {
        let holder = self.find(tgid).and_then(|index| self.list.get(index));
        holder.is_some_and(|holder| holder.from_ns <= at_ns)
    }

    /// A process holds it from a time on. False when it cannot be remembered.
    pub(super) fn add(&mut self, tgid: u32, how: How, from_ns: u64) -> bool {
        if self.has(tgid) {
            return true;
        }
        if self.list.len() >= MAX_HOLDERS {
            self.lose_track(how);
            return false;
        }
        self.list.push(Holder {
            tgid,
            how,
            from_ns,
            until_ns: u64::MAX,
            across: false,
        });
        true
    }

    /// A process holds it no longer; how it did.
    pub(super) fn end(&mut self, tgid: u32, until_ns: u64) -> How {
        let mut how = How::Passed;
        if let Some(index) = self.find(tgid)
            && let Some(holder) = self.list.get_mut(index)
        {
            (holder.until_ns, how) = (until_ns, holder.how);
        }
        let ended = self.list.iter().filter(|holder| !holder.is_present()).count();
        if ended > MAX_ENDED
            && let Some(oldest) = self.list.iter().position(|holder| !holder.is_present())
        {
            self.list.remove(oldest);
        }
        how
    }

    /// Why a request that began at a time may be of another process than the one that connected, which runs in `cgroup`. Of
    /// several reasons the gravest counts: another cgroup.
    pub(super) fn shared_at(&mut self, at_ns: u64, cgroup: &str) -> Option<AttributionReason> {
        let mut gravest = self.lost.and_then(|how| how.reason(true));
        let others = self.list.iter_mut().filter(|holder| {
            holder.how != How::Connected && holder.from_ns <= at_ns && at_ns <= holder.until_ns
        });
        for (index, holder) in others.enumerate() {
            if holder.is_present() && holder.how != How::Executed && !holder.across {
                // It starts in the cgroup of its parent, and can be moved at any time.
                let found = (index < MAX_PLACED)
                    .then(|| procfs::cgroup(holder.tgid))
                    .flatten();
                holder.across = match found {
                    Some(found) => found != cgroup,
                    // A child that is gone already never was elsewhere for all that is known.
                    None => holder.how == How::Passed,
                };
            }
            let reason = holder.how.reason(holder.across);
            if gravest.is_none() || reason.is_some_and(AttributionReason::crosses_cgroups) {
                gravest = reason;
            }
        }
        gravest
    }

    /// A process was found to hold it, at a time. True when that was not known, and is remembered.
    pub(super) fn pass(&mut self, tgid: u32, at_ns: u64) -> bool {
        !self.has(tgid) && self.add(tgid, How::Passed, at_ns)
    }

    /// Nobody else was found to hold it by an audit that began at a time: those who were thought to do so since before. Ends
    /// them, and returns them.
    pub(super) fn end_others(&mut self, found: &[u32], began_ns: u64) -> Vec<u32> {
        let others = self.list.iter().filter(|holder| {
            holder.is_present() && holder.from_ns < began_ns && !found.contains(&holder.tgid)
        });
        let others: Vec<u32> = others.map(|holder| holder.tgid).collect();
        for tgid in &others {
            self.end(*tgid, began_ns);
        }
        others
    }

    /// The connection is closed: nobody is to be added any more. Who held it.
    pub(super) fn close(&mut self) -> Vec<u32> {
        self.closed = true;
        let present = self.list.iter().filter(|holder| holder.is_present());
        present.map(|holder| holder.tgid).collect()
    }

    /// Whether the connection is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    fn find(&self, tgid: u32) -> Option<usize> {
        self.list
            .iter()
            .position(|holder| holder.tgid == tgid && holder.is_present())
    }
}
