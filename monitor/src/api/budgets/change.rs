//! Budgets changed by hand: another limit until a moment, a reset.
//!
//! 1. Who asks is the kernel's word on the peer; only root and the agent's own user may change anything.
//! 2. What is asked for is checked against the budget: its unit, a limit that lets something pass, an end that comes.
//! 3. The ledger carries it out, with a row in its audit. 4. What became of it is recorded as an event, also a refusal.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use monitor_budget::{AuditEntry, Change, ChangeError, MAX_AMOUNT, Override};
use serde::Deserialize;
use serde_json::json;

use super::account::Account;
use super::history::Row;
use super::{bad_key, find, is_asked_for};
use crate::api::Sources;
use crate::api::peer::Peer;
use crate::api::routes::Refused;
use crate::event::{Audit, AuditActor, AuditOutcome, Event, ShortText};
use crate::identity::login_uid;

/// Longest override, a year with its leap day: what is meant to stay belongs into the configuration.
const MAX_OVERRIDE_MS: u64 = 366 * 86_400_000;
/// Rows of the audit that are looked through for the one just written: more than changes at the same moment.
const ROWS_OF_A_MOMENT: usize = 16;

type Key = Result<Path<String>, PathRejection>;

/// The override that is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// In the unit beside it.
    limit: u64,
    unit: String,
    /// RFC 3339.
    until: String,
}

pub(super) async fn put_override(
    State(sources): State<Arc<Sources>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    key: Key,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Result<Response, Refused> {
    let asked = Asked::new(&sources, peer, Change::Override, key)?;
    match wanted {
        Ok(Json(wanted)) => asked.carry_out(Some(wanted)).await,
        Err(rejection) => Err(asked.fail(Refused(StatusCode::BAD_REQUEST, rejection.body_text()))),
    }
}

pub(super) async fn delete_override(
    State(sources): State<Arc<Sources>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    key: Key,
) -> Result<Response, Refused> {
    let asked = Asked::new(&sources, peer, Change::OverrideRemoved, key)?;
    asked.carry_out(None).await
}

pub(super) async fn post_reset(
    State(sources): State<Arc<Sources>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    key: Key,
) -> Result<Response, Refused> {
    let asked = Asked::new(&sources, peer, Change::Reset, key)?;
    asked.carry_out(None).await
}

/// A change that may be made.
struct Asked {
    sources: Arc<Sources>,
    actor: AuditActor,
    change: Change,
    key: String,
}

impl Asked {
    /// # Errors
    /// 403, on record, where the peer may not change budgets; 400 where the key is not readable.
    fn new(sources: &Arc<Sources>, peer: Peer, change: Change, key: Key) -> Result<Self, Refused> {
        let asked = Self {
            sources: sources.clone(),
            actor: actor(sources, peer),
            change,
            key: key.map_err(bad_key)?.0,
        };
        if peer.may_change() {
            return Ok(asked);
        }
        let message = format!(
            "user {} may look at budgets and not change them: ask as root",
            peer.uid
        );
        tracing::warn!(
            uid = peer.uid,
            change = change.name(),
            "local API: refused to change a budget"
        );
        sources.metrics.api_refused.inc();
        asked.note(AuditOutcome::Denied, &message);
        Err(Refused(StatusCode::FORBIDDEN, message))
    }

    /// Carries it out on a thread that may wait: for the journal, and for accounts that change hands.
    async fn carry_out(self, wanted: Option<Wanted>) -> Result<Response, Refused> {
        let task = tokio::task::spawn_blocking(move || match self.apply(wanted) {
            Ok(changed) => Ok(changed),
            Err(refused) => Err(self.fail(refused)),
        });
        let failed = |error: tokio::task::JoinError| {
            Refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("the change broke off: {error}"),
            )
        };
        task.await.map_err(failed)?
    }

    fn apply(&self, wanted: Option<Wanted>) -> Result<Response, Refused> {
        let ledger = &self.sources.ledger;
        let account = match ledger.account(&self.key) {
            Some(account) => account,
            None => self.open()?,
        };
        let wanted = wanted
            .map(|wanted| wanted.check(account.unit, self.sources.clock.now_ms()))
            .transpose()?;
        let by = describe(&self.actor);
        let changed = match self.change {
            Change::Reset => ledger.reset(&self.key, &by),
            Change::Override | Change::OverrideRemoved => ledger.set_override(&self.key, wanted, &by),
        };
        let state = changed.map_err(|error| match error {
            ChangeError::HandedOver => Refused(StatusCode::CONFLICT, error.to_string()),
            error => Refused(StatusCode::NOT_FOUND, error.to_string()),
        })?;
        let row = self.row(&by);
        let mut event = self.audit(AuditOutcome::Done, None);
        event.budget = state.key.clone();
        event.unit = Some(state.unit);
        event.before = row.as_ref().map(|row| row.before);
        event.after = row.as_ref().map(|row| row.after);
        self.sources.recorder.send(Event::Audit(event.into()));
        let change = row.map(Row::from);
        Ok(Json(json!({"change": change, "budget": Account::from(state)})).into_response())
    }

    /// Opens the account of a budget that was not used yet.
    fn open(&self) -> Result<monitor_budget::AccountState, Refused> {
        let budget = (self.sources.budget_of)(&self.key).filter(|_| is_asked_for(&self.sources, &self.key));
        let Some(budget) = budget else {
            let accounts = self.sources.ledger.snapshot();
            let keys: Vec<_> = accounts.into_iter().map(|account| account.key).collect();
            return Err(find::unknown(&self.key, &keys));
        };
        let opened = self.sources.ledger.open_account(&budget);
        opened.map_err(|denied| Refused(StatusCode::CONFLICT, denied.to_string()))
    }

    /// The row of the ledger's audit about this change. Without it the change is made all the same.
    fn row(&self, by: &str) -> Option<AuditEntry> {
        match self.sources.ledger.audit(Some(&self.key), ROWS_OF_A_MOMENT) {
            Ok(rows) => rows
                .into_iter()
                .find(|row| row.change == self.change && row.by == by),
            Err(error) => {
                tracing::error!(%error, "the ledger's audit cannot be read");
                None
            }
        }
    }

    /// Puts a failure on record.
    fn fail(&self, refused: Refused) -> Refused {
        self.note(AuditOutcome::Failed, &refused.1);
        refused
    }

    fn note(&self, outcome: AuditOutcome, reason: &str) {
        let audit = self.audit(outcome, Some(ShortText::new(reason)));
        self.sources.recorder.send(Event::Audit(audit.into()));
    }

    fn audit(&self, outcome: AuditOutcome, reason: Option<ShortText>) -> Audit {
        Audit {
            at_ms: self.sources.clock.now_ms(),
            change: self.change,
            outcome,
            reason,
            actor: self.actor.clone(),
            budget: ShortText::new(&self.key).as_str().into(),
            unit: None,
            before: None,
            after: None,
        }
    }
}

impl Wanted {
    /// The override, if it is one of a budget of this unit, at this time.
    fn check(self, unit: monitor_budget::Unit, now_ms: u64) -> Result<Override, Refused> {
        let bad = |message: String| Err(Refused(StatusCode::BAD_REQUEST, message));
        if self.unit != unit.name() {
            return bad(format!(
                "the budget counts {}, and the limit is in `{}`",
                unit.name(),
                self.unit
            ));
        }
        if self.limit == 0 {
            return bad(
                "a limit of 0 lets nothing pass; to refuse models or operations, say so in the policy"
                    .to_owned(),
            );
        }
        if self.limit > MAX_AMOUNT {
            return bad(format!(
                "a limit of {} is more than the ledger counts, {MAX_AMOUNT}",
                self.limit
            ));
        }
        let Some(until_ms) = until_ms(&self.until) else {
            return bad(format!(
                "`{}` is no time; write it as in 2026-12-01T00:00:00Z",
                ShortText::new(&self.until).as_str()
            ));
        };
        if until_ms <= now_ms {
            return bad("the override would have ended already; its end must be in the future".to_owned());
        }
        if until_ms - now_ms > MAX_OVERRIDE_MS {
            return bad(
                "an override ends within a year; a limit that is meant to stay belongs into the configuration"
                    .to_owned(),
            );
        }
        Ok(Override {
            limit: self.limit,
            until_ms,
        })
    }
}

fn until_ms(text: &str) -> Option<u64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}

fn actor(sources: &Sources, peer: Peer) -> AuditActor {
    AuditActor {
        uid: peer.uid,
        login_uid: peer.pid.and_then(login_uid),
        pid: peer.pid,
        workload: peer.pid.map(|pid| (sources.identify)(pid, peer.uid)),
    }
}

/// An actor as a row of the ledger's audit has it: `uid 0 (root), login uid 1001, pid 4711 /usr/bin/weir in session-3.scope`. Names that a
/// process chooses come last, so that they can cut off nothing.
fn describe(actor: &AuditActor) -> String {
    let workload = actor.workload.as_deref();
    let mut by = format!("uid {}", actor.uid);
    if let Some(name) = workload.and_then(|workload| workload.user.as_deref()) {
        by.push_str(&format!(" ({name})"));
    }
    if let Some(login) = actor.login_uid {
        by.push_str(&format!(", login uid {login}"));
    }
    if let Some(pid) = actor.pid {
        by.push_str(&format!(", pid {pid}"));
    }
    let exe = workload.and_then(|workload| workload.exe.as_deref());
    if let Some(exe) = exe {
        by.push_str(&format!(" {}", ShortText::new(exe).as_str()));
    }
    by.truncate(by.floor_char_boundary(monitor_budget::MAX_BY_BYTES));
    by
}

#[cfg(test)]
mod tests {
    use monitor_budget::Unit;

    use super::*;
    use crate::event::samples;

    fn check(limit: u64, unit: &str, until: &str) -> Result<Override, String> {
        let wanted = Wanted {
            limit,
            unit: unit.to_owned(),
            until: until.to_owned(),
        };
        wanted
            .check(Unit::Tokens, samples::MIDNIGHT_MS)
            .map_err(|refused| refused.1)
    }

    #[test]
    fn an_override_has_a_limit_that_counts_and_an_end() {
        let hour_ms = 3_600_000;
        assert_eq!(
            check(5, "tokens", "2024-12-08T01:00:00Z"),
            Ok(Override {
                limit: 5,
                until_ms: samples::MIDNIGHT_MS + hour_ms
            })
        );
        for (limit, unit, until, says) in [
            (5, "micro_usd", "2024-12-08T01:00:00Z", "counts tokens"),
            (0, "tokens", "2024-12-08T01:00:00Z", "lets nothing pass"),
            (u64::MAX, "tokens", "2024-12-08T01:00:00Z", "more than the ledger"),
            (5, "tokens", "2024-12-08T00:00:00Z", "in the future"),
            (5, "tokens", "2026-12-08T00:00:00Z", "into the configuration"),
            (5, "tokens", "tomorrow", "is no time"),
            (5, "tokens", "-000001-12-08T00:00:00Z", "is no time"),
        ] {
            let said = check(limit, unit, until).unwrap_err();
            assert!(said.contains(says), "{limit} {unit} {until}: {said}");
        }
    }

    #[test]
    fn who_asked_fits_a_row() {
        let mut actor = samples::audit().actor;
        assert_eq!(
            describe(&actor),
            "uid 0 (bot), login uid 1001, pid 4711 /usr/bin/python3.11"
        );
        let mut long = crate::identity::Workload::clone(&samples::workload());
        (long.exe, long.user) = (Some("é".repeat(4_096)), None);
        actor.workload = Some(long.into());
        let by = describe(&actor);
        assert!(
            by.len() <= monitor_budget::MAX_BY_BYTES && by.starts_with("uid 0, login uid 1001, pid 4711 é")
        );
    }
}
