//! The ledger changes hands between two agents: both share one limit, nothing is lost and nothing is counted twice.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use monitor_budget::{
    Adopted, Budget, Certainty, Denied, Ending, Ledger, ManualClock, Settlement, Spend, Successor,
    SystemClock,
};

const KEY: &str = "policy/0/workload:/a";

fn budget() -> Budget {
    Budget::tokens(KEY, 100, 3_600_000)
}

/// The way to the next agent's ledger, without a socket between.
struct Direct(Mutex<Adopted>);

impl Successor for Direct {
    fn reserve(&self, budgets: &[&Budget], spend: &Spend) -> Result<(), Denied> {
        self.0.lock().unwrap().reserve(budgets, spend)
    }

    fn extend(&self, amounts: &[(Arc<str>, u64)]) -> Result<(), Denied> {
        self.0.lock().unwrap().extend(amounts)
    }

    fn settle(&self, endings: &[Ending]) -> Settlement {
        self.0.lock().unwrap().settle(endings)
    }
}

fn open(dir: &Path) -> Ledger {
    Ledger::open(dir, Arc::new(SystemClock::new())).unwrap()
}

fn adopt(dir: &Path, open: u64) -> (Ledger, Adopted) {
    Ledger::open_adopting(dir, Arc::new(SystemClock::new()), open).unwrap()
}

/// Settled, reserved and owed tokens.
fn figures(ledger: &Ledger) -> (u64, u64, u64) {
    ledger.account(KEY).map_or((0, 0, 0), |account| {
        (account.settled, account.reserved, account.debt)
    })
}

#[test]
fn a_reservation_is_extended_and_settled_across_the_change() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    first
        .reserve(&[&budget()], &Spend::request(10, 0))
        .unwrap()
        .settle(&Spend::request(10, 0), Certainty::Exact);
    let mut stream = first.reserve(&[&budget()], &Spend::request(40, 0)).unwrap();
    let handed = first.hand_over().unwrap();
    assert_eq!(handed, 1);
    let (second, mut adopted) = adopt(dir.path(), handed);
    assert_eq!(figures(&second), (10, 40, 0), "what is open stays reserved");
    adopted.take_charge();
    first.succeed_by(Arc::new(Direct(Mutex::new(adopted))));

    // Both share the limit.
    let own = second.reserve(&[&budget()], &Spend::request(30, 0)).unwrap();
    assert!(
        stream.cover(&Spend::request(61, 0)).is_err(),
        "10 + 40 + 30 + 21 tokens of 100 were given"
    );
    stream.cover(&Spend::request(60, 0)).unwrap();
    assert!(second.reserve(&[&budget()], &Spend::request(1, 0)).is_err());
    assert!(first.reserve(&[&budget()], &Spend::request(1, 0)).is_err());
    // What was not spent comes back, in the next agent's accounts.
    assert_eq!(
        stream.settle(&Spend::request(45, 0), Certainty::Exact).0[0].settled,
        45
    );
    assert_eq!(figures(&second), (55, 30, 0));
    // A request on a connection that the first still serves.
    let late = first.reserve(&[&budget()], &Spend::request(15, 0)).unwrap();
    assert_eq!(figures(&second), (55, 45, 0));
    assert_eq!(
        late.settle(&Spend::request(40, 0), Certainty::Exact).0[0].charged(),
        40,
        "what was spent beyond it is owed"
    );
    drop(own);
    assert_eq!(figures(&second), (100, 0, 25));
    assert_eq!(second.account(KEY).unwrap().peak_outstanding, 100);
}

#[test]
fn what_the_first_held_is_charged_when_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let one = first.reserve(&[&budget()], &Spend::request(20, 0)).unwrap();
    let two = first.reserve(&[&budget()], &Spend::request(30, 0)).unwrap();
    let handed = first.hand_over().unwrap();
    let (second, mut adopted) = adopt(dir.path(), handed);
    adopted.take_charge();
    adopted.extend(&[(KEY.into(), 5)]).unwrap();
    drop(adopted);
    assert_eq!(figures(&second), (55, 0, 0));
    assert_eq!(second.account(KEY).unwrap().open_reservations, 0);
    // And the journal says the same after a kill.
    std::mem::forget((one, two));
    std::mem::forget(first);
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(dir.path()).unwrap().flatten() {
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    assert_eq!(figures(&open(copy.path())), (55, 0, 0));
}

#[test]
fn the_first_goes_on_when_there_is_no_next() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let mut stream = first.reserve(&[&budget()], &Spend::request(20, 0)).unwrap();
    // Nobody even opened it.
    first.hand_over().unwrap();
    first.resume().unwrap();
    assert_eq!(figures(&first), (0, 20, 0));
    stream.cover(&Spend::request(25, 0)).unwrap();
    assert_eq!(
        stream.settle(&Spend::request(9, 0), Certainty::Exact).0[0].settled,
        9
    );
    assert_eq!(figures(&first), (9, 0, 0));
}

#[test]
fn a_directory_that_is_in_use_is_not_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let handed = first.hand_over().unwrap();
    let next = adopt(dir.path(), handed);
    assert!(first.resume().is_err());
    drop(next);
    first.resume().unwrap();
    assert!(first.reserve(&[&budget()], &Spend::request(10, 0)).is_ok());
}

#[test]
fn what_a_failed_next_one_reserved_is_charged() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let stream = first.reserve(&[&budget()], &Spend::request(20, 0)).unwrap();
    let handed = first.hand_over().unwrap();
    {
        let (second, _adopted) = adopt(dir.path(), handed);
        let mut its = second.reserve(&[&budget()], &Spend::request(7, 0)).unwrap();
        its.meter(&Spend::request(3, 0));
        // Dropped before the ledger: charged in full.
    }
    first.resume().unwrap();
    assert_eq!(figures(&first), (7, 20, 0));
    assert_eq!(
        stream.settle(&Spend::request(11, 0), Certainty::Exact).0[0].settled,
        11
    );
    assert_eq!(figures(&first), (18, 0, 0));
}

#[test]
fn requests_wait_while_the_ledger_changes_hands() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let handed = first.hand_over().unwrap();
    let asker = {
        let first = first.clone();
        std::thread::spawn(move || {
            first
                .reserve(&[&budget()], &Spend::request(10, 0))
                .map(|r| r.settle(&Spend::request(4, 0), Certainty::Exact))
        })
    };
    std::thread::sleep(Duration::from_millis(50));
    assert!(!asker.is_finished(), "answered by nobody");
    let (second, mut adopted) = adopt(dir.path(), handed);
    adopted.take_charge();
    first.succeed_by(Arc::new(Direct(Mutex::new(adopted))));
    assert_eq!(asker.join().unwrap().unwrap().0[0].settled, 4);
    assert_eq!(figures(&second), (4, 0, 0));
}

#[test]
fn a_ledger_in_memory_resumes_too() {
    let ledger = Ledger::in_memory(Arc::new(ManualClock::new(0)));
    ledger.hand_over().unwrap();
    ledger.resume().unwrap();
    assert!(ledger.reserve(&[&budget()], &Spend::request(10, 0)).is_ok());
}
