//! `weir_bypasses_total{reason,verdict}`: what the kernel programs find is read from their counters at each scrape, because
//! their events are rate-limited; what the agent finds is counted here.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use monitor_common::Bypass as KernelBypass;
use monitor_common::Reason;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Metric, MetricFamily, MetricType};

use super::pulled::{family, labelled};
use crate::event::{Bypass, BypassReason};

/// The kernel's counter of a reason; `None` where the counters cannot be read.
pub type ReadCounter = Box<dyn Fn() -> Option<Vec<(Reason, u64)>> + Send + Sync>;

/// The counters; clones share them.
#[derive(Clone)]
pub(super) struct Bypasses {
    desc: Desc,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Of each reason in the order of [`BypassReason::ALL`], those that passed and those that were refused.
    own: [[AtomicU64; 2]; BypassReason::ALL.len()],
    kernel: OnceLock<ReadCounter>,
}

impl fmt::Debug for Bypasses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bypasses").finish_non_exhaustive()
    }
}

impl Bypasses {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let desc = Desc::new(
            "weir_bypasses_total".to_owned(),
            "What was LLM-bound and not intercepted, by reason and by whether it passed.".to_owned(),
            vec!["reason".to_owned(), "verdict".to_owned()],
            HashMap::new(),
        )?;
        Ok(Self {
            desc,
            shared: Arc::default(),
        })
    }

    /// Counts a record. What the kernel finds is not counted: its counters have it.
    pub(super) fn count(&self, bypass: &Bypass) {
        if bypass.reason.is_of_kernel() {
            return;
        }
        if let Some(counters) = self.shared.own.get(bypass.reason as usize) {
            counters[usize::from(bypass.denied)]
                .fetch_add(u64::from(bypass.unreported) + 1, Ordering::Relaxed);
        }
    }

    /// Where the kernel's counters are read; false when that was said before.
    pub(super) fn read_kernel(&self, read: ReadCounter) -> bool {
        self.shared.kernel.set(read).is_ok()
    }
}

impl Collector for Bypasses {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut metrics: Vec<Metric> = Vec::with_capacity(2 * BypassReason::ALL.len());
        let mut add = |reason: BypassReason, denied: bool, count: u64| {
            let labels = [("reason", reason.name()), ("verdict", Bypass::verdict_of(denied))];
            metrics.push(labelled(&labels, count));
        };
        if let Some(counters) = self.shared.kernel.get().and_then(|read| read()) {
            let counters: HashMap<_, _> = counters.into_iter().collect();
            for &bypass in KernelBypass::ALL {
                for denied in [false, true] {
                    let count = counters.get(&bypass.counter(denied)).copied();
                    add(bypass.into(), denied, count.unwrap_or_default());
                }
            }
        }
        for (&reason, counters) in BypassReason::ALL.iter().zip(&self.shared.own) {
            if !reason.is_of_kernel() {
                for (denied, counter) in [false, true].into_iter().zip(counters) {
                    add(reason, denied, counter.load(Ordering::Relaxed));
                }
            }
        }
        family(&self.desc, MetricType::COUNTER, metrics)
    }
}
