//! The history's file: SQLite, in tables a person can open and read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior, params};

use super::error::HistoryError;
use super::level::Level;
use super::seconds::Seconds;
use crate::event::Counts;

/// The database's name in the state directory.
pub(crate) const FILE_NAME: &str = "history.db";

/// What the file says it is (`PRAGMA application_id`): "weiH".
const APPLICATION_ID: i64 = 0x7765_6948;

/// How long a write or an answer waits for the other agent during a take-over, or for somebody who reads the file by hand. Neither is on
/// the path of an exchange.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Pages of the write-ahead log after which it is carried into the database.
const LOG_PAGES: u32 = 256;
/// SQLite's own size of a page.
const PAGE_BYTES: u32 = 4_096;

/// Rows of `writer` that are kept: one is made at each start.
const MAX_WRITERS: u32 = 16;

/// Step `n` leads from schema version `n` to `n + 1`. During a take-over an agent of an earlier version may still write: a step may add
/// tables, and columns that have a default.
const MIGRATIONS: [fn() -> String; 1] = [tables];

/// Latest schema version.
const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

fn tables() -> String {
    let counts: String = Counts::NAMES
        .iter()
        .map(|name| format!("{name} INTEGER NOT NULL DEFAULT 0, "))
        .collect();
    let levels: String = Level::ALL
        .iter()
        .map(|level| {
            let name = level.name();
            format!(
                "CREATE TABLE {name} (
                    at INTEGER NOT NULL,            -- start, Unix seconds
                    workload INTEGER NOT NULL,
                    model INTEGER NOT NULL,
                    {counts}
                    PRIMARY KEY (at, workload, model)
                ) STRICT, WITHOUT ROWID;
                INSERT INTO level VALUES ('{name}', 0, 0);"
            )
        })
        .collect();
    format!(
        "CREATE TABLE workload (
            id INTEGER PRIMARY KEY,
            exe TEXT, uid INTEGER, cgroup TEXT, container TEXT, user TEXT, unit TEXT,
            namespace TEXT, pod TEXT, service_account TEXT,
            last_day INTEGER NOT NULL               -- latest day with usage of it
        ) STRICT;
        CREATE INDEX workload_by_place ON workload (cgroup, exe, uid);
        CREATE INDEX workload_by_day ON workload (last_day);
        CREATE TABLE model (
            id INTEGER PRIMARY KEY,
            provider TEXT, model TEXT, operation TEXT,
            last_day INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX model_by_name ON model (model, provider, operation);
        CREATE INDEX model_by_day ON model (last_day);
        CREATE TABLE level (
            name TEXT PRIMARY KEY,                  -- of the table
            complete_from INTEGER NOT NULL,         -- what is older may have been deleted
            rows INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE writer (
            id INTEGER PRIMARY KEY,                 -- of an agent's run, by chance
            started INTEGER NOT NULL,               -- Unix seconds
            batch INTEGER NOT NULL                  -- number of its last transaction
        ) STRICT;
        CREATE TABLE clock (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            believed INTEGER NOT NULL               -- Unix seconds up to which time is known to have come
        ) STRICT;
        INSERT INTO clock VALUES (1, 0);
        {levels}"
    )
}

/// An adapter for `map_err` on SQLite operations.
pub(super) fn failed(action: &'static str, path: &Path) -> impl Fn(rusqlite::Error) -> HistoryError + use<> {
    let path = path.to_owned();
    move |source| match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => HistoryError::Corrupt {
            path: path.clone(),
            what: source.to_string(),
        },
        _ => HistoryError::Store {
            action,
            path: path.clone(),
            source,
        },
    }
}

/// The file, open for writing.
#[derive(Debug)]
pub(super) struct File {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

impl File {
    /// Opens the file and checks it, making it if there is none. A file that is not the history's, or is damaged, is left as it is.
    pub(super) fn open(path: &Path) -> Result<Self, HistoryError> {
        let failed = |action| failed(action, path);
        let connection = Connection::open(path).map_err(failed("open the database"))?;
        connection
            .busy_timeout(BUSY_TIMEOUT)
            .map_err(failed("set the time-out"))?;
        let mut file = Self {
            connection,
            path: path.to_owned(),
        };
        let found = file.check()?;
        let set = |name, value: &dyn rusqlite::ToSql, action| {
            file.connection
                .pragma_update(None, name, value)
                .map_err(failed(action))
        };
        if found == 0 {
            // Before there are tables: the file then gives back what is deleted.
            set("auto_vacuum", &"INCREMENTAL", "turn on shrinking")?;
        }
        set("journal_mode", &"WAL", "turn on write-ahead logging")?;
        // One sync of a small log a second: what is committed survives a power cut.
        set("synchronous", &"FULL", "set synchronous writes")?;
        set("wal_autocheckpoint", &LOG_PAGES, "limit the log")?;
        set("journal_size_limit", &(LOG_PAGES * PAGE_BYTES), "limit the log")?;
        file.migrate()?;
        Ok(file)
    }

    fn number(&self, query: &str) -> Result<i64, HistoryError> {
        let found = self.connection.query_row(query, [], |row| row.get(0));
        found.map_err(failed("read the schema version", &self.path))
    }

    /// The schema version, 0 for a new file.
    fn check(&self) -> Result<i64, HistoryError> {
        let corrupt = |what: &str| HistoryError::Corrupt {
            path: self.path.clone(),
            what: what.to_owned(),
        };
        match self.number("PRAGMA user_version")? {
            0 if self.number("SELECT count(*) FROM sqlite_schema")? == 0 => Ok(0),
            0 => Err(corrupt("it holds tables that are not the history's")),
            _ if self.number("PRAGMA application_id")? != APPLICATION_ID => {
                Err(corrupt("it is another program's database"))
            }
            found @ 1..=SCHEMA_VERSION => {
                let answer = self
                    .connection
                    .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
                match answer.map_err(failed("check the database", &self.path))?.as_str() {
                    "ok" => Ok(found),
                    what => Err(corrupt(what)),
                }
            }
            found => Err(HistoryError::NewerSchema {
                path: self.path.clone(),
                found,
                known: SCHEMA_VERSION,
            }),
        }
    }

    /// Brings the tables to the latest version.
    fn migrate(&mut self) -> Result<(), HistoryError> {
        let failed = failed("create the tables", &self.path);
        let mut migrate = || -> rusqlite::Result<()> {
            let transaction = begin(&mut self.connection)?;
            // Read again: another agent may have been faster.
            let found: usize = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            let steps = MIGRATIONS.get(found..).unwrap_or_default();
            for step in steps {
                transaction.execute_batch(&step())?;
            }
            if !steps.is_empty() {
                transaction.execute_batch(&format!(
                    "PRAGMA user_version = {SCHEMA_VERSION}; PRAGMA application_id = {APPLICATION_ID};"
                ))?;
            }
            transaction.commit()
        };
        migrate().map_err(failed)
    }

    /// Carries the log into the database and empties it: on a full disk, that makes room.
    pub(super) fn empty_log(&self) -> Result<(), HistoryError> {
        let emptied = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        emptied.map_err(failed("empty the log", &self.path))
    }

    /// Makes this run known as one that writes, with the number of the last batch it wrote.
    pub(super) fn register(&mut self, writer: i64, now: Seconds, batch: u64) -> Result<(), HistoryError> {
        let failed = failed("register the agent", &self.path);
        let transaction = begin(&mut self.connection).map_err(&failed)?;
        let register = |transaction: &Transaction<'_>| {
            transaction.execute(
                "INSERT INTO writer VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING",
                params![writer, now, batch],
            )?;
            transaction.execute(
                "DELETE FROM writer WHERE id <> ?1 AND id NOT IN (SELECT id FROM writer ORDER BY started DESC LIMIT ?2)",
                params![writer, MAX_WRITERS],
            )
        };
        register(&transaction).map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }
}

/// Begins a transaction that is sure to be able to write.
pub(super) fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Opens the file to be read.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, HistoryError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed("open the database", path))?;
    connection
        .busy_timeout(BUSY_TIMEOUT)
        .map_err(failed("set the time-out", path))?;
    Ok(connection)
}

/// What is known of a level's table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// What is older may have been deleted.
    pub(super) complete_from: Seconds,
    pub(super) rows: u64,
}

/// The extents of all levels, finest first.
pub(super) fn extents(connection: &Connection) -> rusqlite::Result<[Extent; 3]> {
    let mut extents = [Extent::default(); 3];
    for (extent, level) in extents.iter_mut().zip(Level::ALL) {
        let mut query = connection.prepare_cached("SELECT complete_from, rows FROM level WHERE name = ?1")?;
        *extent = query.query_row([level.name()], |row| {
            Ok(Extent {
                complete_from: row.get(0)?,
                rows: row.get(1)?,
            })
        })?;
    }
    Ok(extents)
}
