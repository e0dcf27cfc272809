//! One call of an SDK, and what must become of it in each of the ways it is made.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::sdk::{Run, Way};
use crate::provider::Served;
use crate::suite::stage::{Report, Stage, check_attribution, check_usage};

/// In the prompt of a call that a policy must block.
const CARD: &str = "4111 1111 1111 1111";

/// One call of an SDK.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    /// Its name among the SDK's cases.
    pub(super) name: &'static str,
    /// Command and options of the client program, but for the prompt.
    pub(super) arguments: &'static [&'static str],
    /// How the prompt begins: it decides what the stand-in answers.
    pub(super) prompt: &'static str,
    /// The provider on record.
    pub(super) provider: &'static str,
    /// The operation on record. Where a call makes several requests, the others have other operations.
    pub(super) operation: &'static str,
    /// Whether the answer is on record as a stream.
    pub(super) streamed: bool,
    /// The tokens on record.
    pub(super) tokens: Tokens,
    /// What the SDK raises where nothing is left of the budget; `None` where the operation costs no tokens.
    pub(super) over_budget: Option<Raised>,
    /// Requests that the SDK makes of a call before it gives up on a spent budget: one, unless nothing stops its retries.
    pub(super) attempts: usize,
    /// Answers of a conversation over WebSocket, each on record by itself after the handshake; `None` for other calls.
    pub(super) turns: Option<usize>,
    /// What the SDK raises where a policy blocks the prompt; `None` where the operation has no prompt.
    pub(super) blocked: Option<Raised>,
}

/// How the tokens on record compare with the stand-in's own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tokens {
    /// The provider told them, and so they are exact and the same.
    Told,
    /// The provider did not tell; the agent counted the same.
    Counted,
    /// The provider did not tell, and there is no rule to count by; the agent has an estimate.
    Estimated,
    /// None are on record.
    None,
}

/// An exception of an SDK.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raised {
    /// The class's name.
    pub(super) class: &'static str,
    /// The HTTP status it carries, or the code that a WebSocket was closed with; `None` for classes without one.
    pub(super) status: Option<u16>,
    /// The type of the error in the one `error` event that a conversation's end is told with.
    pub(super) event: Option<&'static str>,
}

impl Raised {
    /// One that carries an HTTP status.
    pub(super) const fn http(class: &'static str, status: u16) -> Self {
        Self {
            class,
            status: Some(status),
            event: None,
        }
    }
}

impl Case {
    /// The text by which the call is found in the stand-ins' log.
    fn mark(&self, sdk: &str) -> String {
        format!("({sdk}/{})", self.name)
    }

    /// Whether the call is made in this way.
    pub(super) fn goes(&self, way: Way) -> bool {
        match way {
            Way::Direct | Way::Allowed => true,
            Way::Spent => self.over_budget.is_some(),
            Way::Blocked => self.blocked.is_some(),
        }
    }

    /// The client's arguments.
    pub(super) fn arguments(&self, sdk: &str, way: Way) -> Vec<String> {
        let charge = if way == Way::Blocked {
            format!(", charge {CARD}")
        } else {
            String::new()
        };
        let prompt = format!("{}{charge} {}", self.prompt, self.mark(sdk));
        let arguments = self.arguments.iter().map(|argument| (*argument).to_owned());
        arguments.chain(["--prompt".to_owned(), prompt]).collect()
    }

    /// Checks that the agent changed nothing for the program, and that its record is what the stand-in knows.
    pub(super) async fn check_allowed(
        &self,
        sdk: &str,
        stage: &Stage,
        direct: &Run,
        allowed: &Run,
    ) -> Result<()> {
        let (without, with) = (direct.report(self)?, allowed.report(self)?);
        ensure!(without["error"].is_null(), "without the agent: {without}");
        ensure!(with["error"].is_null(), "through the agent: {with}");
        ensure!(
            with["answer"] == without["answer"] && with["usage"] == without["usage"],
            "the agent changed the answer\n    without: {without}\n    through: {with}"
        );
        let records = self
            .records(stage, allowed, with, self.turns.unwrap_or(1))
            .await?;
        for record in &records {
            let fields = record["verdict"] == "allowed" && record["streamed"] == self.streamed;
            ensure!(fields && record["error"].is_null(), "on record: {record}");
        }
        if self.tokens == Tokens::None {
            let told = records.iter().find(|record| !record["usage"].is_null());
            ensure!(told.is_none(), "tokens on record: {told:?}");
            return Ok(());
        }
        let served = self.served(sdk, stage, allowed)?;
        let mut pairs = records.iter().zip(&served);
        pairs.try_for_each(|(record, served)| self.check_tokens(record, served))
    }

    /// Checks the tokens on record against what the stand-in knows.
    fn check_tokens(&self, record: &Value, served: &Served) -> Result<()> {
        let certainty = if self.tokens == Tokens::Told {
            "exact"
        } else {
            "estimated"
        };
        ensure!(
            record["model"] == served.model.as_str() && record["usage"]["certainty"] == certainty,
            "expected {} and {certainty}, on record {record}",
            served.model
        );
        if self.tokens == Tokens::Estimated {
            return Ok(());
        }
        check_usage(record, served)
    }

    /// Checks that the call was refused: the provider did not see it, the SDK raised its own exception.
    pub(super) async fn check_refused(
        &self,
        sdk: &str,
        stage: &Stage,
        run: &Run,
        raised: Raised,
        reason: &str,
    ) -> Result<()> {
        let attempts = if reason == "budget" { self.attempts } else { 1 };
        let report = run.report(self)?;
        let error = &report["error"];
        ensure!(
            error["type"] == raised.class && raised.status.is_none_or(|status| error["status"] == status),
            "expected {raised:?}: {report}"
        );
        ensure!(
            !report.to_string().contains("4111"),
            "the refusal repeats the text"
        );
        if let Some(kind) = raised.event {
            let told = &report["answer"]["errors"];
            ensure!(
                told[0][0] == kind && told[1].is_null(),
                "expected {kind}: {report}"
            );
        }
        let mut got = stage.lab.log.of(&run.key, &self.mark(sdk));
        if self.turns.is_some() && reason == "budget" {
            // What is said costs nothing before an answer is asked for.
            got.retain(|served| served.usage().is_some());
        }
        ensure!(got.is_empty(), "the provider got the request: {got:?}");
        let records = self.records(stage, run, report, attempts).await?;
        let record = records.last().context("none")?;
        ensure!(
            record["verdict"] == "denied" && record["reason"] == reason && record["usage"].is_null(),
            "on record: {record}"
        );
        Ok(())
    }

    /// The one request of this run that reached the stand-in with the prompt, or those of a conversation that it answered.
    fn served(&self, sdk: &str, stage: &Stage, run: &Run) -> Result<Vec<Arc<Served>>> {
        let mut found = stage.lab.log.of(&run.key, &self.mark(sdk));
        if self.turns.is_some() {
            found.retain(|served| served.usage().is_some());
        }
        ensure!(
            found.len() == self.turns.unwrap_or(1),
            "{} requests reached the provider: {:?}",
            found.len(),
            found.iter().map(|served| &served.target).collect::<Vec<_>>()
        );
        Ok(found)
    }

    /// The exchanges on record of this operation, begun while the call lasted: so many, after a conversation's handshake.
    async fn records(
        &self,
        stage: &Stage,
        run: &Run,
        report: &Report,
        exchanges: usize,
    ) -> Result<Vec<Value>> {
        let handshakes = usize::from(self.turns.is_some());
        let wanted = handshakes + exchanges;
        let within = |record: &Value| {
            let time = record["time"].as_str().unwrap_or_default();
            let edge = |name: &str| report[name].as_str().unwrap_or_default();
            edge("began") <= time && time <= edge("ended")
        };
        let records = stage.agent().await.records();
        let found = records
            .exchanges_where(run.truth.pid, wanted, |record| {
                within(record) && record["operation"] == self.operation
            })
            .await;
        let mut found = found.or_else(|error| {
            let all = records.all()?;
            let of_call = all
                .iter()
                .filter(|record| within(record) && record["workload"]["pid"] == run.truth.pid)
                .map(|record| format!("{} {} {}", record["kind"], record["operation"], record["http"]));
            Err(error.context(format!("on record: {}", of_call.collect::<Vec<_>>().join("; "))))
        })?;
        ensure!(
            found.len() == wanted,
            "{} exchanges on record, expected {wanted}: {found:?}",
            found.len()
        );
        for record in &found {
            check_attribution(record, &run.truth)?;
            ensure!(record["provider"] == self.provider, "on record: {record}");
        }
        let exchanges = found.split_off(handshakes);
        let handshake = found.first();
        ensure!(
            handshake.is_none_or(|record| record["verdict"] == "allowed" && record["usage"].is_null()),
            "the handshake on record: {handshake:?}"
        );
        Ok(exchanges)
    }
}
