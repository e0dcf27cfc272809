//! The store: accounts and journal position in SQLite, in tables a person can open and read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Row, params};

use crate::account::Account;
use crate::book::{MAX_ACCOUNTS, SlotNumber};
use crate::error::LedgerError;
use crate::window::{Slot, Window};

/// The database's name in the state directory.
pub(crate) const FILE_NAME: &str = "ledger.db";

const SCHEMA_VERSION: i64 = 1;

/// How long a write waits for somebody who reads the database by hand. Only the checkpoint thread waits.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

const SCHEMA: &str = "
    CREATE TABLE account (
        slot INTEGER PRIMARY KEY,           -- number of the account in the journal
        key TEXT,                           -- NULL: the slot is free
        limit_tokens INTEGER NOT NULL,
        window_ms INTEGER NOT NULL,
        settled INTEGER NOT NULL,           -- tokens in the window, the sum of sub_windows
        reserved INTEGER NOT NULL,          -- tokens held by open reservations
        debt INTEGER NOT NULL,
        peak_outstanding INTEGER NOT NULL,
        open_reservations INTEGER NOT NULL,
        head INTEGER NOT NULL,              -- sub-window up to which charges have left
        sub_windows TEXT NOT NULL,          -- number:tokens, oldest first
        lsn INTEGER NOT NULL                -- journal position up to which this row contains all changes
    ) STRICT;
    CREATE TABLE position (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        generation INTEGER NOT NULL,        -- journal file that recovery starts with; 0: none
        lsn INTEGER NOT NULL,               -- position in it
        ledger_ms INTEGER NOT NULL,         -- ledger time of the last checkpoint
        unix_ms INTEGER NOT NULL            -- wall clock at that moment
    ) STRICT;
    INSERT INTO position VALUES (1, 0, 0, 0, 0);
    PRAGMA user_version = 1;
";

/// Where recovery starts to replay, and when that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    pub(crate) generation: u64,
    pub(crate) lsn: u64,
    pub(crate) ledger_ms: u64,
    pub(crate) unix_ms: u64,
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
            0 => return Err(store.corrupt("it holds tables that are not the ledger's")),
            found => {
                return Err(LedgerError::NewerSchema {
                    path,
                    found,
                    known: SCHEMA_VERSION,
                });
            }
        }
        Ok(store)
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
        let query = "SELECT generation, lsn, ledger_ms, unix_ms FROM position";
        let read = |row: &Row<'_>| {
            Ok(Position {
                generation: row.get(0)?,
                lsn: row.get(1)?,
                ledger_ms: row.get(2)?,
                unix_ms: row.get(3)?,
            })
        };
        let position = self.connection.query_row(query, [], read);
        position.map_err(LedgerError::store("read the journal position", &self.path))
    }

    /// Hands every stored slot to `visit`.
    pub(crate) fn load(&self, mut visit: impl FnMut(StoredSlot)) -> Result<(), LedgerError> {
        let error = || LedgerError::store("read the accounts", &self.path);
        let query = "SELECT slot, lsn, key, limit_tokens, window_ms, settled, reserved, debt, peak_outstanding, \
                     open_reservations, head, sub_windows FROM account ORDER BY slot";
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

    /// Writes changed slots and the position they are from, in one transaction.
    pub(crate) fn write(&mut self, slots: &[StoredSlot], position: &Position) -> Result<(), LedgerError> {
        let written = write(&mut self.connection, slots, position);
        written.map_err(LedgerError::store("write a checkpoint", &self.path))
    }
}

fn read_account(row: &Row<'_>) -> rusqlite::Result<Result<Option<Account>, &'static str>> {
    let Some(key) = row.get::<_, Option<Arc<str>>>(2)? else {
        return Ok(Ok(None));
    };
    let window_ms: u64 = row.get(4)?;
    let settled: u64 = row.get(5)?;
    let text: String = row.get(11)?;
    let Some(window) = parse_slots(&text).and_then(|slots| Window::from_slots(window_ms, slots)) else {
        return Ok(Err("its sub-windows are unreadable"));
    };
    if window.settled() != settled {
        return Ok(Err("its sub-windows do not add up to what is settled"));
    }
    Ok(Ok(Some(Account {
        key,
        limit: row.get(3)?,
        window_ms,
        window,
        head: row.get(10)?,
        reserved: row.get(6)?,
        debt: row.get(7)?,
        peak_outstanding: row.get(8)?,
        open_reservations: row.get(9)?,
    })))
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

fn write(connection: &mut Connection, slots: &[StoredSlot], position: &Position) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut put = transaction.prepare_cached(
            "INSERT OR REPLACE INTO account (slot, lsn, key, limit_tokens, window_ms, settled, reserved, debt, \
             peak_outstanding, open_reservations, head, sub_windows) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)",
        )?;
        for StoredSlot { slot, lsn, account } in slots {
            let Some(a) = account else {
                put.execute(params![slot, lsn, None::<&str>, 0, 0, 0, 0, 0, 0, 0, 0, ""])?;
                continue;
            };
            let text: Vec<_> = a
                .window
                .slots()
                .map(|slot| format!("{}:{}", slot.index, slot.tokens))
                .collect();
            put.execute(params![
                slot,
                lsn,
                a.key,
                a.limit,
                a.window_ms,
                a.settled(),
                a.reserved,
                a.debt,
                a.peak_outstanding,
                a.open_reservations,
                a.head,
                text.join(" "),
            ])?;
        }
        let Position {
            generation,
            lsn,
            ledger_ms,
            unix_ms,
        } = position;
        let update = "UPDATE position SET generation = ?1, lsn = ?2, ledger_ms = ?3, unix_ms = ?4";
        transaction
            .prepare_cached(update)?
            .execute(params![generation, lsn, ledger_ms, unix_ms])?;
    }
    transaction.commit()
}
