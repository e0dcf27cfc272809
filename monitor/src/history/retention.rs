//! What is old goes, in small steps, and the file shrinks.

use rusqlite::{OptionalExtension, Transaction, params};

use super::error::HistoryError;
use super::level::Level;
use super::schema::{Extent, File, begin, extents, failed};
use super::seconds::Seconds;
use crate::config::Usage;

/// Rows of each table at most: with them the file has some 800 MB. A node with 1,000 workloads that each ask 3 models in every minute
/// has 22 hours of minutes then, and more hours and days than are kept.
pub const MAX_ROWS: u64 = 4_000_000;

/// Rows deleted in one transaction: others wait for a write to the file for some milliseconds.
const STEP_ROWS: u32 = 2_000;
/// Pages given back in one step.
const STEP_PAGES: u32 = 256;

/// How far the wall clock may be ahead of what is believed before it is on trial.
const AHEAD: Seconds = 86_400;
/// How long it must stay there to be believed.
const TRIAL_MS: u64 = 3_600_000;
/// How far what is believed goes on before it is written down.
const NOTE_AFTER: Seconds = 3_600;

/// The time by which usage gets old. A wall clock that is ahead by years for a moment, as before the first answer of a time server, must
/// not delete everything: a leap of more than a day counts once it has lasted for an hour.
#[derive(Debug)]
pub(super) struct Believed {
    now_ms: u64,
    monotonic_ms: u64,
    trial_since: Option<u64>,
    noted: Seconds,
}

impl Believed {
    /// Goes on from what was noted in the file; without a note, from the wall clock.
    pub(super) fn resume(noted: Seconds, wall_ms: u64, monotonic_ms: u64) -> Self {
        Self {
            now_ms: if noted == 0 {
                wall_ms
            } else {
                noted.saturating_mul(1_000)
            },
            monotonic_ms,
            trial_since: None,
            noted,
        }
    }

    /// What time it is as far as deleting goes.
    pub(super) fn now(&mut self, wall_ms: u64, monotonic_ms: u64) -> Seconds {
        let expected = self
            .now_ms
            .saturating_add(monotonic_ms.saturating_sub(self.monotonic_ms));
        self.monotonic_ms = monotonic_ms;
        self.now_ms = if wall_ms <= expected.saturating_add(AHEAD * 1_000) {
            self.trial_since = None;
            wall_ms
        } else {
            let since = *self.trial_since.get_or_insert(monotonic_ms);
            if monotonic_ms.saturating_sub(since) >= TRIAL_MS {
                self.trial_since = None;
                wall_ms
            } else {
                expected
            }
        };
        self.now_ms / 1_000
    }
}

/// What a step deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Deleted {
    /// Rows that were older than is kept.
    pub(super) expired: u64,
    /// Rows that were not, and made room.
    pub(super) evicted: u64,
    /// There is more to delete.
    pub(super) more: bool,
    /// Names that no row needs any more.
    pub(super) names: u64,
}

/// The oldest moments that are kept, by level.
pub(super) fn cutoffs(kept: &Usage, now: Seconds) -> [Seconds; 3] {
    let lengths = [kept.minutes_ms, kept.hours_ms, kept.days_ms];
    let mut cutoffs = [0; 3];
    for ((cutoff, length_ms), level) in cutoffs.iter_mut().zip(lengths).zip(Level::ALL) {
        *cutoff = level.start(now.saturating_sub(length_ms / 1_000));
    }
    cutoffs
}

/// Reads the time that was believed when it was last noted.
pub(super) fn noted(file: &File) -> Result<Seconds, HistoryError> {
    let noted = file
        .connection
        .query_row("SELECT believed FROM clock", [], |row| row.get(0));
    noted.map_err(failed("read the clock", &file.path))
}

/// Deletes some of what is older than the cutoffs, or beyond `max_rows`, and of the names that nothing needs any more.
pub(super) fn step(
    file: &mut File,
    cutoffs: [Seconds; 3],
    max_rows: u64,
    believed: &mut Believed,
) -> Result<Deleted, HistoryError> {
    let failed = failed("delete old usage", &file.path);
    let mut all = || -> rusqlite::Result<Deleted> {
        let mut deleted = Deleted::default();
        let extents = extents(&file.connection)?;
        for ((level, cutoff), extent) in Level::ALL.into_iter().zip(cutoffs).zip(extents) {
            let step = level_step(file, level, cutoff, extent, max_rows)?;
            deleted.expired += step.expired;
            deleted.evicted += step.evicted;
            deleted.more |= step.more;
        }
        if !deleted.more {
            deleted.names = names_step(file)?;
            deleted.more = deleted.names > 0;
        }
        let now = believed.now_ms / 1_000;
        if now.abs_diff(believed.noted) >= NOTE_AFTER {
            file.connection.execute("UPDATE clock SET believed = ?1", [now])?;
            believed.noted = now;
        }
        if deleted != Deleted::default() {
            let mut vacuum = file
                .connection
                .prepare(&format!("PRAGMA incremental_vacuum({STEP_PAGES})"))?;
            let mut rows = vacuum.query([])?;
            while rows.next()?.is_some() {}
        }
        Ok(deleted)
    };
    all().map_err(failed)
}

fn level_step(
    file: &mut File,
    level: Level,
    cutoff: Seconds,
    extent: Extent,
    max_rows: u64,
) -> rusqlite::Result<Deleted> {
    let table = level.name();
    let oldest: Option<Seconds> = file
        .connection
        .prepare_cached(&format!("SELECT min(at) FROM {table}"))?
        .query_row([], |row| row.get(0))?;
    let Some(oldest) = oldest else {
        return Ok(Deleted::default());
    };
    let expired = oldest < cutoff;
    let cutoff = if expired {
        cutoff
    } else if extent.rows > max_rows {
        oldest.saturating_add(level.seconds())
    } else {
        return Ok(Deleted::default());
    };
    let transaction = begin(&mut file.connection)?;
    let rows = delete_some(&transaction, table, cutoff)?;
    transaction
        .prepare_cached("UPDATE level SET complete_from = max(complete_from, ?2), rows = max(rows - ?3, 0) WHERE name = ?1")?
        .execute(params![table, cutoff, rows])?;
    transaction.commit()?;
    let (expired, evicted) = if expired { (rows, 0) } else { (0, rows) };
    Ok(Deleted {
        expired,
        evicted,
        more: true,
        names: 0,
    })
}

/// Deletes the first rows before `cutoff`.
fn delete_some(transaction: &Transaction<'_>, table: &str, cutoff: Seconds) -> rusqlite::Result<u64> {
    let last = format!(
        "SELECT at, workload, model FROM {table} WHERE at < ?1 ORDER BY at, workload, model LIMIT 1 OFFSET {}",
        STEP_ROWS - 1
    );
    let last: Option<(i64, i64, i64)> = transaction
        .prepare_cached(&last)?
        .query_row([cutoff], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let rows = match last {
        Some((at, workload, model)) => transaction
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE (at, workload, model) <= (?1, ?2, ?3)"
            ))?
            .execute([at, workload, model])?,
        None => transaction
            .prepare_cached(&format!("DELETE FROM {table} WHERE at < ?1"))?
            .execute([cutoff])?,
    };
    Ok(rows as u64)
}

/// Deletes some names whose last day is before everything that is kept.
fn names_step(file: &mut File) -> rusqlite::Result<u64> {
    let mut oldest: Option<Seconds> = None;
    for level in Level::ALL {
        let first: Option<Seconds> = file
            .connection
            .prepare_cached(&format!("SELECT min(at) FROM {}", level.name()))?
            .query_row([], |row| row.get(0))?;
        let day = first.map(|first| Level::Day.start(first));
        oldest = oldest.into_iter().chain(day).min();
    }
    let Some(oldest) = oldest else { return Ok(0) };
    let mut deleted = 0;
    for table in ["workload", "model"] {
        let delete = format!(
            "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE last_day < ?1 LIMIT {STEP_ROWS})"
        );
        deleted += file.connection.prepare_cached(&delete)?.execute([oldest])?;
    }
    Ok(deleted as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR_MS: u64 = 365 * 86_400_000;

    #[test]
    fn a_leap_ahead_must_last() {
        let start = 50 * YEAR_MS;
        let mut believed = Believed::resume(0, start, 1_000);
        assert_eq!(believed.now(start + 60_000, 61_000), (start + 60_000) / 1_000);
        // A year ahead, for half an hour.
        let ahead = believed.now(start + YEAR_MS, 121_000);
        assert_eq!(ahead, (start + 120_000) / 1_000);
        let ahead = believed.now(start + YEAR_MS + 1_800_000, 1_921_000);
        assert_eq!(ahead, (start + 1_920_000) / 1_000);
        assert_eq!(
            believed.now(start + 1_921_000, 1_922_000),
            (start + 1_921_000) / 1_000
        );
        // A year ahead, to stay.
        believed.now(start + YEAR_MS, 2_000_000);
        let stays = start + YEAR_MS + TRIAL_MS;
        assert_eq!(believed.now(stays, 2_000_000 + TRIAL_MS), stays / 1_000);
        // Back is believed at once: nothing is deleted by it.
        assert_eq!(believed.now(start, 2_000_001 + TRIAL_MS), start / 1_000);
    }

    #[test]
    fn a_start_after_years_must_last_too() {
        let noted = 50 * YEAR_MS / 1_000;
        let mut believed = Believed::resume(noted, 52 * YEAR_MS, 7);
        assert_eq!(believed.now(52 * YEAR_MS, 8), noted);
        assert_eq!(
            believed.now(52 * YEAR_MS + TRIAL_MS, 8 + TRIAL_MS),
            (52 * YEAR_MS + TRIAL_MS) / 1_000
        );
        let mut believed = Believed::resume(noted, 0, 0);
        assert_eq!(
            believed.now(50 * YEAR_MS + 3_600_000, 1),
            noted + 3_600,
            "an hour is believed"
        );
    }
}
