//! The stream of what happened in the kernel.

use std::ffi::OsStr;
use std::mem::offset_of;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use aya::maps::{MapData, RingBuf};
use monitor_common::event::{
    BypassEvent, CGROUP_PATH_BYTES, CgroupEvent, ExecEvent, ExitEvent, ForkEvent, KIND_BYPASS, KIND_CGROUP,
    KIND_EXEC, KIND_EXIT, KIND_FORK,
};
use monitor_common::process::{FILENAME_BYTES, until_nul};
use monitor_common::{Bypass, COMM_BYTES};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::KernelError;

/// Something that happened. Times are nanoseconds of `CLOCK_BOOTTIME`; ids are of the initial pid namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelEvent {
    /// A process executed a program.
    Exec {
        /// The process.
        tgid: u32,
        /// When; its row and its flows carry the same value.
        boottime_ns: u64,
        /// Its cgroup2 id.
        cgroup_id: u64,
        /// The path it gave, cut to 127 bytes. Not an identity: it may be relative, or a script.
        filename: PathBuf,
    },
    /// A process was forked.
    Fork {
        /// The new process.
        tgid: u32,
        /// The process that forked it.
        parent_tgid: u32,
        /// When.
        boottime_ns: u64,
    },
    /// A process ended.
    Exit {
        /// The process.
        tgid: u32,
        /// When.
        boottime_ns: u64,
    },
    /// Something LLM-bound was not intercepted; at most one a second for each cgroup and reason.
    Bypass {
        /// Why.
        reason: Bypass,
        /// Whether it was refused; else it passed.
        denied: bool,
        /// The process; 0 where the kernel does not say.
        tgid: u32,
        /// The user; `None` where the kernel does not say.
        uid: Option<u32>,
        /// The command name of the thread; empty where the kernel does not say.
        comm: String,
        /// The cgroup2 id of the process or of its socket.
        cgroup_id: u64,
        /// The cookie of the socket's network namespace; 0 where the kernel does not say.
        netns_cookie: u64,
        /// When.
        boottime_ns: u64,
        /// Where it was going.
        destination: SocketAddr,
        /// The IP protocol: 6 for TCP, 17 for UDP, 255 for one that does not fit into a byte.
        protocol: u8,
        /// How many of the same cgroup and reason were not reported since the last event.
        unreported: u32,
    },
    /// A cgroup of the cgroup2 hierarchy was made or removed, anywhere on the host.
    Cgroup {
        /// The inode number of its directory.
        id: u64,
        /// Its path from the root of the hierarchy, beginning with `/`, cut to 255 bytes.
        path: String,
        /// Whether it was removed; else it was made. The scope of a removed one is gone.
        removed: bool,
    },
}

/// The stream of events. Events that found the ring full are not in it; `Reason::RingFull` counts them.
#[derive(Debug)]
pub struct KernelEvents {
    ring: AsyncFd<Ring>,
}

/// So that the type can be shown: the ring itself cannot.
struct Ring(RingBuf<MapData>);

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ring")
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl KernelEvents {
    #[expect(
        unsafe_code,
        reason = "tokio asks for a promise that the descriptor stays open"
    )]
    pub(super) fn new(ring: RingBuf<MapData>) -> Result<Self, KernelError> {
        // SAFETY: the ring owns its descriptor, returns the same one each time, and is owned by the `AsyncFd`.
        let watched = unsafe { AsyncFd::register_with_interest(Ring(ring), Interest::READABLE) };
        Ok(Self {
            ring: watched.map_err(|error| KernelError::Watch(error.into()))?,
        })
    }

    /// The next event. Cancel safe: an event is taken only when it is returned.
    ///
    /// # Errors
    ///
    /// When the runtime shuts down, or an event is of another version of the programs.
    pub async fn next(&mut self) -> Result<KernelEvent, KernelError> {
        loop {
            if let Some(event) = self.take() {
                return event;
            }
            // Cleared before the ring is looked at again: an event that arrives in between makes it ready once more.
            self.ring
                .readable_mut()
                .await
                .map_err(KernelError::Watch)?
                .clear_ready();
        }
    }

    /// The next event that is already there.
    pub fn take(&mut self) -> Option<Result<KernelEvent, KernelError>> {
        self.ring.get_mut().0.next().map(|bytes| parse(&bytes))
    }
}

fn parse(bytes: &[u8]) -> Result<KernelEvent, KernelError> {
    let kind = u32_at(bytes, 0).unwrap_or_default();
    parse_kind(kind, bytes).ok_or(KernelError::Event {
        kind,
        bytes: bytes.len(),
    })
}

fn parse_kind(kind: u32, bytes: &[u8]) -> Option<KernelEvent> {
    Some(match kind {
        KIND_EXEC => {
            let at = offset_of!(ExecEvent, filename);
            let filename = until_nul(bytes.get(at..at + FILENAME_BYTES)?);
            KernelEvent::Exec {
                tgid: u32_at(bytes, offset_of!(ExecEvent, tgid))?,
                boottime_ns: u64_at(bytes, offset_of!(ExecEvent, boottime_ns))?,
                cgroup_id: u64_at(bytes, offset_of!(ExecEvent, cgroup_id))?,
                filename: PathBuf::from(OsStr::from_bytes(filename)),
            }
        }
        KIND_FORK => KernelEvent::Fork {
            tgid: u32_at(bytes, offset_of!(ForkEvent, tgid))?,
            parent_tgid: u32_at(bytes, offset_of!(ForkEvent, parent_tgid))?,
            boottime_ns: u64_at(bytes, offset_of!(ForkEvent, boottime_ns))?,
        },
        KIND_EXIT => KernelEvent::Exit {
            tgid: u32_at(bytes, offset_of!(ExitEvent, tgid))?,
            boottime_ns: u64_at(bytes, offset_of!(ExitEvent, boottime_ns))?,
        },
        KIND_BYPASS => bypass(bytes)?,
        KIND_CGROUP => {
            let at = offset_of!(CgroupEvent, path);
            let path = until_nul(bytes.get(at..at + CGROUP_PATH_BYTES)?);
            KernelEvent::Cgroup {
                id: u64_at(bytes, offset_of!(CgroupEvent, id))?,
                path: String::from_utf8_lossy(path).into_owned(),
                removed: u32_at(bytes, offset_of!(CgroupEvent, removed))? != 0,
            }
        }
        _ => return None,
    })
}

fn bypass(bytes: &[u8]) -> Option<KernelEvent> {
    let reason = usize::try_from(u32_at(bytes, offset_of!(BypassEvent, reason))?).ok()?;
    let address = offset_of!(BypassEvent, destination);
    let address: [u8; 16] = bytes.get(address..address + 16)?.try_into().ok()?;
    let port = offset_of!(BypassEvent, port);
    let port = u16::from_ne_bytes(bytes.get(port..port + 2)?.try_into().ok()?);
    let comm = offset_of!(BypassEvent, comm);
    let comm = until_nul(bytes.get(comm..comm + COMM_BYTES)?);
    Some(KernelEvent::Bypass {
        reason: *Bypass::ALL.get(reason)?,
        denied: *bytes.get(offset_of!(BypassEvent, denied))? != 0,
        tgid: u32_at(bytes, offset_of!(BypassEvent, tgid))?,
        uid: Some(u32_at(bytes, offset_of!(BypassEvent, uid))?).filter(|uid| *uid != u32::MAX),
        comm: String::from_utf8_lossy(comm).into_owned(),
        cgroup_id: u64_at(bytes, offset_of!(BypassEvent, cgroup_id))?,
        netns_cookie: u64_at(bytes, offset_of!(BypassEvent, netns_cookie))?,
        boottime_ns: u64_at(bytes, offset_of!(BypassEvent, boottime_ns))?,
        destination: SocketAddr::new(Ipv6Addr::from(address).to_canonical(), port),
        protocol: *bytes.get(offset_of!(BypassEvent, protocol))?,
        unreported: u32_at(bytes, offset_of!(BypassEvent, unreported))?,
    })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exec_event_is_read() {
        let mut bytes = vec![0; size_of::<ExecEvent>()];
        bytes[0..4].copy_from_slice(&KIND_EXEC.to_ne_bytes());
        bytes[4..8].copy_from_slice(&77_u32.to_ne_bytes());
        bytes[8..16].copy_from_slice(&5_u64.to_ne_bytes());
        bytes[16..24].copy_from_slice(&9_u64.to_ne_bytes());
        bytes[24..33].copy_from_slice(b"/bin/true");
        let filename = PathBuf::from("/bin/true");
        assert_eq!(
            parse(&bytes).unwrap(),
            KernelEvent::Exec {
                tgid: 77,
                boottime_ns: 5,
                cgroup_id: 9,
                filename
            }
        );
    }

    #[test]
    fn a_short_or_unknown_event_is_an_error() {
        assert!(matches!(
            parse(&[]),
            Err(KernelError::Event { kind: 0, bytes: 0 })
        ));
        let fork = KIND_FORK.to_ne_bytes();
        assert!(matches!(
            parse(&fork),
            Err(KernelError::Event {
                kind: KIND_FORK,
                bytes: 4
            })
        ));
        assert!(matches!(parse(&[9; 64]), Err(KernelError::Event { .. })));
    }
}
