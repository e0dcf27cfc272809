//! What the three sides say of one run: the agent's records and API, the stand-ins' log, the launcher.

use std::process::Output;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{CARD, is_the_page};
use crate::client::replay::Heard;
use crate::lab::Lab;
use crate::lab::address::ORDINARY;
use crate::lab::agent::Agent;
use crate::lab::workload::Truth;
use crate::provider::{Served, log_contains, tokens};

/// All that was measured.
pub(super) struct Told {
    /// Exchanges on record, each with what the provider counted and who made it.
    pub(super) exchanges: Vec<Seen>,
    /// The workloads as their launcher knew them.
    pub(super) truth: Vec<Truth>,
    /// The research agent's account.
    pub(super) budget: Budget,
    /// Whether any provider received the card number.
    pub(super) card_reached_provider: bool,
    /// What the billing script got.
    pub(super) billing_answer: String,
    /// What the research agent's SDK reported.
    pub(super) research_report: Value,
    /// Whether the ordinary page came as it is.
    pub(super) identical: bool,
    /// Whether the ordinary site showed its own certificate.
    pub(super) own_certificate: bool,
}

/// An exchange and its other sides.
pub(super) struct Seen {
    /// The agent's record.
    pub(super) record: Value,
    /// The provider's own count: input and output.
    pub(super) upstream: (u64, u64),
    /// Who it was.
    pub(super) truth: Truth,
}

/// An account of the ledger.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) limit: u64,
    pub(super) settled: u64,
    pub(super) peak_outstanding: u64,
}

impl Told {
    /// Asks all sides.
    pub(super) async fn gather(
        lab: &Lab,
        agent: &Agent,
        outputs: &[(Truth, Output); 3],
        ordinary: &Heard,
    ) -> Result<Self> {
        let prompts = [
            "what a weir does to a river",
            "history of flow measurement",
            "to the customer who paid",
        ];
        let mut exchanges = Vec::new();
        for ((truth, _), prompt) in outputs.iter().zip(prompts) {
            let records = agent.records().exchanges_of(truth.pid, 1).await?;
            let served = lab.log.containing(prompt);
            for (record, served) in records.into_iter().zip(served) {
                let upstream = counted(&record, &served)
                    .with_context(|| format!("{}: no count of the provider's", truth.name))?;
                exchanges.push(Seen {
                    record,
                    upstream,
                    truth: truth.clone(),
                });
            }
        }
        let report = outputs
            .get(1)
            .map(|(_, output)| output.stdout.as_slice())
            .unwrap_or_default();
        let billing = outputs
            .get(2)
            .map(|(_, output)| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default();
        let own = lab.authority.leaf(ORDINARY.name).map(|leaf| leaf.as_ref());
        Ok(Self {
            exchanges,
            truth: outputs.iter().map(|(truth, _)| truth.clone()).collect(),
            budget: Budget::of(agent, "research-agent").await?,
            card_reached_provider: card_in(&lab.log.served()),
            billing_answer: billing,
            research_report: serde_json::from_slice(report).context("the research agent reported nothing")?,
            identical: is_the_page(ordinary),
            own_certificate: own.is_some() && ordinary.certificate.as_deref() == own,
        })
    }

    /// The JSON of the demo.
    pub(super) fn json(&self) -> Value {
        let exchanges: Vec<Value> = self
            .exchanges
            .iter()
            .map(|seen| {
                let record = &seen.record;
                let workload = &record["workload"];
                json!({
                    "workload": {
                        "pid": workload["pid"], "uid": workload["uid"], "exe": workload["exe"],
                        "cgroup": workload["cgroup"], "netns": workload["netns"],
                    },
                    "attribution": record["attribution"],
                    "provider": record["provider"],
                    "model": record["model"],
                    "operation": record["operation"],
                    "usage": {"input": record["usage"]["input"], "output": record["usage"]["output"]},
                    "upstream_usage": {"input": seen.upstream.0, "output": seen.upstream.1},
                    "verdict": record["verdict"],
                })
            })
            .collect();
        json!({
            "exchanges": exchanges,
            "truth": self.truth,
            "budget": {
                "limit": self.budget.limit, "settled": self.budget.settled, "peak_outstanding": self.budget.peak_outstanding,
            },
            "redaction": {"reached_provider": self.card_reached_provider},
            "passthrough": {"identical": self.identical, "own_certificate": self.own_certificate},
        })
    }
}

impl Budget {
    async fn of(agent: &Agent, workload: &str) -> Result<Self> {
        let budgets = agent.get("/v1/budgets").await?;
        let account = budgets["budgets"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|account| account["key"].as_str().is_some_and(|key| key.ends_with(workload)))
            .with_context(|| format!("no account of {workload} in {budgets}"))?;
        let number = |name: &str| {
            account[name]
                .as_u64()
                .with_context(|| format!("no {name} in {account}"))
        };
        Ok(Self {
            limit: number("limit")?,
            settled: number("settled")?,
            peak_outstanding: number("peak_outstanding")?,
        })
    }
}

/// The provider's count of an exchange: of a whole answer what it told, of one that was cut what it had sent by then.
fn counted(record: &Value, served: &Arc<Served>) -> Option<(u64, u64)> {
    let (input, output) = served.usage()?;
    let output = if record["verdict"] == "cut" {
        tokens(&served.model, &served.sent_text())
    } else {
        output
    };
    Some((input, output))
}

fn card_in(served: &[Arc<Served>]) -> bool {
    let digits: String = CARD.split(' ').collect();
    served.iter().any(|served| {
        log_contains(&served.body, CARD.as_bytes()) || log_contains(&served.body, digits.as_bytes())
    })
}
