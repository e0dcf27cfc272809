//! What the local API shows of the past: the latest records, totals by workload, and a live feed.

mod totals;

use std::collections::{VecDeque, vec_deque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::broadcast;

use self::totals::Totals;
pub use self::totals::{MAX_WORKLOADS, WorkloadTotal};
use super::{Audit, BudgetThreshold, Bypass, Connection, Event, Exchange};

/// Exchanges kept, connections kept, bypasses kept, changes of budgets kept, and thresholds kept: some 6 MiB when full, and minutes of a busy node.
pub const MAX_RECENT: usize = 4_096;
/// Records a follower may lag behind before it loses the oldest: about a second of a busy node.
pub const MAX_FOLLOWER_LAG: usize = 1_024;

/// Which records a reader of the feed wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RecordKind {
    /// All of these.
    #[default]
    Any,
    /// Exchanges.
    Exchange,
    /// Bypasses.
    Bypass,
    /// Changes of budgets by hand.
    Audit,
    /// Thresholds of budgets that were passed.
    BudgetThreshold,
}

impl RecordKind {
    /// The kind of a name: that of its records.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "exchange" => Some(Self::Exchange),
            "bypass" => Some(Self::Bypass),
            "audit" => Some(Self::Audit),
            "budget_threshold" => Some(Self::BudgetThreshold),
            _ => None,
        }
    }

    /// Whether records of `kind` are wanted.
    #[must_use]
    pub fn has(self, kind: Self) -> bool {
        self == Self::Any || self == kind
    }

    /// Whether this record is wanted.
    #[must_use]
    pub fn wants(self, event: &Event) -> bool {
        match event {
            Event::Exchange(_) => self.has(Self::Exchange),
            Event::Bypass(_) => self.has(Self::Bypass),
            Event::Audit(_) => self.has(Self::Audit),
            Event::BudgetThreshold(_) => self.has(Self::BudgetThreshold),
            Event::Connection(_) => false,
        }
    }
}

/// The latest records and totals. Written by the recorder's thread alone, so that the data path never waits for a reader.
#[derive(Debug)]
pub struct Store {
    kept: Mutex<Kept>,
    feed: broadcast::Sender<Event>,
}

#[derive(Debug, Default)]
struct Kept {
    /// How many records other than connections there were: their order.
    sequence: u64,
    exchanges: VecDeque<(u64, Arc<Exchange>)>,
    connections: VecDeque<Arc<Connection>>,
    bypasses: VecDeque<(u64, Arc<Bypass>)>,
    audits: VecDeque<(u64, Arc<Audit>)>,
    thresholds: VecDeque<(u64, Arc<BudgetThreshold>)>,
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
        let sequence = kept.sequence;
        match event {
            Event::Exchange(exchange) => {
                kept.totals.add_exchange(exchange);
                push(&mut kept.exchanges, (sequence, exchange.clone()));
            }
            Event::Bypass(bypass) => push(&mut kept.bypasses, (sequence, bypass.clone())),
            Event::Audit(audit) => push(&mut kept.audits, (sequence, audit.clone())),
            Event::BudgetThreshold(threshold) => push(&mut kept.thresholds, (sequence, threshold.clone())),
            Event::Connection(connection) => {
                kept.totals.add_connection(connection);
                push(&mut kept.connections, connection.clone());
                return;
            }
        }
        kept.sequence += 1;
        // Under the lock, so that `follow` neither misses a record nor gives it twice. Without a follower this fails, and
        // nothing is lost by it.
        let _no_follower = self.feed.send(event.clone());
    }

    /// The last `limit` records of `kind`, oldest first.
    #[must_use]
    pub fn records(&self, kind: RecordKind, limit: usize) -> Vec<Event> {
        self.kept.lock().records(kind, limit)
    }

    /// The last `limit` exchanges, oldest first.
    #[must_use]
    pub fn exchanges(&self, limit: usize) -> Vec<Arc<Exchange>> {
        let kept = self.kept.lock();
        last(&kept.exchanges, limit)
            .map(|(_, exchange)| exchange.clone())
            .collect()
    }

    /// The last `limit` closed connections, oldest first.
    #[must_use]
    pub fn connections(&self, limit: usize) -> Vec<Arc<Connection>> {
        let kept = self.kept.lock();
        last(&kept.connections, limit).cloned().collect()
    }

    /// The last `limit` records of `kind`, oldest first, and every later one of any kind as it is recorded. A
    /// receiver that falls behind by more than [`MAX_FOLLOWER_LAG`] is told how many it lost.
    #[must_use]
    pub fn follow(&self, kind: RecordKind, limit: usize) -> (Vec<Event>, broadcast::Receiver<Event>) {
        let kept = self.kept.lock();
        (kept.records(kind, limit), self.feed.subscribe())
    }

    /// Workloads by when they were last seen, latest first.
    #[must_use]
    pub fn workloads(&self) -> Vec<WorkloadTotal> {
        self.kept.lock().totals.workloads()
    }
}

impl Kept {
    fn records(&self, kind: RecordKind, limit: usize) -> Vec<Event> {
        let limit_of = |wanted: RecordKind| if kind.has(wanted) { limit } else { 0 };
        let exchanges = last(&self.exchanges, limit_of(RecordKind::Exchange))
            .map(|(sequence, exchange)| (*sequence, Event::Exchange(exchange.clone())));
        let bypasses = last(&self.bypasses, limit_of(RecordKind::Bypass))
            .map(|(sequence, bypass)| (*sequence, Event::Bypass(bypass.clone())));
        let audits = last(&self.audits, limit_of(RecordKind::Audit))
            .map(|(sequence, audit)| (*sequence, Event::Audit(audit.clone())));
        let thresholds = last(&self.thresholds, limit_of(RecordKind::BudgetThreshold))
            .map(|(sequence, threshold)| (*sequence, Event::BudgetThreshold(threshold.clone())));
        let mut records: Vec<_> = exchanges
            .chain(bypasses)
            .chain(audits)
            .chain(thresholds)
            .collect();
        records.sort_unstable_by_key(|(sequence, _)| *sequence);
        let surplus = records.len().saturating_sub(limit);
        records.drain(..surplus);
        records.into_iter().map(|(_, event)| event).collect()
    }
}

fn push<T>(ring: &mut VecDeque<T>, value: T) {
    if ring.len() == MAX_RECENT {
        ring.pop_front();
    }
    ring.push_back(value);
}

fn last<T>(ring: &VecDeque<T>, limit: usize) -> vec_deque::Iter<'_, T> {
    ring.range(ring.len().saturating_sub(limit)..)
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

    fn bypass(number: u64) -> Event {
        let mut bypass = samples::bypass();
        bypass.at_ms = number;
        Event::Bypass(bypass.into())
    }

    fn time(event: &Event) -> u64 {
        match event {
            Event::Exchange(exchange) => exchange.started_ms,
            Event::Bypass(bypass) => bypass.at_ms,
            Event::Audit(audit) => audit.at_ms,
            Event::BudgetThreshold(threshold) => threshold.at_ms,
            Event::Connection(connection) => connection.opened_ms,
        }
    }

    fn times(events: &[Event]) -> Vec<u64> {
        events.iter().map(time).collect()
    }

    #[test]
    fn keeps_the_latest() {
        let store = Store::default();
        for number in 0..MAX_RECENT as u64 + 3 {
            store.keep(&exchange(number));
        }
        assert_eq!(times(&store.records(RecordKind::Exchange, 2)), [4097, 4098]);
        let all = store.records(RecordKind::Any, usize::MAX);
        assert_eq!((all.len(), time(&all[0])), (MAX_RECENT, 3));
        store.keep(&Event::Connection(samples::connection().into()));
        assert_eq!(store.connections(10).len(), 1);
    }

    #[test]
    fn exchanges_and_bypasses_come_in_the_order_they_were_recorded() {
        let store = Store::default();
        for event in [exchange(1), bypass(2), bypass(3), exchange(4)] {
            store.keep(&event);
        }
        assert_eq!(times(&store.records(RecordKind::Any, 3)), [2, 3, 4]);
        assert_eq!(times(&store.records(RecordKind::Bypass, 3)), [2, 3]);
        assert_eq!(times(&store.records(RecordKind::Exchange, 1)), [4]);
    }

    #[tokio::test]
    async fn a_follower_gets_each_record_once() {
        let store = Store::default();
        store.keep(&exchange(1));
        store.keep(&bypass(2));
        let (past, mut feed) = store.follow(RecordKind::Any, 1);
        store.keep(&exchange(3));
        assert_eq!(times(&past), [2]);
        assert_eq!(time(&feed.recv().await.unwrap()), 3);
        assert!(feed.is_empty());
    }

    #[tokio::test]
    async fn a_lagging_follower_is_told() {
        let store = Store::default();
        let (_, mut feed) = store.follow(RecordKind::Any, 0);
        for number in 0..MAX_FOLLOWER_LAG as u64 + 5 {
            store.keep(&exchange(number));
        }
        let lagged = feed.recv().await.unwrap_err();
        assert_eq!(lagged, broadcast::error::RecvError::Lagged(5));
        assert_eq!(time(&feed.recv().await.unwrap()), 5);
    }
}
