//! What must hold for budgets of every unit and window at every step: threads, crashes, steps of the wall clock, aborted streams, missing
//! usage, overrides and resets, several budgets in one reservation. A failing case shrinks to a short list of steps.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::fs;
use std::sync::Arc;
use std::thread;

use monitor_budget::{
    AccountState, Budget, Certainty, Checkpoints, Ledger, ManualClock, Override, Period, Reservation,
    Settlement, Spend, Unit, Window, Zone,
};
use proptest::prelude::*;
use tempfile::TempDir;

/// An hour before the day ends in Berlin, on the evening before daylight saving ends there.
const START_MS: u64 = 1_792_875_600_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
const BUDGETS: usize = 7;

#[derive(Debug, Clone)]
enum Step {
    Reserve {
        mask: u8,
        spend: u64,
    },
    Cover {
        which: usize,
        spend: u64,
    },
    Settle {
        which: usize,
        spent: u64,
        metered: u64,
        certainty: Certainty,
    },
    /// A stream is aborted, or its usage never seen.
    Abort {
        which: usize,
        metered: u64,
    },
    Threads {
        mask: u8,
        spend: u64,
    },
    Sleep {
        ms: u64,
    },
    Wall {
        by_ms: i64,
    },
    Override {
        account: usize,
        limit: Option<u64>,
        for_ms: u64,
    },
    Reset {
        account: usize,
    },
    Checkpoint,
    Crash {
        down_ms: u64,
        wall_by_ms: i64,
    },
}

fn wall() -> impl Strategy<Value = i64> {
    let (hour, day) = (HOUR_MS.cast_signed(), DAY_MS.cast_signed());
    prop_oneof![-3_000i64..3_000, -2 * hour..2 * hour, -40 * day..40 * day]
}

fn sleep() -> impl Strategy<Value = u64> {
    prop_oneof![0..2_000u64, 0..2 * HOUR_MS, 0..3 * DAY_MS]
}

fn step() -> impl Strategy<Value = Step> {
    let certainty = prop_oneof![
        Just(Certainty::Exact),
        Just(Certainty::Estimated),
        Just(Certainty::UnderEstimate)
    ];
    let mask = 1..1u8 << BUDGETS;
    prop_oneof![
        8 => (mask.clone(), 0u64..120).prop_map(|(mask, spend)| Step::Reserve { mask, spend }),
        4 => (any::<usize>(), 0u64..200).prop_map(|(which, spend)| Step::Cover { which, spend }),
        6 => (any::<usize>(), 0u64..300, 0u64..200, certainty)
            .prop_map(|(which, spent, metered, certainty)| Step::Settle { which, spent, metered, certainty }),
        2 => (any::<usize>(), 0u64..200).prop_map(|(which, metered)| Step::Abort { which, metered }),
        1 => (mask, 0u64..40).prop_map(|(mask, spend)| Step::Threads { mask, spend }),
        6 => sleep().prop_map(|ms| Step::Sleep { ms }),
        4 => wall().prop_map(|by_ms| Step::Wall { by_ms }),
        2 => (0..BUDGETS, prop::option::of(1u64..400), 1..DAY_MS)
            .prop_map(|(account, limit, for_ms)| Step::Override { account, limit, for_ms }),
        1 => (0..BUDGETS).prop_map(|account| Step::Reset { account }),
        1 => Just(Step::Checkpoint),
        3 => (sleep(), prop_oneof![Just(0), wall()])
            .prop_map(|(down_ms, wall_by_ms)| Step::Crash { down_ms, wall_by_ms }),
    ]
}

fn calendar(period: Period, zone: &str) -> Window {
    Window::Calendar {
        period,
        zone: Zone::parse(zone).unwrap(),
    }
}

fn budgets() -> [Budget; BUDGETS] {
    let budget = |key, limit, unit, window| Budget {
        alert_at: [50, 90].into(),
        ..Budget::new(key, limit, unit, window)
    };
    [
        budget("minute", 200, Unit::Tokens, Window::rolling(60_000)),
        budget(
            "hour",
            150,
            Unit::OutputTokens,
            calendar(Period::Hour, "Australia/Lord_Howe"),
        ),
        budget("day", 300, Unit::MicroUsd, calendar(Period::Day, "Europe/Berlin")),
        budget(
            "week",
            2_000,
            Unit::InputTokens,
            calendar(Period::Week, "America/New_York"),
        ),
        budget(
            "month",
            5_000,
            Unit::Tokens,
            calendar(Period::Month, "Asia/Kolkata"),
        ),
        budget("requests", 20, Unit::Requests, Window::rolling(HOUR_MS)),
        budget("at once", 4, Unit::Concurrency, Window::Open),
    ]
}

fn spend(n: u64) -> Spend {
    Spend {
        input: n / 2,
        output: n - n / 2,
        cache: n / 4,
        micro_usd: n * 3 / 2,
        requests: 1,
    }
}

/// In memory where there is such a place: hundreds of ledgers are opened, and what a power cut would leave is not the question.
fn dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

struct World {
    dir: TempDir,
    clock: Arc<ManualClock>,
    wall_ms: u64,
    ledger: Ledger,
    open: Vec<(Reservation, u8)>,
}

/// Settled, reserved, owed.
type Figures = [(u64, u64, u64); BUDGETS];

impl World {
    fn new() -> Self {
        let dir = dir();
        let clock = Arc::new(ManualClock::new(START_MS));
        let ledger = Ledger::open_with(dir.path(), clock.clone(), Checkpoints::OnDemand).unwrap();
        Self {
            dir,
            clock,
            wall_ms: START_MS,
            ledger,
            open: Vec::new(),
        }
    }

    fn accounts(&self) -> [Option<AccountState>; BUDGETS] {
        budgets().map(|budget| self.ledger.account(&budget.key))
    }

    fn figures(&self) -> Figures {
        let figures = |state: &AccountState| (state.settled, state.reserved, state.debt);
        self.accounts()
            .map(|state| state.as_ref().map_or((0, 0, 0), figures))
    }

    fn pass(&mut self, ms: u64) {
        self.clock.advance_ms(ms);
        self.wall_ms += ms;
    }

    fn step_wall(&mut self, by_ms: i64) {
        self.wall_ms = self.wall_ms.saturating_add_signed(by_ms);
        self.clock.step_wall_to_ms(self.wall_ms);
    }

    fn reserve(&self, mask: u8, n: u64) -> Option<Reservation> {
        let budgets = budgets();
        let chosen: Vec<_> = (0..BUDGETS)
            .filter(|at| mask & 1 << at != 0)
            .map(|at| &budgets[at])
            .collect();
        self.ledger.reserve(&chosen, &spend(n)).ok()
    }

    fn take(&mut self, which: usize) -> Option<(Reservation, u8)> {
        (!self.open.is_empty()).then(|| self.open.swap_remove(which % self.open.len()))
    }

    fn run(&mut self, step: &Step) {
        let before = self.figures();
        match *step {
            Step::Reserve { mask, spend: n } => {
                let reservation = self.reserve(mask, n);
                let after = self.figures();
                for (at, budget) in budgets().iter().enumerate() {
                    let taken = mask & 1 << at != 0 && reservation.is_some();
                    let held = if taken { budget.unit.of(&spend(n)) } else { 0 };
                    let (settled, reserved, debt) = before[at];
                    assert_eq!(
                        after[at],
                        (settled, reserved + held, debt),
                        "{}: all or none",
                        budget.key
                    );
                }
                self.open
                    .extend(reservation.map(|reservation| (reservation, mask)));
            }
            Step::Cover { which, spend: n } => {
                let Some((mut reservation, mask)) = self.take(which) else {
                    return;
                };
                let held = reservation.held().sum::<u64>();
                if reservation.cover(&spend(n)).is_ok() {
                    assert!(reservation.covers(&spend(n)));
                } else {
                    assert_eq!(reservation.held().sum::<u64>(), held);
                }
                self.open.push((reservation, mask));
            }
            Step::Settle {
                which,
                spent,
                metered,
                certainty,
            } => {
                let Some((mut reservation, mask)) = self.take(which) else {
                    return;
                };
                reservation.meter(&spend(metered));
                let settlement = reservation.settle(&spend(spent), certainty);
                self.check_charged(&before, &[(mask, settlement)]);
            }
            Step::Abort { which, metered } => {
                let Some((mut reservation, mask)) = self.take(which) else {
                    return;
                };
                reservation.meter(&spend(metered));
                let held: u64 = reservation.held().sum();
                drop(reservation);
                let after = self.figures();
                let sum = |figures: &Figures| figures.iter().map(|f| f.0 + f.1 + f.2).sum::<u64>();
                let at_once = u64::from(mask >> (BUDGETS - 1));
                assert!(sum(&after) + at_once >= sum(&before), "{held} held are charged");
            }
            Step::Threads { mask, spend: n } => {
                let world = &*self;
                let settlements = thread::scope(|scope| {
                    let run = |thread: u64| {
                        let turn = |turn: u64| {
                            let reservation = world.reserve(mask, n + thread)?;
                            let settlement = reservation.settle(&spend(n + turn), Certainty::Exact);
                            Some((mask, settlement))
                        };
                        (0..8).filter_map(turn).collect::<Vec<_>>()
                    };
                    let threads: Vec<_> = (0..3).map(|thread| scope.spawn(move || run(thread))).collect();
                    threads
                        .into_iter()
                        .flat_map(|thread| thread.join().unwrap())
                        .collect::<Vec<_>>()
                });
                self.check_charged(&before, &settlements);
            }
            Step::Sleep { ms } => {
                self.pass(ms);
                self.check_left(&before, self.wall_ms - ms);
            }
            Step::Wall { by_ms } => {
                let old_ms = self.wall_ms;
                self.step_wall(by_ms);
                // Noticed within a tenth of a second.
                self.pass(100);
                self.check_left(&before, old_ms);
            }
            Step::Override {
                account,
                limit,
                for_ms,
            } => {
                let wanted = limit.map(|limit| Override {
                    limit,
                    until_ms: self.wall_ms + for_ms,
                });
                // An account that holds nothing may have been dropped, or never been opened.
                let _ = self.ledger.set_override(&budgets()[account].key, wanted, "test");
                let sums = |figures: Figures| figures.map(|f| (f.0 + f.2, f.1));
                assert_eq!(sums(self.figures()), sums(before));
            }
            Step::Reset { account } => {
                let _ = self.ledger.reset(&budgets()[account].key, "test");
                let mut expected = before;
                expected[account] = (0, before[account].1, 0);
                assert_eq!(self.figures(), expected);
            }
            Step::Checkpoint => {
                self.ledger.checkpoint().unwrap();
                assert_eq!(self.figures(), before);
            }
            Step::Crash { down_ms, wall_by_ms } => self.crash(&before, down_ms, wall_by_ms),
        }
    }

    /// The sum of settlements is the sum of what was charged, for every budget.
    fn check_charged(&self, before: &Figures, settlements: &[(u8, Settlement)]) {
        let mut charged = [0; BUDGETS];
        for (mask, settlement) in settlements {
            let accounts = (0..BUDGETS).filter(|at| mask & 1 << at != 0);
            for (at, charge) in accounts.zip(&settlement.0) {
                charged[at] += charge.charged();
            }
        }
        for (at, after) in self.figures().iter().enumerate() {
            assert_eq!(
                after.0 + after.2,
                before[at].0 + before[at].2 + charged[at],
                "account {at}"
            );
        }
    }

    /// Time takes nothing out before its window is over, a step back takes out nothing at all, and debt only falls.
    fn check_left(&self, before: &Figures, old_ms: u64) {
        for (at, (budget, after)) in budgets().iter().zip(self.figures()).enumerate() {
            let (settled, reserved, debt) = before[at];
            assert_eq!(after.1, reserved);
            assert!(after.2 <= debt, "{}: debt grew", budget.key);
            assert!(
                after.0 + after.2 <= settled + debt,
                "{}: charged by time",
                budget.key
            );
            if let Window::Calendar { period, zone } = &budget.window
                // Calendar time follows the wall clock to within a second.
                && self.wall_ms + 1_000 < zone.period_at(*period, old_ms.saturating_sub(1_000)).end
            {
                assert_eq!(
                    after.0 + after.2,
                    settled + debt,
                    "{}: reset too early",
                    budget.key
                );
            }
        }
    }

    /// Nothing above the limit, but for what was there when the limit was lowered; nothing free while there is debt.
    fn check(&self, before: &Figures) {
        for (at, state) in self.accounts().iter().enumerate() {
            let Some(state) = state else { continue };
            let outstanding = state.settled + state.reserved;
            let allowed = state.limit.max(before[at].0 + before[at].1);
            assert!(
                outstanding <= allowed,
                "{}: {outstanding} of {allowed}",
                state.key
            );
            assert!(
                state.debt == 0 || outstanding >= state.limit,
                "{}: free beside debt",
                state.key
            );
        }
    }

    fn copy(&self) -> TempDir {
        let copy = dir();
        for entry in fs::read_dir(self.dir.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        copy
    }

    /// The directory as a kill leaves it, opened at once and after a while. At once: the same accounts, what was held charged.
    fn crash(&mut self, before: &Figures, down_ms: u64, wall_by_ms: i64) {
        // A sign of life, so that no time has passed.
        let alive = Budget::tokens("alive", 1 << 40, HOUR_MS);
        let sign = self.ledger.reserve(&[&alive], &Spend::default()).unwrap();
        sign.settle(&Spend::default(), Certainty::Exact);
        let at_once = self.copy();
        let later = self.copy();
        let live = self.accounts();
        let open =
            |dir: &TempDir| Ledger::open_with(dir.path(), self.clock.clone(), Checkpoints::OnDemand).unwrap();
        let replayed = open(&at_once);
        for (at, budget) in budgets().iter().enumerate() {
            let again = replayed.account(&budget.key);
            let (settled, reserved, debt) = before[at];
            let held = if budget.unit.is_charged() { reserved } else { 0 };
            let found = again.as_ref().map_or(0, |state| state.settled + state.debt);
            assert_eq!(found, settled + debt + held, "{}: replayed", budget.key);
            let is_closed = |state: &AccountState| state.open_reservations == 0;
            if found > 0 && live[at].as_ref().is_some_and(is_closed) {
                // What is less than a step of the wall clock is made up for by opening.
                let timeless = |state: &Option<AccountState>| {
                    let state = state.clone().unwrap();
                    AccountState {
                        next_free_ms: None,
                        resets_at_ms: None,
                        ..state
                    }
                };
                assert_eq!(timeless(&again), timeless(&live[at]));
            }
        }
        drop(replayed);
        self.open.clear();
        let old_ms = self.wall_ms;
        self.pass(down_ms);
        self.step_wall(wall_by_ms);
        let recovered = {
            let clock = self.clock.clone();
            Ledger::open_with(later.path(), clock, Checkpoints::OnDemand).unwrap()
        };
        (self.ledger, self.dir) = (recovered, later);
        let expected = std::array::from_fn(|at| {
            let (settled, reserved, debt) = before[at];
            let held = if budgets()[at].unit.is_charged() {
                reserved
            } else {
                0
            };
            (settled + held, 0, debt)
        });
        self.check_left(&expected, old_ms);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_budget_is_overspent_forgiven_or_stuck(steps in prop::collection::vec(step(), 1..50)) {
        let mut world = World::new();
        for step in &steps {
            let before = world.figures();
            world.run(step);
            world.check(&before);
        }
        // Whatever the clocks have done, every budget comes free again.
        world.open.clear();
        world.pass(800 * DAY_MS);
        for (at, figures) in world.figures().iter().enumerate() {
            prop_assert_eq!(*figures, (0, 0, 0), "account {} never resets", at);
        }
    }
}
