//! Limits of requests, of concurrency and of money, and whose a limit is.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::account::Account;
use crate::client::sdk_load::{End, Load, Made, Sdk};
use crate::lab::agent::AgentConfig;
use crate::screen;
use crate::suite::runner::Test;
use crate::suite::stage::Stage;

/// Price of gpt-4o-mini in micro-USD per million tokens, input and output: OpenAI's price list, written down here by hand.
const MINI_INPUT: u64 = 150_000;
const MINI_OUTPUT: u64 = 600_000;

/// The limit of `money-*`, in micro-USD.
const MONEY: u64 = 2_000;

/// The limit of the budgets of tokens.
const TOKENS: u64 = 500;

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("units::requests", requests),
        Test::new("units::concurrency", concurrency),
        Test::new("units::money", money),
        Test::new("units::each_model_has_its_own", per_model),
        Test::new("units::each_api_key_has_its_own", per_api_key),
        Test::new("units::all_budgets_or_none", together),
        Test::new("units::an_observed_budget_refuses_nobody", observed),
    ]
}

pub(super) fn policies(config: AgentConfig) -> AgentConfig {
    let tokens = format!("limit: {TOKENS} tokens, window: 1h");
    config
        .policy("requests", "requests", "budgets: [{limit: 7 requests, window: 1h}]")
        .policy("concurrent", "concurrent-*", "budgets: [{limit: 4 concurrent}]")
        .policy("money", "money", "budgets: [{limit: 0.002 USD, window: day, reserve: full}]")
        .policy("models", "per-model-*", &format!("budgets: [{{{tokens}, per: model}}]"))
        .policy("keys", "per-key-*", &format!("budgets: [{{{tokens}, per: api_key}}]"))
        .policy(
            "together",
            "together",
            &format!("budgets: [{{limit: 1M tokens, window: 1h}}, {{name: narrow, {tokens}}}, {{limit: 1G requests, window: week}}]"),
        )
        .policy("observed", "observed", &format!("mode: observe, budgets: [{{{tokens}}}]"))
}

/// Whole answers of at most 64 tokens, `parallel` of them at once.
async fn made(stage: &Stage, name: &str, parallel: usize, options: &[&str]) -> Result<Made> {
    let load = Load::new(Sdk::OpenAi, name, parallel)
        .with(&["--max-tokens", "64", "--header", "x-lab-delay-ms=100"])
        .with(options);
    let made = load.run(&stage.lab, &stage.trust).await?;
    made.check()?;
    Ok(made)
}

async fn requests(stage: Arc<Stage>) -> Result<()> {
    let made = made(&stage, "requests", 40, &[]).await?;
    let served = stage.lab.log.bill("(requests ").requests;
    ensure!(
        made.count(End::Whole) == 7 && made.count(End::Refused) == 33 && served == 7,
        "{} whole, {} refused, {served} reached the provider",
        made.count(End::Whole),
        made.count(End::Refused)
    );
    Ok(())
}

/// A slot is free again when its answer has ended, and not before: also of a stream that is left.
async fn concurrency(stage: Arc<Stage>) -> Result<()> {
    let options = ["--stream", "--header", "x-lab-delay-ms=40"];
    let first = made(&stage, "concurrent-streams", 20, &options).await?;
    ensure!(
        first.count(End::Whole) == 4 && first.count(End::Refused) == 16,
        "{} whole, {} refused of 20 at once",
        first.count(End::Whole),
        first.count(End::Refused)
    );
    // Four at a time, each time: a slot that was not given back would show in the second.
    let turns = ["--stream", "--abort", "0.5", "--repeat", "6", "--pause", "0.3"];
    let then = made(&stage, "concurrent-turns", 4, &turns).await?;
    ensure!(
        then.count(End::Refused) == 0 && then.count(End::Left) > 0,
        "{} of 24 were refused, four at a time",
        then.count(End::Refused)
    );
    Ok(())
}

async fn money(stage: Arc<Stage>) -> Result<()> {
    let made = made(&stage, "money", 200, &[]).await?;
    let bill = stage.lab.log.bill("(money ");
    let cost = (bill.input * MINI_INPUT + bill.output * MINI_OUTPUT).div_ceil(1_000_000);
    let account = Account::at_rest(&*stage.agent().await, "/money")
        .await
        .with_context(|| format!("{} of 200 were answered", made.count(End::Whole)))?;
    screen::line(&format!(
        "    money: limit {MONEY} micro-USD, billed {cost}, settled {}, owed {}; {} whole, {} refused",
        account.settled,
        account.debt,
        made.count(End::Whole),
        made.count(End::Refused)
    ));
    account.check()?;
    ensure!(
        cost <= MONEY && account.limit == MONEY && made.count(End::Refused) > 0,
        "{cost} micro-USD are billed of {MONEY}: {account:?}"
    );
    // Each exchange is charged in whole micro-USD, rounded up.
    let charged = account.charged();
    ensure!(
        charged >= cost && charged <= cost + bill.requests,
        "{charged} micro-USD were charged, {cost} are billed"
    );
    // Most of the money could be spent: what a call may cost at most is a small part of it.
    ensure!(
        cost > MONEY / 2,
        "only {cost} of {MONEY} micro-USD could be spent"
    );
    Ok(())
}

async fn per_model(stage: Arc<Stage>) -> Result<()> {
    for model in ["gpt-4o-mini", "gpt-4o"] {
        let name = format!("per-model-{model}");
        let made = made(&stage, &name, 20, &["--model", model]).await?;
        own_limit(&stage, &name, &made)?;
    }
    // Another workload meets what the first two have spent.
    let made = made(&stage, "per-model-late", 5, &[]).await?;
    shared(&made)?;
    Ok(())
}

async fn per_api_key(stage: Arc<Stage>) -> Result<()> {
    let keys = ["sk-lab-1111-secret", "sk-lab-2222-secret"];
    for (key, name) in keys.iter().zip(["per-key-first", "per-key-second"]) {
        let made = made(&stage, name, 20, &["--key", key]).await?;
        own_limit(&stage, name, &made)?;
    }
    // Another workload with the first key meets what it has spent.
    let made = made(&stage, "per-key-late", 5, &["--key", keys[0]]).await?;
    shared(&made)?;
    // Neither the accounts nor the records name a key.
    let agent = stage.agent().await;
    let records = agent.records().holding("per-key-")?;
    let told = [
        agent.get("/v1/budgets").await?.to_string(),
        format!("{records:?}"),
    ];
    ensure!(!records.is_empty(), "nothing is on record");
    ensure!(
        !keys.iter().any(|key| told.iter().any(|told| told.contains(key))),
        "an API key is told"
    );
    Ok(())
}

/// What the first workload left has room for one call at most; a budget of its own would have room for five.
fn shared(made: &Made) -> Result<()> {
    let whole = made.count(End::Whole);
    ensure!(whole <= 1, "a spent budget was not shared: {whole} more fitted");
    Ok(())
}

/// Some fit and some do not, and the limit holds.
fn own_limit(stage: &Stage, name: &str, made: &Made) -> Result<()> {
    let bill = stage.lab.log.bill(&format!("({name} "));
    ensure!(
        made.count(End::Whole) > 0 && made.count(End::Refused) > 0 && bill.tokens() <= TOKENS,
        "{name}: {} whole, {} refused, {} tokens billed of {TOKENS}",
        made.count(End::Whole),
        made.count(End::Refused),
        bill.tokens()
    );
    Ok(())
}

/// A refusal by one of several takes nothing from the others.
async fn together(stage: Arc<Stage>) -> Result<()> {
    let made = made(&stage, "together", 40, &[]).await?;
    own_limit(&stage, "together", &made)?;
    let bill = stage.lab.log.bill("(together ");
    let agent = stage.agent().await;
    let budgets = agent.get("/v1/budgets").await?;
    let of = |unit: &str| -> Vec<u64> {
        let accounts = budgets["budgets"].as_array().into_iter().flatten();
        accounts
            .filter(|account| {
                account["unit"] == unit
                    && account["key"]
                        .as_str()
                        .is_some_and(|key| key.starts_with("together/"))
            })
            .filter_map(|account| account["settled"].as_u64())
            .collect()
    };
    ensure!(
        of("tokens") == [bill.tokens(), bill.tokens()] && of("requests") == [bill.requests],
        "{bill:?}, but {budgets}"
    );
    Ok(())
}

async fn observed(stage: Arc<Stage>) -> Result<()> {
    let made = made(&stage, "observed", 20, &[]).await?;
    ensure!(
        made.count(End::Whole) == 20,
        "{} of 20 whole",
        made.count(End::Whole)
    );
    let agent = stage.agent().await;
    let account = Account::at_rest(&agent, "/observed").await?;
    let billed = stage.lab.log.bill("(observed ").tokens();
    account.check()?;
    ensure!(
        account.settled == TOKENS && account.charged() == billed,
        "{billed} are billed, the ledger has {account:?}"
    );
    let records = agent.records().exchanges_in("observed", 20).await?;
    let would = records
        .iter()
        .filter(|record| record["observed"] == "denied")
        .count();
    ensure!(
        would > 0,
        "nothing on record says that it would have been refused: {:?}",
        records.first()
    );
    Ok(())
}
