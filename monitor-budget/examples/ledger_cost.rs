//! What a reservation and its settlement cost, in nanoseconds: `cargo run --release -p monitor-budget --example ledger_cost [DIR]`.
//!
//! One, a thousand and a hundred thousand keys, in memory and journaled (into DIR, by default the temporary directory), on one
//! thread and on two. Each figure is the median of several windows, with the fastest and the slowest beside it.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use monitor_budget::{Budget, Certainty, Ledger, Spend, SystemClock};

const WINDOWS: usize = 7;
const OPERATIONS_PER_WINDOW: usize = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    println!(
        "ns per reserve + settle: median (fastest to slowest of {WINDOWS} windows); per operation of one thread"
    );
    for keys in [1, 1_000, 100_000] {
        let budgets: Vec<_> = (0..keys)
            .map(|key| Budget::tokens(key_of(key), 1 << 40, 3_600_000))
            .collect();
        for threads in [1, 2] {
            let memory = Ledger::in_memory(Arc::new(SystemClock::new()));
            report("in memory", keys, threads, &measure(&memory, &budgets, threads));
            let state = dir.join(format!("ledger-cost-{}", std::process::id()));
            let journaled = Ledger::open(&state, Arc::new(SystemClock::new()))?;
            report(
                "journaled",
                keys,
                threads,
                &measure(&journaled, &budgets, threads),
            );
            let health = journaled.health();
            drop(journaled);
            let started = Instant::now();
            let again = Ledger::open(&state, Arc::new(SystemClock::new()))?;
            let accounts = again.health().accounts;
            println!(
                "  opened again with {accounts} accounts in {:?}; errors {}",
                started.elapsed(),
                health.journal_errors + health.checkpoint_errors
            );
            drop(again);
            std::fs::remove_dir_all(&state)?;
        }
    }
    Ok(())
}

fn key_of(number: usize) -> String {
    format!("billing-bots/0/workload:/system.slice/service-{number}.service")
}

/// Nanoseconds per reserve and settle, one figure per window, sorted.
fn measure(ledger: &Ledger, budgets: &[Budget], threads: usize) -> Vec<u64> {
    let mut figures: Vec<_> = (0..=WINDOWS).map(|_| window(ledger, budgets, threads)).collect();
    figures.remove(0);
    figures.sort_unstable();
    figures
}

fn window(ledger: &Ledger, budgets: &[Budget], threads: usize) -> u64 {
    let started = Instant::now();
    thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                // A stride that is prime to the number of keys visits all of them out of order.
                let mut key = thread * 31;
                for _ in 0..OPERATIONS_PER_WINDOW {
                    key = (key + 7_919) % budgets.len();
                    if let Ok(reservation) = ledger.reserve(&[&budgets[key]], &Spend::request(100, 0)) {
                        reservation.settle(&Spend::request(80, 0), Certainty::Exact);
                    }
                }
            });
        }
    });
    u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX) / OPERATIONS_PER_WINDOW as u64
}

fn report(kind: &str, keys: usize, threads: usize, sorted: &[u64]) {
    let (fastest, median, slowest) = (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
    println!("{kind}  keys {keys:>6}  threads {threads}  {median:>6} ({fastest} to {slowest})");
}
