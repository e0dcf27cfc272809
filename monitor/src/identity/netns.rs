//! A network namespace, and the one way to work inside it.

#![expect(
    unsafe_code,
    reason = "setns(2) and SO_NETNS_COOKIE have no safe wrapper in the standard library"
)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::sync::OnceLock;

/// `asm-generic/socket.h`; since Linux 5.14.
const SO_NETNS_COOKIE: libc::c_int = 71;

/// The namespace the agent was started in, where its threads are whenever they are not inside [`Netns::run`].
static HOME: OnceLock<Netns> = OnceLock::new();

/// A network namespace, kept from going away by an open descriptor.
#[derive(Debug)]
pub struct Netns {
    file: File,
    inode: u64,
    cookie: u64,
}

impl Netns {
    /// The namespace the agent was started in.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or the kernel is older than 5.14 and has no cookies.
    pub fn current() -> io::Result<&'static Self> {
        if let Some(home) = HOME.get() {
            return Ok(home);
        }
        let file = File::open("/proc/self/ns/net")?;
        let home = Self {
            inode: file.metadata()?.ino(),
            cookie: cookie()?,
            file,
        };
        Ok(HOME.get_or_init(|| home))
    }

    /// The namespace of a process.
    ///
    /// # Errors
    ///
    /// When the process is gone or not to be read, or the namespace cannot be entered.
    pub fn of_pid(pid: u32) -> io::Result<Self> {
        let file = File::open(format!("/proc/{pid}/ns/net"))?;
        let mut netns = Self {
            inode: file.metadata()?.ino(),
            cookie: 0,
            file,
        };
        netns.cookie = netns.run(cookie)??;
        Ok(netns)
    }

    /// The inode number, which is what `/proc/PID/ns/net` shows.
    #[must_use]
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// The cookie, which is what flow records carry.
    #[must_use]
    pub fn cookie(&self) -> u64 {
        self.cookie
    }

    /// Runs a closure on this thread inside the namespace. A socket belongs to the namespace it was made in, so the
    /// closure makes sockets and does nothing that waits. Never nested, never across an `await`.
    ///
    /// # Errors
    ///
    /// When the namespace cannot be entered; the closure has then not run.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> io::Result<T> {
        let home = Self::current()?;
        if self.inode == home.inode {
            return Ok(work());
        }
        enter(self.file.as_fd())?;
        let _back = WayBack(home.file.as_fd());
        Ok(work())
    }
}

/// Leaves the namespace when it is dropped, also when the closure panics.
struct WayBack<'a>(BorrowedFd<'a>);

impl Drop for WayBack<'_> {
    fn drop(&mut self) {
        if enter(self.0).is_err() {
            // This thread would go on in a workload's namespace and open the agent's and other workloads' connections
            // from there. Nothing the agent could do next would be right.
            std::process::abort();
        }
    }
}

fn enter(namespace: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: a descriptor that is open through the call; only this thread changes its namespace.
    let outcome = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The cookie of this thread's namespace. Any socket has it; a Unix one needs no address family in the namespace.
fn cookie() -> io::Result<u64> {
    let socket = UnixDatagram::unbound()?;
    let mut cookie = 0_u64;
    let mut bytes = size_of::<u64>() as libc::socklen_t;
    // SAFETY: an open socket, and a value of ours with its size.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut bytes,
        )
    };
    if outcome == 0 {
        Ok(cookie)
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_namespace_is_entered_without_moving() {
        let home = Netns::current().unwrap();
        assert_ne!(home.cookie(), 0);
        let own = Netns::of_pid(std::process::id()).unwrap();
        assert_eq!((own.inode(), own.cookie()), (home.inode(), home.cookie()));
        assert_eq!(own.run(|| 7).unwrap(), 7);
    }

    #[test]
    fn a_process_that_is_gone_has_none() {
        assert!(Netns::of_pid(u32::MAX).is_err());
    }
}
