//! A question answered from the tables.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::answer::Groups;
use super::error::HistoryError;
use super::names::{Asked, Asker};
use super::plan::{OPEN, Plan, Segment};
use super::schema::{Extent, extents, failed, open_to_read};
use super::seconds::Seconds;
use crate::event::Counts;

/// The tables as they are at one moment, whatever is written meanwhile.
pub(super) struct Snapshot<'a> {
    connection: Connection,
    path: &'a Path,
    /// The number of the last batch that they contain.
    pub(super) batch: u64,
    pub(super) extents: [Extent; 3],
}

impl<'a> Snapshot<'a> {
    /// Begins to read. `writer` is whose batches count.
    pub(super) fn begin(path: &'a Path, writer: i64) -> Result<Self, HistoryError> {
        let connection = open_to_read(path)?;
        let begin = || -> rusqlite::Result<_> {
            connection.execute_batch("BEGIN")?;
            let batch = connection
                .query_row("SELECT batch FROM writer WHERE id = ?1", [writer], |row| {
                    row.get(0)
                })
                .optional()?
                .unwrap_or(0);
            Ok((batch, extents(&connection)?))
        };
        let (batch, extents) = begin().map_err(failed("read", path))?;
        Ok(Self {
            connection,
            path,
            batch,
            extents,
        })
    }

    /// Adds the usage of a plan's buckets.
    pub(super) fn read(&self, plan: &Plan, groups: &mut Groups<'_>) -> Result<(), HistoryError> {
        let mut names = Names::default();
        for segment in &plan.segments {
            self.read_segment(segment, groups, &mut names)?;
        }
        Ok(())
    }

    fn read_segment(
        &self,
        segment: &Segment,
        groups: &mut Groups<'_>,
        names: &mut Names,
    ) -> Result<(), HistoryError> {
        let failed = failed("read usage", self.path);
        let query = format!(
            "SELECT at, workload, model, {} FROM {} WHERE at >= ?1 AND at < ?2",
            Counts::NAMES.join(", "),
            segment.level.name()
        );
        let mut query = self.connection.prepare_cached(&query).map_err(&failed)?;
        let to = if segment.to == OPEN {
            i64::MAX.unsigned_abs()
        } else {
            segment.to
        };
        let mut rows = query.query([segment.from, to]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let mut read = || -> rusqlite::Result<_> {
                let at: Seconds = row.get(0)?;
                let asker = names.asker(&self.connection, groups, row.get(1)?)?;
                let asked = names.asked(&self.connection, groups, row.get(2)?)?;
                let mut counts = Counts::default();
                for (field, place) in counts.fields_mut().into_iter().zip(3..) {
                    *field = row.get(place)?;
                }
                Ok(asker.zip(asked).map(|(asker, asked)| (at, asker, asked, counts)))
            };
            if let Some((at, asker, asked, counts)) = read().map_err(&failed)? {
                groups.add(at, asker, asked, &counts)?;
            }
        }
        Ok(())
    }
}

/// The combinations that the file's numbers belong to; `None` for what is not asked for.
#[derive(Default)]
struct Names {
    askers: HashMap<i64, Option<u32>>,
    asked: HashMap<i64, Option<u32>>,
}

impl Names {
    fn asker(
        &mut self,
        connection: &Connection,
        groups: &mut Groups<'_>,
        id: i64,
    ) -> rusqlite::Result<Option<u32>> {
        if let Some(known) = self.askers.get(&id) {
            return Ok(*known);
        }
        let asker = connection
            .prepare_cached(
                "SELECT exe, uid, cgroup, container, user, unit, namespace, pod, service_account FROM workload WHERE id = ?1",
            )?
            .query_row(params![id], |row| {
                Ok(Asker {
                    exe: row.get(0)?,
                    uid: row.get(1)?,
                    cgroup: row.get(2)?,
                    container: row.get(3)?,
                    user: row.get(4)?,
                    unit: row.get(5)?,
                    namespace: row.get(6)?,
                    pod: row.get(7)?,
                    service_account: row.get(8)?,
                })
            })
            .optional()?;
        let number = groups.asker(&asker.unwrap_or_else(Asker::other));
        self.askers.insert(id, number);
        Ok(number)
    }

    fn asked(
        &mut self,
        connection: &Connection,
        groups: &mut Groups<'_>,
        id: i64,
    ) -> rusqlite::Result<Option<u32>> {
        if let Some(known) = self.asked.get(&id) {
            return Ok(*known);
        }
        let asked = connection
            .prepare_cached("SELECT provider, model, operation FROM model WHERE id = ?1")?
            .query_row(params![id], |row| {
                Ok(Asked {
                    provider: row.get(0)?,
                    model: row.get(1)?,
                    operation: row.get(2)?,
                })
            })
            .optional()?;
        let number = groups.asked(&asked.unwrap_or_else(Asked::other));
        self.asked.insert(id, number);
        Ok(number)
    }
}
