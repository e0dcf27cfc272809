//! Checkpoints while requests go on, and the change of journal files.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

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

/// A checkpoint copies the accounts a few at a time while others spend: what it copied late is in the journal as well.
#[test]
fn a_checkpoint_under_load_counts_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    let ledger = open(dir.path(), &clock).unwrap();
    let team = Budget::tokens("team", 1 << 40, HOUR_MS);
    let budgets: Vec<_> = (0..2_000)
        .map(|n| Budget::tokens(format!("w-{n}"), 1 << 40, HOUR_MS))
        .collect();
    for round in 0..10 {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for stride in [7, 11] {
                let (ledger, team, budgets, done) = (&ledger, &team, &budgets, &done);
                scope.spawn(move || {
                    let mut at = 0;
                    while !done.load(Ordering::SeqCst) {
                        at = (at + stride) % budgets.len();
                        ledger
                            .reserve(&[team, &budgets[at]], &Spend::request(5, 0))
                            .unwrap()
                            .settle(&Spend::request(3, 0), Certainty::Exact);
                    }
                });
            }
            for budget in &budgets {
                spend(&ledger, budget, 1);
            }
            let written = ledger.checkpoint();
            done.store(true, Ordering::SeqCst);
            written.unwrap();
        });
        let copy = killed(dir.path());
        let again = open(copy.path(), &clock).unwrap();
        let recovery = again.recovery();
        assert_eq!(recovery.open_reservations, 0, "round {round}");
        for live in ledger.snapshot() {
            assert_eq!(
                again.account(&live.key).unwrap(),
                live,
                "round {round}, {recovery:?}"
            );
        }
    }
}

#[test]
fn the_journal_changes_files_and_is_replayed_across_the_change() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    let budget = Budget::tokens("w", 1 << 40, HOUR_MS);
    let ledger = open(dir.path(), &clock).unwrap();
    let first = journals(dir.path());
    let mut spent = 0;
    while fs::metadata(&first[0]).unwrap().len() < 5 << 20 {
        spend(&ledger, &budget, 3);
        spent += 3;
    }
    let long = open(killed(dir.path()).path(), &clock).unwrap();
    assert_eq!(long.account("w").unwrap().settled, spent);

    // A reader that holds the store's lock makes the commit fail after the files were changed: both are needed then.
    let blocker = rusqlite::Connection::open(dir.path().join("ledger.db")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(ledger.checkpoint().is_err());
    assert!(ledger.health().durable);
    assert_eq!(journals(dir.path()).len(), 2);
    spend(&ledger, &budget, 5);
    blocker.execute_batch("ROLLBACK").unwrap();
    let both = open(killed(dir.path()).path(), &clock).unwrap();
    assert_eq!(both.account("w").unwrap().settled, spent + 5);

    ledger.checkpoint().unwrap();
    assert_ne!(journals(dir.path()), first);
    assert_eq!(journals(dir.path()).len(), 1);
    let after = open(killed(dir.path()).path(), &clock).unwrap();
    assert_eq!(after.account("w").unwrap().settled, spent + 5);
}
