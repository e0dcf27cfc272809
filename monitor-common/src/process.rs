//! The kernel's table of processes: what was executed when, kept so that a flow can be tied to one executed program.

/// Bytes of an executed file's path that are kept, its NUL included. Longer paths are cut.
pub const FILENAME_BYTES: usize = 128;

/// One process, keyed by its id in the initial pid namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct ProcessRow {
    /// The process that forked it; 0 when that was before the agent.
    pub parent_tgid: u32,
    /// Keeps the layout free of implicit padding.
    pub reserved: u32,
    /// When it was forked, nanoseconds of `CLOCK_BOOTTIME`; 0 when that was before the agent.
    pub start_boottime_ns: u64,
    /// When it, or the ancestor it shares its program with, last executed one; nanoseconds of `CLOCK_BOOTTIME`,
    /// 0 when that was before the agent.
    pub exec_boottime_ns: u64,
    /// The path it gave to `execve`, NUL-terminated; empty when that was before the agent. Not an identity: it may be
    /// relative, or a script.
    pub filename: [u8; FILENAME_BYTES],
}

const _: () = assert!(size_of::<ProcessRow>() == 24 + FILENAME_BYTES);

impl ProcessRow {
    /// The path given to `execve`, without its padding.
    #[must_use]
    pub fn filename(&self) -> &[u8] {
        until_nul(&self.filename)
    }
}

/// The bytes before the first NUL, or all of them.
#[must_use]
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::until_nul;

    #[test]
    fn padding_is_cut() {
        assert_eq!(until_nul(b"curl\0\0\0"), b"curl");
        assert_eq!(until_nul(b"full"), b"full");
        assert_eq!(until_nul(b"\0rest"), b"");
    }
}
