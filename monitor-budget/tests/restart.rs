//! What is in the ledger again after a restart, whatever ended the run before.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use monitor_budget::{Budget, Certainty, Checkpoints, Ledger, LedgerError, ManualClock, Spend};
use tempfile::TempDir;

const START_MS: u64 = 1_700_000_000_000;
const HOUR_MS: u64 = 3_600_000;

fn open(dir: &Path, clock: &Arc<ManualClock>) -> Result<Ledger, LedgerError> {
    Ledger::open_with(dir, clock.clone(), Checkpoints::OnDemand)
}

/// The state directory as a kill at this moment would leave it.
fn killed(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

fn journals(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("ledger.journal.")
    });
    files.sort();
    files
}

fn spend(ledger: &Ledger, budget: &Budget, tokens: u64) {
    ledger
        .reserve(&[budget], &Spend::request(tokens, 0))
        .unwrap()
        .settle(&Spend::request(tokens, 0), Certainty::Exact);
}

#[test]
fn a_clean_restart_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    let budget = Budget::tokens("team/0/blue", 100, HOUR_MS);
    let before = {
        let ledger = open(dir.path(), &clock).unwrap();
        assert!(ledger.health().durable);
        spend(&ledger, &budget, 60);
        clock.advance_ms(HOUR_MS / 2);
        ledger
            .reserve(&[&budget], &Spend::request(40, 0))
            .unwrap()
            .settle(&Spend::request(70, 0), Certainty::Exact);
        ledger.account("team/0/blue").unwrap()
    };
    let ledger = open(dir.path(), &clock).unwrap();
    assert_eq!(ledger.account("team/0/blue").unwrap(), before);
    assert_eq!(ledger.recovery().records_replayed, 0);
    assert_eq!((before.settled, before.debt), (100, 30));
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    let budget = Budget::tokens("w", 1_000, HOUR_MS);
    let ledger = open(dir.path(), &clock).unwrap();
    spend(&ledger, &budget, 100);
    ledger.checkpoint().unwrap();
    spend(&ledger, &budget, 20);
    let mut held = ledger.reserve(&[&budget], &Spend::request(30, 0)).unwrap();
    held.cover(&Spend::request(37, 0)).unwrap();
    let copy = killed(dir.path());

    let again = open(copy.path(), &clock).unwrap();
    let account = again.account("w").unwrap();
    assert_eq!(
        (account.settled, account.reserved, account.open_reservations),
        (157, 0, 0)
    );
    let recovery = again.recovery();
    assert_eq!(
        (
            recovery.records_replayed,
            recovery.open_reservations,
            recovery.open_tokens
        ),
        (4, 1, 37)
    );

    // Killed once more and opened once more, nothing is counted twice.
    let third = open(killed(copy.path()).path(), &clock).unwrap();
    assert_eq!(third.account("w").unwrap().settled, 157);
    drop(held);
}

#[test]
fn what_was_open_at_the_kill_leaves_the_window_in_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    let budget = Budget::tokens("w", 100, HOUR_MS);
    let ledger = open(dir.path(), &clock).unwrap();
    let held = ledger.reserve(&[&budget], &Spend::request(100, 0)).unwrap();
    let copy = killed(dir.path());
    clock.advance_ms(HOUR_MS + HOUR_MS / 30);
    let again = open(copy.path(), &clock).unwrap();
    assert_eq!(again.recovery().downtime_ms, HOUR_MS + HOUR_MS / 30);
    spend(&again, &budget, 100);
    drop(held);
}

#[test]
fn the_wall_clock_between_two_runs_is_believed_forwards_only() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    let budget = Budget::tokens("w", 100, HOUR_MS);
    spend(&open(dir.path(), &clock).unwrap(), &budget, 100);
    clock.step_wall_to_ms(START_MS - 10 * HOUR_MS);
    let ledger = open(dir.path(), &clock).unwrap();
    assert_eq!(ledger.account("w").unwrap().settled, 100);
    clock.advance_ms(HOUR_MS / 2);
    drop(ledger);
    clock.advance_ms(HOUR_MS / 2 + HOUR_MS / 30);
    spend(&open(dir.path(), &clock).unwrap(), &budget, 100);
}

#[test]
fn two_agents_cannot_have_one_directory() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    let ledger = open(dir.path(), &clock).unwrap();
    let error = open(dir.path(), &clock).unwrap_err();
    assert!(matches!(error, LedgerError::InUse { .. }), "{error}");
    drop(ledger);
    open(dir.path(), &clock).unwrap();
}

#[test]
fn a_torn_last_record_is_ignored_and_a_damaged_one_refused() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    let budget = Budget::tokens("w", 1_000, HOUR_MS);
    let ledger = open(dir.path(), &clock).unwrap();
    for _ in 0..5 {
        spend(&ledger, &budget, 10);
    }
    let journal = |dir: &TempDir| {
        fs::OpenOptions::new()
            .write(true)
            .open(&journals(dir.path())[0])
            .unwrap()
    };
    let length = fs::metadata(&journals(dir.path())[0]).unwrap().len();

    for torn in 1..40 {
        let copy = killed(dir.path());
        journal(&copy).set_len(length - torn).unwrap();
        let again = open(copy.path(), &clock).unwrap();
        // The last record was the settlement of ten tokens: without it its reservation counts as spent.
        assert_eq!(again.account("w").unwrap().settled, 50, "{torn} bytes torn off");
        assert!(again.recovery().torn_bytes < 40);
        assert_eq!(again.recovery().open_tokens, 10);
    }
    for damaged in [64, 100, length / 2, length - 60] {
        let copy = killed(dir.path());
        journal(&copy).write_all_at(&[0xff], damaged).unwrap();
        let error = open(copy.path(), &clock).unwrap_err();
        assert!(
            matches!(error, LedgerError::CorruptJournal { .. }),
            "byte {damaged}: {error}"
        );
    }
    let copy = killed(dir.path());
    journal(&copy).write_all_at(&[0xff], 20).unwrap();
    assert!(matches!(
        open(copy.path(), &clock).unwrap_err(),
        LedgerError::CorruptJournal { offset: 0, .. }
    ));
}

#[test]
fn a_missing_or_damaged_file_is_an_error_and_never_an_empty_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    let ledger = open(dir.path(), &clock).unwrap();
    for workload in 0..500 {
        spend(
            &ledger,
            &Budget::tokens(format!("workload-{workload}"), 1_000, HOUR_MS),
            10,
        );
    }
    drop(ledger);

    let copy = killed(dir.path());
    fs::remove_file(copy.path().join("ledger.db")).unwrap();
    let error = open(copy.path(), &clock).unwrap_err();
    assert!(matches!(error, LedgerError::Missing { .. }), "{error}");

    let copy = killed(dir.path());
    fs::remove_file(&journals(copy.path())[0]).unwrap();
    let error = open(copy.path(), &clock).unwrap_err();
    assert!(matches!(error, LedgerError::Missing { .. }), "{error}");

    let database = |dir: &TempDir| {
        fs::OpenOptions::new()
            .write(true)
            .open(dir.path().join("ledger.db"))
            .unwrap()
    };
    let copy = killed(dir.path());
    database(&copy).write_all_at(b"not a database at all", 0).unwrap();
    let error = open(copy.path(), &clock).unwrap_err();
    assert!(matches!(error, LedgerError::Store { .. }), "{error}");

    let copy = killed(dir.path());
    database(&copy).write_all_at(&[0xaa; 3 * 4096], 2 * 4096).unwrap();
    let error = open(copy.path(), &clock).unwrap_err();
    assert!(
        matches!(
            error,
            LedgerError::Store { .. } | LedgerError::CorruptStore { .. }
        ),
        "{error}"
    );
}

#[test]
fn changed_rows_and_newer_schemas_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    spend(
        &open(dir.path(), &clock).unwrap(),
        &Budget::tokens("w", 1_000, HOUR_MS),
        10,
    );
    let run = |dir: &TempDir, sql: &str| {
        rusqlite::Connection::open(dir.path().join("ledger.db"))
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    };
    let copy = killed(dir.path());
    run(&copy, "UPDATE account SET settled = 0");
    assert!(matches!(
        open(copy.path(), &clock).unwrap_err(),
        LedgerError::CorruptStore { .. }
    ));
    let copy = killed(dir.path());
    run(&copy, "PRAGMA user_version = 3");
    assert!(matches!(
        open(copy.path(), &clock).unwrap_err(),
        LedgerError::NewerSchema {
            found: 3,
            known: 2,
            ..
        }
    ));
}

#[test]
fn accounts_that_hold_nothing_are_dropped_and_their_places_reused() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    let ledger = open(dir.path(), &clock).unwrap();
    let kept = Budget::tokens("kept", 1_000, 10 * HOUR_MS);
    spend(&ledger, &kept, 10);
    spend(&ledger, &Budget::tokens("gone", 1_000, HOUR_MS), 10);
    ledger.checkpoint().unwrap();
    assert_eq!(ledger.health().accounts, 2);
    clock.advance_ms(2 * HOUR_MS);
    ledger.checkpoint().unwrap();
    assert_eq!(ledger.health().accounts, 1);
    // In the place of the dropped one, beyond the last checkpoint.
    spend(&ledger, &Budget::tokens("new", 1_000, HOUR_MS), 20);
    let again = open(killed(dir.path()).path(), &clock).unwrap();
    assert!(again.account("gone").is_none());
    assert_eq!(again.account("kept").unwrap().settled, 10);
    assert_eq!(again.account("new").unwrap().settled, 20);
}
