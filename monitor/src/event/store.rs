//! What the local API shows of the past: the latest records, totals by workload, and a live feed.

mod totals;

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::broadcast;

use self::totals::Totals;
pub use self::totals::{
    Counts, Dimension, MAX_MODELS_PER_WORKLOAD, MAX_WORKLOADS, UsageTotal, WorkloadKey, WorkloadTotal,
};
use super::{Connection, Event, Exchange};

/// Exchanges kept, and connections kept: some 4 MiB when full, and minutes of a busy node.
pub const MAX_RECENT: usize = 4_096;
/// Records a follower may lag behind before it loses the oldest: about a second of a busy node.
pub const MAX_FOLLOWER_LAG: usize = 1_024;

/// The latest records and totals. Written by the recorder's thread alone, so that the data path never waits for a reader.
#[derive(Debug)]
pub struct Store {
    kept: Mutex<Kept>,
    feed: broadcast::Sender<Arc<Exchange>>,
}

#[derive(Debug, Default)]
struct Kept {
    exchanges: VecDeque<Arc<Exchange>>,
    connections: VecDeque<Arc<Connection>>,
    totals: Totals,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            feed: broadcast::Sender::new(MAX_FOLLOWER_LAG),
        }
    }
}

impl Store {
    pub(super) fn keep(&self, event: &Event) {
        let mut kept = self.kept.lock();
        match event {
            Event::Exchange(exchange) => {
                kept.totals.add_exchange(exchange);
                push(&mut kept.exchanges, exchange.clone());
                // Under the lock, so that `follow` neither misses a record nor gives it twice. Without a follower this fails,
                // and nothing is lost by it.
                let _no_follower = self.feed.send(exchange.clone());
            }
            Event::Connection(connection) => {
                kept.totals.add_connection(connection);
                push(&mut kept.connections, connection.clone());
            }
        }
    }

    /// The last `limit` exchanges, oldest first.
    #[must_use]
    pub fn exchanges(&self, limit: usize) -> Vec<Arc<Exchange>> {
        last(&self.kept.lock().exchanges, limit)
    }

    /// The last `limit` closed connections, oldest first.
    #[must_use]
    pub fn connections(&self, limit: usize) -> Vec<Arc<Connection>> {
        last(&self.kept.lock().connections, limit)
    }

    /// The last `limit` exchanges, oldest first, and every later one as it is recorded. A receiver that falls behind by
    /// more than [`MAX_FOLLOWER_LAG`] is told how many it lost.
    #[must_use]
    pub fn follow(&self, limit: usize) -> (Vec<Arc<Exchange>>, broadcast::Receiver<Arc<Exchange>>) {
        let kept = self.kept.lock();
        (last(&kept.exchanges, limit), self.feed.subscribe())
    }

    /// Workloads by when they were last seen, latest first.
    #[must_use]
    pub fn workloads(&self) -> Vec<WorkloadTotal> {
        self.kept.lock().totals.workloads()
    }

    /// Totals since the agent's start, one for each combination of the given dimensions, most tokens first.
    #[must_use]
    pub fn usage(&self, by: &[Dimension]) -> Vec<UsageTotal> {
        self.kept.lock().totals.usage(by)
    }
}

fn push<T>(ring: &mut VecDeque<T>, value: T) {
    if ring.len() == MAX_RECENT {
        ring.pop_front();
    }
    ring.push_back(value);
}

fn last<T: Clone>(ring: &VecDeque<T>, limit: usize) -> Vec<T> {
    ring.range(ring.len().saturating_sub(limit)..).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::samples;

    fn exchange(number: u64) -> Event {
        let mut exchange = samples::exchange();
        exchange.started_ms = number;
        Event::Exchange(exchange.into())
    }

    fn times(exchanges: &[Arc<Exchange>]) -> Vec<u64> {
        exchanges.iter().map(|exchange| exchange.started_ms).collect()
    }

    #[test]
    fn keeps_the_latest() {
        let store = Store::default();
        for number in 0..MAX_RECENT as u64 + 3 {
            store.keep(&exchange(number));
        }
        assert_eq!(times(&store.exchanges(2)), [4097, 4098]);
        let all = store.exchanges(usize::MAX);
        assert_eq!((all.len(), all[0].started_ms), (MAX_RECENT, 3));
        store.keep(&Event::Connection(samples::connection().into()));
        assert_eq!(store.connections(10).len(), 1);
    }

    #[tokio::test]
    async fn a_follower_gets_each_record_once() {
        let store = Store::default();
        store.keep(&exchange(1));
        store.keep(&exchange(2));
        let (past, mut feed) = store.follow(1);
        store.keep(&exchange(3));
        assert_eq!(times(&past), [2]);
        assert_eq!(feed.recv().await.unwrap().started_ms, 3);
        assert!(feed.is_empty());
    }

    #[tokio::test]
    async fn a_lagging_follower_is_told() {
        let store = Store::default();
        let (_, mut feed) = store.follow(0);
        for number in 0..MAX_FOLLOWER_LAG as u64 + 5 {
            store.keep(&exchange(number));
        }
        assert_eq!(
            feed.recv().await.unwrap_err(),
            broadcast::error::RecvError::Lagged(5)
        );
        assert_eq!(feed.recv().await.unwrap().started_ms, 5);
    }
}
