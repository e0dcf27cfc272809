//! What a reservation and its settlement cost, and what a start costs: `cargo run --release -p monitor-budget --example ledger_cost [DIR]`.
//!
//! One, a thousand and a hundred thousand keys, one and four budgets per reservation, on one, two and eight threads, in memory and journaled
//! (into DIR, by default the temporary directory). Per operation of one thread: the time on the clock, the time on a processor, and which part
//! of the time the threads slept for a lock or the disk, without what they waited for a processor. Then a journal of the greatest length is
//! replayed over a hundred thousand accounts.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use monitor_budget::{Budget, Certainty, Checkpoints, Ledger, Spend, SystemClock};

const WINDOWS: usize = 5;
const WINDOW: Duration = Duration::from_millis(90);
/// Operations between two looks at the clock.
const BATCH: usize = 64;
/// Just below the longest journal, where the ledger would stop it.
const JOURNAL_BYTES: u64 = 63 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let state = dir.join(format!("ledger-cost-{}", std::process::id()));
    println!("per reserve + settle of one thread: median of {WINDOWS} windows (fastest to slowest)");
    println!("             keys  budgets  threads  ns on the clock             ns on a processor  asleep");
    for keys in [1, 1_000, 100_000] {
        let budgets: Vec<_> = (0..keys)
            .map(|key| Budget::tokens(key_of(key), 1 << 40, 3_600_000))
            .collect();
        for together in [1, 4] {
            // One key is one account, however often it is given.
            if together > keys {
                continue;
            }
            let memory = Ledger::in_memory(Arc::new(SystemClock::new()));
            let journaled = Ledger::open(&state, Arc::new(SystemClock::new()))?;
            for (kind, ledger) in [("in memory", &memory), ("journaled", &journaled)] {
                open_all(ledger, &budgets);
                for threads in [1, 2, 8] {
                    let mut windows: Vec<_> = (0..WINDOWS)
                        .map(|_| window(ledger, &budgets, threads, together))
                        .collect::<Result<_, _>>()?;
                    windows.sort_unstable_by_key(|window| window.wall_ns);
                    let median = windows[WINDOWS / 2];
                    let clock = format!(
                        "{} ({} to {})",
                        median.wall_ns,
                        windows[0].wall_ns,
                        windows[WINDOWS - 1].wall_ns
                    );
                    println!(
                        "{kind}  {keys:>7}  {together:>7}  {threads:>7}  {clock:<26}  {:>17}  {:>5} %",
                        median.cpu_ns, median.asleep_percent
                    );
                }
            }
            let errors = journaled.health().journal_errors + journaled.health().checkpoint_errors;
            drop(journaled);
            fs::remove_dir_all(&state)?;
            if errors > 0 {
                return Err("the journal or the store could not be written".into());
            }
        }
    }
    start(&state)
}

fn key_of(number: usize) -> String {
    format!("billing-bots/0/workload:/system.slice/service-{number}.service")
}

fn open_all(ledger: &Ledger, budgets: &[Budget]) {
    for budget in budgets {
        operate(ledger, &[budget]);
    }
}

fn operate(ledger: &Ledger, budgets: &[&Budget]) {
    if let Ok(reservation) = ledger.reserve(budgets, &Spend::request(100, 0)) {
        reservation.settle(&Spend::request(80, 0), Certainty::Exact);
    }
}

#[derive(Clone, Copy)]
struct Window {
    wall_ns: u64,
    cpu_ns: u64,
    asleep_percent: u64,
}

/// What the threads of one window took.
#[derive(Default)]
struct Taken {
    operations: u64,
    wall_ns: u64,
    on_processor_ns: u64,
    for_processor_ns: u64,
}

fn window(
    ledger: &Ledger,
    budgets: &[Budget],
    threads: usize,
    together: usize,
) -> Result<Window, Box<dyn Error>> {
    let taken = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || spend(ledger, budgets, thread, together)))
            .collect();
        let mut sum = Taken::default();
        for thread in threads {
            let taken = thread.join().map_err(|_| "a thread has panicked")??;
            sum.operations += taken.operations;
            sum.wall_ns += taken.wall_ns;
            sum.on_processor_ns += taken.on_processor_ns;
            sum.for_processor_ns += taken.for_processor_ns;
        }
        Ok::<_, Box<dyn Error>>(sum)
    })?;
    let awake_ns = taken.on_processor_ns + taken.for_processor_ns;
    Ok(Window {
        wall_ns: taken.wall_ns / taken.operations,
        cpu_ns: taken.on_processor_ns / taken.operations,
        asleep_percent: taken.wall_ns.saturating_sub(awake_ns) * 100 / taken.wall_ns,
    })
}

fn spend(ledger: &Ledger, budgets: &[Budget], thread: usize, together: usize) -> std::io::Result<Taken> {
    let before = scheduled()?;
    let started = Instant::now();
    // A stride that is prime to the number of keys visits all of them out of order.
    let mut key = thread * 31;
    let mut operations = 0;
    while started.elapsed() < WINDOW {
        for _ in 0..BATCH {
            key = (key + 7_919) % budgets.len();
            if together == 1 {
                operate(ledger, &[&budgets[key]]);
            } else {
                operate(
                    ledger,
                    &[0, 257, 509, 757].map(|further| &budgets[(key + further) % budgets.len()]),
                );
            }
        }
        operations += BATCH as u64;
    }
    let wall_ns = nanoseconds(started.elapsed());
    let after = scheduled()?;
    Ok(Taken {
        operations,
        wall_ns,
        on_processor_ns: after.0 - before.0,
        for_processor_ns: after.1 - before.1,
    })
}

/// How long this thread has been on a processor and has waited for one, as proc(5) has it in `schedstat`.
fn scheduled() -> std::io::Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let mut figures = text
        .split_ascii_whitespace()
        .map(|figure| figure.parse().unwrap_or(0));
    Ok((figures.next().unwrap_or(0), figures.next().unwrap_or(0)))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Fills a journal, and opens what a kill would leave of it.
fn start(dir: &Path) -> Result<(), Box<dyn Error>> {
    let open = |dir: &Path| Ledger::open_with(dir, Arc::new(SystemClock::new()), Checkpoints::OnDemand);
    let budgets: Vec<_> = (0..100_000)
        .map(|key| Budget::tokens(key_of(key), 1 << 40, 3_600_000))
        .collect();
    let ledger = open(dir)?;
    open_all(&ledger, &budgets);
    ledger.checkpoint()?;
    let (mut operations, mut written) = (0u64, 0);
    let base = journal_bytes(dir)?;
    let started = Instant::now();
    while written < JOURNAL_BYTES {
        for at in 0..20_000 {
            operate(&ledger, &[&budgets[(at * 7_919) % budgets.len()]]);
        }
        operations += 20_000;
        written = journal_bytes(dir)?;
        if !ledger.health().durable {
            return Err("the journal has stopped".into());
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "journal, one thread: {:.0} records/s, {:.1} MB/s",
        2.0 * operations as f64 / seconds,
        (written - base) as f64 / 1e6 / seconds
    );

    let killed = dir.with_extension("killed");
    fs::create_dir_all(&killed)?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        fs::copy(entry.path(), killed.join(entry.file_name()))?;
    }
    let started = Instant::now();
    let again = open(&killed)?;
    let opened = started.elapsed();
    let started = Instant::now();
    again.checkpoint()?;
    println!(
        "start with {} accounts and {} records ({:.0} MB): serving, the first checkpoint included, after {opened:?}, the next checkpoint takes {:?}",
        again.health().accounts,
        again.recovery().records_replayed,
        written as f64 / 1e6,
        started.elapsed()
    );
    drop(again);
    drop(ledger);
    fs::remove_dir_all(&killed)?;
    fs::remove_dir_all(dir)?;
    Ok(())
}

fn journal_bytes(dir: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("ledger.journal.") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
