//! What the readers of packets know of IP.

/// The protocols of a packet (`linux/if_ether.h`), host byte order.
pub(crate) const ETH_P_IP: u16 = 0x0800;
pub(crate) const ETH_P_IPV6: u16 = 0x86dd;
/// The protocols in an IP header.
pub(crate) const IPPROTO_TCP: u8 = 6;
pub(crate) const IPPROTO_UDP: u8 = 17;
/// IPv4 without options (RFC 791 section 3.1).
pub(crate) const IPV4_HEADER_BYTES: u32 = 20;
/// IPv6 without extension headers (RFC 8200 section 3); packets with them are not read.
pub(crate) const IPV6_HEADER_BYTES: u32 = 40;
