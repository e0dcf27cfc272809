//! Many threads on shared budgets: the limit holds at every moment, nothing is lost, nothing is taken in part.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use monitor_budget::{Budget, Certainty, DenyReason, Ledger, ManualClock, Spend};

const HOUR_MS: u64 = 3_600_000;

#[test]
fn sixty_four_threads_never_pass_one_limit() {
    let ledger = Ledger::in_memory(Arc::new(ManualClock::new(1_700_000_000_000)));
    let budget = Budget::tokens("shared", 100_000, HOUR_MS);
    let charged = AtomicU64::new(0);
    let denials = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                if let Some(account) = ledger.account("shared") {
                    assert!(account.settled + account.reserved <= account.limit);
                }
            }
        });
        let workers: Vec<_> = (0..64u64)
            .map(|worker| {
                let (ledger, budget, charged, denials) = (&ledger, &budget, &charged, &denials);
                scope.spawn(move || {
                    for turn in 0..200 {
                        let Ok(mut reservation) =
                            ledger.reserve(&[budget], &Spend::request(10 + (worker + turn) % 7, 0))
                        else {
                            denials.fetch_add(1, Ordering::SeqCst);
                            continue;
                        };
                        let held = reservation.held().sum::<u64>();
                        let mut spent = held - 3;
                        if turn % 3 == 0 && reservation.cover(&Spend::request(held + 5, 0)).is_ok() {
                            spent += 5;
                        }
                        let settlement = reservation.settle(&Spend::request(spent, 0), Certainty::Exact);
                        assert_eq!(settlement.0[0].charged(), spent);
                        charged.fetch_add(spent, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
        watcher.join().unwrap();
    });
    let account = ledger.account("shared").unwrap();
    assert!(denials.load(Ordering::SeqCst) > 0, "the limit was meant to bind");
    assert_eq!(account.settled, charged.load(Ordering::SeqCst));
    assert_eq!(
        (account.reserved, account.debt, account.open_reservations),
        (0, 0, 0)
    );
    assert!(account.peak_outstanding <= account.limit);
}

#[test]
fn several_budgets_are_taken_together_or_not_at_all() {
    let ledger = Ledger::in_memory(Arc::new(ManualClock::new(1_700_000_000_000)));
    let wide = Budget::tokens("team", 1_000_000, HOUR_MS);
    let narrow: Vec<_> = (0..4)
        .map(|n| Budget::tokens(format!("workload-{n}"), 1_000, HOUR_MS))
        .collect();
    let granted = AtomicU64::new(0);
    thread::scope(|scope| {
        for worker in 0..16 {
            let (ledger, wide, narrow, granted) = (&ledger, &wide, &narrow[worker % 4], &granted);
            scope.spawn(move || {
                for _ in 0..100 {
                    match ledger.reserve(&[wide, narrow], &Spend::request(7, 0)) {
                        Ok(reservation) => {
                            reservation.settle(&Spend::request(7, 0), Certainty::Exact);
                            granted.fetch_add(7, Ordering::SeqCst);
                        }
                        Err(denied) => {
                            assert_eq!(denied.reason, DenyReason::Exhausted);
                            assert!(denied.key.starts_with("workload-"), "{denied}");
                        }
                    }
                }
            });
        }
    });
    let settled = |key: &str| ledger.account(key).unwrap().settled;
    let sum: u64 = (0..4).map(|n| settled(&format!("workload-{n}"))).sum();
    assert_eq!(sum, 4 * 994);
    assert_eq!(settled("team"), sum);
    assert_eq!(granted.load(Ordering::SeqCst), sum);
}
