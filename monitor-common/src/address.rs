//! One form for every IP address, so that kernel and user space compare the same sixteen bytes.
//!
//! An IPv4 address is kept as its IPv4-mapped IPv6 form (RFC 4291 section 2.5.5.2). A socket of either family that
//! talks to the same IPv4 host then yields the same value, which is what makes a tuple key found from both ends.

/// The third word of an IPv4-mapped address, `0000:ffff`, in network byte order.
const MAPPED_PREFIX: u32 = 0x0000_ffff_u32.to_be();

/// An IP address in network byte order, IPv4 as IPv4-mapped.
///
/// Words, not bytes: the kernel's context fields are words, and the verifier rejects wider copies of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(C)]
pub struct NormalAddr {
    words: [u32; 4],
}

const _: () = assert!(size_of::<NormalAddr>() == 16 && align_of::<NormalAddr>() == 4);

impl NormalAddr {
    /// `127.0.0.1`.
    pub const LOOPBACK_V4: Self = Self::from_v4(0x7f00_0001_u32.to_be());
    /// `::1`.
    pub const LOOPBACK_V6: Self = Self::from_v6([0, 0, 0, 1_u32.to_be()]);

    /// From an IPv4 address as one word in network byte order.
    #[inline(always)]
    #[must_use]
    pub const fn from_v4(word: u32) -> Self {
        Self {
            words: [0, 0, MAPPED_PREFIX, word],
        }
    }

    /// From the four words of an IPv6 address, each in network byte order. An IPv4-mapped one is already normal.
    #[inline(always)]
    #[must_use]
    pub const fn from_v6(words: [u32; 4]) -> Self {
        Self { words }
    }

    /// Whether this is an IPv4 address.
    #[inline(always)]
    #[must_use]
    pub const fn is_v4(&self) -> bool {
        self.words[0] == 0 && self.words[1] == 0 && self.words[2] == MAPPED_PREFIX
    }

    /// Whether it leads to this host by its form alone: a loopback address, or the unspecified one, which is taken for it.
    #[inline(always)]
    #[must_use]
    pub const fn is_own_host(&self) -> bool {
        let [first, second, third, fourth] = self.words;
        if first != 0 || second != 0 {
            return false;
        }
        match third {
            0 => fourth == 0 || fourth == 1_u32.to_be(),
            MAPPED_PREFIX => fourth == 0 || u32::from_be(fourth) >> 24 == 127,
            _ => false,
        }
    }

    /// The words of the IPv6 form, each in network byte order.
    #[inline(always)]
    #[must_use]
    pub const fn words(&self) -> [u32; 4] {
        self.words
    }

    /// The IPv4 address as one word in network byte order; meaningful when [`is_v4`](Self::is_v4).
    #[inline(always)]
    #[must_use]
    pub const fn v4_word(&self) -> u32 {
        self.words[3]
    }
}

#[cfg(any(feature = "user", test))]
impl From<std::net::IpAddr> for NormalAddr {
    fn from(address: std::net::IpAddr) -> Self {
        let octets = match address {
            std::net::IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            std::net::IpAddr::V6(v6) => v6.octets(),
        };
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(octets.chunks_exact(4)) {
            *word = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        Self { words }
    }
}

#[cfg(any(feature = "user", test))]
impl From<NormalAddr> for std::net::IpAddr {
    fn from(address: NormalAddr) -> Self {
        let mut octets = [0; 16];
        for (bytes, word) in octets.chunks_exact_mut(4).zip(address.words) {
            bytes.copy_from_slice(&word.to_ne_bytes());
        }
        std::net::Ipv6Addr::from(octets).to_canonical()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::NormalAddr;

    #[test]
    fn an_ipv4_address_and_its_mapped_form_are_one_value() {
        let v4 = NormalAddr::from(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));
        let mapped = NormalAddr::from(IpAddr::V6("::ffff:192.0.2.7".parse().unwrap()));
        assert_eq!(v4, mapped);
        assert!(v4.is_v4());
        assert_eq!(v4, NormalAddr::from_v4(u32::from_ne_bytes([192, 0, 2, 7])));
        assert_eq!(IpAddr::from(mapped), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));
    }

    #[test]
    fn an_ipv6_address_survives_the_round_trip() {
        let address = IpAddr::V6("2001:db8::a:b".parse().unwrap());
        let normal = NormalAddr::from(address);
        assert!(!normal.is_v4());
        assert_eq!(IpAddr::from(normal), address);
        assert_eq!(NormalAddr::from_v6(normal.words()), normal);
    }

    #[test]
    fn the_loopback_constants_are_the_loopback_addresses() {
        assert_eq!(
            IpAddr::from(NormalAddr::LOOPBACK_V4),
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        );
        assert_eq!(
            IpAddr::from(NormalAddr::LOOPBACK_V6),
            IpAddr::V6(Ipv6Addr::LOCALHOST)
        );
        assert!(!NormalAddr::LOOPBACK_V6.is_v4());
    }

    #[test]
    fn this_host_is_told_by_the_address() {
        let own = |address: &str| NormalAddr::from(address.parse::<IpAddr>().unwrap()).is_own_host();
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "::1",
            "::",
            "::ffff:127.0.0.1",
        ] {
            assert!(own(address), "{address}");
        }
        for address in [
            "128.0.0.1",
            "0.0.0.1",
            "192.0.2.1",
            "::2",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "1::",
        ] {
            assert!(!own(address), "{address}");
        }
    }
}
