//! The agent's side: an account as its API shows it, and what its records say was charged.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::lab::agent::Agent;

/// How long settlements may take to reach the ledger after the last answer.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);

/// One account of the ledger, in the units of its budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) limit: u64,
    pub(super) settled: u64,
    pub(super) reserved: u64,
    pub(super) debt: u64,
    pub(super) peak: u64,
}

impl Account {
    /// The one account whose key ends in `end`.
    pub(super) async fn of(agent: &Agent, end: &str) -> Result<Self> {
        let found = Self::all(agent, end).await?;
        ensure!(found.len() == 1, "{} accounts of `{end}`: {found:?}", found.len());
        found.into_iter().next().context("none")
    }

    /// All accounts whose key ends in `end`.
    pub(super) async fn all(agent: &Agent, end: &str) -> Result<Vec<Self>> {
        let answer = agent.get("/v1/budgets").await?;
        let accounts = answer["budgets"].as_array().into_iter().flatten();
        let accounts =
            accounts.filter(|account| account["key"].as_str().is_some_and(|key| key.ends_with(end)));
        accounts.map(Self::read).collect()
    }

    /// The one account whose key ends in `end`, once nothing is reserved.
    pub(super) async fn at_rest(agent: &Agent, end: &str) -> Result<Self> {
        let deadline = Instant::now() + SETTLED_WITHIN;
        loop {
            let account = Self::of(agent, end).await?;
            if account.reserved == 0 {
                return Ok(account);
            }
            ensure!(
                Instant::now() < deadline,
                "{account:?} still has reservations after {SETTLED_WITHIN:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn read(account: &Value) -> Result<Self> {
        let figure = |name: &str| {
            let figure = account[name].as_u64();
            figure.with_context(|| format!("no {name} in {account}"))
        };
        Ok(Self {
            limit: figure("limit")?,
            settled: figure("settled")?,
            reserved: figure("reserved")?,
            debt: figure("debt")?,
            peak: figure("peak_outstanding")?,
        })
    }

    /// What has been charged and has not left the window.
    pub(super) fn charged(&self) -> u64 {
        self.settled + self.debt
    }

    /// Fails where the limit has ever been passed by what was settled and reserved.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(
            self.peak <= self.limit && self.settled + self.reserved <= self.limit,
            "the limit was passed: {self:?}"
        );
        Ok(())
    }
}

/// Sums over the exchanges of one workload on record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Charges {
    pub(super) exchanges: usize,
    pub(super) denied: usize,
    pub(super) cut: usize,
    /// What found room, by the first budget of each exchange.
    pub(super) settled: u64,
    /// What did not and is owed.
    pub(super) debt: u64,
}

impl Charges {
    /// Of the workloads in the cgroup `name`, once there are at least `count` exchanges.
    pub(super) async fn of(agent: &Agent, name: &str, count: usize) -> Result<Self> {
        let mut charges = Self::default();
        for exchange in agent.records().exchanges_in(name, count).await? {
            charges.exchanges += 1;
            charges.denied += usize::from(exchange["verdict"] == "denied");
            charges.cut += usize::from(exchange["verdict"] == "cut");
            let charge = |name: &str| exchange["budgets"][0][name].as_u64().unwrap_or_default();
            charges.settled += charge("settled");
            charges.debt += charge("debt");
        }
        Ok(charges)
    }

    /// Settled and owed.
    pub(super) fn charged(&self) -> u64 {
        self.settled + self.debt
    }
}
