//! The cluster's tables in the ledger's database.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::purse::Purse;
use crate::book::SlotNumber;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS account_purse (
        slot INTEGER PRIMARY KEY,           -- the account's
        purse TEXT NOT NULL                 -- scope, exchange, lease, unreported, pending, life, used, leased, debt, nodes, at, until, window, ttl
    ) STRICT;
    CREATE TABLE IF NOT EXISTS node (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        id TEXT NOT NULL                    -- this node's identity in its cluster
    ) STRICT;
";

pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)
}

pub(crate) fn put_purse(
    transaction: &Transaction<'_>,
    slot: SlotNumber,
    purse: Option<&Purse>,
) -> rusqlite::Result<()> {
    let put = match purse {
        Some(purse) => transaction
            .prepare_cached("INSERT OR REPLACE INTO account_purse (slot, purse) VALUES (?1, ?2)")?
            .execute(params![slot, purse.to_string()]),
        None => transaction
            .prepare_cached("DELETE FROM account_purse WHERE slot = ?1")?
            .execute(params![slot]),
    };
    put.map(drop)
}

/// The identity that is kept, or `new` where there is none or it is `not`.
pub(crate) fn node_id(connection: &Connection, new: &str, not: Option<&str>) -> rusqlite::Result<String> {
    let kept: Option<String> = connection
        .query_row("SELECT id FROM node", [], |row| row.get(0))
        .optional()?;
    if let Some(kept) = kept.filter(|kept| Some(kept.as_str()) != not) {
        return Ok(kept);
    }
    connection.execute(
        "INSERT OR REPLACE INTO node (one, id) VALUES (1, ?1)",
        params![new],
    )?;
    Ok(new.to_owned())
}
