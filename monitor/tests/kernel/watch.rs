//! What the kernel reports while a test runs.

use std::net::SocketAddr;
use std::time::Duration;

use monitor::kernel::{KernelEvent, KernelEvents};
use monitor_common::Bypass;
use tokio::runtime::Runtime;

use crate::rig::Rig;

/// The stream of events, with the runtime it needs.
pub(crate) struct Watch {
    runtime: Runtime,
    events: KernelEvents,
}

/// What a report of a bypass says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) reason: Bypass,
    pub(crate) denied: bool,
    pub(crate) tgid: u32,
    pub(crate) cgroup_id: u64,
    pub(crate) destination: SocketAddr,
    pub(crate) protocol: u8,
    pub(crate) unreported: u32,
}

impl Watch {
    pub(crate) fn new(rig: &Rig) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let events = {
            let _entered = runtime.enter();
            rig.kernel.events().unwrap()
        };
        Self { runtime, events }
    }

    /// The first event that is wanted, within ten seconds.
    pub(crate) fn until(&mut self, wanted: impl Fn(&KernelEvent) -> bool) -> KernelEvent {
        let events = &mut self.events;
        let search = async {
            loop {
                let event = events.next().await.unwrap();
                if wanted(&event) {
                    return event;
                }
            }
        };
        self.runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(10), search).await })
            .expect("the event within ten seconds")
    }

    /// The bypasses reported since the last look.
    pub(crate) fn bypasses(&mut self) -> Vec<Report> {
        let mut reports = Vec::new();
        while let Some(event) = self.events.take() {
            if let KernelEvent::Bypass {
                reason,
                denied,
                tgid,
                cgroup_id,
                destination,
                protocol,
                unreported,
                ..
            } = event.unwrap()
            {
                reports.push(Report {
                    reason,
                    denied,
                    tgid,
                    cgroup_id,
                    destination,
                    protocol,
                    unreported,
                });
            }
        }
        reports
    }
}
