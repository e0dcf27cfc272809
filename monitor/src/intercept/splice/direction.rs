//! One direction of a spliced connection.

use std::cell::RefCell;
use std::io;
use std::net::Shutdown;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::pipe::Pipe;

/// The buffer that a thread's connections share: a TLS record (RFC 8446, section 5.1) fits, and copying more costs more than
/// the two further system calls of a pipe.
const SHARED_BYTES: usize = 17 * 1024;
/// Bytes after which the thread's other connections have their turn.
const TURN_BYTES: usize = 1024 * 1024;

thread_local! {
    static SHARED: RefCell<Box<[u8]>> = RefCell::new(vec![0; SHARED_BYTES].into());
}

/// One direction and what it holds.
#[derive(Debug, Default)]
pub(super) struct Direction {
    held: Held,
    /// There is much: the next bytes go through a pipe.
    bulk: bool,
    /// The kernel does not splice these sockets.
    refused: bool,
    stage: Stage,
}

/// What was read and not written yet.
#[derive(Debug, Default)]
enum Held {
    #[default]
    Nothing,
    /// What the receiver did not take of the shared buffer, and how much of it was written since.
    Bytes(Box<[u8]>, usize),
    Pipe(Pipe),
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// The sender has closed; what is held is still to be written.
    Ending,
    /// The receiver has been told.
    Ended,
}

impl Direction {
    /// Carries what can be carried now; ready once the sender has closed and the receiver knows. Counts in `carried` what
    /// was written.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &TcpStream,
        to: &TcpStream,
        carried: &AtomicU64,
    ) -> Poll<io::Result<()>> {
        let mut moved = 0;
        while self.stage != Stage::Ended {
            if moved >= TURN_BYTES {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !matches!(self.held, Held::Nothing) {
                ready!(to.poll_write_ready(cx))?;
                let written = unless_blocked(self.write(to))?;
                carried.fetch_add(written as u64, Ordering::Relaxed);
                moved += written;
            } else if self.stage == Stage::Ending {
                match SockRef::from(to).shutdown(Shutdown::Write) {
                    // The receiver has closed as well.
                    Err(e) if e.kind() == io::ErrorKind::NotConnected => {}
                    told => told?,
                }
                self.stage = Stage::Ended;
            } else {
                if from.poll_read_ready(cx)?.is_pending() {
                    // What comes next may be little.
                    self.bulk &= moved >= SHARED_BYTES;
                    return Poll::Pending;
                }
                let written = self.read(from, to)?;
                carried.fetch_add(written as u64, Ordering::Relaxed);
                moved += written;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once; returns what was written at once.
    fn read(&mut self, from: &TcpStream, to: &TcpStream) -> io::Result<usize> {
        if self.bulk
            && !self.refused
            && let Some(pipe) = Pipe::take()
        {
            return self.fill(pipe, from).map(|()| 0);
        }
        SHARED.with_borrow_mut(|shared| {
            let read = match from.try_read(shared) {
                Ok(0) => {
                    self.stage = Stage::Ending;
                    return Ok(0);
                }
                Ok(n) => n,
                Err(e) => return unless_blocked(Err(e)),
            };
            self.bulk = read == shared.len();
            let bytes = shared.get(..read).unwrap_or_default();
            let written = unless_blocked(to.try_write(bytes))?;
            if let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
                self.held = Held::Bytes(rest.into(), 0);
            }
            Ok(written)
        })
    }

    fn fill(&mut self, mut pipe: Pipe, from: &TcpStream) -> io::Result<()> {
        match from.try_io(Interest::READABLE, || pipe.fill(from)) {
            Ok(0) => self.stage = Stage::Ending,
            Ok(_) => {
                self.held = Held::Pipe(pipe);
                return Ok(());
            }
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => self.refused = true,
            Err(e) => {
                unless_blocked(Err(e))?;
            }
        }
        pipe.give_back();
        Ok(())
    }

    /// Writes once of what is held.
    fn write(&mut self, to: &TcpStream) -> io::Result<usize> {
        let (written, rest) = match std::mem::take(&mut self.held) {
            Held::Nothing => (Ok(0), Held::Nothing),
            Held::Bytes(bytes, at) => {
                let written = to.try_write(bytes.get(at..).unwrap_or_default());
                let at = at + written.as_ref().unwrap_or(&0);
                let rest = if at < bytes.len() {
                    Held::Bytes(bytes, at)
                } else {
                    Held::Nothing
                };
                (written, rest)
            }
            Held::Pipe(mut pipe) => match to.try_io(Interest::WRITABLE, || pipe.drain(to)) {
                Err(e) if e.kind() == io::ErrorKind::InvalidInput => {
                    self.refused = true;
                    (Ok(0), Held::Bytes(pipe.copy_out()?.into(), 0))
                }
                written if pipe.held() == 0 => {
                    pipe.give_back();
                    (written, Held::Nothing)
                }
                written => (written, Held::Pipe(pipe)),
            },
        };
        self.held = rest;
        written
    }
}

/// Nothing instead of an error that only says "later".
fn unless_blocked(outcome: io::Result<usize>) -> io::Result<usize> {
    match outcome {
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
        outcome => outcome,
    }
}
