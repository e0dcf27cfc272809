//! The addresses of the catalog's hosts, asked for by the agent itself.
//!
//! A workload that resolved its names before the agent was there shows the programs no DNS answer until it asks again,
//! which may be never. So the agent asks for every exact name of the catalog when it starts and before the marks expire,
//! by the host's own resolver, and marks what it is told. Names below a suffix cannot be asked for.
//!
//! Accepted inaccuracy: a provider may give the host other addresses than the workload was given, and the names that
//! only a pod's resolver knows are unknown to the host's. `match: all-tls` needs neither.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use monitor_common::dns::TTL_FLOOR_S;
use parking_lot::Mutex;

use crate::intercept::Interceptor;
use crate::metrics::Metrics;

/// Names that are asked for at once. A resolver that does not answer holds each up for some ten seconds.
const RESOLVERS: usize = 4;
/// How long one round may take; names not asked for by then count as failed and wait for the next.
const ROUND_WITHIN: Duration = Duration::from_secs(30);
/// Between two rounds: half the time that a mark lives at least, so that one failed round leaves no gap.
const REFRESH: Duration = Duration::from_secs(TTL_FLOOR_S as u64 / 2);
/// Until the next round when no name could be resolved: the network may not be up yet.
const RETRY: Duration = Duration::from_secs(30);

/// The names that are kept marked, on threads of their own: a resolver that hangs holds up nothing else, not even the
/// end of the agent.
pub(super) struct Names {
    wake: mpsc::SyncSender<()>,
}

impl Names {
    /// Begins with the first round; `marked` is called after each that marked an address which was not marked before.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(
        interceptor: Arc<Interceptor>,
        metrics: Arc<Metrics>,
        marked: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (wake, woken) = mpsc::sync_channel(1);
        let resolvers = Arc::new(Resolvers::default());
        let work = move || {
            loop {
                let names = exact(interceptor.catalog.load().hosts());
                let round = resolvers.round(names, ROUND_WITHIN, resolve);
                metrics.count_name_lookups(round.resolved, round.failed);
                let fresh = round
                    .addresses
                    .into_iter()
                    .filter(|address| learn(&interceptor, *address))
                    .count();
                tracing::debug!(
                    round.resolved,
                    round.failed,
                    fresh,
                    "the catalog's names were asked for"
                );
                if fresh > 0 {
                    marked();
                }
                let pause = if round.resolved == 0 { RETRY } else { REFRESH };
                if woken.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        };
        thread::Builder::new().name("weir-names".to_owned()).spawn(work)?;
        Ok(Self { wake })
    }

    /// Asks again now, because the catalog has changed.
    pub(super) fn refresh(&self) {
        // A full queue means that a round is due anyway.
        let _due = self.wake.try_send(());
    }
}

/// True when the address was not marked before.
fn learn(interceptor: &Interceptor, address: IpAddr) -> bool {
    // What a hosts file blocks in this way is no provider, and the agent's own listeners are there.
    if address.is_loopback() || address.is_unspecified() {
        return false;
    }
    interceptor.kernel.learn_address(address).unwrap_or_else(|error| {
        tracing::error!(%error, %address, "an LLM host's address cannot be marked");
        false
    })
}

fn exact(mut hosts: Vec<String>) -> Vec<String> {
    hosts.retain(|host| !host.starts_with("*."));
    hosts
}

fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    // The port is not asked for; the function wants one.
    Ok((name, 443)
        .to_socket_addrs()?
        .map(|address| address.ip())
        .collect())
}

/// The threads that wait for the resolver.
#[derive(Default)]
struct Resolvers {
    /// Those that have not come back, from earlier rounds as well: a resolver that hangs does not gather threads.
    waiting: AtomicUsize,
}

/// What one round brought.
#[derive(Debug, Default)]
struct Round {
    addresses: Vec<IpAddr>,
    resolved: usize,
    failed: usize,
}

impl Resolvers {
    /// Asks for all names, a few at a time, and returns what was answered in time.
    fn round(
        self: &Arc<Self>,
        names: Vec<String>,
        within: Duration,
        resolve: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Clone + Send + 'static,
    ) -> Round {
        let asked = names.len();
        let deadline = Instant::now() + within;
        let queue = Arc::new(Mutex::new(VecDeque::from(names)));
        let (answers, answered) = mpsc::channel();
        while self.waiting.load(Ordering::Relaxed) < RESOLVERS.min(asked) {
            let (queue, answers, resolve) = (queue.clone(), answers.clone(), resolve.clone());
            let place = Place::take(self.clone());
            let work = move || {
                let _place = place;
                loop {
                    let Some(name) = queue.lock().pop_front() else {
                        return;
                    };
                    // Nobody listens after the deadline.
                    if Instant::now() > deadline || answers.send(resolve(&name)).is_err() {
                        return;
                    }
                }
            };
            if let Err(error) = thread::Builder::new().name("weir-resolve".to_owned()).spawn(work) {
                tracing::error!(%error, "no thread to resolve names on");
                break;
            }
        }
        drop(answers);
        let mut round = Round::default();
        while let Ok(answer) = answered.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            // Failures are counted below, with the names that nobody came to ask for.
            if let Ok(addresses) = answer {
                round.resolved += 1;
                round.addresses.extend(addresses);
            }
        }
        queue.lock().clear();
        round.failed = asked - round.resolved;
        round
    }
}

/// A thread's place among those that wait, given back when it ends.
struct Place(Arc<Resolvers>);

impl Place {
    fn take(resolvers: Arc<Resolvers>) -> Self {
        resolvers.waiting.fetch_add(1, Ordering::Relaxed);
        Self(resolvers)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("{number}.example")).collect()
    }

    #[test]
    fn every_name_is_asked_for_and_failures_are_counted() {
        let resolvers = Arc::new(Resolvers::default());
        let most = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let seen = most.clone();
        let round = resolvers.round(names(50), LONG, move |name| {
            let now = seen.0.fetch_add(1, Ordering::SeqCst) + 1;
            seen.1.fetch_max(now, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(1));
            seen.0.fetch_sub(1, Ordering::SeqCst);
            match name
                .split('.')
                .next()
                .and_then(|number| number.parse::<u8>().ok())
            {
                Some(number) if number % 5 != 0 => Ok(vec![IpAddr::from([192, 0, 2, number])]),
                _ => Err(io::Error::other("no such name")),
            }
        });
        assert_eq!(
            (round.resolved, round.failed, round.addresses.len()),
            (40, 10, 40)
        );
        assert!(most.1.load(Ordering::SeqCst) <= RESOLVERS);
    }

    #[test]
    fn a_resolver_that_hangs_holds_up_a_round_until_its_end_and_gathers_no_threads() {
        let resolvers = Arc::new(Resolvers::default());
        let (release, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let hangs = {
            let gate = gate.clone();
            move |_: &str| {
                let _released = gate.lock().recv();
                Err(io::ErrorKind::TimedOut.into())
            }
        };
        for _ in 0..3 {
            let round = resolvers.round(names(20), Duration::from_millis(30), hangs.clone());
            assert_eq!((round.resolved, round.failed), (0, 20));
            assert_eq!(resolvers.waiting.load(Ordering::Relaxed), RESOLVERS);
        }
        drop(release);
        let since = Instant::now();
        while resolvers.waiting.load(Ordering::Relaxed) > 0 && since.elapsed() < LONG {
            thread::sleep(Duration::from_millis(1));
        }
        let answers = |_: &str| Ok(vec![IpAddr::from([192, 0, 2, 1])]);
        assert_eq!(resolvers.round(names(2), LONG, answers).resolved, 2);
        assert_eq!(resolvers.round(Vec::new(), LONG, answers).failed, 0);
    }

    #[test]
    fn only_exact_names_are_asked_for() {
        let hosts = vec!["*.openai.azure.com".to_owned(), "api.openai.com".to_owned()];
        assert_eq!(exact(hosts), ["api.openai.com"]);
    }
}
