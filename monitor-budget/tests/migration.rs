//! A state directory of the first schema, as its last version left it when it was killed: `tests/schema_1`, with two reservations open.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use monitor_budget::{Budget, Certainty, Checkpoints, Ledger, ManualClock, Spend, Unit, Window};
use tempfile::TempDir;

/// When the directory was left.
const LEFT_MS: u64 = 1_700_000_015_000;
const TEAM: &str = "billing-bots/0/all";
const A: &str = "billing-bots/1/workload:/system.slice/a.service";
const B: &str = "billing-bots/1/workload:/system.slice/b.service";

fn copy(from: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

fn first_schema() -> TempDir {
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema_1"))
}

fn open(dir: &Path, at_ms: u64) -> Ledger {
    let clock = Arc::new(ManualClock::new(at_ms));
    Ledger::open_with(dir, clock, Checkpoints::OnDemand).unwrap()
}

/// Limit, settled, reserved and owed.
fn figures(ledger: &Ledger, key: &str) -> (u64, u64, u64, u64) {
    let found = ledger.account(key).unwrap();
    assert_eq!((found.unit, found.open_reservations), (Unit::Tokens, 0));
    (found.limit, found.settled, found.reserved, found.debt)
}

fn assert_all_there(ledger: &Ledger) {
    // The 90 that were open are charged.
    assert_eq!(figures(ledger, TEAM), (1_000, 440, 0, 0));
    assert_eq!(figures(ledger, A), (200, 200, 0, 150));
    assert_eq!(figures(ledger, B), (200, 90, 0, 0));
    assert_eq!(figures(ledger, "späte/0/ä"), (77, 7, 0, 0));
    let window = |key| ledger.account(key).unwrap().window;
    assert_eq!(window(TEAM), Window::rolling(3_600_000));
    assert_eq!(window(A), Window::rolling(60_000));
}

#[test]
fn all_it_held_is_there() {
    let dir = first_schema();
    let ledger = open(dir.path(), LEFT_MS + 1_000);
    assert!(ledger.health().durable);
    assert!(ledger.recovery().records_replayed > 0);
    assert_eq!(ledger.recovery().open_tokens, 2 * 90);
    assert_all_there(&ledger);
    let budget = Budget::tokens(TEAM, 1_000, 3_600_000);
    ledger
        .reserve(&[&budget], &Spend::request(60, 0))
        .unwrap()
        .settle(&Spend::request(60, 0), Certainty::Exact);
    drop(ledger);
    let again = open(dir.path(), LEFT_MS + 2_000);
    assert_eq!(figures(&again, TEAM), (1_000, 500, 0, 0));
    assert_eq!(again.recovery().records_replayed, 0);
}

#[test]
fn a_kill_after_the_tables_were_changed_loses_nothing() {
    let dir = first_schema();
    let opened = open(dir.path(), LEFT_MS + 1_000);
    // As it was with only the tables changed: the old journal and the position in it.
    let killed = copy(dir.path());
    drop(opened);
    assert_all_there(&open(killed.path(), LEFT_MS + 1_000));

    let dir = first_schema();
    let journal = dir.path().join("ledger.journal.1");
    let aside = dir.path().join("aside");
    fs::rename(&journal, &aside).unwrap();
    // The journal is missing: the tables are changed, and then it stops.
    let clock = Arc::new(ManualClock::new(LEFT_MS + 1_000));
    let error = Ledger::open_with(dir.path(), clock, Checkpoints::OnDemand).unwrap_err();
    assert!(error.to_string().contains("ledger.journal.1"), "{error}");
    let store = rusqlite::Connection::open(dir.path().join("ledger.db")).unwrap();
    let version = store.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    assert_eq!(version.unwrap(), 2);
    drop(store);
    fs::rename(&aside, &journal).unwrap();
    assert_all_there(&open(dir.path(), LEFT_MS + 1_000));
}

#[test]
fn a_change_of_tables_that_fails_changes_nothing() {
    let dir = first_schema();
    let store = rusqlite::Connection::open(dir.path().join("ledger.db")).unwrap();
    store.execute_batch("CREATE TABLE audit (taken TEXT)").unwrap();
    let clock = Arc::new(ManualClock::new(LEFT_MS + 1_000));
    Ledger::open_with(dir.path(), clock, Checkpoints::OnDemand).unwrap_err();
    store.execute_batch("DROP TABLE audit").unwrap();
    let version = store.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    assert_eq!(version.unwrap(), 1);
    drop(store);
    assert_all_there(&open(dir.path(), LEFT_MS + 1_000));
}
