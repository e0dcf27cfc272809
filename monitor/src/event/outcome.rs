//! What became of a connection.

use super::BypassReason;
use super::label::labels;

labels! {
    /// Why a connection could not or need not be intercepted: it was carried to its destination untouched, or refused.
    SpliceReason {
        /// Its server name is no LLM endpoint's.
        NotListed => "not_listed",
        /// Its ClientHello names no server.
        NoServerName => "no_server_name",
        /// It does not begin with a TLS ClientHello.
        NotTls => "not_tls",
        /// The client offers only protocols that cannot be inspected.
        Protocol => "protocol",
        /// The client has refused the node CA's certificate before.
        UntrustedCa => "untrusted_ca",
        /// Its ClientHello may hide the server's name (Encrypted Client Hello).
        Ech => "ech",
    }
}

impl SpliceReason {
    /// The bypass it is where the connection was LLM-bound; `None` for one that was not.
    #[must_use]
    pub const fn bypass(self) -> Option<BypassReason> {
        match self {
            Self::NotListed => None,
            Self::NoServerName => Some(BypassReason::NoServerName),
            Self::NotTls => Some(BypassReason::NotTls),
            Self::Protocol => Some(BypassReason::ApplicationProtocol),
            Self::UntrustedCa => Some(BypassReason::UntrustedCa),
            Self::Ech => Some(BypassReason::Ech),
        }
    }
}

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Both TLS sides were established; its exchanges have records of their own.
    Intercepted,
    /// Both TLS sides were established, and the client left without a whole request's head. It may have looked at the certificate and not
    /// liked it, as clients that pin one do, or have opened the connection in vain.
    Unused,
    /// It was carried to its destination untouched.
    Spliced(SpliceReason),
    /// The upstream's certificate was not accepted; the client got a TLS failure.
    UpstreamUntrusted,
    /// The client refused the node CA's certificate.
    ClientDistrustsCa,
    /// The client left in the middle of the handshake without a word. It may distrust the node's CA, or have given up.
    ClientLeftHandshake,
    /// It should have been intercepted, could not be, and policy refuses that.
    Refused(SpliceReason),
    /// Its ClientHello might have hidden an LLM host's name, hid none, and policy refuses what is hidden: both TLS sides were
    /// established and bytes carried between them, unread.
    Relayed,
    /// Its ClientHello hid a name, and was answered without Encrypted Client Hello, under the name that can be read: for an LLM
    /// host, or because policy refuses what is hidden. The client left.
    EchRejected,
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
    /// Whether bytes were carried both ways.
    #[must_use]
    pub const fn is_carried(self) -> bool {
        matches!(
            self,
            Self::Intercepted | Self::Unused | Self::Spliced(_) | Self::Relayed
        )
    }

    /// The name in records and metric labels; a splice and a refusal carry their reason.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intercepted => "intercepted",
            Self::Unused => "unused",
            Self::Spliced(SpliceReason::NotListed) => "spliced_not_listed",
            Self::Spliced(SpliceReason::NoServerName) => "spliced_no_server_name",
            Self::Spliced(SpliceReason::NotTls) => "spliced_not_tls",
            Self::Spliced(SpliceReason::Protocol) => "spliced_protocol",
            Self::Spliced(SpliceReason::UntrustedCa) => "spliced_untrusted_ca",
            Self::Spliced(SpliceReason::Ech) => "spliced_ech",
            Self::Refused(SpliceReason::NotListed) => "refused_not_listed",
            Self::Refused(SpliceReason::NoServerName) => "refused_no_server_name",
            Self::Refused(SpliceReason::NotTls) => "refused_not_tls",
            Self::Refused(SpliceReason::Protocol) => "refused_protocol",
            Self::Refused(SpliceReason::UntrustedCa) => "refused_untrusted_ca",
            Self::Refused(SpliceReason::Ech) => "refused_ech",
            Self::Relayed => "relayed",
            Self::EchRejected => "ech_rejected",
            Self::UpstreamUntrusted => "upstream_untrusted",
            Self::ClientDistrustsCa => "client_distrusts_ca",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamHandshakeFailed => "upstream_handshake_failed",
            Self::ClientLeftHandshake => "client_left_handshake",
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
    fn a_splice_or_refusal_is_named_after_its_reason() {
        for &reason in SpliceReason::ALL {
            assert_eq!(
                Outcome::Spliced(reason).name(),
                format!("spliced_{}", reason.name())
            );
            assert_eq!(
                Outcome::Refused(reason).name(),
                format!("refused_{}", reason.name())
            );
        }
    }
}
