//! The rows of changes by hand.

use rusqlite::{Connection, Row, params};

use super::Store;
use crate::audit::{AuditEntry, Change, Figures, MAX_AUDIT_ROWS};
use crate::error::LedgerError;
use crate::unit::Unit;

impl Store {
    /// Number of the last row, zero if there was never one.
    pub(crate) fn last_audit_number(&self) -> Result<u64, LedgerError> {
        let query = "SELECT coalesce(max(number), 0) FROM audit";
        let number = self.connection.query_row(query, [], |row| row.get(0));
        number.map_err(LedgerError::store("read the last change by hand", &self.path))
    }

    /// The latest rows of one key or of all, the latest first.
    pub(crate) fn audit(&self, key: Option<&str>, limit: usize) -> Result<Vec<AuditEntry>, LedgerError> {
        let error = || LedgerError::store("read the changes by hand", &self.path);
        let query = "SELECT number, at_ms, made_by, key, unit, change, limit_before, override_until_ms_before, \
                     settled_before, debt_before, limit_after, override_until_ms_after, settled_after, debt_after \
                     FROM audit WHERE ?1 IS NULL OR key = ?1 ORDER BY number DESC LIMIT ?2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(query).map_err(error())?;
        let mut rows = statement.query(params![key, limit]).map_err(error())?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next().map_err(error())? {
            let entry = read(row).map_err(error())?;
            entries
                .push(entry.ok_or_else(|| self.corrupt("a change by hand is of an unknown kind or unit"))?);
        }
        Ok(entries)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Option<AuditEntry>> {
    let (Some(unit), Some(change)) = (
        Unit::parse(&row.get::<_, String>(4)?),
        Change::parse(&row.get::<_, String>(5)?),
    ) else {
        return Ok(None);
    };
    let figures = |from: usize| {
        Ok::<_, rusqlite::Error>(Figures {
            limit: row.get(from)?,
            override_until_ms: row.get(from + 1)?,
            settled: row.get(from + 2)?,
            debt: row.get(from + 3)?,
        })
    };
    Ok(Some(AuditEntry {
        number: row.get(0)?,
        at_ms: row.get(1)?,
        by: row.get(2)?,
        key: row.get(3)?,
        unit,
        change,
        before: figures(6)?,
        after: figures(10)?,
    }))
}

/// Adds rows, each once, and drops the oldest beyond the bound.
pub(super) fn write(transaction: &Connection, entries: &[AuditEntry]) -> rusqlite::Result<()> {
    let Some(last) = entries.last() else {
        return Ok(());
    };
    let insert = "INSERT OR IGNORE INTO audit VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)";
    let mut put = transaction.prepare_cached(insert)?;
    for entry in entries {
        let (before, after) = (&entry.before, &entry.after);
        put.execute(params![
            entry.number,
            entry.at_ms,
            entry.by,
            entry.key,
            entry.unit.name(),
            entry.change.name(),
            before.limit,
            before.override_until_ms,
            before.settled,
            before.debt,
            after.limit,
            after.override_until_ms,
            after.settled,
            after.debt,
        ])?;
    }
    let kept_from = last.number.saturating_sub(MAX_AUDIT_ROWS);
    transaction.execute("DELETE FROM audit WHERE number <= ?1", [kept_from])?;
    Ok(())
}
