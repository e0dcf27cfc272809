//! IP addresses of hosts: version 4 in dotted decimals, version 6 in the text form of RFC 4291.
//!
//! An address that names no particular host is not found: unspecified, loopback, multicast, reserved and broadcast
//! addresses, netmasks, networks (`10.0.0.0/8`) and the well-known public resolvers. Addresses of private networks and
//! those reserved for documentation are found at a lower confidence.

mod v4;
mod v6;

use super::Described;
use crate::Finding;

pub(super) use v4::V4;
pub(super) use v6::V6;

pub(crate) const DESCRIBED: Described = Described {
    name: "pii.ip_address",
    placeholder: "[REDACTED:ip_address]",
};

/// Whose an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// No particular host's.
    None,
    /// Reserved for examples (RFC 5737, 3849).
    Documentation,
    /// Valid in its own network only (RFC 1918, 6598, 3927, 4193).
    Private,
    /// Anyone's.
    Public,
}

fn finding(scope: Scope, start: usize, end: usize, named: bool) -> Option<Finding> {
    let (alone, explanation) = match scope {
        Scope::None => return None,
        Scope::Documentation => (60, "address reserved for documentation"),
        Scope::Private => (65, "address in a private network"),
        Scope::Public => (85, "public address"),
    };
    Some(Finding {
        detector: DESCRIBED.name,
        start,
        end,
        confidence_percent: if named { alone + 10 } else { alone },
        explanation,
        continued: false,
    })
}
