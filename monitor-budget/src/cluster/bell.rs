//! Wakes the syncer, and those who wait for it.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Between the ledger and the syncer's thread.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    inner: Mutex<Inner>,
    rung: Condvar,
    idle: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    rings: bool,
    stopped: bool,
    paused: bool,
    /// A round is under way.
    busy: bool,
    /// Rounds begun and ended.
    begun: u64,
    ended: u64,
    waiting: Vec<(u64, Waker)>,
}

impl Bell {
    /// Begins a round soon.
    pub(crate) fn ring(&self) {
        let mut inner = self.inner.lock();
        if !inner.rings {
            inner.rings = true;
            self.rung.notify_one();
        }
    }

    /// Waits for a ring, for `at_most`, and while paused; then a round has begun. False once the bell is stopped.
    pub(crate) fn wait(&self, at_most: Duration) -> bool {
        let mut inner = self.inner.lock();
        if !inner.rings && !inner.stopped {
            self.rung.wait_for(&mut inner, at_most);
        }
        while inner.paused && !inner.stopped {
            self.rung.wait(&mut inner);
        }
        inner.rings = false;
        if !inner.stopped {
            inner.begun += 1;
            inner.busy = true;
        }
        !inner.stopped
    }

    /// Ends a round.
    pub(crate) fn ended(&self) {
        let mut inner = self.inner.lock();
        inner.busy = false;
        inner.ended = inner.begun;
        let ended = inner.ended;
        let done: Vec<_> = inner
            .waiting
            .extract_if(.., |(round, _)| *round <= ended)
            .collect();
        drop(inner);
        self.idle.notify_all();
        for (_, waker) in done {
            waker.wake();
        }
    }

    /// Lets no further round begin and waits until none is under way.
    pub(crate) fn pause(&self) {
        let mut inner = self.inner.lock();
        inner.paused = true;
        while inner.busy {
            self.idle.wait(&mut inner);
        }
        self.release(&mut inner);
    }

    pub(crate) fn resume(&self) {
        self.inner.lock().paused = false;
        self.rung.notify_all();
    }

    pub(crate) fn stop(&self) {
        let mut inner = self.inner.lock();
        inner.stopped = true;
        self.rung.notify_all();
        self.release(&mut inner);
    }

    fn release(&self, inner: &mut Inner) {
        for (_, waker) in inner.waiting.drain(..) {
            waker.wake();
        }
    }
}

/// Done when the syncer has asked the store once more: see [`Ledger::refill`](crate::Ledger::refill).
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct Refill {
    bell: Option<Arc<Bell>>,
    round: u64,
}

impl Refill {
    pub(crate) fn new(bell: Option<Arc<Bell>>) -> Self {
        let round = bell.as_ref().map_or(0, |bell| {
            bell.ring();
            bell.inner.lock().begun + 1
        });
        Self { bell, round }
    }
}

impl Refill {
    /// Waits on this thread, for `at_most`; says whether it was done by then.
    pub fn wait(self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut refill = pin!(self);
        while refill
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
        {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return false;
            };
            thread::park_timeout(left);
        }
        true
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Future for Refill {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(bell) = &self.bell else {
            return Poll::Ready(());
        };
        let mut inner = bell.inner.lock();
        if inner.ended >= self.round || inner.stopped || inner.paused {
            return Poll::Ready(());
        }
        let waker = context.waker();
        if !inner
            .waiting
            .iter()
            .any(|(round, known)| *round == self.round && known.will_wake(waker))
        {
            inner.waiting.push((self.round, waker.clone()));
        }
        Poll::Pending
    }
}
