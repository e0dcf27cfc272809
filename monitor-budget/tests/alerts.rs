//! Thresholds are told once per window, whatever happens in between.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use monitor_budget::{
    Budget, Certainty, Checkpoints, Crossing, Ledger, ManualClock, Override, Period, Spend, Unit, Window,
    Zone,
};

/// A Tuesday, 22:13:20 UTC.
const START_MS: u64 = 1_700_000_000_000;
const HOUR_MS: u64 = 3_600_000;

fn budget(window: Window) -> Budget {
    Budget {
        alert_at: [50, 80].into(),
        ..Budget::new("w", 100, Unit::Tokens, window)
    }
}

fn daily() -> Budget {
    budget(Window::Calendar {
        period: Period::Day,
        zone: Zone::UTC,
    })
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

fn spend(ledger: &Ledger, budget: &Budget, tokens: u64) {
    ledger
        .reserve(&[budget], &Spend::default())
        .unwrap()
        .settle(&Spend::request(tokens, 0), Certainty::Exact);
}

fn percents(ledger: &Ledger) -> Vec<u8> {
    let taken = ledger.take_crossings();
    taken.iter().map(|crossing| crossing.percent).collect()
}

#[test]
fn each_threshold_is_told_once_per_calendar_period() {
    let clock = Arc::new(ManualClock::new(START_MS));
    let ledger = Ledger::in_memory(clock.clone());
    let budget = daily();
    spend(&ledger, &budget, 49);
    assert_eq!(ledger.take_crossings(), []);
    spend(&ledger, &budget, 1);
    let crossing = Crossing {
        key: "w".into(),
        percent: 50,
        unit: Unit::Tokens,
        limit: 100,
        settled: 50,
        at_ms: START_MS,
    };
    assert_eq!(ledger.take_crossings(), [crossing]);
    spend(&ledger, &budget, 20);
    assert!(percents(&ledger).is_empty());
    spend(&ledger, &budget, 100);
    assert_eq!(percents(&ledger), [80]);
    clock.advance_ms(2 * HOUR_MS);
    // 70 of the debt are settled in the new day.
    spend(&ledger, &budget, 1);
    assert_eq!(percents(&ledger), [50]);
    assert_eq!(ledger.health().crossings_lost, 0);
}

#[test]
fn each_threshold_is_told_once_in_any_rolling_window() {
    let clock = Arc::new(ManualClock::new(START_MS));
    let ledger = Ledger::in_memory(clock.clone());
    let budget = budget(Window::rolling(HOUR_MS));
    let mut told_at = Vec::new();
    for minute in 0..600u64 {
        spend(&ledger, &budget, if minute % 60 < 30 { 2 } else { 0 });
        told_at.extend(percents(&ledger).iter().map(|&percent| (percent, minute)));
        clock.advance_ms(60_000);
    }
    let fifty: Vec<_> = told_at
        .iter()
        .filter(|told| told.0 == 50)
        .map(|told| told.1)
        .collect();
    assert_eq!(fifty, [24, 84, 144, 204, 264, 324, 384, 444, 504, 564]);
}

#[test]
fn what_was_told_is_not_told_again_after_a_kill_and_what_was_not_is() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    let ledger = open(dir.path(), &clock);
    for checkpoints in [false, true] {
        let budget = Budget {
            key: format!("w-{checkpoints}").into(),
            ..daily()
        };
        spend(&ledger, &budget, 60);
        if checkpoints {
            ledger.checkpoint().unwrap();
        }
        let untold = open(killed(dir.path()).path(), &clock);
        assert_eq!(percents(&untold), [50]);
        assert_eq!(percents(&ledger), [50]);
        if checkpoints {
            ledger.checkpoint().unwrap();
        }
        let told = open(killed(dir.path()).path(), &clock);
        spend(&told, &budget, 1);
        assert!(percents(&told).is_empty());
        spend(&told, &budget, 20);
        assert_eq!(percents(&told), [80]);
    }
}

#[test]
fn other_thresholds_keep_the_marks_of_those_that_stay() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    let ledger = open(dir.path(), &clock);
    spend(&ledger, &daily(), 60);
    assert_eq!(percents(&ledger), [50]);
    let budget = Budget {
        alert_at: [50, 55, 90].into(),
        ..daily()
    };
    spend(&ledger, &budget, 1);
    assert_eq!(percents(&ledger), [55]);
    let after = open(killed(dir.path()).path(), &clock);
    spend(&after, &budget, 30);
    assert_eq!(percents(&after), [90]);
    assert_eq!(after.snapshot().len(), 1);
}

#[test]
fn a_lower_limit_passes_thresholds_and_those_nobody_takes_are_counted() {
    let clock = Arc::new(ManualClock::new(START_MS));
    let ledger = Ledger::in_memory(clock.clone());
    let budget = daily();
    spend(&ledger, &budget, 45);
    let lower = Override {
        limit: 60,
        until_ms: START_MS + HOUR_MS,
    };
    ledger.set_override("w", Some(lower), "me").unwrap();
    clock.advance_ms(24 * HOUR_MS);
    spend(&ledger, &budget, 85);
    assert_eq!(ledger.health().crossings_lost, 1);
    assert_eq!(percents(&ledger), [50, 80]);
}
