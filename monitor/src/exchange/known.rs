//! Whether an exchange's workload is known well enough for policy, and what follows where it is not.
//!
//! Only where an enforced policy says `on_unknown: hold` or `deny` is there something to do before an exchange begins:
//! 1. The kernel's events until now are read, so that a child that was forked with the connection is known.
//! 2. With `hold`, what is missing may arrive: the names of a pod, the path of a cgroup, the end of a child.
//! 3. [`Exchange::check_known`] refuses what is still not known.

use std::sync::Arc;
use std::time::Duration;

use monitor_protocol::RefusalReason;
use tokio::time::{Instant, sleep};

use super::{Exchange, Origin, Refusal};
use crate::config::OnUnknown;
use crate::event::{Reason, Verdict};
use crate::kernel::boottime_ns;

/// How long `hold` waits for what is missing: names of a new pod take a round trip to the API server.
const HOLD: Duration = Duration::from_millis(500);
/// How often it looks.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

impl Origin {
    /// Whether [`wait_until_known`](Self::wait_until_known) has something to do.
    pub(super) fn must_wait(&self) -> bool {
        self.opened.claim.is_some() && self.node.policies.load().any_strict_on_unknown()
    }

    /// Waits until as much is known of the workload as can be, where policy asks for that. To be awaited before an exchange
    /// begins; returns in any case after a bounded time.
    pub(super) async fn wait_until_known(self: Arc<Self>) {
        let Some(claim) = &self.opened.claim else { return };
        // What the reader of the events does not answer in time is decided on what is known.
        let _caught_up = claim.caught_up().await;
        let deadline = Instant::now() + HOLD;
        while self.is_held() && Instant::now() < deadline {
            sleep(LOOK_AGAIN).await;
            claim.look_again();
        }
    }

    fn is_held(&self) -> bool {
        let workload = self.workload();
        let applied = self.applied(workload.as_ref());
        applied.on_unknown == OnUnknown::Hold
            && !applied.is_known(workload.as_deref(), self.attribution_at(boottime_ns()))
    }
}

impl Exchange {
    /// Refuses the exchange where a policy that may apply asks for a known workload and it is not.
    pub(super) fn check_known(&mut self) -> Option<Refusal> {
        if self.applied.is_known(self.workload.as_deref(), self.attribution) {
            return None;
        }
        if self.applied.on_unknown == OnUnknown::Observe {
            if let Some(policy) = self.applied.observed_on_unknown.clone() {
                self.observe(Verdict::Denied, Reason::Unattributed, &policy);
            }
            return None;
        }
        let policy = self.applied.on_unknown_by.clone();
        Some(self.refuse(RefusalReason::Unattributed, Reason::Unattributed, policy))
    }
}
