//! The agent's proof to itself that it works: a child process connects to a reserved address, and the connection must
//! arrive, attributed to that child.
//!
//! "Healthy while doing nothing" is the worst that can happen to an agent like this, and programs that are loaded and
//! attached can still see nothing: attached to the wrong cgroup, detached by another tool, listeners gone. So readiness
//! depends on a connection that went the whole way a moment ago.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use monitor_common::FlowRecord;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Where the child connects to: an address of TEST-NET-1 (RFC 5737), which no host has.
pub const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 217)), 443);
/// The hidden subcommand that makes `weir` the child.
pub const SUBCOMMAND: &str = "self-test-connect";
/// Time between tests while they pass.
const INTERVAL: Duration = Duration::from_secs(15);
/// Time between tests while they fail.
const RETRY: Duration = Duration::from_secs(1);
/// How long one test may take.
const LIMIT: Duration = Duration::from_secs(5);
/// A pass older than this counts no more: two tests and their time have gone by.
const FRESH: Duration = Duration::from_secs(2 * (INTERVAL.as_secs() + LIMIT.as_secs()));

/// What the last tests said.
pub struct SelfTest {
    arrivals: mpsc::Sender<FlowRecord>,
    /// Locked while tests run.
    receiver: tokio::sync::Mutex<mpsc::Receiver<FlowRecord>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    passed: Option<Instant>,
    failure: Option<String>,
    passes: u64,
    failures: u64,
}

/// Why a test failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the child process could not be started: {0}")]
    Start(io::Error),
    #[error(
        "the connection did not arrive within {} s: the kernel programs do not see this agent's cgroup, or something else redirects connections first",
        LIMIT.as_secs()
    )]
    Lost,
    #[error("the connection arrived as process {arrived}, but process {expected} made it")]
    Misattributed { arrived: u32, expected: u32 },
}

impl Default for SelfTest {
    fn default() -> Self {
        /// Arrivals that may wait: one is under test, others can only come from somebody who knows the address.
        const WAITING: usize = 4;
        let (arrivals, receiver) = mpsc::channel(WAITING);
        Self {
            arrivals,
            receiver: tokio::sync::Mutex::new(receiver),
            state: Mutex::default(),
        }
    }
}

impl SelfTest {
    /// Takes a connection's flow record if it is one of the tests'.
    pub fn arrived(&self, flow: &FlowRecord) -> bool {
        let ours = flow.orig_port == ADDRESS.port() && IpAddr::from(flow.orig_addr) == ADDRESS.ip();
        if ours {
            // A full queue means that somebody floods the address; the test that is running will say so.
            let _flooded = self.arrivals.try_send(*flow);
        }
        ours
    }

    /// What keeps the agent from being ready; `None` while tests pass.
    pub fn failure(&self) -> Option<String> {
        let state = self.state.lock();
        match (&state.failure, state.passed) {
            (Some(failure), _) => Some(format!("self-test: {failure}")),
            (None, Some(passed)) if passed.elapsed() < FRESH => None,
            (None, Some(_)) => Some("self-test: the last pass is too long ago".to_owned()),
            (None, None) => Some("self-test: not passed yet".to_owned()),
        }
    }

    /// How many tests have passed and failed.
    pub fn counts(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.passes, state.failures)
    }

    /// Tests again and again, for ever; `note` is told each result.
    pub async fn run(&self, note: impl Fn(bool)) {
        let mut arrivals = self.receiver.lock().await;
        loop {
            let result = test(&mut arrivals).await;
            let pause = if result.is_ok() { INTERVAL } else { RETRY };
            note(result.is_ok());
            self.note(result);
            tokio::time::sleep(pause).await;
        }
    }

    fn note(&self, result: Result<(), Failure>) {
        let mut state = self.state.lock();
        match result {
            Ok(()) => {
                state.passes += 1;
                state.passed = Some(Instant::now());
                if state.failure.take().is_some() {
                    tracing::info!("the self-test passes again");
                }
            }
            Err(failure) => {
                state.failures += 1;
                let failure = failure.to_string();
                if state.failure.as_deref() != Some(&failure) {
                    tracing::error!(%failure, "the self-test fails");
                }
                state.failure = Some(failure);
            }
        }
    }
}

async fn test(arrivals: &mut mpsc::Receiver<FlowRecord>) -> Result<(), Failure> {
    while arrivals.try_recv().is_ok() {}
    let mut child = tokio::process::Command::new("/proc/self/exe")
        .arg(SUBCOMMAND)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(Failure::Start)?;
    let expected = child.id().unwrap_or_default();
    let mut others = None;
    let arrived = timeout(LIMIT, async {
        // The connection of an earlier test's child may come after its test was given up.
        while let Some(flow) = arrivals.recv().await {
            if flow.tgid == expected {
                return true;
            }
            others = Some(flow.tgid);
        }
        false
    })
    .await;
    // Its connection has arrived or never will.
    let _ended = child.kill().await;
    match (arrived, others) {
        (Ok(true), _) => Ok(()),
        (_, Some(arrived)) => Err(Failure::Misattributed { arrived, expected }),
        (_, None) => Err(Failure::Lost),
    }
}

/// The child: connects and ends.
///
/// # Errors
/// The connection was not accepted.
pub fn connect() -> io::Result<()> {
    TcpStream::connect_timeout(&ADDRESS, LIMIT).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_ready_until_passed_and_again_not_after_a_failure() {
        let test = SelfTest::default();
        assert!(test.failure().is_some());
        test.note(Ok(()));
        assert_eq!(test.failure(), None);
        test.note(Err(Failure::Lost));
        assert!(test.failure().is_some_and(|f| f.contains("did not arrive")));
        test.note(Ok(()));
        assert_eq!((test.failure(), test.counts()), (None, (2, 1)));
    }
}
