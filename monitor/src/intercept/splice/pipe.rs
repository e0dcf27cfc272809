//! Pipes for splice(2): made when bulk data comes, kept by the thread for the next, bounded for the whole process.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::net::TcpStream;

/// Most bytes in a pipe at once, and its capacity in pages: 64 pieces of packets, which is what one splice takes.
pub(super) const PIPE_BYTES: usize = 256 * 1024;
/// Pipes in use at once, by directions that carry bulk data or wait for a slow receiver: 256 MiB of packets and 2,048
/// descriptors at most. Directions beyond it copy.
const MAX_PIPES: usize = 1_024;
/// Empty pipes that a thread keeps: as many directions as are ever busy in the same moment.
const MAX_IDLE: usize = 8;

static OPEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static IDLE: RefCell<Vec<Pipe>> = const { RefCell::new(Vec::new()) };
}

/// A pipe and how many bytes are in it.
#[derive(Debug)]
pub(super) struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    held: usize,
}

impl Pipe {
    /// An empty pipe; `None` at the bound, or where the system gives none.
    pub(super) fn take() -> Option<Self> {
        IDLE.with_borrow_mut(Vec::pop).or_else(Self::open)
    }

    fn open() -> Option<Self> {
        if OPEN.fetch_add(1, Ordering::Relaxed) >= MAX_PIPES {
            OPEN.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let Ok((read, write)) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK) else {
            OPEN.fetch_sub(1, Ordering::Relaxed);
            return None;
        };
        // Refused to a process over its share of pipe pages: then the pipe has what it was made with, and takes less at
        // once.
        let _as_it_is = fcntl_setpipe_size(&write, PIPE_BYTES);
        Some(Self { read, write, held: 0 })
    }

    /// Keeps an empty pipe for the thread's next direction; closes one that is not, because its bytes are another's.
    pub(super) fn give_back(self) {
        IDLE.with_borrow_mut(|idle| {
            if self.held == 0 && idle.len() < MAX_IDLE {
                idle.push(self);
            }
        });
    }

    /// Bytes in it.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Takes from a socket what it has, [`PIPE_BYTES`] at most; 0 at its end. To be called while the pipe is empty.
    ///
    /// # Errors
    /// `WouldBlock` when it has nothing; `InvalidInput` when it cannot be spliced.
    pub(super) fn fill(&mut self, from: &TcpStream) -> io::Result<usize> {
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let n = splice(from, None, &self.write, None, PIPE_BYTES, flags)?;
        self.held += n;
        Ok(n)
    }

    /// Gives a socket what it takes.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing; `InvalidInput` when it cannot be spliced to.
    pub(super) fn drain(&mut self, to: &TcpStream) -> io::Result<usize> {
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let n = splice(&self.read, None, to, None, self.held, flags)?;
        self.held -= n;
        Ok(n)
    }

    /// Copies out what is in it.
    ///
    /// # Errors
    /// The pipe fails.
    pub(super) fn copy_out(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.held];
        let mut at = 0;
        while let Some(rest) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
            at += rustix::io::read(&self.read, rest)?;
        }
        self.held = 0;
        Ok(bytes)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}
