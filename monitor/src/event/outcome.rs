//! What became of a connection.

use super::label::labels;

labels! {
    /// Why a connection was carried to its destination untouched.
    SpliceReason {
        /// Its server name is no LLM endpoint's.
        NotListed => "not_listed",
        /// Its ClientHello names no server.
        NoServerName => "no_server_name",
        /// It does not begin with a TLS ClientHello.
        NotTls => "not_tls",
        /// The client offers only protocols that cannot be inspected.
        Protocol => "protocol",
        /// Policy passes it.
        Policy => "policy",
    }
}

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Both TLS sides were established; its exchanges have records of their own.
    Intercepted,
    /// It was carried to its destination untouched.
    Spliced(SpliceReason),
    /// The upstream's certificate was not accepted; the client got a TLS failure.
    UpstreamUntrusted,
    /// The client refused the node CA's certificate.
    ClientDistrustsCa,
    /// What came instead of a ClientHello is neither TLS nor may it pass.
    NotTls,
    /// No connection to the destination could be made.
    UpstreamUnreachable,
    /// The TLS handshake with the upstream failed for another reason than its certificate.
    UpstreamHandshakeFailed,
    /// The TLS handshake with the client failed for another reason than our certificate.
    ClientHandshakeFailed,
    /// The client went away, or sent nothing in time, before it had sent its ClientHello.
    ClientGone,
    /// It reached the listener without a flow record, so that its destination is unknown; it was closed.
    Unattributed,
    /// The agent had no room (open connections, file descriptors).
    Overloaded,
    /// The agent failed on it.
    Failed,
}

impl Outcome {
    /// The name in records and metric labels; a splice carries its reason.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intercepted => "intercepted",
            Self::Spliced(SpliceReason::NotListed) => "spliced_not_listed",
            Self::Spliced(SpliceReason::NoServerName) => "spliced_no_server_name",
            Self::Spliced(SpliceReason::NotTls) => "spliced_not_tls",
            Self::Spliced(SpliceReason::Protocol) => "spliced_protocol",
            Self::Spliced(SpliceReason::Policy) => "spliced_policy",
            Self::UpstreamUntrusted => "upstream_untrusted",
            Self::ClientDistrustsCa => "client_distrusts_ca",
            Self::NotTls => "not_tls",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamHandshakeFailed => "upstream_handshake_failed",
            Self::ClientHandshakeFailed => "client_handshake_failed",
            Self::ClientGone => "client_gone",
            Self::Unattributed => "unattributed",
            Self::Overloaded => "overloaded",
            Self::Failed => "failed",
        }
    }
}

impl serde::Serialize for Outcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_splice_is_named_after_its_reason() {
        for &reason in SpliceReason::ALL {
            assert_eq!(
                Outcome::Spliced(reason).name(),
                format!("spliced_{}", reason.name())
            );
        }
    }
}
