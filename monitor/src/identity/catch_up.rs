//! Waiting until the kernel's events have been read.
//!
//! An event is in the ring before what it tells of can have any effect: a child cannot run before its fork is there. Who must
//! know for certain asks the reader of the events to empty the ring first.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// How long it may take: the reader answers within a fraction of a millisecond unless the machine is overloaded.
const CATCH_UP_WITHIN: Duration = Duration::from_millis(100);
/// Requests that wait for the reader; it answers all at once, so that more than a burst of connections never wait.
const MAX_WAITING: usize = 1_024;

/// Somebody waits for the events.
#[derive(Debug)]
pub struct Waiting(oneshot::Sender<()>);

impl Waiting {
    /// All events that were in the ring have been read.
    pub fn answer(self) {
        // Who has stopped waiting needs no answer.
        let _gone = self.0.send(());
    }
}

/// The way to the reader of the events.
#[derive(Debug, Default)]
pub(super) struct CatchUp(OnceLock<mpsc::Sender<Waiting>>);

impl CatchUp {
    /// The requests, for the reader; `None` when there is one already.
    pub(super) fn requests(&self) -> Option<mpsc::Receiver<Waiting>> {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        self.0.set(sender).is_ok().then_some(receiver)
    }

    /// Waits until the events of before this call have been read. False when nobody reads them, or not in time.
    pub(super) async fn caught_up(&self) -> bool {
        let Some(reader) = self.0.get() else { return false };
        let (sender, answer) = oneshot::channel();
        let asked = async {
            reader.send(Waiting(sender)).await.ok()?;
            answer.await.ok()
        };
        timeout(CATCH_UP_WITHIN, asked).await.ok().flatten().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_reader_answers() {
        let catch_up = CatchUp::default();
        assert!(!catch_up.caught_up().await);
        let mut requests = catch_up.requests().unwrap();
        assert!(catch_up.requests().is_none());
        let reader = async { requests.recv().await.unwrap().answer() };
        let (caught_up, ()) = tokio::join!(catch_up.caught_up(), reader);
        assert!(caught_up);
        drop(requests);
        assert!(!catch_up.caught_up().await);
    }
}
