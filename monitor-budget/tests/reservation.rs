//! What each way of ending a reservation charges.

use std::sync::Arc;

use monitor_budget::{
    Budget, Certainty, DenyReason, Ledger, MAX_ACCOUNTS, MAX_KEY_BYTES, MAX_TOKENS, ManualClock, Settlement,
};

const MINUTE_MS: u64 = 60_000;

fn ledger() -> (Ledger, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    (Ledger::in_memory(clock.clone()), clock)
}

#[test]
fn only_what_cannot_have_been_spent_is_refunded() {
    let cases = [
        (Certainty::Exact, 30, 60, 30),
        (Certainty::Estimated, 30, 60, 60),
        (Certainty::Estimated, 70, 60, 70),
        (Certainty::UnderEstimate, 30, 60, 100),
        (Certainty::UnderEstimate, 30, 120, 120),
        (Certainty::Exact, 150, 60, 150),
    ];
    for (certainty, spent, metered, charged) in cases {
        let (ledger, _) = ledger();
        let budget = Budget::new("w", 1_000, MINUTE_MS);
        let mut reservation = ledger.reserve(&[&budget], 100).unwrap();
        reservation.meter(metered);
        let settlement = reservation.settle(spent, certainty);
        assert_eq!(
            settlement,
            Settlement {
                settled: charged,
                debt: 0
            },
            "{certainty:?} {spent} {metered}"
        );
        let account = ledger.account("w").unwrap();
        assert_eq!((account.settled, account.reserved), (charged, 0));
    }
}

#[test]
fn a_dropped_reservation_charges_all_it_held() {
    let (ledger, _) = ledger();
    let budget = Budget::new("w", 1_000, MINUTE_MS);
    let mut reservation = ledger.reserve(&[&budget], 100).unwrap();
    reservation.extend(50).unwrap();
    reservation.meter(20);
    drop(reservation);
    assert_eq!(ledger.account("w").unwrap().settled, 150);
}

#[test]
fn an_overspend_is_carried_into_the_next_window() {
    let (ledger, clock) = ledger();
    let budget = Budget::new("w", 100, MINUTE_MS);
    let reservation = ledger.reserve(&[&budget], 80).unwrap();
    let settlement = reservation.settle(150, Certainty::Exact);
    assert_eq!(
        settlement,
        Settlement {
            settled: 100,
            debt: 50
        }
    );
    let denied = ledger.reserve(&[&budget], 1).unwrap_err();
    assert_eq!((denied.used, denied.reserved, denied.debt), (100, 0, 50));
    clock.advance_ms(denied.retry_after_ms.unwrap());
    assert_eq!(ledger.account("w").unwrap().settled, 50);
    let denied = ledger.reserve(&[&budget], 51).unwrap_err();
    assert_eq!(denied.reason, DenyReason::Exhausted);
    ledger
        .reserve(&[&budget], 50)
        .unwrap()
        .settle(0, Certainty::Exact);
    clock.advance_ms(denied.retry_after_ms.unwrap());
    assert_eq!(ledger.account("w").unwrap().settled, 0);
}

#[test]
fn wall_clock_steps_neither_free_nor_freeze_a_budget() {
    let (ledger, clock) = ledger();
    let budget = Budget::new("w", 100, MINUTE_MS);
    ledger
        .reserve(&[&budget], 100)
        .unwrap()
        .settle(100, Certainty::Exact);
    clock.step_wall_to_ms(1_900_000_000_000);
    assert!(ledger.reserve(&[&budget], 1).is_err());
    clock.step_wall_to_ms(1);
    assert!(ledger.reserve(&[&budget], 1).is_err());
    clock.advance_ms(MINUTE_MS + 1_000);
    ledger
        .reserve(&[&budget], 100)
        .unwrap()
        .settle(0, Certainty::Exact);
}

#[test]
fn a_changed_limit_counts_at_once() {
    let (ledger, _) = ledger();
    let budget = Budget::new("w", 100, MINUTE_MS);
    let mut reservation = ledger.reserve(&[&budget], 60).unwrap();
    ledger.redefine(|key| (key == "w").then_some((50, MINUTE_MS)));
    assert_eq!(reservation.extend(1).unwrap_err().limit, 50);
    ledger.redefine(|_| None);
    assert!(ledger.reserve(&[&Budget::new("w", 200, MINUTE_MS)], 140).is_ok());
    assert_eq!(ledger.account("w").unwrap().limit, 200);
    assert_eq!(
        reservation.settle(60, Certainty::Exact),
        Settlement { settled: 60, debt: 0 }
    );
}

#[test]
fn refusals_say_which_budget_and_why() {
    let (ledger, _) = ledger();
    let small = Budget::new("small", 100, MINUTE_MS);
    let large = Budget::new("large", 1_000, MINUTE_MS);
    let denied = ledger.reserve(&[&large, &small], 500).unwrap_err();
    assert_eq!(
        (&*denied.key, denied.reason),
        ("small", DenyReason::LargerThanLimit)
    );
    assert_eq!(denied.retry_after_ms, None);
    assert!(ledger.snapshot().is_empty(), "a refusal opens no account");
    let held = ledger.reserve(&[&large, &small], 90).unwrap();
    let denied = ledger.reserve(&[&large, &small], 20).unwrap_err();
    assert_eq!((&*denied.key, denied.reserved, denied.limit), ("small", 90, 100));
    assert_eq!(ledger.account("large").unwrap().reserved, 90);
    held.settle(0, Certainty::Exact);
}

#[test]
fn without_budgets_a_reservation_only_meters() {
    let (ledger, _) = ledger();
    let mut reservation = ledger.reserve(&[], 10).unwrap();
    reservation.extend(u64::MAX).unwrap();
    reservation.meter(7);
    assert_eq!(reservation.settle(5, Certainty::Estimated).charged(), 7);
    assert!(ledger.snapshot().is_empty());
}

#[test]
fn one_key_given_twice_is_charged_once() {
    let (ledger, _) = ledger();
    let budget = Budget::new("w", 100, MINUTE_MS);
    ledger
        .reserve(&[&budget, &budget], 60)
        .unwrap()
        .settle(60, Certainty::Exact);
    assert_eq!(ledger.account("w").unwrap().settled, 60);
}

#[test]
fn absurd_figures_stay_in_bounds() {
    let (ledger, _) = ledger();
    let budget = Budget::new("w", u64::MAX, u64::MAX);
    assert!(ledger.reserve(&[&budget], u64::MAX).is_err());
    let reservation = ledger.reserve(&[&budget], MAX_TOKENS).unwrap();
    assert_eq!(
        reservation.settle(u64::MAX, Certainty::Exact).charged(),
        MAX_TOKENS
    );
    assert_eq!(ledger.account("w").unwrap().settled, MAX_TOKENS);
}

#[test]
fn a_full_book_refuses_new_accounts_until_some_hold_nothing() {
    let (ledger, clock) = ledger();
    for number in 0..MAX_ACCOUNTS {
        let budget = Budget::new(number.to_string(), 100, MINUTE_MS);
        ledger.reserve(&[&budget], 1).unwrap().settle(1, Certainty::Exact);
    }
    let one_more = Budget::new("one more", 100, MINUTE_MS);
    let denied = ledger
        .reserve(&[&Budget::new("7", 100, MINUTE_MS), &one_more], 1)
        .unwrap_err();
    assert_eq!(
        (&*denied.key, denied.reason),
        ("one more", DenyReason::AccountsFull)
    );
    assert_eq!(ledger.account("7").unwrap().reserved, 0);
    ledger
        .reserve(&[&Budget::new("7", 100, MINUTE_MS)], 1)
        .unwrap()
        .settle(1, Certainty::Exact);
    clock.advance_ms(2 * MINUTE_MS);
    ledger
        .reserve(&[&one_more], 1)
        .unwrap()
        .settle(1, Certainty::Exact);
    assert!(ledger.health().accounts <= MAX_ACCOUNTS);
}

#[test]
fn a_key_longer_than_any_real_one_is_refused() {
    let (ledger, _) = ledger();
    let denied = ledger
        .reserve(&[&Budget::new("k".repeat(MAX_KEY_BYTES + 1), 100, MINUTE_MS)], 1)
        .unwrap_err();
    assert_eq!(
        (denied.reason, denied.retry_after_ms),
        (DenyReason::KeyTooLong, None)
    );
}
