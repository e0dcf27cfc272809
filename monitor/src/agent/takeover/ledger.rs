//! The ledger between two agents: the old one asks, the new one, which has the accounts, answers.

use std::sync::Arc;
use std::time::Duration;

use monitor_budget::{
    Adopted, Budget, Charge, Denied, DenyReason, Ending, Scope, Settlement, Spend, Successor, Unit, Window,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::Lines;

/// How long the old agent waits for an answer. It is a worker thread that waits, with all of its connections; an answer takes
/// a tenth of a millisecond.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_000);

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ask {
    Reserve { budgets: Vec<Account>, spend: Cost },
    Extend { amounts: Vec<(Arc<str>, u64)> },
    Settle { endings: Vec<End> },
}

#[derive(Debug, Serialize, Deserialize)]
struct Account {
    key: Arc<str>,
    limit: u64,
    unit: String,
    window: String,
    alert_at: Arc<[u8]>,
    scope: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Cost {
    input: u64,
    output: u64,
    cache: u64,
    micro_usd: u64,
    requests: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct End {
    key: Arc<str>,
    held: u64,
    charge: u64,
}

impl From<&Budget> for Account {
    fn from(budget: &Budget) -> Self {
        Self {
            key: budget.key.clone(),
            limit: budget.limit,
            unit: budget.unit.name().to_owned(),
            window: budget.window.to_string(),
            alert_at: budget.alert_at.clone(),
            scope: budget.scope.name().to_owned(),
        }
    }
}

impl Account {
    /// `None` where the other agent has a unit, a window or a scope that is not known here.
    fn budget(self) -> Option<Budget> {
        let (unit, window) = (Unit::parse(&self.unit)?, Window::parse(&self.window)?);
        let scope = Scope::parse(&self.scope)?;
        Some(Budget {
            alert_at: self.alert_at,
            scope,
            ..Budget::new(self.key, self.limit, unit, window)
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Held,
    Settled { charges: Vec<(u64, u64)> },
    Denied(Refusal),
}

#[derive(Debug, Serialize, Deserialize)]
struct Refusal {
    key: Arc<str>,
    reason: Reason,
    unit: String,
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
    NeedsLease,
    StoreLost,
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
                DenyReason::NeedsLease => Reason::NeedsLease,
                DenyReason::StoreLost => Reason::StoreLost,
            },
            unit: denied.unit.name().to_owned(),
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
                Reason::NeedsLease => DenyReason::NeedsLease,
                Reason::StoreLost => DenyReason::StoreLost,
            },
            unit: Unit::parse(&refusal.unit).unwrap_or_default(),
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

    fn hold(&self, ask: &Ask, asked: Asked) -> Result<(), Denied> {
        match self.ask(ask) {
            Some(Answer::Held) => Ok(()),
            Some(Answer::Denied(refusal)) => Err(refusal.into()),
            Some(Answer::Settled { .. }) | None => Err(Denied {
                key: asked.key,
                reason: DenyReason::Unreachable,
                unit: asked.unit,
                requested: asked.amount,
                limit: 0,
                used: 0,
                reserved: 0,
                debt: 0,
                retry_after_ms: None,
            }),
        }
    }
}

/// What a refusal names when nobody answers.
#[derive(Default)]
struct Asked {
    key: Arc<str>,
    unit: Unit,
    amount: u64,
}

impl Successor for Remote {
    fn reserve(&self, budgets: &[&Budget], spend: &Spend) -> Result<(), Denied> {
        let ask = Ask::Reserve {
            budgets: budgets.iter().copied().map(Account::from).collect(),
            spend: Cost {
                input: spend.input,
                output: spend.output,
                cache: spend.cache,
                micro_usd: spend.micro_usd,
                requests: spend.requests,
            },
        };
        let first = budgets.first().map(|budget| Asked {
            key: budget.key.clone(),
            unit: budget.unit,
            amount: budget.unit.of(spend),
        });
        self.hold(&ask, first.unwrap_or_default())
    }

    fn extend(&self, amounts: &[(Arc<str>, u64)]) -> Result<(), Denied> {
        let ask = Ask::Extend {
            amounts: amounts.to_vec(),
        };
        let first = amounts.first().map(|(key, amount)| Asked {
            key: key.clone(),
            amount: *amount,
            ..Asked::default()
        });
        self.hold(&ask, first.unwrap_or_default())
    }

    fn settle(&self, endings: &[Ending]) -> Settlement {
        let ask = Ask::Settle {
            endings: endings
                .iter()
                .map(|ending| End {
                    key: ending.key.clone(),
                    held: ending.held,
                    charge: ending.charge,
                })
                .collect(),
        };
        let charges: Vec<(u64, u64)> = match self.ask(&ask) {
            Some(Answer::Settled { charges }) => charges,
            // Charged with what was held when the connection is seen to be gone.
            _ => endings.iter().map(|ending| (ending.held, 0)).collect(),
        };
        let charge = |(settled, debt)| Charge { settled, debt };
        Settlement(charges.into_iter().map(charge).collect())
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
        Ask::Reserve { budgets, spend } => {
            let first = budgets.first().map(|account| account.key.clone());
            let known: Option<Vec<Budget>> = budgets.into_iter().map(Account::budget).collect();
            let Some(budgets) = known else {
                return Answer::Denied(unknown(first).into());
            };
            let spend = Spend {
                input: spend.input,
                output: spend.output,
                cache: spend.cache,
                micro_usd: spend.micro_usd,
                requests: spend.requests,
            };
            held(adopted.reserve(&budgets.iter().collect::<Vec<_>>(), &spend))
        }
        Ask::Extend { amounts } => held(adopted.extend(&amounts)),
        Ask::Settle { endings } => {
            let endings: Vec<_> = endings
                .into_iter()
                .map(|End { key, held, charge }| Ending { key, held, charge })
                .collect();
            let charges = adopted.settle(&endings).0;
            Answer::Settled {
                charges: charges
                    .iter()
                    .map(|charge| (charge.settled, charge.debt))
                    .collect(),
            }
        }
    }
}

/// The refusal of a budget that this agent cannot keep.
fn unknown(key: Option<Arc<str>>) -> Denied {
    Denied {
        key: key.unwrap_or_default(),
        reason: DenyReason::Unreachable,
        unit: Unit::default(),
        requested: 0,
        limit: 0,
        used: 0,
        reserved: 0,
        debt: 0,
        retry_after_ms: None,
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
        let budget = Budget::tokens("k", 100, 3_600_000);
        let mut stream = first.reserve(&[&budget], &Spend::request(30, 0)).unwrap();
        let open = first.hand_over().unwrap();
        let (second, mut adopted) = Ledger::open_adopting(dir.path(), clock, open).unwrap();
        adopted.take_charge();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = std::thread::spawn(move || serve(Lines::new(theirs).unwrap(), adopted));
        first.succeed_by(Arc::new(Remote::new(Lines::new(ours).unwrap())));
        stream.cover(&Spend::request(60, 0)).unwrap();
        let denied = stream.cover(&Spend::request(101, 0)).unwrap_err();
        assert_eq!(
            (denied.reason, denied.limit, denied.reserved),
            (DenyReason::Exhausted, 100, 60)
        );
        assert_eq!(
            stream.settle(&Spend::request(70, 0), Certainty::Exact).0[0].settled,
            70
        );
        let left = first.reserve(&[&budget], &Spend::request(20, 0)).unwrap();
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
        let budget = Budget::tokens("k", 100, 3_600_000);
        assert_eq!(
            remote
                .reserve(&[&budget], &Spend::request(1, 0))
                .unwrap_err()
                .reason,
            DenyReason::Unreachable
        );
        assert!(remote.extend(&[("k".into(), 1)]).is_err());
        let ending = Ending {
            key: "k".into(),
            held: 5,
            charge: 3,
        };
        assert_eq!(remote.settle(&[ending]).0[0].settled, 5);
    }
}
