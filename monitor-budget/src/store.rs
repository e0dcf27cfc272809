//! The store: accounts and journal position in SQLite, in tables a person can open and read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Row, params};

use crate::account::Account;
use crate::alert::Alerts;
use crate::audit::AuditEntry;
use crate::book::{MAX_ACCOUNTS, SlotNumber};
use crate::charges::Charges;
use crate::cluster::purse::Purse;
use crate::cluster::tables;
use crate::error::LedgerError;
use crate::overrides::Override;
use crate::rolling::{Rolling, Slot};
use crate::unit::Unit;
use crate::window::Window;

mod audit;

/// The database's name in the state directory.
pub(crate) const FILE_NAME: &str = "ledger.db";

const SCHEMA_VERSION: i64 = 2;

/// How long a write waits for somebody who reads the database by hand. Only the checkpoint thread waits.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

const SCHEMA: &str = "
    CREATE TABLE account (
        slot INTEGER PRIMARY KEY,           -- number of the account in the journal
        key TEXT,                           -- NULL: the slot is free
        unit TEXT NOT NULL,                 -- what is counted; all figures are in it
        limit_amount INTEGER NOT NULL,      -- of the definition
        override_limit INTEGER,             -- in force instead of it
        override_until_ms INTEGER,          -- until then, Unix milliseconds
        window TEXT NOT NULL,               -- rolling:<length>ms, <period>:<time zone>, or open
        settled INTEGER NOT NULL,           -- in the window
        reserved INTEGER NOT NULL,          -- held by open reservations
        debt INTEGER NOT NULL,
        peak_outstanding INTEGER NOT NULL,
        open_reservations INTEGER NOT NULL,
        charges TEXT NOT NULL,              -- rolling: sub-window up to which charges have left, then number:amount, oldest first;
                                            -- calendar: bounds of the period in Unix milliseconds
        alerts TEXT NOT NULL,               -- percent:ledger time of passing, and if not told yet :limit:settled:Unix time
        lsn INTEGER NOT NULL                -- journal position up to which this row contains all changes
    ) STRICT;
    CREATE TABLE position (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        generation INTEGER NOT NULL,        -- journal file that recovery starts with; 0: none
        lsn INTEGER NOT NULL,               -- position in it
        ledger_ms INTEGER NOT NULL,         -- ledger time of the last checkpoint
        unix_ms INTEGER NOT NULL,           -- wall clock at that moment
        ahead_ms INTEGER NOT NULL           -- calendar time less ledger time
    ) STRICT;
    INSERT INTO position VALUES (1, 0, 0, 0, 0, 0);
    CREATE TABLE audit (
        number INTEGER PRIMARY KEY,         -- counted from 1; the oldest rows are dropped
        at_ms INTEGER NOT NULL,             -- Unix milliseconds
        made_by TEXT NOT NULL,
        key TEXT NOT NULL,
        unit TEXT NOT NULL,
        change TEXT NOT NULL,               -- override, override_removed or reset
        limit_before INTEGER NOT NULL,
        override_until_ms_before INTEGER,
        settled_before INTEGER NOT NULL,
        debt_before INTEGER NOT NULL,
        limit_after INTEGER NOT NULL,
        override_until_ms_after INTEGER,
        settled_after INTEGER NOT NULL,
        debt_after INTEGER NOT NULL
    ) STRICT;
    PRAGMA user_version = 2;
";

/// From schema 1, which counted tokens in rolling windows: its tables aside, and behind [`SCHEMA`] what they held. The journal beside it stays
/// as it is; recovery reads its first format.
const SET_ASIDE_1: &str = "
    ALTER TABLE account RENAME TO account_1;
    ALTER TABLE position RENAME TO position_1;
";
const TAKE_OVER_1: &str = "
    INSERT INTO account
        SELECT slot, key, 'tokens', limit_tokens, NULL, NULL, 'rolling:' || window_ms || 'ms', settled, reserved, debt,
            peak_outstanding, open_reservations, trim(head || ' ' || sub_windows), '', lsn
        FROM account_1;
    UPDATE position SET (generation, lsn, ledger_ms, unix_ms, ahead_ms) =
        (SELECT generation, lsn, ledger_ms, unix_ms, unix_ms - ledger_ms FROM position_1);
    DROP TABLE account_1;
    DROP TABLE position_1;
";

/// Where recovery starts to replay, and when that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    pub(crate) generation: u64,
    pub(crate) lsn: u64,
    pub(crate) ledger_ms: u64,
    pub(crate) unix_ms: u64,
    pub(crate) ahead_ms: i64,
}

/// A slot of the book as stored; without an account the slot is free.
#[derive(Debug)]
pub(crate) struct StoredSlot {
    pub(crate) slot: SlotNumber,
    pub(crate) lsn: u64,
    pub(crate) account: Option<Account>,
}

/// The open database.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    path: PathBuf,
}

impl Store {
    /// Opens the database, making it if there is none and `may_create`.
    pub(crate) fn open(dir: &Path, may_create: bool) -> Result<Self, LedgerError> {
        let path = dir.join(FILE_NAME);
        if !may_create && !path.exists() {
            return Err(LedgerError::Missing {
                path,
                needed_by: "the journal beside it",
            });
        }
        let error = |action| LedgerError::store(action, &path);
        let connection = Connection::open(&path).map_err(error("open the database"))?;
        connection
            .busy_timeout(BUSY_TIMEOUT)
            .map_err(error("set the time-out"))?;
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(error("turn on write-ahead logging"))?;
        // A commit is on the disk when it returns: the journal behind its position is then not needed any more.
        connection
            .pragma_update(None, "synchronous", "FULL")
            .map_err(error("set synchronous writes"))?;
        let store = Self {
            connection,
            path: path.clone(),
        };
        match store.number("PRAGMA user_version")? {
            0 if store.number("SELECT count(*) FROM sqlite_schema")? == 0 => {
                let create = format!("BEGIN; {SCHEMA} COMMIT;");
                store
                    .connection
                    .execute_batch(&create)
                    .map_err(error("create the tables"))?;
            }
            SCHEMA_VERSION => store.check()?,
            1 => {
                store.check()?;
                let migrate = format!("BEGIN IMMEDIATE; {SET_ASIDE_1} {SCHEMA} {TAKE_OVER_1} COMMIT;");
                store
                    .connection
                    .execute_batch(&migrate)
                    .map_err(error("carry the accounts over into this version's tables"))?;
            }
            0 => return Err(store.corrupt("it holds tables that are not the ledger's")),
            found => {
                return Err(LedgerError::NewerSchema {
                    path,
                    found,
                    known: SCHEMA_VERSION,
                });
            }
        }
        tables::create(&store.connection).map_err(error("create the cluster's tables"))?;
        Ok(store)
    }

    /// The node's identity in its cluster; `new` if it has none or is to have another one than `not`.
    pub(crate) fn node_id(&self, new: &str, not: Option<&str>) -> Result<String, LedgerError> {
        let id = tables::node_id(&self.connection, new, not);
        id.map_err(LedgerError::store("keep the node's identity", &self.path))
    }

    fn number(&self, query: &str) -> Result<i64, LedgerError> {
        let answer = self.connection.query_row(query, [], |row| row.get(0));
        answer.map_err(LedgerError::store("read the schema version", &self.path))
    }

    fn check(&self) -> Result<(), LedgerError> {
        let answer = self
            .connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        match answer.map_err(LedgerError::store("check the database", &self.path))? {
            answer if answer == "ok" => Ok(()),
            answer => Err(self.corrupt(answer)),
        }
    }

    pub(crate) fn corrupt(&self, what: impl Into<String>) -> LedgerError {
        LedgerError::CorruptStore {
            path: self.path.clone(),
            what: what.into(),
        }
    }

    pub(crate) fn position(&self) -> Result<Position, LedgerError> {
        let query = "SELECT generation, lsn, ledger_ms, unix_ms, ahead_ms FROM position";
        let read = |row: &Row<'_>| {
            Ok(Position {
                generation: row.get(0)?,
                lsn: row.get(1)?,
                ledger_ms: row.get(2)?,
                unix_ms: row.get(3)?,
                ahead_ms: row.get(4)?,
            })
        };
        let position = self.connection.query_row(query, [], read);
        position.map_err(LedgerError::store("read the journal position", &self.path))
    }

    /// Hands every stored slot to `visit`.
    pub(crate) fn load(&self, mut visit: impl FnMut(StoredSlot)) -> Result<(), LedgerError> {
        let error = || LedgerError::store("read the accounts", &self.path);
        let query = "SELECT slot, lsn, key, unit, limit_amount, window, settled, reserved, debt, peak_outstanding, \
                     open_reservations, charges, override_limit, override_until_ms, alerts, purse \
                     FROM account LEFT JOIN account_purse USING (slot) ORDER BY slot";
        let mut statement = self.connection.prepare(query).map_err(error())?;
        let mut rows = statement.query([]).map_err(error())?;
        while let Some(row) = rows.next().map_err(error())? {
            let slot: SlotNumber = row.get(0).map_err(error())?;
            if slot as usize >= MAX_ACCOUNTS {
                return Err(self.corrupt(format!("account slot {slot} is out of range")));
            }
            let account = read_account(row).map_err(error())?;
            let account = account.map_err(|what| self.corrupt(format!("account slot {slot}: {what}")))?;
            visit(StoredSlot {
                slot,
                lsn: row.get(1).map_err(error())?,
                account,
            });
        }
        Ok(())
    }

    /// Writes changed slots, changes by hand and the position they are from, in one transaction.
    pub(crate) fn write(
        &mut self,
        slots: &[StoredSlot],
        audit: &[AuditEntry],
        position: &Position,
    ) -> Result<(), LedgerError> {
        let written = write(&mut self.connection, slots, audit, position);
        written.map_err(LedgerError::store("write a checkpoint", &self.path))
    }
}

fn read_account(row: &Row<'_>) -> rusqlite::Result<Result<Option<Account>, &'static str>> {
    let Some(key) = row.get::<_, Option<Arc<str>>>(2)? else {
        return Ok(Ok(None));
    };
    let Some(unit) = Unit::parse(&row.get::<_, String>(3)?) else {
        return Ok(Err("its unit is not known"));
    };
    let Some(window) = Window::parse(&row.get::<_, String>(5)?) else {
        return Ok(Err("its window is not known"));
    };
    let settled: u64 = row.get(6)?;
    let text: String = row.get(11)?;
    let Some(charges) = parse_charges(&text, &window, settled) else {
        return Ok(Err("its charges are unreadable"));
    };
    if charges.settled() != settled {
        return Ok(Err("its charges do not add up to what is settled"));
    }
    let limit_override = match (row.get(12)?, row.get(13)?) {
        (Some(limit), Some(until_ms)) => Some(Override { limit, until_ms }),
        _ => None,
    };
    let Some(alerts) = Alerts::parse(&row.get::<_, String>(14)?) else {
        return Ok(Err("its thresholds are unreadable"));
    };
    let purse: Option<String> = row.get(15)?;
    let purse = match purse.as_deref().map(Purse::parse) {
        Some(None) => return Ok(Err("its lease is unreadable")),
        Some(purse) => purse.map(Box::new),
        None => None,
    };
    Ok(Ok(Some(Account {
        key,
        unit,
        defined_limit: row.get(4)?,
        limit_override,
        alerts,
        window,
        charges,
        reserved: row.get(7)?,
        debt: row.get(8)?,
        peak_outstanding: row.get(9)?,
        open_reservations: row.get(10)?,
        purse,
    })))
}

fn parse_charges(text: &str, window: &Window, settled: u64) -> Option<Charges> {
    match window {
        Window::Rolling { ms } => {
            let (head, slots) = text.split_once(' ').unwrap_or((text, ""));
            Some(Charges::Rolling {
                rolling: Rolling::from_slots(*ms, parse_slots(slots)?)?,
                head: head.parse().ok()?,
            })
        }
        Window::Calendar { .. } => {
            let (from, until) = text.split_once(' ')?;
            Some(Charges::Calendar {
                from_ms: from.parse().ok()?,
                until_ms: until.parse().ok()?,
                settled,
            })
        }
        Window::Open => Some(Charges::Open),
    }
}

fn charges_text(charges: &Charges) -> String {
    match charges {
        Charges::Rolling { rolling, head } => {
            let slots = rolling
                .slots()
                .map(|slot| format!(" {}:{}", slot.index, slot.tokens));
            std::iter::once(head.to_string()).chain(slots).collect()
        }
        Charges::Calendar {
            from_ms, until_ms, ..
        } => format!("{from_ms} {until_ms}"),
        Charges::Open => String::new(),
    }
}

fn parse_slots(text: &str) -> Option<Vec<Slot>> {
    let parse = |part: &str| {
        let (index, tokens) = part.split_once(':')?;
        Some(Slot {
            index: index.parse().ok()?,
            tokens: tokens.parse().ok()?,
        })
    };
    text.split_ascii_whitespace().map(parse).collect()
}

fn write(
    connection: &mut Connection,
    slots: &[StoredSlot],
    audit: &[AuditEntry],
    position: &Position,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut put = transaction.prepare_cached(
            "INSERT OR REPLACE INTO account (slot, lsn, key, unit, limit_amount, window, settled, reserved, debt, \
             peak_outstanding, open_reservations, charges, override_limit, override_until_ms, alerts) \
             VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)",
        )?;
        for StoredSlot { slot, lsn, account } in slots {
            let purse = account.as_ref().and_then(|account| account.purse.as_deref());
            tables::put_purse(&transaction, *slot, purse)?;
            let Some(a) = account else {
                put.execute(params![
                    slot,
                    lsn,
                    None::<&str>,
                    "",
                    0,
                    "",
                    0,
                    0,
                    0,
                    0,
                    0,
                    "",
                    None::<u64>,
                    None::<u64>,
                    ""
                ])?;
                continue;
            };
            put.execute(params![
                slot,
                lsn,
                a.key,
                a.unit.name(),
                a.defined_limit,
                a.window.to_string(),
                a.settled(),
                a.reserved,
                a.debt,
                a.peak_outstanding,
                a.open_reservations,
                charges_text(&a.charges),
                a.limit_override.map(|found| found.limit),
                a.limit_override.map(|found| found.until_ms),
                a.alerts.to_text(),
            ])?;
        }
        let Position {
            generation,
            lsn,
            ledger_ms,
            unix_ms,
            ahead_ms,
        } = position;
        let update =
            "UPDATE position SET generation = ?1, lsn = ?2, ledger_ms = ?3, unix_ms = ?4, ahead_ms = ?5";
        transaction
            .prepare_cached(update)?
            .execute(params![generation, lsn, ledger_ms, unix_ms, ahead_ms])?;
    }
    audit::write(&transaction, audit)?;
    transaction.commit()
}
