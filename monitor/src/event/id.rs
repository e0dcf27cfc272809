//! Identifiers of exchanges.

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

/// Identifier of an exchange: a UUID of version 7 (RFC 9562, section 5.7), so that identifiers sort by time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(u128);

/// Hands out identifiers, unique in this process and, by its random start, across processes and nodes.
#[derive(Debug)]
pub struct ExchangeIds {
    /// The twelve bits after the time.
    salt: u16,
    /// Counts up from a random start; its low 62 bits end the identifier.
    next: AtomicU64,
}

impl Default for ExchangeIds {
    fn default() -> Self {
        Self::new()
    }
}

impl ExchangeIds {
    /// Starts at a random place.
    #[must_use]
    pub fn new() -> Self {
        // The standard library seeds its hasher from the system's random source; no secrecy is needed here.
        let random = || std::hash::RandomState::new().build_hasher().finish();
        let [low, high, ..] = random().to_le_bytes();
        Self {
            salt: u16::from_le_bytes([low, high]),
            next: AtomicU64::new(random()),
        }
    }

    /// The next identifier, for an exchange that began at `unix_ms`.
    #[must_use]
    pub fn next(&self, unix_ms: u64) -> ExchangeId {
        ExchangeId::from_parts(unix_ms, self.salt, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

impl ExchangeId {
    /// The low 48 bits of the time, 12 of the salt and 62 of the count.
    pub(super) fn from_parts(unix_ms: u64, salt: u16, count: u64) -> Self {
        let time = u128::from(unix_ms & 0xffff_ffff_ffff) << 80;
        let version = 0x7 << 76;
        let salt = u128::from(salt & 0xfff) << 64;
        let variant = 0b10 << 62;
        Self(time | version | salt | variant | u128::from(count & (u64::MAX >> 2)))
    }
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(id) = self;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            id >> 96,
            (id >> 80) & 0xffff,
            (id >> 64) & 0xffff,
            (id >> 48) & 0xffff,
            id & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for ExchangeId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn is_a_version_7_uuid() {
        let ids = ExchangeIds {
            salt: 0xabc,
            next: AtomicU64::new(0x1234),
        };
        assert_eq!(
            ids.next(0x0193_5a5a_5a5a).to_string(),
            "01935a5a-5a5a-7abc-8000-000000001234"
        );
        assert_eq!(
            ids.next(0x0193_5a5a_5a5a).to_string(),
            "01935a5a-5a5a-7abc-8000-000000001235"
        );
    }

    #[test]
    fn unique_across_the_wrap_and_across_processes() {
        let ids = ExchangeIds {
            salt: 0,
            next: AtomicU64::new(u64::MAX - 5),
        };
        assert_eq!((0..10).map(|_| ids.next(1)).collect::<HashSet<_>>().len(), 10);
        assert_ne!(ExchangeIds::new().next(1), ExchangeIds::new().next(1));
    }
}
