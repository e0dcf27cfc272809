//! What each way of ending a reservation charges.

use std::sync::Arc;

use monitor_budget::{
    Budget, Certainty, Charge, DenyReason, Ledger, MAX_ACCOUNTS, MAX_AMOUNT, MAX_KEY_BYTES, ManualClock,
    Settlement, Spend,
};

const MINUTE_MS: u64 = 60_000;

fn ledger() -> (Ledger, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    (Ledger::in_memory(clock.clone()), clock)
}

/// What one budget was charged.
fn charged(settled: u64, debt: u64) -> Settlement {
    Settlement([Charge { settled, debt }].into_iter().collect())
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
    for (certainty, spent, metered, charge) in cases {
        let (ledger, _) = ledger();
        let budget = Budget::tokens("w", 1_000, MINUTE_MS);
        let mut reservation = ledger.reserve(&[&budget], &Spend::request(100, 0)).unwrap();
        reservation.meter(&Spend::request(metered, 0));
        let settlement = reservation.settle(&Spend::request(spent, 0), certainty);
        assert_eq!(settlement, charged(charge, 0), "{certainty:?} {spent} {metered}");
        let account = ledger.account("w").unwrap();
        assert_eq!((account.settled, account.reserved), (charge, 0));
    }
}

#[test]
fn a_dropped_reservation_charges_all_it_held() {
    let (ledger, _) = ledger();
    let budget = Budget::tokens("w", 1_000, MINUTE_MS);
    let mut reservation = ledger.reserve(&[&budget], &Spend::request(100, 0)).unwrap();
    reservation.cover(&Spend::request(150, 0)).unwrap();
    reservation.meter(&Spend::request(20, 0));
    drop(reservation);
    assert_eq!(ledger.account("w").unwrap().settled, 150);
}

#[test]
fn an_overspend_is_carried_into_the_next_window() {
    let (ledger, clock) = ledger();
    let budget = Budget::tokens("w", 100, MINUTE_MS);
    let reservation = ledger.reserve(&[&budget], &Spend::request(80, 0)).unwrap();
    let settlement = reservation.settle(&Spend::request(150, 0), Certainty::Exact);
    assert_eq!(settlement, charged(100, 50));
    let denied = ledger.reserve(&[&budget], &Spend::request(1, 0)).unwrap_err();
    assert_eq!((denied.used, denied.reserved, denied.debt), (100, 0, 50));
    clock.advance_ms(denied.retry_after_ms.unwrap());
    assert_eq!(ledger.account("w").unwrap().settled, 50);
    let denied = ledger.reserve(&[&budget], &Spend::request(51, 0)).unwrap_err();
    assert_eq!(denied.reason, DenyReason::Exhausted);
    ledger
        .reserve(&[&budget], &Spend::request(50, 0))
        .unwrap()
        .settle(&Spend::request(0, 0), Certainty::Exact);
    clock.advance_ms(denied.retry_after_ms.unwrap());
    assert_eq!(ledger.account("w").unwrap().settled, 0);
}

#[test]
fn wall_clock_steps_neither_free_nor_freeze_a_budget() {
    let (ledger, clock) = ledger();
    let budget = Budget::tokens("w", 100, MINUTE_MS);
    ledger
        .reserve(&[&budget], &Spend::request(100, 0))
        .unwrap()
        .settle(&Spend::request(100, 0), Certainty::Exact);
    clock.step_wall_to_ms(1_900_000_000_000);
    assert!(ledger.reserve(&[&budget], &Spend::request(1, 0)).is_err());
    clock.step_wall_to_ms(1);
    assert!(ledger.reserve(&[&budget], &Spend::request(1, 0)).is_err());
    clock.advance_ms(MINUTE_MS + 1_000);
    ledger
        .reserve(&[&budget], &Spend::request(100, 0))
        .unwrap()
        .settle(&Spend::request(0, 0), Certainty::Exact);
}

#[test]
fn a_changed_limit_counts_at_once() {
    let (ledger, _) = ledger();
    let budget = Budget::tokens("w", 100, MINUTE_MS);
    let mut reservation = ledger.reserve(&[&budget], &Spend::request(60, 0)).unwrap();
    ledger.redefine(|key| (key == "w").then(|| Budget::tokens("w", 50, MINUTE_MS)));
    assert_eq!(reservation.cover(&Spend::request(61, 0)).unwrap_err().limit, 50);
    ledger.redefine(|_| None);
    assert!(
        ledger
            .reserve(&[&Budget::tokens("w", 200, MINUTE_MS)], &Spend::request(140, 0))
            .is_ok()
    );
    assert_eq!(ledger.account("w").unwrap().limit, 200);
    assert_eq!(
        reservation.settle(&Spend::request(60, 0), Certainty::Exact),
        charged(60, 0)
    );
}

#[test]
fn refusals_say_which_budget_and_why() {
    let (ledger, _) = ledger();
    let small = Budget::tokens("small", 100, MINUTE_MS);
    let large = Budget::tokens("large", 1_000, MINUTE_MS);
    let denied = ledger
        .reserve(&[&large, &small], &Spend::request(500, 0))
        .unwrap_err();
    assert_eq!(
        (&*denied.key, denied.reason),
        ("small", DenyReason::LargerThanLimit)
    );
    assert_eq!(denied.retry_after_ms, None);
    assert!(ledger.snapshot().is_empty(), "a refusal opens no account");
    let held = ledger.reserve(&[&large, &small], &Spend::request(90, 0)).unwrap();
    let denied = ledger
        .reserve(&[&large, &small], &Spend::request(20, 0))
        .unwrap_err();
    assert_eq!((&*denied.key, denied.reserved, denied.limit), ("small", 90, 100));
    assert_eq!(ledger.account("large").unwrap().reserved, 90);
    held.settle(&Spend::request(0, 0), Certainty::Exact);
}

#[test]
fn without_budgets_a_reservation_holds_nothing() {
    let (ledger, _) = ledger();
    let mut reservation = ledger.reserve(&[], &Spend::request(10, 0)).unwrap();
    reservation.cover(&Spend::request(u64::MAX, 0)).unwrap();
    reservation.meter(&Spend::request(7, 0));
    assert_eq!(
        reservation.settle(&Spend::request(5, 0), Certainty::Estimated),
        Settlement::default()
    );
    assert!(ledger.snapshot().is_empty());
}

#[test]
fn one_key_given_twice_is_charged_once() {
    let (ledger, _) = ledger();
    let budget = Budget::tokens("w", 100, MINUTE_MS);
    ledger
        .reserve(&[&budget, &budget], &Spend::request(60, 0))
        .unwrap()
        .settle(&Spend::request(60, 0), Certainty::Exact);
    assert_eq!(ledger.account("w").unwrap().settled, 60);
}

#[test]
fn absurd_figures_stay_in_bounds() {
    let (ledger, _) = ledger();
    let budget = Budget::tokens("w", u64::MAX, u64::MAX);
    assert!(ledger.reserve(&[&budget], &Spend::request(u64::MAX, 0)).is_err());
    let reservation = ledger
        .reserve(&[&budget], &Spend::request(MAX_AMOUNT, 0))
        .unwrap();
    assert_eq!(
        reservation
            .settle(&Spend::request(u64::MAX, 0), Certainty::Exact)
            .0[0]
            .charged(),
        MAX_AMOUNT
    );
    assert_eq!(ledger.account("w").unwrap().settled, MAX_AMOUNT);
}

#[test]
fn a_full_book_refuses_new_accounts_until_some_hold_nothing() {
    let (ledger, clock) = ledger();
    for number in 0..MAX_ACCOUNTS {
        let budget = Budget::tokens(number.to_string(), 100, MINUTE_MS);
        ledger
            .reserve(&[&budget], &Spend::request(1, 0))
            .unwrap()
            .settle(&Spend::request(1, 0), Certainty::Exact);
    }
    let one_more = Budget::tokens("one more", 100, MINUTE_MS);
    let denied = ledger
        .reserve(
            &[&Budget::tokens("7", 100, MINUTE_MS), &one_more],
            &Spend::request(1, 0),
        )
        .unwrap_err();
    assert_eq!(
        (&*denied.key, denied.reason),
        ("one more", DenyReason::AccountsFull)
    );
    assert_eq!(ledger.account("7").unwrap().reserved, 0);
    ledger
        .reserve(&[&Budget::tokens("7", 100, MINUTE_MS)], &Spend::request(1, 0))
        .unwrap()
        .settle(&Spend::request(1, 0), Certainty::Exact);
    clock.advance_ms(2 * MINUTE_MS);
    ledger
        .reserve(&[&one_more], &Spend::request(1, 0))
        .unwrap()
        .settle(&Spend::request(1, 0), Certainty::Exact);
    assert!(ledger.health().accounts <= MAX_ACCOUNTS);
}

#[test]
fn a_key_longer_than_any_real_one_is_refused() {
    let (ledger, _) = ledger();
    let denied = ledger
        .reserve(
            &[&Budget::tokens("k".repeat(MAX_KEY_BYTES + 1), 100, MINUTE_MS)],
            &Spend::request(1, 0),
        )
        .unwrap_err();
    assert_eq!(
        (denied.reason, denied.retry_after_ms),
        (DenyReason::KeyTooLong, None)
    );
}
