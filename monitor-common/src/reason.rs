//! What the kernel side counts: one closed list, which the counters, the metrics and the events share.

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal,)+) => {
        /// Why a counter was raised. The discriminant is the counter's index.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u32)]
        pub enum Reason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Reason {
            /// Every reason, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in metrics and events.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

reasons! {
    /// A connection was sent to the agent.
    Redirected => "redirected",
    /// A connection passed: its address is no LLM host's.
    PassedNotMarked => "passed_not_marked",
    /// A connection to an LLM host's address passed: it is the agent's own.
    PassedAgent => "passed_agent",
    /// A connection to an LLM host's address passed: its port is not intercepted.
    PassedPort => "passed_port",
    /// Passed: UDP to an LLM host's intercepted port.
    PassedQuic => "passed_quic",
    /// Refused: UDP to an LLM host's intercepted port.
    RefusedQuic => "refused_quic",
    /// Passed: a datagram of a UDP socket that was connected before its address was marked.
    PassedOlderQuic => "passed_older_quic",
    /// Refused: a datagram of a UDP socket that was connected before its address was marked.
    RefusedOlderQuic => "refused_older_quic",
    /// Passed: a connection of another protocol than TCP and UDP, such as MPTCP.
    PassedProtocol => "passed_protocol",
    /// Refused: a connection of another protocol than TCP and UDP, such as MPTCP.
    RefusedProtocol => "refused_protocol",
    /// Passed: a connection of a socket that is bound to a device.
    PassedBoundDevice => "passed_bound_device",
    /// Refused: a connection of a socket that is bound to a device.
    RefusedBoundDevice => "refused_bound_device",
    /// Passed: a connection in a network namespace without a listener of that family.
    PassedNoListener => "passed_no_listener",
    /// Refused: a connection in a network namespace without a listener of that family.
    RefusedNoListener => "refused_no_listener",
    /// Passed: a connection whose socket got no storage for the flow record.
    PassedNoStorage => "passed_no_storage",
    /// Refused: a connection whose socket got no storage for the flow record.
    RefusedNoStorage => "refused_no_storage",
    /// Passed: a connection while no agent was alive.
    PassedAgentDown => "passed_agent_down",
    /// Refused: a connection while no agent was alive.
    RefusedAgentDown => "refused_agent_down",
    /// Passed: a ClientHello for an LLM host to an address that is not marked.
    PassedUnmarkedAddress => "passed_unmarked_address",
    /// Refused: a ClientHello for an LLM host to an address that is not marked.
    RefusedUnmarkedAddress => "refused_unmarked_address",
    /// A ClientHello that went past the agent could not be read to its server name: it was cut into several packets, is
    /// longer than is read, or is malformed.
    HelloUnread => "hello_unread",
    /// A redirected flow lost its record: too many half-open connections.
    TupleFull => "tuple_full",
    /// A connection reached the agent's listener without a record: not redirected, or lost.
    TupleMissing => "tuple_missing",
    /// An accepted socket got no storage for its record.
    AcceptedStorageFailed => "accepted_storage_failed",
    /// A flow's record was taken to the accepted socket.
    RecordCarried => "record_carried",
    /// A flow ended before it was accepted.
    FlowAbandoned => "flow_abandoned",
    /// An event was lost: the ring was full.
    RingFull => "ring_full",
    /// A DNS answer for a listed name was read.
    DnsAnswers => "dns_answers",
    /// A DNS answer could not be read.
    DnsMalformed => "dns_malformed",
    /// A DNS answer for a listed name was cut short, by its sender or by a bound of the reader.
    DnsTruncated => "dns_truncated",
    /// An address was marked or its mark extended.
    AddressMarked => "address_marked",
    /// An address could not be marked: the map is full.
    AddressMapFull => "address_map_full",
    /// A connection passed: the mark of its address had expired.
    AddressExpired => "address_expired",
    /// A process got no row: the table is full.
    ProcessTableFull => "process_table_full",
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Reason;

    #[test]
    fn discriminants_are_indices_and_names_are_distinct() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
        }
        let names: HashSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
    }
}
