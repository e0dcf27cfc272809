//! Whether a port is intercepted.

use crate::maps::PORTS;

/// Whether connections to a port, in host byte order, are intercepted.
#[inline(always)]
pub(crate) fn intercepted(port: u16) -> bool {
    PORTS
        .get(u32::from(port >> 6))
        .is_some_and(|word| word & (1 << (port & 63)) != 0)
}
