//! The record of something LLM-bound that was not intercepted.

use std::net::SocketAddr;
use std::sync::Arc;

use monitor_common::Bypass as KernelBypass;

use super::label::labels;
use crate::identity::{Attribution, Identity, Placement, Sighting, Workload};
use crate::kernel::{KernelEvent, boottime_ns};

labels! {
    /// Why something LLM-bound was not intercepted: first what the kernel programs find, then what the agent does.
    BypassReason {
        /// A UDP socket was connected to an intercepted port, or sent there: probably QUIC.
        Quic => "quic",
        /// A datagram of a UDP socket that was connected before its address was marked, or before the agent.
        OlderQuic => "older_quic",
        /// A socket of another protocol than TCP and UDP, such as MPTCP.
        Protocol => "protocol",
        /// The socket is bound to a device, from which loopback cannot be reached.
        BoundDevice => "bound_device",
        /// The network namespace has no listener of that family.
        NoListener => "no_listener",
        /// The kernel gave the socket no storage for the flow record.
        NoStorage => "no_storage",
        /// No agent was alive.
        AgentDown => "agent_down",
        /// A ClientHello for an LLM host went to an address that is not marked.
        UnmarkedAddress => "unmarked_address",
        /// The connection is older than the agent.
        OlderConnection => "older_connection",
        /// The client does not trust the node's CA.
        UntrustedCa => "untrusted_ca",
        /// The ClientHello hides the server's name (Encrypted Client Hello), at an LLM host's address.
        Ech => "ech",
        /// The ClientHello names no server, at an LLM host's address.
        NoServerName => "no_server_name",
        /// The connection to an LLM host's address does not begin with a TLS ClientHello.
        NotTls => "not_tls",
        /// The client offers only application protocols that cannot be inspected.
        ApplicationProtocol => "application_protocol",
        /// A request names another LLM host than its connection's ClientHello.
        ServerNameMismatch => "server_name_mismatch",
    }
}

impl BypassReason {
    /// Whether the kernel programs find it, and count every one.
    #[must_use]
    pub fn is_of_kernel(self) -> bool {
        KernelBypass::ALL.iter().any(|&bypass| Self::from(bypass) == self)
    }
}

impl From<KernelBypass> for BypassReason {
    fn from(bypass: KernelBypass) -> Self {
        match bypass {
            KernelBypass::Quic => Self::Quic,
            KernelBypass::OlderQuic => Self::OlderQuic,
            KernelBypass::Protocol => Self::Protocol,
            KernelBypass::BoundDevice => Self::BoundDevice,
            KernelBypass::NoListener => Self::NoListener,
            KernelBypass::NoStorage => Self::NoStorage,
            KernelBypass::AgentDown => Self::AgentDown,
            KernelBypass::UnmarkedAddress => Self::UnmarkedAddress,
        }
    }
}

labels! {
    /// The transport protocol of what was not intercepted.
    Transport {
        /// TCP.
        Tcp => "tcp",
        /// UDP.
        Udp => "udp",
        /// Another one, such as MPTCP.
        Other => "other",
    }
}

impl Transport {
    /// From the number in the IP header; one that is not known there is [`Other`](Self::Other).
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            6 => Self::Tcp,
            17 => Self::Udp,
            _ => Self::Other,
        }
    }
}

/// Something LLM-bound that was not intercepted: it passed unseen, or it was refused.
#[derive(Debug, Clone)]
pub struct Bypass {
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// Who did it; `None` where the process is not known.
    pub workload: Option<Arc<Workload>>,
    /// How sure that is: [`Attribution::Ambiguous`] where only the cgroup is known, [`Attribution::Unknown`] where nothing is.
    pub attribution: Attribution,
    /// Where it came from: the workload's placement, or that of the socket's cgroup where the process is not known.
    pub placement: Option<Arc<Placement>>,
    /// Why.
    pub reason: BypassReason,
    /// Whether it was refused; else it passed.
    pub denied: bool,
    /// Its transport protocol.
    pub transport: Transport,
    /// Where it was going; `None` where that is not known.
    pub destination: Option<SocketAddr>,
    /// The server name in its ClientHello, where there was one; of a mismatch, the name that the request has instead.
    pub server_name: Option<Arc<str>>,
    /// How many of the same kind have no record of their own since the last record.
    pub unreported: u32,
}

impl Bypass {
    /// The record of a kernel event, and its workload as far as it can still be found; `None` for an event of another
    /// kind. `now_ms` is the time now, Unix milliseconds.
    #[must_use]
    pub fn of(event: &KernelEvent, identity: &Identity, now_ms: u64) -> Option<Self> {
        let KernelEvent::Bypass {
            reason,
            denied,
            tgid,
            uid,
            comm,
            cgroup_id,
            netns_cookie,
            boottime_ns: then_ns,
            destination,
            protocol,
            unreported,
        } = event
        else {
            return None;
        };
        let sighted = identity.place(&Sighting {
            tgid: *tgid,
            uid: *uid,
            comm,
            cgroup_id: *cgroup_id,
            netns_cookie: *netns_cookie,
            boottime_ns: *then_ns,
        });
        let age_ms = boottime_ns().saturating_sub(*then_ns) / 1_000_000;
        Some(Self {
            at_ms: now_ms.saturating_sub(age_ms),
            workload: sighted.workload,
            attribution: sighted.attribution,
            placement: sighted.placement,
            reason: (*reason).into(),
            denied: *denied,
            transport: Transport::from_number(*protocol),
            destination: Some(*destination),
            server_name: None,
            unreported: *unreported,
        })
    }

    /// What became of it, in metrics and on the terminal.
    #[must_use]
    pub const fn verdict(&self) -> &'static str {
        Self::verdict_of(self.denied)
    }

    /// The name of each verdict.
    pub(crate) const fn verdict_of(denied: bool) -> &'static str {
        if denied { "refused" } else { "passed" }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_document_of_coverage_names_every_reason_of_the_agents_own() {
        let document = include_str!("../../../docs/coverage.md");
        for reason in BypassReason::ALL {
            if !reason.is_of_kernel() {
                let name = reason.name();
                assert!(
                    document.contains(&format!("`{name}`")),
                    "{name} is not in docs/coverage.md"
                );
            }
        }
    }

    #[test]
    fn the_kernels_reasons_keep_their_names() {
        for &bypass in KernelBypass::ALL {
            assert_eq!(BypassReason::from(bypass).name(), bypass.name());
            assert!(BypassReason::from(bypass).is_of_kernel());
        }
        assert!(!BypassReason::UntrustedCa.is_of_kernel());
        let names: HashSet<_> = BypassReason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), BypassReason::ALL.len());
    }
}
