//! The ledger between two agents: the old one asks, the new one, which has the accounts, answers.

use std::sync::Arc;
use std::time::Duration;

use monitor_budget::{Adopted, Budget, Denied, DenyReason, Settlement, Successor};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::Lines;

/// How long the old agent waits for an answer. It is a worker thread that waits, with all of its connections; an answer takes
/// a tenth of a millisecond.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_000);

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ask {
    Reserve {
        budgets: Vec<Account>,
        tokens: u64,
    },
    Extend {
        keys: Vec<Arc<str>>,
        tokens: u64,
    },
    Settle {
        keys: Vec<Arc<str>>,
        held: u64,
        charge: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Account {
    key: Arc<str>,
    limit: u64,
    window_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Held,
    Settled { settled: u64, debt: u64 },
    Denied(Refusal),
}

#[derive(Debug, Serialize, Deserialize)]
struct Refusal {
    key: Arc<str>,
    reason: Reason,
    requested: u64,
    limit: u64,
    used: u64,
    reserved: u64,
    debt: u64,
    retry_after_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    Exhausted,
    LargerThanLimit,
    AccountsFull,
    KeyTooLong,
    Unreachable,
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self {
            key: denied.key,
            reason: match denied.reason {
                DenyReason::Exhausted => Reason::Exhausted,
                DenyReason::LargerThanLimit => Reason::LargerThanLimit,
                DenyReason::AccountsFull => Reason::AccountsFull,
                DenyReason::KeyTooLong => Reason::KeyTooLong,
                DenyReason::Unreachable => Reason::Unreachable,
            },
            requested: denied.requested,
            limit: denied.limit,
            used: denied.used,
            reserved: denied.reserved,
            debt: denied.debt,
            retry_after_ms: denied.retry_after_ms,
        }
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self {
            key: refusal.key,
            reason: match refusal.reason {
                Reason::Exhausted => DenyReason::Exhausted,
                Reason::LargerThanLimit => DenyReason::LargerThanLimit,
                Reason::AccountsFull => DenyReason::AccountsFull,
                Reason::KeyTooLong => DenyReason::KeyTooLong,
                Reason::Unreachable => DenyReason::Unreachable,
            },
            requested: refusal.requested,
            limit: refusal.limit,
            used: refusal.used,
            reserved: refusal.reserved,
            debt: refusal.debt,
            retry_after_ms: refusal.retry_after_ms,
        }
    }
}

/// The new agent's ledger, as the old one sees it. Once an answer has failed to come nothing more is asked: it could be taken for
/// the answer to another question.
pub(super) struct Remote {
    lines: Mutex<Option<Lines>>,
}

impl Remote {
    pub(super) fn new(lines: Lines) -> Self {
        Self {
            lines: Mutex::new(Some(lines)),
        }
    }

    fn ask(&self, ask: &Ask) -> Option<Answer> {
        let mut lines = self.lines.lock();
        let heard = lines.as_mut().map(|lines| {
            lines.say(ask)?;
            lines.hear(Some(ANSWER_WITHIN))
        })?;
        heard
            .inspect_err(|error| {
                tracing::error!(%error, "the agent that took over does not answer: budgets have no room here any more, and it charges in full what was open");
                *lines = None;
            })
            .ok()
    }

    fn hold(&self, ask: &Ask, tokens: u64, key: Option<Arc<str>>) -> Result<(), Denied> {
        match self.ask(ask) {
            Some(Answer::Held) => Ok(()),
            Some(Answer::Denied(refusal)) => Err(refusal.into()),
            Some(Answer::Settled { .. }) | None => Err(Denied {
                key: key.unwrap_or_default(),
                reason: DenyReason::Unreachable,
                requested: tokens,
                limit: 0,
                used: 0,
                reserved: 0,
                debt: 0,
                retry_after_ms: None,
            }),
        }
    }
}

impl Successor for Remote {
    fn reserve(&self, budgets: &[&Budget], tokens: u64) -> Result<(), Denied> {
        let accounts = budgets.iter().map(|budget| Account {
            key: budget.key.clone(),
            limit: budget.limit,
            window_ms: budget.window_ms,
        });
        let ask = Ask::Reserve {
            budgets: accounts.collect(),
            tokens,
        };
        self.hold(&ask, tokens, budgets.first().map(|budget| budget.key.clone()))
    }

    fn extend(&self, keys: &[Arc<str>], tokens: u64) -> Result<(), Denied> {
        let ask = Ask::Extend {
            keys: keys.to_vec(),
            tokens,
        };
        self.hold(&ask, tokens, keys.first().cloned())
    }

    fn settle(&self, keys: &[Arc<str>], held: u64, charge: u64) -> Settlement {
        let ask = Ask::Settle {
            keys: keys.to_vec(),
            held,
            charge,
        };
        match self.ask(&ask) {
            Some(Answer::Settled { settled, debt }) => Settlement { settled, debt },
            // Charged with what was held when the connection is seen to be gone.
            _ => Settlement {
                settled: held,
                debt: 0,
            },
        }
    }
}

/// Answers the old agent until it is gone.
pub(super) fn serve(mut lines: Lines, mut adopted: Adopted) {
    loop {
        let ask = match lines.hear(None) {
            Ok(ask) => ask,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => {
                tracing::error!(%error, "the agent before is not understood any more");
                break;
            }
        };
        if let Err(error) = lines.say(&answer(&mut adopted, ask)) {
            tracing::error!(%error, "the agent before cannot be answered any more");
            break;
        }
    }
    tracing::info!("the agent before has ended");
    // Dropping what it held charges the rest.
}

fn answer(adopted: &mut Adopted, ask: Ask) -> Answer {
    let held = |outcome: Result<(), Denied>| match outcome {
        Ok(()) => Answer::Held,
        Err(denied) => Answer::Denied(denied.into()),
    };
    match ask {
        Ask::Reserve { budgets, tokens } => {
            let budgets: Vec<Budget> = budgets
                .into_iter()
                .map(|account| Budget::new(account.key, account.limit, account.window_ms))
                .collect();
            held(adopted.reserve(&budgets.iter().collect::<Vec<_>>(), tokens))
        }
        Ask::Extend { keys, tokens } => held(adopted.extend(&keys, tokens)),
        Ask::Settle { keys, held, charge } => {
            let Settlement { settled, debt } = adopted.settle(&keys, held, charge);
            Answer::Settled { settled, debt }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use monitor_budget::{Certainty, Ledger, SystemClock};

    use super::*;

    #[test]
    fn an_agent_reserves_and_settles_over_the_connection() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock::new());
        let first = Ledger::open(dir.path(), clock.clone()).unwrap();
        let budget = Budget::new("k", 100, 3_600_000);
        let mut stream = first.reserve(&[&budget], 30).unwrap();
        let open = first.hand_over().unwrap();
        let (second, mut adopted) = Ledger::open_adopting(dir.path(), clock, open).unwrap();
        adopted.take_charge();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = std::thread::spawn(move || serve(Lines::new(theirs).unwrap(), adopted));
        first.succeed_by(Arc::new(Remote::new(Lines::new(ours).unwrap())));
        stream.extend(30).unwrap();
        let denied = stream.extend(41).unwrap_err();
        assert_eq!(
            (denied.reason, denied.limit, denied.reserved),
            (DenyReason::Exhausted, 100, 60)
        );
        assert_eq!(stream.settle(70, Certainty::Exact).settled, 70);
        let left = first.reserve(&[&budget], 20).unwrap();
        assert_eq!(second.account("k").unwrap().reserved, 20);
        // The old agent is killed.
        std::mem::forget(left);
        drop(first);
        // The reservation that was forgotten keeps the connection; a process would not.
        assert!(!server.is_finished());
    }

    #[test]
    fn without_an_answer_nothing_more_is_held() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let remote = Remote::new(Lines::new(ours).unwrap());
        let budget = Budget::new("k", 100, 3_600_000);
        assert_eq!(
            remote.reserve(&[&budget], 1).unwrap_err().reason,
            DenyReason::Unreachable
        );
        assert!(remote.extend(&["k".into()], 1).is_err());
        assert_eq!(remote.settle(&["k".into()], 5, 3).settled, 5);
    }
}
