//! What happens at the limit, and on the way there, as an SDK sees it.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use crate::client::sdk_load::{Call, End, Load, Made, Sdk};
use crate::lab::agent::AgentConfig;
use crate::screen;
use crate::suite::runner::Test;
use crate::suite::stage::Stage;

/// The limit of `clamp-*`.
const CLAMPED: u64 = 200;

/// Tokens a second that `slow-*` is paced to.
const PACE: f64 = 50.0;

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("actions::downgrade_answers_with_the_other_model", downgrade),
        Test::new("actions::slow_down_paces_a_stream", slow_down),
        Test::new("actions::clamp_ends_the_answer_at_the_limit", clamp),
        Test::new("actions::alert_refuses_nobody", alert),
    ]
}

pub(super) fn policies(config: AgentConfig) -> AgentConfig {
    config
        .policy(
            "downgrade",
            "downgrade",
            "budgets: [{limit: 300 tokens, window: 1h, models: [gpt-4o], at_limit: {downgrade: gpt-4o-mini}}]",
        )
        .policy(
            "slow",
            "slow",
            &format!("budgets: [{{limit: 100k tokens, window: 1h, slow_down: {{from: 1%, to: {PACE} tokens/s}}}}]"),
        )
        .policy(
            "clamp",
            "clamp",
            &format!("budgets: [{{limit: {CLAMPED} tokens, window: 1h, clamp: true}}]"),
        )
        .policy(
            "alert",
            "alert",
            "budgets: [{limit: 500 tokens, window: 1h, at_limit: alert}]",
        )
}

async fn made(stage: &Stage, name: &str, parallel: usize, options: &[&str]) -> Result<Made> {
    let load = Load::new(Sdk::OpenAi, name, parallel).with(options);
    let made = load.run(&stage.lab, &stage.trust).await?;
    made.check()?;
    Ok(made)
}

/// Within the limit the model that was asked for answers, beyond it the cheaper one, whole or streamed; the SDK sees no error.
async fn downgrade(stage: Arc<Stage>) -> Result<()> {
    for (turn, streamed) in [("whole", false), ("streamed", true)] {
        let stream: &[&str] = if streamed { &["--stream"] } else { &[] };
        let options = [
            &["--model", "gpt-4o", "--max-tokens", "64", "--repeat", "8"],
            stream,
        ]
        .concat();
        let made = made(&stage, "downgrade", 1, &options).await?;
        ensure!(
            made.count(End::Whole) == 8,
            "{turn}: {} of 8 whole: {:?}",
            made.count(End::Whole),
            made.calls.iter().find(|call| call.end() != End::Whole)
        );
        let model = |call: &Call| call.model.clone().unwrap_or_default();
        let models: Vec<String> = made.calls.iter().map(model).collect();
        let first = if streamed { "gpt-4o-mini" } else { "gpt-4o" };
        ensure!(
            models.first().is_some_and(|model| model == first)
                && models.last().is_some_and(|model| model == "gpt-4o-mini"),
            "{turn}: {models:?} answered"
        );
    }
    // The provider was asked for it, and no longer for the other.
    let asked: Vec<String> = stage
        .lab
        .log
        .containing("(downgrade ")
        .iter()
        .map(|served| served.model.clone())
        .collect();
    let large = asked.iter().filter(|model| *model == "gpt-4o").count();
    ensure!(
        asked.len() == 16 && (1..8).contains(&large),
        "the provider was asked for {asked:?}"
    );
    Ok(())
}

/// Deltas arrive at the pace that the policy gives, from its share of the limit on; none is lost.
async fn slow_down(stage: Arc<Stage>) -> Result<()> {
    // One per cent of the limit is a thousand tokens: the first answer is not paced.
    let quick = made(&stage, "slow", 1, &["--stream", "--words", "900", "900"]).await?;
    let slow = made(&stage, "slow", 1, &["--stream", "--words", "120", "120"]).await?;
    let (quick, slow) = (rate(&quick)?, rate(&slow)?);
    screen::line(&format!(
        "    slow down: {quick:.0} tokens a second before, {slow:.0} from 1 % on, {PACE:.0} wanted"
    ));
    // Orders of magnitude: the machine may be busy, and a burst at the beginning is allowed for.
    ensure!(
        slow < PACE * 2.0 && slow > PACE / 4.0 && quick > slow * 4.0,
        "{quick} and {slow} tokens a second"
    );
    Ok(())
}

/// Tokens a second of a stream from its first piece to its last.
fn rate(made: &Made) -> Result<f64> {
    let call = made.calls.first().context("no call")?;
    ensure!(call.end() == End::Whole, "{call:?}");
    let (first, last) = call.first.zip(call.last).context("nothing came")?;
    Ok(call.seen() as f64 / (last - first).max(0.001))
}

/// An answer that would be longer ends as one that reached the limit that the request gave; the provider makes no more.
async fn clamp(stage: Arc<Stage>) -> Result<()> {
    let made = made(&stage, "clamp", 1, &["--words", "400", "400", "--repeat", "2"]).await?;
    let [first, second] = made.calls.as_slice() else {
        anyhow::bail!("{} calls", made.calls.len())
    };
    ensure!(
        first.end() == End::Whole && first.finish.as_deref() == Some("length"),
        "{first:?}"
    );
    ensure!(second.end() == End::Refused, "{second:?}");
    let bill = stage.lab.log.bill("(clamp ");
    screen::line(&format!(
        "    clamp: limit {CLAMPED}, billed {}, finish `length`",
        bill.tokens()
    ));
    ensure!(
        bill.tokens() <= CLAMPED && bill.tokens() > CLAMPED * 3 / 4,
        "{} tokens are billed of {CLAMPED}",
        bill.tokens()
    );
    Ok(())
}

async fn alert(stage: Arc<Stage>) -> Result<()> {
    let made = made(&stage, "alert", 20, &["--max-tokens", "64"]).await?;
    ensure!(
        made.count(End::Whole) == 20,
        "{} of 20 whole",
        made.count(End::Whole)
    );
    Ok(())
}
