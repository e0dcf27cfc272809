//! Limits and resets set by hand: in force at once, over kills, and each on record once.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use monitor_budget::{
    Budget, Certainty, Change, ChangeError, Checkpoints, DenyReason, Figures, Ledger, MAX_BY_BYTES,
    ManualClock, Override, Spend,
};

const START_MS: u64 = 1_700_000_000_000;
const HOUR_MS: u64 = 3_600_000;

fn budget() -> Budget {
    Budget::tokens("w", 100, 24 * HOUR_MS)
}

fn open(dir: &Path, clock: &Arc<ManualClock>) -> Ledger {
    Ledger::open_with(dir, clock.clone(), Checkpoints::OnDemand).unwrap()
}

fn killed(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

fn fits(ledger: &Ledger, tokens: u64) -> bool {
    match ledger.reserve(&[&budget()], &Spend::request(tokens, 0)) {
        Ok(reservation) => {
            reservation.release();
            true
        }
        Err(_) => false,
    }
}

fn until(ms: u64, limit: u64) -> Option<Override> {
    Some(Override {
        limit,
        until_ms: START_MS + ms,
    })
}

#[test]
fn an_override_is_in_force_until_its_moment() {
    let clock = Arc::new(ManualClock::new(START_MS));
    let ledger = Ledger::in_memory(clock.clone());
    let missing = ledger.set_override("w", until(HOUR_MS, 200), "me");
    assert_eq!(missing, Err(ChangeError::NoAccount("w".to_owned())));
    ledger.open_account(&budget()).unwrap();
    let state = ledger.set_override("w", until(HOUR_MS, 200), "me").unwrap();
    assert_eq!((state.limit, state.defined_limit), (200, 100));
    assert_eq!(state.override_until_ms, Some(START_MS + HOUR_MS));
    assert!(fits(&ledger, 200));
    clock.advance_ms(HOUR_MS - 1);
    assert!(fits(&ledger, 200));
    clock.advance_ms(1);
    assert!(!fits(&ledger, 101));
    assert_eq!(ledger.account("w").unwrap().override_until_ms, None);

    let now_ms = HOUR_MS;
    ledger.set_override("w", until(now_ms + 5_000, 0), "me").unwrap();
    let denied = ledger.reserve(&[&budget()], &Spend::request(1, 0)).unwrap_err();
    assert_eq!(
        (denied.reason, denied.retry_after_ms),
        (DenyReason::Exhausted, Some(5_000))
    );
    ledger.set_override("w", None, "me").unwrap();
    assert!(fits(&ledger, 100));
    // One whose moment has passed changes nothing.
    ledger.set_override("w", until(0, 7), "me").unwrap();
    assert!(fits(&ledger, 100));
}

#[test]
fn an_override_ends_when_the_wall_clock_says_so_and_debt_drains_then() {
    let clock = Arc::new(ManualClock::new(START_MS));
    let ledger = Ledger::in_memory(clock.clone());
    ledger.open_account(&budget()).unwrap();
    ledger.set_override("w", until(HOUR_MS, 10), "me").unwrap();
    ledger
        .reserve(&[&budget()], &Spend::default())
        .unwrap()
        .settle(&Spend::request(40, 0), Certainty::Exact);
    let account = ledger.account("w").unwrap();
    assert_eq!((account.settled, account.debt), (10, 30));
    clock.advance_ms(1_000);
    clock.step_wall_to_ms(START_MS + HOUR_MS);
    let account = ledger.account("w").unwrap();
    assert_eq!((account.settled, account.debt), (40, 0));
}

#[test]
fn a_reset_clears_what_is_spent_but_not_what_is_held() {
    let clock = Arc::new(ManualClock::new(START_MS));
    let ledger = Ledger::in_memory(clock);
    let held = ledger.reserve(&[&budget()], &Spend::request(30, 0)).unwrap();
    ledger
        .reserve(&[&budget()], &Spend::request(70, 0))
        .unwrap()
        .settle(&Spend::request(120, 0), Certainty::Exact);
    let account = ledger.account("w").unwrap();
    assert_eq!((account.settled, account.reserved, account.debt), (70, 30, 50));
    let account = ledger.reset("w", "me").unwrap();
    assert_eq!((account.settled, account.reserved, account.debt), (0, 30, 0));
    assert!(!fits(&ledger, 71));
    held.settle(&Spend::request(30, 0), Certainty::Exact);
    assert_eq!(ledger.account("w").unwrap().settled, 30);
}

/// Killed after every change, before and after a checkpoint and in one that did not finish.
#[test]
fn every_change_is_on_record_once_and_in_force_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    let ledger = open(dir.path(), &clock);
    let spend = |key: &str| {
        let budget = Budget {
            key: key.into(),
            ..budget()
        };
        let reservation = ledger.reserve(&[&budget], &Spend::default()).unwrap();
        reservation.settle(&Spend::request(25, 0), Certainty::Exact);
    };
    spend("w");
    spend("x");
    for turn in 0..12u64 {
        clock.advance_ms(1_000);
        let by = format!("uid {turn}");
        let key = if turn % 4 == 3 { "x" } else { "w" };
        match turn % 3 {
            0 => ledger.set_override(key, until(HOUR_MS, 200 + turn), &by),
            1 => ledger.reset(key, &by),
            _ => ledger.set_override(key, None, &by),
        }
        .unwrap();
        spend(key);
        if turn % 5 == 0 {
            ledger.checkpoint().unwrap();
        }
        if turn == 8 {
            let blocker = rusqlite::Connection::open(dir.path().join("ledger.db")).unwrap();
            blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
            ledger.checkpoint().unwrap_err();
        }
        let after = open(killed(dir.path()).path(), &clock);
        for key in ["w", "x"] {
            assert_eq!(after.account(key), ledger.account(key), "turn {turn}");
        }
        let rows = after.audit(None, 100).unwrap();
        assert_eq!(rows, ledger.audit(None, 100).unwrap(), "turn {turn}");
        let numbers: Vec<_> = rows.iter().map(|row| row.number).rev().collect();
        assert_eq!(numbers, (1..=turn + 1).collect::<Vec<_>>(), "turn {turn}");
    }
    let first = ledger.audit(None, 100).unwrap().pop().unwrap();
    assert_eq!(
        (first.by.as_str(), &*first.key, first.at_ms),
        ("uid 0", "w", START_MS + 1_000)
    );
    assert_eq!(first.change, Change::Override);
    let before = Figures {
        limit: 100,
        override_until_ms: None,
        settled: 25,
        debt: 0,
    };
    let after = Figures {
        limit: 200,
        override_until_ms: Some(START_MS + HOUR_MS),
        ..before
    };
    assert_eq!((first.before, first.after), (before, after));
    let of_x = ledger.audit(Some("x"), 2).unwrap();
    assert_eq!(of_x.iter().map(|row| row.number).collect::<Vec<_>>(), [12, 8]);
}

#[test]
fn an_account_with_an_override_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    let ledger = open(dir.path(), &clock);
    ledger.open_account(&budget()).unwrap();
    ledger
        .set_override("w", until(HOUR_MS, 1), &"ü".repeat(300))
        .unwrap();
    ledger.checkpoint().unwrap();
    assert_eq!(ledger.health().accounts, 1);
    drop(ledger);
    let ledger = open(dir.path(), &clock);
    assert!(!fits(&ledger, 2));
    clock.advance_ms(HOUR_MS);
    ledger.checkpoint().unwrap();
    assert_eq!(ledger.health().accounts, 0);
    assert_eq!(ledger.audit(None, 9).unwrap()[0].by.len(), MAX_BY_BYTES);
}
