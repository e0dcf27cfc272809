//! A process that spends is killed again and again; each time, what it was told is settled must be there, once.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use monitor_budget::{
    Budget, Certainty, Checkpoints, Ledger, Period, Spend, SystemClock, Unit, Window, Zone,
};

const CHILD: &str = "WEIR_LEDGER_CHILD_DIR";
const THREADS: usize = 3;
const KILLS: u64 = 200;
/// What recovery takes, but for the disk's syncs on a loaded machine: of all openings the middle one is held to it, the longest is printed.
const RECOVERY: Duration = Duration::from_secs(1);
const HOUR_MS: u64 = 3_600_000;

fn open(dir: &Path) -> Ledger {
    // Checkpoints come thick, so that kills fall into them.
    let often = Checkpoints::Every(Duration::from_millis(3));
    Ledger::open_with(dir, Arc::new(SystemClock::new()), often).unwrap()
}

/// What a thread's operation number `n` holds, and what it spends: sometimes less, sometimes more.
fn held_and_spent(n: u64) -> (u64, u64) {
    (10 + n % 5, 8 + n % 9)
}

fn budgets(thread: usize) -> [Budget; 4] {
    let month = Window::Calendar {
        period: Period::Month,
        zone: Zone::parse("Europe/Berlin").unwrap(),
    };
    [
        Budget::tokens(format!("thread-{thread}"), 1 << 40, HOUR_MS),
        Budget::tokens("team", 1 << 40, HOUR_MS),
        Budget::new("requests", 1 << 40, Unit::Requests, month),
        Budget::new("at once", 64, Unit::Concurrency, Window::Open),
    ]
}

/// The child's part: spends until it is killed and says on its standard output what was acknowledged.
#[test]
fn child_that_spends() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let ledger = open(Path::new(&dir));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let ledger = &ledger;
            scope.spawn(move || {
                let budgets = budgets(thread);
                let budgets = budgets.each_ref();
                for n in 0..2_000_000 {
                    let (held, spent) = held_and_spent(n);
                    let mut reservation = ledger.reserve(&budgets, &Spend::request(held - 4, 0)).unwrap();
                    reservation.cover(&Spend::request(held, 0)).unwrap();
                    reservation.settle(&Spend::request(spent, 0), Certainty::Exact);
                    std::io::stdout()
                        .write_all(format!("\nacknowledged {thread}\n").as_bytes())
                        .unwrap();
                }
            });
        }
    });
}

#[test]
fn what_was_acknowledged_before_a_kill_is_settled_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = [0; THREADS];
    let mut acknowledged_in_all = 0;
    let mut requests_before = 0;
    let mut recoveries = Vec::new();
    for kill in 0..KILLS {
        let acknowledged = spend_and_kill(dir.path(), Duration::from_millis(15 + kill * 7 % 40));
        let started = Instant::now();
        let ledger = open(dir.path());
        recoveries.push(started.elapsed());
        let settled = |key: &str| ledger.account(key).map_or(0, |account| account.settled);
        for thread in 0..THREADS {
            let sum: u64 = (0..acknowledged[thread]).map(|n| held_and_spent(n).1).sum();
            let found = settled(&format!("thread-{thread}")) - before[thread];
            let (held, spent) = held_and_spent(acknowledged[thread]);
            // The operation under way was not begun, held its first part, held all, or was settled without being told.
            let possible = [sum, sum + held - 4, sum + held, sum + spent];
            assert!(
                possible.contains(&found),
                "kill {kill}: {found} of {sum}, holding {held}, spending {spent}"
            );
            before[thread] += found;
            acknowledged_in_all += acknowledged[thread];
        }
        assert_eq!(
            settled("team"),
            before.iter().sum::<u64>(),
            "kill {kill}: both budgets or none"
        );
        let requests = settled("requests") - requests_before;
        let told = acknowledged.iter().sum::<u64>();
        assert!(
            (told..=told + THREADS as u64).contains(&requests),
            "kill {kill}: {requests} requests of {told}"
        );
        requests_before += requests;
        let at_once = ledger.account("at once");
        assert!(at_once.is_none_or(|account| account.reserved == 0 && account.open_reservations == 0));
        assert!(ledger.health().durable);
    }
    recoveries.sort_unstable();
    let (median, longest) = (recoveries[recoveries.len() / 2], recoveries[recoveries.len() - 1]);
    println!(
        "{KILLS} kills, {acknowledged_in_all} settlements acknowledged, recovery {median:?}, longest {longest:?}"
    );
    assert!(median < RECOVERY, "{median:?}");
    assert!(
        acknowledged_in_all > KILLS,
        "the children were killed before they could spend"
    );
}

/// Operations acknowledged per thread until the child was killed.
fn spend_and_kill(dir: &Path, after: Duration) -> [u64; THREADS] {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child_that_spends", "--nocapture"])
        .env(CHILD, dir);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reader = thread::spawn(move || {
        let mut acknowledged = [0; THREADS];
        for line in lines.map_while(Result::ok) {
            if let Some(thread) = line.strip_prefix("acknowledged ") {
                acknowledged[thread.parse::<usize>().unwrap()] += 1;
            }
        }
        acknowledged
    });
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}
