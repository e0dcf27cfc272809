//! Ways around the agent: one closed list, which the counters, the events and the records share.

use crate::{Reason, Scope};

macro_rules! bypasses {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal, $passed:ident, $refused:ident;)+) => {
        /// Why something LLM-bound was not intercepted.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u32)]
        pub enum Bypass {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Bypass {
            /// Every way around, in the order of the discriminants.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in metrics and records.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The counter of those that passed, or of those that were refused.
            #[inline(always)]
            #[must_use]
            pub const fn counter(self, refused: bool) -> Reason {
                match (self, refused) {
                    $((Self::$variant, false) => Reason::$passed,
                    (Self::$variant, true) => Reason::$refused,)+
                }
            }
        }
    };
}

bypasses! {
    /// A UDP socket was connected to an intercepted port, or sent there: probably QUIC.
    Quic => "quic", PassedQuic, RefusedQuic;
    /// A datagram of a UDP socket that was connected before its address was marked, or before the agent.
    OlderQuic => "older_quic", PassedOlderQuic, RefusedOlderQuic;
    /// A socket of another protocol than TCP and UDP, such as MPTCP.
    Protocol => "protocol", PassedProtocol, RefusedProtocol;
    /// The socket is bound to a device, from which loopback cannot be reached.
    BoundDevice => "bound_device", PassedBoundDevice, RefusedBoundDevice;
    /// The network namespace has no listener of that family.
    NoListener => "no_listener", PassedNoListener, RefusedNoListener;
    /// The kernel gave the socket no storage for the flow record.
    NoStorage => "no_storage", PassedNoStorage, RefusedNoStorage;
    /// No agent is alive.
    AgentDown => "agent_down", PassedAgentDown, RefusedAgentDown;
    /// A ClientHello for an LLM host went to an address that is not marked: a literal address, a hosts file, DNS that
    /// the programs cannot read.
    UnmarkedAddress => "unmarked_address", PassedUnmarkedAddress, RefusedUnmarkedAddress;
}

impl Bypass {
    /// Whether it is refused in a scope; else it passes.
    #[inline(always)]
    #[must_use]
    pub const fn is_refused(self, scope: Scope) -> bool {
        match self {
            Self::Quic | Self::OlderQuic => !scope.has(Scope::PASS_QUIC),
            Self::AgentDown => scope.has(Scope::CLOSED),
            _ => scope.has(Scope::DENY_BYPASS),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Bypass;
    use crate::Scope;

    #[test]
    fn each_is_refused_by_its_own_flag() {
        for bypass in Bypass::ALL {
            let (flag, refused) = match bypass {
                Bypass::Quic | Bypass::OlderQuic => (Scope::PASS_QUIC, false),
                Bypass::AgentDown => (Scope::CLOSED, true),
                _ => (Scope::DENY_BYPASS, true),
            };
            assert_eq!(bypass.is_refused(flag), refused, "{}", bypass.name());
            assert_eq!(bypass.is_refused(Scope::NONE), !refused, "{}", bypass.name());
        }
    }

    #[test]
    fn the_document_of_coverage_names_every_counter_of_what_passes_or_is_refused() {
        let document = include_str!("../../docs/coverage.md");
        for name in crate::Reason::ALL.iter().map(|reason| reason.name()) {
            if name.starts_with("passed_") || name.starts_with("refused_") {
                assert!(
                    document.contains(&format!("`{name}`")),
                    "{name} is not in docs/coverage.md"
                );
            }
        }
    }

    #[test]
    fn discriminants_are_indices_and_counters_are_distinct() {
        let mut counters = HashSet::new();
        for (index, bypass) in Bypass::ALL.iter().enumerate() {
            assert_eq!(*bypass as usize, index);
            for refused in [false, true] {
                let counter = bypass.counter(refused);
                assert!(counters.insert(counter));
                let verb = if refused { "refused" } else { "passed" };
                assert_eq!(counter.name(), format!("{verb}_{}", bypass.name()));
            }
        }
    }
}
