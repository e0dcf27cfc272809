//! Five hundred calls at once on one budget, again and again: what the providers bill against the limit.

use std::sync::Arc;

use anyhow::{Result, ensure};

use super::account::{Account, Charges};
use crate::client::sdk_load::{End, Load, Made, Sdk};
use crate::lab::agent::AgentConfig;
use crate::provider::Bill;
use crate::screen;
use crate::suite::runner::Test;
use crate::suite::stage::Stage;

/// Calls at once.
const CALLS: usize = 500;

/// The limit of every workload here, an eighth of what its calls would cost.
const LIMIT: u64 = 4_000;

/// Runs where the limit holds for the provider itself. What could go wrong is a race: one run shows little.
const RUNS: usize = 20;

/// Runs of the other kinds.
const FEWER_RUNS: usize = 5;

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("exact::streams_that_reserve_in_full_stay_within_the_limit", full),
        Test::new("exact::whole_answers_stay_within_the_limit", whole),
        Test::new("exact::streams_are_cut_at_the_limit", |stage| {
            sliced(stage, Sdk::OpenAi, "exact-sliced")
        }),
        Test::new("exact::anthropic_streams_are_cut_at_the_limit", |stage| {
            sliced(stage, Sdk::Anthropic, "exact-anthropic")
        }),
    ]
}

pub(super) fn policies(config: AgentConfig) -> AgentConfig {
    let budget = format!("budgets: [{{limit: {LIMIT} tokens, window: 1h, per: workload}}]");
    let full = format!("budgets: [{{limit: {LIMIT} tokens, window: 1h, per: workload, reserve: full}}]");
    config
        .policy("exact", "exact-*", &budget)
        .policy("full", "full-*", &full)
}

/// One run: what the program saw, what the provider bills, what the agent has on record.
struct Run {
    made: Made,
    bill: Bill,
    charges: Charges,
    account: Account,
}

impl Run {
    async fn of(stage: &Stage, load: Load) -> Result<Self> {
        let made = load.run(&stage.lab, &stage.trust).await?;
        made.check()?;
        let agent = stage.agent().await;
        let account = Account::at_rest(&agent, &made.tag).await?;
        let charges = Charges::of(&agent, &made.tag, made.calls.len()).await?;
        let bill = stage.lab.log.bill(&made.tag);
        Ok(Self {
            made,
            bill,
            charges,
            account,
        })
    }

    fn show(&self) {
        screen::line(&format!(
            "    {}: limit {LIMIT}, billed {} ({} + {}), seen with prompts {}, settled {}, owed {}; \
             {} whole, {} left, {} cut, {} refused",
            self.made.tag,
            self.bill.tokens(),
            self.bill.input,
            self.bill.output,
            self.seen(),
            self.account.settled,
            self.account.debt,
            self.made.count(End::Whole),
            self.made.count(End::Left),
            self.made.count(End::Cut),
            self.made.count(End::Refused),
        ));
    }

    /// Prompts, and what the program saw of answers.
    fn seen(&self) -> u64 {
        self.bill.input + self.made.seen()
    }

    /// What must hold however calls reserve.
    fn check(&self) -> Result<()> {
        self.account.check()?;
        ensure!(
            self.seen() <= LIMIT,
            "the program saw {} of {LIMIT} tokens",
            self.seen()
        );
        ensure!(
            self.made.count(End::Refused) > 0,
            "{CALLS} calls fitted: the run shows nothing"
        );
        ensure!(
            self.charges.exchanges == self.made.calls.len(),
            "{} exchanges are on record of {} calls",
            self.charges.exchanges,
            self.made.calls.len()
        );
        ensure!(
            self.charges.charged() == self.account.charged(),
            "{:?} on record, {:?} in the ledger",
            self.charges,
            self.account
        );
        Ok(())
    }
}

/// A stream that reserves all it may have is never cut, and the provider itself cannot pass the limit, whoever leaves it.
async fn full(stage: Arc<Stage>) -> Result<()> {
    for number in 0..RUNS {
        let (tag, seed) = (format!("full-{number}"), number.to_string());
        let load = Load::new(Sdk::OpenAi, &tag, CALLS).with(&[
            "--stream",
            "--max-tokens",
            "64",
            "--abort",
            "0.2",
            "--seed",
            &seed,
            "--header",
            "x-lab-delay-ms=10",
        ]);
        let run = Run::of(&stage, load).await?;
        run.show();
        run.check()?;
        ensure!(
            run.made.count(End::Cut) == 0 && run.made.count(End::Left) > 0,
            "a stream was cut, or none was left"
        );
        let (billed, charged) = (run.bill.tokens(), run.charges.charged());
        ensure!(
            billed <= LIMIT && charged >= billed,
            "the provider bills {billed} of {LIMIT} tokens, {charged} were charged"
        );
    }
    Ok(())
}

/// An answer that cannot be cut reserves all it may have: the provider itself cannot pass the limit.
async fn whole(stage: Arc<Stage>) -> Result<()> {
    for number in 0..FEWER_RUNS {
        let tag = format!("exact-whole-{number}");
        let load = Load::new(Sdk::OpenAi, &tag, CALLS);
        let run = Run::of(
            &stage,
            load.with(&["--max-tokens", "64", "--header", "x-lab-delay-ms=200"]),
        )
        .await?;
        run.show();
        run.check()?;
        ensure!(
            run.bill.tokens() <= LIMIT,
            "the provider bills {} of {LIMIT} tokens",
            run.bill.tokens()
        );
        ensure!(
            run.charges.charged() == run.bill.tokens(),
            "{} were charged, {} are billed",
            run.charges.charged(),
            run.bill.tokens()
        );
    }
    Ok(())
}

/// A stream reserves as it grows: what programs see is within the limit; what the provider made until it was told to stop is
/// owed.
async fn sliced(stage: Arc<Stage>, sdk: Sdk, name: &str) -> Result<()> {
    for number in 0..FEWER_RUNS {
        let tag = format!("{name}-{number}");
        let seed = number.to_string();
        let load = Load::new(sdk, &tag, CALLS).with(&[
            "--stream",
            "--words",
            "200",
            "400",
            "--abort",
            "0.2",
            "--seed",
            &seed,
            "--header",
            "x-lab-delay-ms=10",
        ]);
        let run = Run::of(&stage, load).await?;
        run.show();
        run.check()?;
        ensure!(run.made.count(End::Cut) > 0, "no stream was cut");
        ensure!(
            run.charges.charged() >= run.seen(),
            "{} were charged, programs saw {}",
            run.charges.charged(),
            run.seen()
        );
    }
    Ok(())
}
