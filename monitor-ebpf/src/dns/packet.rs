//! The payload of a UDP packet from the DNS port.

use aya_ebpf::programs::SkBuffContext;
use monitor_common::dns::PORT;

use crate::ip::{ETH_P_IP, ETH_P_IPV6, IPPROTO_UDP, IPV4_HEADER_BYTES, IPV6_HEADER_BYTES};

const UDP_HEADER_BYTES: u32 = 8;

/// Where the payload begins and how long it is, for a packet from the DNS port. `None` for any other, which is nearly
/// every packet: one load decides.
#[inline(always)]
pub(super) fn payload(ctx: &SkBuffContext) -> Option<(u32, u32)> {
    // SAFETY: a field of the context; network byte order in a word.
    let protocol = u16::from_be(unsafe { (*ctx.skb.skb).protocol } as u16);
    let udp_at = match protocol {
        ETH_P_IP => {
            // Version and header length at 0, flags and fragment offset at 6, protocol at 9.
            let start: [u8; 10] = ctx.load(0).ok()?;
            if start[9] != IPPROTO_UDP {
                return None;
            }
            let fragment_offset = u16::from_be_bytes([start[6] & 0x1f, start[7]]);
            let header_bytes = u32::from(start[0] & 0x0f) * 4;
            if fragment_offset != 0 || header_bytes < IPV4_HEADER_BYTES {
                return None;
            }
            header_bytes
        }
        ETH_P_IPV6 => {
            let next_header: u8 = ctx.load(6).ok()?;
            if next_header != IPPROTO_UDP {
                return None;
            }
            IPV6_HEADER_BYTES
        }
        _ => return None,
    };
    // Source port, destination port, length, checksum (RFC 768).
    let udp: [u8; UDP_HEADER_BYTES as usize] = ctx.load(udp_at as usize).ok()?;
    if u16::from_be_bytes([udp[0], udp[1]]) != PORT {
        return None;
    }
    let said = u32::from(u16::from_be_bytes([udp[4], udp[5]])).checked_sub(UDP_HEADER_BYTES)?;
    let there = ctx.len().checked_sub(udp_at + UDP_HEADER_BYTES)?;
    Some((udp_at + UDP_HEADER_BYTES, said.min(there)))
}
