//! A batch into the tables, in one transaction.
//!
//! Each sum goes into the tables of all three levels at once: nothing has to be rolled up later, so that the levels agree at every commit,
//! whenever the agent is killed, and a usage that comes late or under a clock that was stepped finds its place like any other.

use std::collections::{HashMap, HashSet};

use rusqlite::{OptionalExtension, Transaction, params, params_from_iter};

use super::batch::Batch;
use super::error::HistoryError;
use super::level::Level;
use super::names::{Asked, Asker};
use super::schema::{File, begin, failed};
use super::seconds::Seconds;
use crate::event::Counts;

/// Workloads told apart in one day; later ones share one name. Pods and units of the busiest nodes, and a bound for a
/// node whose cgroups come and go by the second.
pub const MAX_WORKLOADS_PER_DAY: usize = 8_192;
/// Combinations of provider, model and operation told apart of one workload in one day. The workload chooses the names of models; later
/// ones share one name.
pub const MAX_MODELS_PER_WORKLOAD_AND_DAY: usize = 64;

/// Names whose numbers are kept at hand.
const MAX_CACHED_NAMES: usize = 32_768;
/// Days of which is known who is told apart. Two are enough but where the clock is stepped.
const MAX_CACHED_DAYS: usize = 4;

/// What writing a batch came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// Exchanges that went under the shared name of workloads or models beyond the bound.
    pub(super) other: u64,
}

/// The numbers of names, as far as they are at hand, and who is told apart on which day.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    askers: HashMap<Asker, Entry>,
    asked: HashMap<Asked, Entry>,
    days: Vec<(Seconds, Day)>,
}

/// The models of each workload that are told apart.
type Day = HashMap<i64, HashSet<i64>>;

#[derive(Debug, Clone, Copy)]
struct Entry {
    id: i64,
    last_day: Seconds,
}

impl Dictionary {
    /// Forgets what is at hand: it may not be what is in the file.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn make_room(&mut self) {
        if self.askers.len() + self.asked.len() > MAX_CACHED_NAMES {
            self.askers.clear();
            self.asked.clear();
        }
    }

    /// Who is told apart on a day.
    fn day(&mut self, transaction: &Transaction<'_>, at: Seconds) -> rusqlite::Result<&mut Day> {
        if let Some(index) = self.days.iter().position(|(day, _)| *day == at) {
            self.days.swap(0, index);
        } else {
            let mut day = Day::new();
            let mut query = transaction.prepare_cached("SELECT workload, model FROM day WHERE at = ?1")?;
            let mut rows = query.query([at])?;
            while let Some(row) = rows.next()? {
                day.entry(row.get(0)?).or_default().insert(row.get(1)?);
            }
            self.days.truncate(MAX_CACHED_DAYS - 1);
            self.days.insert(0, (at, day));
        }
        self.days
            .first_mut()
            .map(|(_, day)| day)
            .ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    /// The numbers under which a usage is kept, and whether it is told apart.
    fn resolve(
        &mut self,
        transaction: &Transaction<'_>,
        at: Seconds,
        asker: &Asker,
        asked: &Asked,
    ) -> rusqlite::Result<(i64, i64, bool)> {
        let mut apart = true;
        let known = self.asker(transaction, asker, at, false)?;
        let day = self.day(transaction, at)?;
        let room = known.is_some_and(|id| day.contains_key(&id)) || day.len() < MAX_WORKLOADS_PER_DAY;
        let workload = if room {
            self.asker(transaction, asker, at, true)?
        } else {
            apart = false;
            self.asker(transaction, &Asker::other(), at, true)?
        };
        let workload = workload.ok_or(rusqlite::Error::QueryReturnedNoRows)?;

        let known = self.asked(transaction, asked, at, false)?;
        let models = self.day(transaction, at)?.entry(workload).or_default();
        let room =
            known.is_some_and(|id| models.contains(&id)) || models.len() < MAX_MODELS_PER_WORKLOAD_AND_DAY;
        let model = if room {
            self.asked(transaction, asked, at, true)?
        } else {
            apart = false;
            self.asked(transaction, &asked.other_model(), at, true)?
        };
        let model = model.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        self.day(transaction, at)?
            .entry(workload)
            .or_default()
            .insert(model);
        Ok((workload, model, apart))
    }

    /// The number of a workload; `None` when it has none and is not to get one.
    fn asker(
        &mut self,
        transaction: &Transaction<'_>,
        asker: &Asker,
        day: Seconds,
        make: bool,
    ) -> rusqlite::Result<Option<i64>> {
        let cached = self.askers.get(asker).copied();
        let found = match cached {
            Some(entry) => Some(entry),
            None => transaction
                .prepare_cached(
                    "SELECT id, last_day FROM workload WHERE cgroup IS ?1 AND exe IS ?2 AND uid IS ?3 AND container IS ?4 \
                     AND user IS ?5 AND unit IS ?6 AND namespace IS ?7 AND pod IS ?8 AND service_account IS ?9",
                )?
                .query_row(
                    params![
                        asker.cgroup,
                        asker.exe,
                        asker.uid,
                        asker.container,
                        asker.user,
                        asker.unit,
                        asker.namespace,
                        asker.pod,
                        asker.service_account
                    ],
                    entry,
                )
                .optional()?,
        };
        let insert = || {
            transaction
                .prepare_cached(
                    "INSERT INTO workload (cgroup, exe, uid, container, user, unit, namespace, pod, service_account, \
                     last_day) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                )?
                .execute(params![
                    asker.cgroup,
                    asker.exe,
                    asker.uid,
                    asker.container,
                    asker.user,
                    asker.unit,
                    asker.namespace,
                    asker.pod,
                    asker.service_account,
                    day
                ])
        };
        let Some(entry) = used(transaction, "workload", found, day, make.then_some(insert))? else {
            return Ok(None);
        };
        if cached.is_none_or(|cached| cached.last_day != entry.last_day) {
            self.askers.insert(asker.clone(), entry);
        }
        Ok(Some(entry.id))
    }

    /// The number of what was asked; `None` when it has none and is not to get one.
    fn asked(
        &mut self,
        transaction: &Transaction<'_>,
        asked: &Asked,
        day: Seconds,
        make: bool,
    ) -> rusqlite::Result<Option<i64>> {
        let cached = self.asked.get(asked).copied();
        let found = match cached {
            Some(entry) => Some(entry),
            None => transaction
                .prepare_cached(
                    "SELECT id, last_day FROM model WHERE model IS ?1 AND provider IS ?2 AND operation IS ?3",
                )?
                .query_row(params![asked.model, asked.provider, asked.operation], entry)
                .optional()?,
        };
        let insert = || {
            transaction
                .prepare_cached(
                    "INSERT INTO model (model, provider, operation, last_day) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![asked.model, asked.provider, asked.operation, day])
        };
        let Some(entry) = used(transaction, "model", found, day, make.then_some(insert))? else {
            return Ok(None);
        };
        if cached.is_none_or(|cached| cached.last_day != entry.last_day) {
            self.asked.insert(asked.clone(), entry);
        }
        Ok(Some(entry.id))
    }
}

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: row.get(0)?,
        last_day: row.get(1)?,
    })
}

/// What was found, or what `insert` makes where there is nothing, noted as used on `day`; `None` where nothing is to be made.
fn used(
    transaction: &Transaction<'_>,
    table: &str,
    found: Option<Entry>,
    day: Seconds,
    insert: Option<impl FnOnce() -> rusqlite::Result<usize>>,
) -> rusqlite::Result<Option<Entry>> {
    let id = match (found, insert) {
        (Some(entry), _) if entry.last_day >= day => return Ok(Some(entry)),
        (Some(entry), _) => {
            touch(transaction, table, entry.id, day)?;
            entry.id
        }
        (None, None) => return Ok(None),
        (None, Some(insert)) => {
            insert()?;
            transaction.last_insert_rowid()
        }
    };
    Ok(Some(Entry { id, last_day: day }))
}

fn touch(transaction: &Transaction<'_>, table: &str, id: i64, day: Seconds) -> rusqlite::Result<()> {
    let update = format!("UPDATE {table} SET last_day = ?2 WHERE id = ?1 AND last_day < ?2");
    transaction.prepare_cached(&update)?.execute(params![id, day])?;
    Ok(())
}

/// Writes a batch, whose number is the one after that of the last one; one that is in the file already is not written twice.
pub(super) fn write(
    file: &mut File,
    dictionary: &mut Dictionary,
    batch: &Batch,
    writer: i64,
    number: u64,
) -> Result<Written, HistoryError> {
    let failed = failed("write usage", &file.path);
    dictionary.make_room();
    let mut all = || -> rusqlite::Result<Written> {
        let transaction = begin(&mut file.connection)?;
        let last: u64 = transaction.query_row("SELECT batch FROM writer WHERE id = ?1", [writer], |row| {
            row.get(0)
        })?;
        if last >= number {
            return Ok(Written::default());
        }
        let written = sums(&transaction, dictionary, batch)?;
        transaction.execute(
            "UPDATE writer SET batch = ?2 WHERE id = ?1",
            params![writer, number],
        )?;
        transaction.commit()?;
        Ok(written)
    };
    let written = all();
    if written.is_err() {
        // What was rolled back must not be taken for being in the file.
        dictionary.clear();
    }
    written.map_err(failed)
}

fn sums(
    transaction: &Transaction<'_>,
    dictionary: &mut Dictionary,
    batch: &Batch,
) -> rusqlite::Result<Written> {
    let mut written = Written::default();
    let mut sums: [HashMap<(Seconds, i64, i64), Counts>; 3] = Default::default();
    for (at, asker, asked, counts) in batch.named() {
        let day = Level::Day.start(at);
        let (workload, model, apart) = dictionary.resolve(transaction, day, asker, asked)?;
        if !apart {
            written.other = written.other.saturating_add(counts.exchanges);
        }
        for (level, sums) in Level::ALL.into_iter().zip(&mut sums) {
            sums.entry((level.start(at), workload, model))
                .or_default()
                .add(counts);
        }
    }
    for (level, sums) in Level::ALL.into_iter().zip(sums) {
        let mut added = 0_u64;
        let mut update = transaction.prepare_cached(&update(level))?;
        let mut insert = transaction.prepare_cached(&insert(level))?;
        // In the order of the table, which makes the fewest pages dirty.
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable_by_key(|(key, _)| *key);
        for ((at, workload, model), counts) in sums {
            let key = [at.cast_signed(), workload, model].into_iter();
            let values = key.chain(
                counts
                    .fields()
                    .map(|count| i64::try_from(count).unwrap_or(i64::MAX)),
            );
            if update.execute(params_from_iter(values.clone()))? == 0 {
                insert.execute(params_from_iter(values))?;
                added += 1;
            }
        }
        if added > 0 {
            transaction
                .prepare_cached("UPDATE level SET rows = rows + ?2 WHERE name = ?1")?
                .execute(params![level.name(), added])?;
        }
    }
    Ok(written)
}

/// SQLite turns an integer that overflows into a fraction; a sum stops at the greatest integer instead.
fn update(level: Level) -> String {
    let sets: Vec<_> = Counts::NAMES
        .iter()
        .zip(4..)
        .map(|(name, place)| {
            let most = i64::MAX;
            format!("{name} = CASE WHEN {name} > {most} - ?{place} THEN {most} ELSE {name} + ?{place} END")
        })
        .collect();
    format!(
        "UPDATE {} SET {} WHERE at = ?1 AND workload = ?2 AND model = ?3",
        level.name(),
        sets.join(", ")
    )
}

fn insert(level: Level) -> String {
    let places: Vec<_> = (1..4 + Counts::NAMES.len())
        .map(|place| format!("?{place}"))
        .collect();
    format!(
        "INSERT INTO {} (at, workload, model, {}) VALUES ({})",
        level.name(),
        Counts::NAMES.join(", "),
        places.join(", ")
    )
}
