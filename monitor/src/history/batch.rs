//! Usage that is not on the disk yet: sums by minute, kept as small as what will be written.

use std::collections::HashMap;

use super::level::Level;
use super::names::{Asked, Asker, Interned};
use super::seconds::Seconds;
use crate::event::{Counts, Exchange};

/// Sums kept in memory while they cannot be written. In ordinary operation they are those of a second; on a full disk they are hours
/// of a busy node, in some 15 MiB.
pub(crate) const MAX_WAITING_ROWS: usize = 32_768;

/// Which sum: minute, workload, and what was asked, each by its number.
pub(super) type RowKey = (Seconds, u32, u32);

/// The usage of some time, to be written in one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) askers: Interned<Asker>,
    pub(super) asked: Interned<Asked>,
    pub(super) rows: HashMap<RowKey, Counts>,
}

impl Batch {
    /// Adds an exchange to the sums of the minute in which it ended. Beyond `room` sums, only one for each hour is made: no usage is
    /// lost, its details are. Returns whether they were kept.
    pub(super) fn add(&mut self, exchange: &Exchange, room: usize) -> bool {
        let ended_ms = exchange.started_ms.saturating_add(exchange.duration_us / 1_000);
        let ended = ended_ms / 1_000;
        let counts = Counts::of(exchange);
        let has_room = self.rows.len() < room;
        let asker = self.askers.asker(exchange, has_room);
        let asked = self.asked.asked(exchange, has_room);
        if let Some((asker, asked)) = asker.zip(asked) {
            let key = (Level::Minute.start(ended), asker, asked);
            if has_room {
                self.rows.entry(key).or_default().add(&counts);
                return true;
            }
            if let Some(sum) = self.rows.get_mut(&key) {
                sum.add(&counts);
                return true;
            }
        }
        let key = (
            Level::Hour.start(ended),
            self.askers.intern(Asker::other()),
            self.asked.intern(Asked::other()),
        );
        self.rows.entry(key).or_default().add(&counts);
        false
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Each sum with its names.
    pub(super) fn named(&self) -> impl Iterator<Item = (Seconds, &Asker, &Asked, &Counts)> {
        self.rows.iter().filter_map(|(&(at, asker, asked), counts)| {
            Some((at, self.askers.get(asker)?, self.asked.get(asked)?, counts))
        })
    }
}
