//! What every exchange of a connection shares: the node's services, and where the connection comes from and goes to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use monitor_budget::{Clock, Ledger, Prices};
use monitor_protocol::{Api, Catalog};
use parking_lot::Mutex;

use super::{Fingerprints, include_usage};
use crate::event::{Bypass, BypassReason, Connection, Event, ExchangeIds, Recorder, Transport};
use crate::identity::{Attribution, Claim, Workload};
use crate::policy::{Applied, Policies};

/// The longest name of a host (RFC 1035, section 2.3.4); a request can hold a longer one.
const MAX_NAME_BYTES: usize = 253;

/// The node's services, as far as exchanges need them.
pub struct Node {
    /// The policies in force.
    pub policies: ArcSwap<Policies>,
    /// What models cost.
    pub prices: ArcSwap<Prices>,
    /// The token ledger.
    pub ledger: Ledger,
    /// Where records go.
    pub recorder: Recorder,
    /// Fingerprints of API keys.
    pub fingerprints: Fingerprints,
    /// Identifiers of exchanges.
    pub ids: ExchangeIds,
    /// The time of records and budgets.
    pub clock: Arc<dyn Clock>,
    /// Largest request body that is inspected, in bytes.
    pub request_limit_bytes: usize,
}

/// What is known of a connection when its exchanges begin.
pub struct Opened {
    /// Who opened it; `None` where that is not known.
    pub workload: Option<Arc<Workload>>,
    /// How sure that is, and why not surer.
    pub attribution: Attribution,
    /// The connection as it is watched; `None` where nothing more can become known of it.
    pub claim: Option<Claim>,
    /// The client's end.
    pub client: SocketAddr,
    /// Where the client connected to.
    pub original_destination: SocketAddr,
    /// The provider's name.
    pub provider: Arc<str>,
    /// The server name that the client asked for.
    pub host: Arc<str>,
    /// The protocol that the provider speaks.
    pub api: Api,
    /// The LLM hosts there are.
    pub catalog: Arc<Catalog>,
}

/// One intercepted connection.
pub struct Origin {
    /// The node's services.
    pub node: Arc<Node>,
    /// Whose it is and where it goes.
    pub opened: Opened,
    /// The provider takes `include_usage` from who did not ask for it.
    pub(super) takes_usage_option: bool,
    /// What applies, with the policies it was worked out from.
    applied: Mutex<Option<Choice>>,
    /// What the last exchange that was not certainly its workload's was graded.
    ambiguous: Mutex<Option<Attribution>>,
    exchanges: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
}

/// What applies, and what that was worked out from.
struct Choice {
    policies: Arc<Policies>,
    workload: Option<Arc<Workload>>,
    applied: Arc<Applied>,
}

impl Origin {
    /// A connection on `node`.
    pub fn new(node: Arc<Node>, opened: Opened) -> Self {
        let (exchanges, bytes_up, bytes_down) = Default::default();
        Self {
            takes_usage_option: include_usage::is_taken(&opened),
            node,
            opened,
            applied: Mutex::new(None),
            ambiguous: Mutex::new(None),
            exchanges,
            bytes_up,
            bytes_down,
        }
    }

    /// Another exchange begins.
    pub(super) fn count_exchange(&self) {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
    }

    /// Who asks, as far as it is known now.
    pub(super) fn workload(&self) -> Option<Arc<Workload>> {
        match &self.opened.claim {
            Some(claim) => Some(claim.workload()),
            None => self.opened.workload.clone(),
        }
    }

    /// How sure it is that an exchange that began at `at_ns`, nanoseconds of `CLOCK_BOOTTIME`, was the workload's.
    pub(super) fn attribution_at(&self, at_ns: u64) -> Attribution {
        match &self.opened.claim {
            Some(claim) => claim.attribution_at(at_ns),
            None => self.opened.attribution,
        }
    }

    /// An exchange ended, and was graded so.
    pub(super) fn note_attribution(&self, attribution: Attribution) {
        if matches!(attribution, Attribution::Ambiguous(_)) {
            *self.ambiguous.lock() = Some(attribution);
        }
    }

    /// What applies to an exchange of `workload`: worked out anew when the policies have been replaced, or more is known of
    /// the workload.
    pub(super) fn applied(&self, workload: Option<&Arc<Workload>>) -> Arc<Applied> {
        let policies = self.node.policies.load();
        let mut choice = self.applied.lock();
        if let Some(known) = &*choice
            && Arc::ptr_eq(&known.policies, &policies)
            && known.workload.as_ref().map(Arc::as_ptr) == workload.map(Arc::as_ptr)
        {
            return known.applied.clone();
        }
        let applied = Arc::new(policies.select(workload.map(Arc::as_ref)));
        *choice = Some(Choice {
            policies: Arc::clone(&policies),
            workload: workload.cloned(),
            applied: applied.clone(),
        });
        applied
    }

    /// Whether a request's host, with or without port, is another LLM host than the one the connection was opened for.
    pub(super) fn is_other_host(&self, authority: &str) -> bool {
        let host = host_of(authority);
        !host.eq_ignore_ascii_case(&self.opened.host) && self.opened.catalog.lookup(host).is_some()
    }

    /// Puts on record that a request named `host`.
    pub(super) fn report_mismatch(&self, host: &str, denied: bool) {
        let opened = &self.opened;
        let server_name = match host_of(host) {
            name if name.len() <= MAX_NAME_BYTES => name.to_ascii_lowercase().into(),
            _ => opened.host.clone(),
        };
        let bypass = Bypass {
            at_ms: self.node.clock.now_ms(),
            workload: opened.workload.clone(),
            attribution: opened.attribution,
            placement: opened
                .workload
                .as_ref()
                .map(|workload| workload.placement.clone()),
            reason: BypassReason::ServerNameMismatch,
            denied,
            transport: Transport::Tcp,
            destination: Some(opened.original_destination),
            server_name: Some(server_name),
            unreported: 0,
        };
        self.node.recorder.send(Event::Bypass(Arc::new(bypass)));
    }

    pub(super) fn count_bytes(&self, up: u64, down: u64) {
        self.bytes_up.fetch_add(up, Ordering::Relaxed);
        self.bytes_down.fetch_add(down, Ordering::Relaxed);
    }

    /// Puts into a connection's record what it has carried, and what has become known of whose it is.
    pub fn add_traffic(&self, connection: &mut Connection) {
        if let Some(workload) = self.workload() {
            connection.workload = Some(workload);
        }
        if let Some(ambiguous) = *self.ambiguous.lock() {
            connection.attribution = ambiguous;
        }
        connection.exchanges = self.exchanges.load(Ordering::Relaxed);
        connection.bytes_up = self.bytes_up.load(Ordering::Relaxed);
        connection.bytes_down = self.bytes_down.load(Ordering::Relaxed);
    }
}

/// An authority without user, port and trailing dot (RFC 3986, section 3.2).
pub(crate) fn host_of(authority: &str) -> &str {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    host.strip_suffix('.').unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use crate::exchange::testing::lab;

    #[test]
    fn only_another_llm_host_is_another_host() {
        let lab = lab(&[]);
        let origin = lab.origin();
        for other in [
            "api.anthropic.com",
            "API.Anthropic.com:443",
            "api.anthropic.com.",
            "x@api.anthropic.com:443",
        ] {
            assert!(origin.is_other_host(other), "{other}");
        }
        for same in [
            "api.openai.com",
            "API.openai.com:443",
            "api.openai.com.:443",
            "",
            "example.com",
            "[::1]:443",
        ] {
            assert!(!origin.is_other_host(same), "{same}");
        }
    }
}
