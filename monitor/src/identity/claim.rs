//! Whose an open connection is: what was known when it was opened, and what became known since.

use std::sync::Arc;

use arc_swap::ArcSwap;
use monitor_common::FlowRecord;

use super::sharing::{Ends, Watched};
use super::{Attribution, Identity, Workload};

/// An open connection and whose it is.
#[derive(Debug)]
pub struct Claim {
    identity: Arc<Identity>,
    flow: FlowRecord,
    watched: Watched,
    whose: ArcSwap<Whose>,
}

/// A workload and how sure it is.
#[derive(Debug)]
struct Whose {
    workload: Arc<Workload>,
    attribution: Attribution,
}

impl Identity {
    /// Watches an open connection that [`resolve`](Self::resolve) said was `workload`'s, until the claim is dropped.
    #[must_use]
    pub fn claim(
        self: &Arc<Self>,
        flow: &FlowRecord,
        ends: Ends,
        workload: Arc<Workload>,
        attribution: Attribution,
    ) -> Claim {
        Claim {
            identity: Arc::clone(self),
            flow: *flow,
            watched: self.sharing.watch(flow, ends),
            whose: ArcSwap::from_pointee(Whose {
                workload,
                attribution,
            }),
        }
    }
}

impl Claim {
    /// The workload, with what is known of its placement by now. A lookup in a table.
    #[must_use]
    pub fn workload(&self) -> Arc<Workload> {
        let whose = self.whose.load();
        let known = &whose.workload;
        let placements = self.identity.placements();
        if placements.is_current(self.flow.cgroup_id, &known.placement)
            || placements.get(self.flow.cgroup_id).is_none()
        {
            return Arc::clone(known);
        }
        let (placement, is_placed) = self.identity.placement_of(&self.flow);
        if !is_placed {
            return Arc::clone(known);
        }
        let workload = Arc::new(Workload {
            placement,
            ..Workload::clone(known)
        });
        self.whose.store(Arc::new(Whose {
            workload: Arc::clone(&workload),
            attribution: whose.attribution,
        }));
        workload
    }

    /// How sure it is that an exchange that began at `at_ns`, nanoseconds of `CLOCK_BOOTTIME`, was the workload's: right once
    /// the kernel's events until then have been read.
    #[must_use]
    pub fn attribution_at(&self, at_ns: u64) -> Attribution {
        let whose = self.whose.load();
        let cgroup = &whose.workload.placement.cgroup;
        self.watched.attribution(whose.attribution, cgroup, at_ns)
    }

    /// Waits until the kernel's events of before this call have been read, a moment at most. False when they have not.
    pub async fn caught_up(&self) -> bool {
        self.identity.catch_up.caught_up().await
    }

    /// Looks for what was missing when the connection was opened.
    pub fn look_again(&self) {
        let whose = self.whose.load();
        if whose.attribution == Attribution::Exact {
            return;
        }
        let (workload, attribution) = self.identity.resolve(&self.flow);
        let is_better = attribution == Attribution::Exact
            || (whose.workload.placement.cgroup.is_empty() && !workload.placement.cgroup.is_empty());
        if is_better {
            self.whose.store(Arc::new(Whose {
                workload,
                attribution,
            }));
        }
    }
}
