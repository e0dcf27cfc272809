//! What every exchange of a connection shares: the node's services, and where the connection comes from and goes to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use monitor_budget::{Clock, Ledger};
use monitor_protocol::{Api, Catalog};
use parking_lot::Mutex;

use crate::event::{Bypass, BypassReason, Connection, Event, ExchangeIds, Recorder, Transport};
use crate::identity::{Attribution, Workload};
use crate::policy::{Applied, Policies};

/// The longest name of a host (RFC 1035, section 2.3.4); a request can hold a longer one.
const MAX_NAME_BYTES: usize = 253;

/// The node's services, as far as exchanges need them.
pub struct Node {
    /// The policies in force.
    pub policies: ArcSwap<Policies>,
    /// The token ledger.
    pub ledger: Ledger,
    /// Where records go.
    pub recorder: Recorder,
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
    /// What applies, with the policies it was worked out from.
    applied: Mutex<Option<(Arc<Policies>, Arc<Applied>)>>,
    exchanges: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
}

impl Origin {
    /// A connection on `node`.
    pub fn new(node: Arc<Node>, opened: Opened) -> Self {
        let (exchanges, bytes_up, bytes_down) = Default::default();
        Self {
            node,
            opened,
            applied: Mutex::new(None),
            exchanges,
            bytes_up,
            bytes_down,
        }
    }

    /// What applies to the next exchange: worked out anew when the policies have been replaced.
    pub(super) fn applied(&self) -> Arc<Applied> {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        let policies = self.node.policies.load();
        let mut applied = self.applied.lock();
        match &*applied {
            Some((from, known)) if Arc::ptr_eq(from, &policies) => known.clone(),
            _ => {
                let fresh = Arc::new(policies.select(self.opened.workload.as_deref()));
                *applied = Some((Arc::clone(&policies), fresh.clone()));
                fresh
            }
        }
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

    /// Puts into a connection's record what it has carried.
    pub fn add_traffic(&self, connection: &mut Connection) {
        connection.exchanges = self.exchanges.load(Ordering::Relaxed);
        connection.bytes_up = self.bytes_up.load(Ordering::Relaxed);
        connection.bytes_down = self.bytes_down.load(Ordering::Relaxed);
    }
}

/// An authority without user, port and trailing dot (RFC 3986, section 3.2).
fn host_of(authority: &str) -> &str {
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
