//! What both sides agree on about DNS names: how a name is hashed, and what a name in the map means.
//!
//! A name is hashed from its last byte to its first, so that one walk over a question name passes the hash of each of
//! its suffixes at the label boundaries. The hash is FNV-1a of 64 bits: a collision marks an address that is no LLM
//! host, and the server name in the TLS handshake then decides.

/// The entry of the name map matches a question for exactly this name.
pub const MATCH_EXACT: u32 = 1;
/// The entry of the name map matches a question for any name below this one, as `*.suffix` does.
pub const MATCH_BELOW: u32 = 2;

/// The UDP port DNS answers come from (RFC 1035 section 4.2.1).
pub const PORT: u16 = 53;

/// Bytes of a name on the wire at most (RFC 1035 section 2.3.4).
pub const MAX_NAME_BYTES: usize = 255;

/// Bytes of an answer that are read. An answer over UDP that fits no Ethernet frame is fragmented or refused, and
/// resolvers avoid both.
pub const MAX_MESSAGE_BYTES: usize = 1_500;

/// Addresses of one answer that are marked. Public names of CDNs give at most 8; the rest of a longer answer is not
/// marked, and `dns_truncated` counts it. A power of two.
pub const MAX_ADDRESSES: usize = 32;

/// Seconds an address stays marked at least. Clients keep using an address past its TTL, and a mark that is too old
/// costs a splice while a mark that is missing costs an unseen request.
pub const TTL_FLOOR_S: u32 = 3_600;

/// Seconds an address stays marked at most, so that the map forgets what a long TTL claimed.
pub const TTL_CEILING_S: u32 = 86_400;

/// The hash of a name under way, fed from the name's last byte to its first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NameHash(u64);

impl NameHash {
    /// The hash of the empty name.
    pub const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);

    /// With one more byte in front; the caller lowers ASCII letters.
    #[inline(always)]
    #[must_use]
    pub const fn before(self, byte: u8) -> Self {
        Self((self.0 ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3))
    }

    /// The key of the name map.
    #[inline(always)]
    #[must_use]
    pub const fn key(self) -> u64 {
        self.0
    }

    /// The hash of a whole name in text form, without its trailing dot; letters of either case.
    #[must_use]
    pub fn of(name: &str) -> Self {
        name.bytes()
            .rev()
            .fold(Self::EMPTY, |hash, byte| hash.before(byte.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::NameHash;

    #[test]
    fn a_suffix_is_a_prefix_of_the_walk() {
        let whole = NameHash::of("api.openai.com");
        let suffix = NameHash::of("openai.com");
        assert_eq!(suffix.before(b'.').before(b'i').before(b'p').before(b'a'), whole);
        assert_ne!(suffix, NameHash::of("com.openai"));
    }

    #[test]
    fn case_does_not_matter() {
        assert_eq!(NameHash::of("API.OpenAI.com"), NameHash::of("api.openai.com"));
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // The published test vector of the 64-bit FNV-1a hash for the one-byte text "a".
        assert_eq!(NameHash::of("a").key(), 0xaf63_dc4c_8601_ec8c);
    }
}
