//! The ledger against a model of its rules that goes one sub-window at a time, under reservations, refusals, clock steps, crashes
//! and restarts.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::collections::VecDeque;
use std::fs;
use std::sync::Arc;

use monitor_budget::{Budget, Certainty, Checkpoints, Ledger, ManualClock, Reservation, Spend};
use proptest::prelude::*;
use tempfile::TempDir;

const START_MS: u64 = 1_700_000_000_000;
const WINDOW_MS: u64 = 60_000;
const SUB_WINDOW_MS: u64 = 1_000;
const ACCOUNTS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Reserve {
        mask: u8,
        tokens: u64,
    },
    Extend {
        which: usize,
        tokens: u64,
    },
    Settle {
        which: usize,
        spent: u64,
        metered: u64,
        certainty: Certainty,
    },
    Drop {
        which: usize,
        metered: u64,
    },
    Sleep {
        ms: u64,
    },
    WallElsewhere {
        unix_ms: u64,
        tokens: u64,
    },
    Limit {
        account: usize,
        limit: u64,
    },
    Checkpoint,
    Crash {
        down_ms: u64,
    },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let certainty = prop_oneof![
        Just(Certainty::Exact),
        Just(Certainty::Estimated),
        Just(Certainty::UnderEstimate)
    ];
    prop_oneof![
        8 => (1u8..8, 0u64..120).prop_map(|(mask, tokens)| Step::Reserve { mask, tokens }),
        4 => (any::<usize>(), 0u64..60).prop_map(|(which, tokens)| Step::Extend { which, tokens }),
        6 => (any::<usize>(), 0u64..300, 0u64..200, certainty)
            .prop_map(|(which, spent, metered, certainty)| Step::Settle { which, spent, metered, certainty }),
        2 => (any::<usize>(), 0u64..200).prop_map(|(which, metered)| Step::Drop { which, metered }),
        6 => (0u64..90_000).prop_map(|ms| Step::Sleep { ms }),
        2 => (prop_oneof![0..START_MS, START_MS..2 * START_MS], 0u64..50)
            .prop_map(|(unix_ms, tokens)| Step::WallElsewhere { unix_ms, tokens }),
        2 => (0..ACCOUNTS, 1u64..400).prop_map(|(account, limit)| Step::Limit { account, limit }),
        1 => Just(Step::Checkpoint),
        2 => prop_oneof![Just(0), 0u64..100_000].prop_map(|down_ms| Step::Crash { down_ms }),
        1 => Just(Step::Restart),
    ]
}

/// One account by the rules as written, without any short cut.
#[derive(Debug, Default)]
struct Account {
    limit: u64,
    sub_window: u64,
    charges: VecDeque<(u64, u64)>,
    reserved: u64,
    debt: u64,
    charged_ever: u64,
    left_ever: u64,
    /// What was outstanding when the limit was last lowered below it.
    allowance: u64,
}

impl Account {
    fn settled(&self) -> u64 {
        self.charges.iter().map(|charge| charge.1).sum()
    }

    fn free(&self) -> u64 {
        self.limit.saturating_sub(self.settled() + self.reserved)
    }

    fn advance(&mut self, now_ms: u64) {
        while self.sub_window < now_ms / SUB_WINDOW_MS {
            self.sub_window += 1;
            while let Some(&(at, tokens)) = self.charges.front()
                && (at + 1) * SUB_WINDOW_MS + WINDOW_MS <= self.sub_window * SUB_WINDOW_MS
            {
                self.charges.pop_front();
                self.left_ever += tokens;
            }
            self.drain();
        }
    }

    fn drain(&mut self) {
        let room = self.debt.min(self.free());
        self.debt -= room;
        self.charges.push_back((self.sub_window, room));
    }

    fn settle(&mut self, held: u64, charge: u64) {
        self.reserved -= held;
        self.charges.push_back((self.sub_window, charge.min(held)));
        self.debt += charge - charge.min(held);
        self.charged_ever += charge;
        self.drain();
    }

    fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
        self.allowance = self.settled() + self.reserved;
        self.drain();
    }
}

struct Open {
    reservation: Option<Reservation>,
    accounts: Vec<usize>,
    held: u64,
}

struct World {
    dir: TempDir,
    clock: Arc<ManualClock>,
    ledger: Option<Ledger>,
    now_ms: u64,
    limits: [u64; ACCOUNTS],
    model: [Account; ACCOUNTS],
    open: Vec<Open>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(START_MS));
        let account = || Account {
            limit: 200,
            sub_window: START_MS / SUB_WINDOW_MS,
            ..Account::default()
        };
        let mut world = Self {
            dir,
            clock,
            ledger: None,
            now_ms: START_MS,
            limits: [200; ACCOUNTS],
            model: [account(), account(), account()],
            open: Vec::new(),
        };
        world.reopen();
        world
    }

    fn reopen(&mut self) {
        let opened = Ledger::open_with(self.dir.path(), self.clock.clone(), Checkpoints::OnDemand);
        self.ledger = Some(opened.unwrap());
    }

    fn ledger(&self) -> &Ledger {
        self.ledger.as_ref().unwrap()
    }

    fn budget(&self, account: usize) -> Budget {
        Budget::tokens(format!("account-{account}"), self.limits[account], WINDOW_MS)
    }

    fn sleep(&mut self, ms: u64) {
        self.clock.advance_ms(ms);
        self.now_ms += ms;
        for account in &mut self.model {
            account.advance(self.now_ms);
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Reserve { mask, tokens } => self.reserve(mask, tokens),
            Step::WallElsewhere { unix_ms, tokens } => {
                self.clock.step_wall_to_ms(unix_ms);
                self.reserve(1, tokens);
                self.clock.step_wall_to_ms(self.now_ms);
            }
            Step::Extend { which, tokens } => self.extend(which, tokens),
            Step::Settle {
                which,
                spent,
                metered,
                certainty,
            } => {
                let Some(open) = self.take(which) else { return };
                let floor = match certainty {
                    Certainty::Exact => 0,
                    Certainty::Estimated => metered,
                    Certainty::UnderEstimate => metered.max(open.held),
                };
                let mut reservation = open.reservation.unwrap();
                reservation.meter(&Spend::request(metered, 0));
                let settlement = reservation.settle(&Spend::request(spent, 0), certainty);
                assert!(
                    settlement
                        .0
                        .iter()
                        .all(|charge| charge.charged() == spent.max(floor))
                );
                for account in open.accounts {
                    self.model[account].settle(open.held, spent.max(floor));
                }
            }
            Step::Drop { which, metered } => {
                let Some(mut open) = self.take(which) else { return };
                open.reservation
                    .as_mut()
                    .unwrap()
                    .meter(&Spend::request(metered, 0));
                drop(open.reservation);
                for account in open.accounts {
                    self.model[account].settle(open.held, open.held.max(metered));
                }
            }
            Step::Sleep { ms } => self.sleep(ms),
            Step::Limit { account, limit } => {
                self.limits[account] = limit;
                let key = self.budget(account).key;
                self.ledger()
                    .redefine(|found| (found == &*key).then(|| Budget::tokens(found, limit, WINDOW_MS)));
                self.model[account].set_limit(limit);
            }
            Step::Checkpoint => self.ledger().checkpoint().unwrap(),
            Step::Crash { down_ms } => self.crash(down_ms),
            Step::Restart => {
                while let Some(open) = self.take(0) {
                    drop(open.reservation);
                    for account in open.accounts {
                        self.model[account].settle(open.held, open.held);
                    }
                }
                self.ledger = None;
                self.reopen();
                assert_eq!(self.ledger().recovery().open_reservations, 0);
            }
        }
    }

    fn take(&mut self, which: usize) -> Option<Open> {
        (!self.open.is_empty()).then(|| self.open.swap_remove(which % self.open.len()))
    }

    fn reserve(&mut self, mask: u8, tokens: u64) {
        let accounts: Vec<_> = (0..ACCOUNTS).filter(|account| mask & 1 << account != 0).collect();
        let budgets: Vec<_> = accounts.iter().map(|&account| self.budget(account)).collect();
        let outcome = self
            .ledger()
            .reserve(&budgets.iter().collect::<Vec<_>>(), &Spend::request(tokens, 0));
        let fits = accounts
            .iter()
            .all(|&account| self.model[account].free() >= tokens);
        assert_eq!(outcome.is_ok(), fits, "{outcome:?}");
        if let Ok(reservation) = outcome {
            for &account in &accounts {
                self.model[account].reserved += tokens;
            }
            self.open.push(Open {
                reservation: Some(reservation),
                accounts,
                held: tokens,
            });
        }
    }

    fn extend(&mut self, which: usize, tokens: u64) {
        let Some(mut open) = self.take(which) else { return };
        let fits = open
            .accounts
            .iter()
            .all(|&account| self.model[account].free() >= tokens);
        let outcome = open
            .reservation
            .as_mut()
            .unwrap()
            .cover(&Spend::request(open.held + tokens, 0));
        assert_eq!(outcome.is_ok(), fits, "{outcome:?}");
        if fits {
            open.held += tokens;
            for &account in &open.accounts {
                self.model[account].reserved += tokens;
            }
        }
        assert!(
            open.reservation
                .as_ref()
                .unwrap()
                .held()
                .all(|held| held == open.held)
        );
        self.open.push(open);
    }

    /// The directory as it is now, as a kill would leave it, opened again after a while.
    fn crash(&mut self, down_ms: u64) {
        let alive = Budget::tokens("alive", 1 << 40, WINDOW_MS);
        self.ledger()
            .reserve(&[&alive], &Spend::request(0, 0))
            .unwrap()
            .settle(&Spend::request(0, 0), Certainty::Exact);
        let copy = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(self.dir.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        let orphans = std::mem::take(&mut self.open);
        let tail_ms = down_ms.min(10_000);
        self.clock.advance_ms(down_ms);
        self.now_ms += tail_ms;
        for account in &mut self.model {
            account.advance(self.now_ms);
        }
        for orphan in &orphans {
            for &account in &orphan.accounts {
                self.model[account].settle(orphan.held, orphan.held);
            }
        }
        drop(orphans);
        self.ledger = None;
        self.dir = copy;
        self.now_ms += down_ms - tail_ms;
        for account in &mut self.model {
            account.advance(self.now_ms);
        }
        self.reopen();
        assert_eq!(self.ledger().recovery().downtime_ms, down_ms);
    }

    fn check(&self) {
        for (number, model) in self.model.iter().enumerate() {
            let account = self.ledger().account(&format!("account-{number}"));
            let seen = account
                .as_ref()
                .map_or((0, 0, 0), |a| (a.settled, a.reserved, a.debt));
            assert_eq!(
                seen,
                (model.settled(), model.reserved, model.debt),
                "account {number}"
            );
            let (settled, reserved, debt) = seen;
            assert!(
                settled + reserved <= model.limit.max(model.allowance),
                "account {number}"
            );
            assert_eq!(
                settled + debt + model.left_ever,
                model.charged_ever,
                "account {number}"
            );
            assert!(debt == 0 || settled + reserved >= model.limit, "account {number}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_does_what_its_rules_say(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
            world.check();
        }
    }
}
