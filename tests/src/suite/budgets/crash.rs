//! An agent that is killed again and again under load: nothing that was spent is forgotten, and nothing is charged twice. Each in a
//! lab of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::account::Account;
use crate::client::sdk_load::{End, Load, Made, Sdk};
use crate::lab::Lab;
use crate::lab::agent::{Agent, AgentConfig};
use crate::provider::Bill;
use crate::screen;
use crate::suite::runner::Test;
use crate::suite::stage::Stage;

/// Kills of each test. Hundreds of them are the ledger's own tests'.
const KILLS: usize = 5;

/// How long an agent lives between its kills.
const LIVES: Duration = Duration::from_millis(1_200);

/// Calls at once.
const PARALLEL: usize = 20;

/// A limit that is reached after some of the kills.
const LIMIT: u64 = 4_000;

/// Most that one call reserves: its prompt of at most 24 tokens, and 64 of output.
const RESERVED_TOKENS: u64 = 88;

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("crash::every_settlement_survives_and_none_is_twice", settlements),
        Test::new("crash::the_limit_holds_across_kills", limit),
    ]
}

/// A load that goes on while the agent is killed and started again.
struct Run {
    made: Made,
    bill: Bill,
    account: Account,
}

impl Run {
    /// On a budget of `limit` tokens. Closed without an agent: what passed unseen would be billed as well.
    async fn of(limit: u64) -> Result<Self> {
        let lab = Lab::up().await?;
        let rules =
            format!("on_agent_down: closed, budgets: [{{limit: {limit} tokens, window: 1h, per: workload}}]");
        let config = AgentConfig::new().policy("crash", "crash", &rules);
        let mut agent = Agent::start(&lab, "agent", config).await?;
        let trust = agent.trust(&lab)?;
        let load = Load::new(Sdk::OpenAi, "crash", PARALLEL).with(&[
            "--until-told",
            "--pause",
            "0.05",
            "--max-tokens",
            "64",
            "--retries",
            "0",
            "--header",
            "x-lab-delay-ms=150",
        ]);
        let running = load.start(&lab, &trust).await?;
        lab.log.wait_for("(crash ", PARALLEL).await?;
        let mut slowest = Duration::ZERO;
        for _ in 0..KILLS {
            tokio::time::sleep(LIVES).await;
            agent.kill().await?;
            let began = Instant::now();
            agent.restart().await?;
            slowest = slowest.max(began.elapsed());
        }
        tokio::time::sleep(LIVES).await;
        let made = running.stop().await?;
        lab.log.wait_for_ends("(crash ").await?;
        let run = Self {
            made,
            bill: lab.log.bill("(crash "),
            account: Account::at_rest(&agent, "/crash").await?,
        };
        screen::line(&format!(
            "    limit {limit}, {KILLS} kills: billed {} for {} answers, settled {}, owed {}; {} whole, {} refused, {} failed; \
             ready again after at most {} ms",
            run.bill.tokens(),
            run.bill.requests,
            run.account.settled,
            run.account.debt,
            run.made.count(End::Whole),
            run.made.count(End::Refused),
            run.made.count(End::Failed),
            slowest.as_millis(),
        ));
        run.account.check()?;
        agent.stop().await?;
        Ok(run)
    }
}

async fn settlements(_: Arc<Stage>) -> Result<()> {
    let run = Run::of(10_000_000).await?;
    ensure!(
        run.made.count(End::Failed) > 0 && run.made.count(End::Refused) == 0,
        "no call met a kill, or one was refused"
    );
    // What was open at a kill is charged in full, as if it had been spent: calls that the provider knows and nobody got an answer of,
    // and as many as run at once that had not been passed on yet. Less than the bill, or a second charge of it would not show.
    let lost = run
        .bill
        .requests
        .saturating_sub(run.made.count(End::Whole) as u64);
    let open = (lost + PARALLEL as u64) * RESERVED_TOKENS;
    ensure!(
        open < run.bill.tokens(),
        "{open} tokens may have been open, {} are billed: the run shows nothing",
        run.bill.tokens()
    );
    let (charged, billed) = (run.account.charged(), run.bill.tokens());
    ensure!(
        charged >= billed && charged <= billed + open,
        "{charged} tokens are charged, {billed} are billed, at most {open} were open at kills"
    );
    Ok(())
}

async fn limit(_: Arc<Stage>) -> Result<()> {
    let run = Run::of(LIMIT).await?;
    ensure!(
        run.made.count(End::Refused) > 0,
        "the limit was not reached: the run shows nothing"
    );
    ensure!(
        run.bill.tokens() <= LIMIT,
        "the provider bills {} of {LIMIT} tokens",
        run.bill.tokens()
    );
    Ok(())
}
