//! Budgets: a clean 429 before, a proper end in mid-stream, and never more than the limit.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::runner::Test;
use super::stage::Stage;
use crate::provider::Ended;

/// The limit of `small-budget-*` in the stage's policies.
const SMALL_TOKENS: u64 = 300;

/// Most tokens of one streamed word of the stand-in's, by any estimate.
const DELTA_TOKENS: u64 = 8;

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("budget::denied_before_the_provider_is_asked", denied),
        Test::new("budget::openai_stream_is_cut", openai_cut),
        Test::new("budget::anthropic_stream_is_cut", anthropic_cut),
        Test::new("budget::settles_with_the_providers_usage", settles),
        Test::new("budget::workloads_have_their_own", separate),
        Test::new("budget::parallel_calls_do_not_overspend", parallel),
        Test::new("budget::a_threshold_is_told_once", told_once),
        Test::new("budget::a_stream_without_usage_is_counted", counted),
    ]
}

/// A request whose worst case does not fit is refused with the provider's own 429, which the SDK does not retry.
async fn denied(stage: Arc<Stage>) -> Result<()> {
    for provider in ["openai", "anthropic"] {
        let tag = format!("small-budget-denied-{provider}");
        let prompt = format!("Write 5 words {} ({tag})", "and mind the limit ".repeat(120));
        let arguments = ["--prompt", &prompt];
        let launch = if provider == "openai" {
            stage.openai(&tag, &arguments)?
        } else {
            stage.anthropic(&tag, &arguments)?
        };
        let (truth, report) = stage.report(launch).await?;
        ensure!(
            report["error"]["type"] == "RateLimitError" && report["error"]["status"] == 429,
            "{report}"
        );
        ensure!(
            stage.lab.log.containing(&tag).is_empty(),
            "the provider got the request"
        );
        // One exchange: `x-should-retry: false` kept the SDK from trying again.
        let exchange = stage.exchange(&truth).await?;
        ensure!(
            exchange["verdict"] == "denied" && exchange["reason"] == "budget",
            "{exchange}"
        );
        ensure!(
            exchange["http"]["status"] == 429 && exchange["usage"].is_null(),
            "{exchange}"
        );
    }
    Ok(())
}

async fn openai_cut(stage: Arc<Stage>) -> Result<()> {
    let tag = "small-budget-cut-openai";
    let prompt = format!("Write 2000 words ({tag})");
    let arguments = ["--stream", "--prompt", &prompt, "--header", "x-lab-delay-ms=2"];
    let (truth, report) = stage.report(stage.openai(tag, &arguments)?).await?;
    ensure!(report["error"]["type"] == "APIError", "{report}");
    cut(&stage, tag, &report, &stage.exchange(&truth).await?).await
}

async fn anthropic_cut(stage: Arc<Stage>) -> Result<()> {
    let tag = "small-budget-cut-anthropic";
    let prompt = format!("Write 2000 words ({tag})");
    let arguments = ["--stream", "--prompt", &prompt, "--header", "x-lab-delay-ms=2"];
    let (truth, report) = stage.report(stage.anthropic(tag, &arguments)?).await?;
    ensure!(
        report["error"]["type"] == "APIStatusError" || report["error"]["type"] == "RateLimitError",
        "{report}"
    );
    cut(&stage, tag, &report, &stage.exchange(&truth).await?).await
}

/// What holds of every cut: the client got part of the answer, the record says so, the limit was kept.
async fn cut(stage: &Stage, tag: &str, report: &Value, exchange: &Value) -> Result<()> {
    let got = report["answer"]["text"][0].as_str().unwrap_or_default();
    let served = stage.served(tag)?;
    ensure!(
        !got.is_empty() && served.sent_text().starts_with(got),
        "the client got `{got}`"
    );
    ensure!(
        exchange["verdict"] == "cut" && exchange["reason"] == "budget",
        "{exchange}"
    );
    let (input, _) = served.usage().context("no usage")?;
    let spent =
        exchange["usage"]["input"].as_u64().unwrap_or(0) + exchange["usage"]["output"].as_u64().unwrap_or(0);
    // The delta that the budget had no room for was generated, and so it was spent, though nobody got it.
    ensure!(
        spent <= SMALL_TOKENS + DELTA_TOKENS && spent > input,
        "{spent} tokens on record, the limit is {SMALL_TOKENS}"
    );
    let seen = crate::provider::tokens(&served.model, got);
    ensure!(
        input + seen <= SMALL_TOKENS,
        "the client got {seen} tokens for a prompt of {input}"
    );
    // Most of the limit could be used: the cut is where the budget ends, not where it begins.
    ensure!(input + seen > SMALL_TOKENS / 2, "cut after {seen} tokens already");
    // The provider is told to stop: what is generated for nobody is billed all the same.
    for _ in 0..100 {
        if served.ended().is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    ensure!(
        served.ended() == Some(Ended::ClientGone),
        "the provider went on: {:?}",
        served.ended()
    );
    // The ledger itself: what is settled and reserved never passed the limit, whatever was charged.
    let budgets = stage.agent().await.get("/v1/budgets").await?;
    let account = budgets["budgets"].as_array().into_iter().flatten();
    let account = account
        .filter(|account| account["key"].as_str().is_some_and(|key| key.ends_with(tag)))
        .collect::<Vec<_>>();
    ensure!(account.len() == 1, "{budgets}");
    let kept = |name: &str| {
        account.iter().all(|account| {
            account[name]
                .as_u64()
                .is_some_and(|tokens| tokens <= SMALL_TOKENS)
        })
    };
    ensure!(kept("settled") && kept("peak_outstanding"), "{account:?}");
    // The record: what found room is settled, what was generated beyond it is owed, nothing is forgiven.
    let used = &exchange["budgets"][0];
    let tokens = |name: &str| used[name].as_u64().unwrap_or(u64::MAX / 2);
    let (settled, owed) = (tokens("settled"), tokens("debt"));
    ensure!(
        used["limit"] == SMALL_TOKENS && settled <= SMALL_TOKENS && settled + owed >= spent,
        "{exchange}"
    );
    Ok(())
}

async fn settles(stage: Arc<Stage>) -> Result<()> {
    let tag = "large-budget-settles";
    let launch = stage.openai(
        tag,
        &["--prompt", &format!("Write 50 words ({tag})"), "--repeat", "3"],
    )?;
    let (truth, reports) = stage.reports(launch).await?;
    ensure!(
        reports.iter().all(|report| report["error"].is_null()),
        "{reports:?}"
    );
    for exchange in stage.exchanges(&truth, 3).await? {
        let spent = exchange["usage"]["input"].as_u64().unwrap_or(0)
            + exchange["usage"]["output"].as_u64().unwrap_or(0);
        ensure!(
            exchange["budgets"][0]["settled"] == spent && exchange["usage"]["certainty"] == "exact",
            "{exchange}"
        );
    }
    Ok(())
}

/// Spending passes the limit of a budget that only alerts: nobody is refused, and the whole limit is told of once, in both sinks.
async fn told_once(stage: Arc<Stage>) -> Result<()> {
    let tag = "alerting-once";
    let prompt = format!("Write 30 words ({tag})");
    let launch = stage.openai(tag, &["--prompt", &prompt, "--repeat", "4"])?;
    let (truth, reports) = stage.reports(launch).await?;
    ensure!(
        reports.iter().all(|report| report["error"].is_null()),
        "{reports:?}"
    );
    stage.exchanges(&truth, 4).await?;
    // Two rounds of telling: one that was told twice would be on record by then.
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    let agent = stage.agent().await;
    let thresholds = agent.records().holding("\"budget_threshold\"")?;
    let told: Vec<_> = thresholds
        .iter()
        .filter(|record| record["key"].as_str().is_some_and(|key| key.ends_with(tag)))
        .collect();
    let [told] = told[..] else {
        anyhow::bail!("expected one record: {thresholds:?}");
    };
    ensure!(
        told["percent"] == 100
            && told["limit"] == 40
            && told["settled"].as_u64() >= Some(40)
            && told["policy"] == "alerting"
            && told["budget"] == "soft"
            && told["owner"] == "team-lab",
        "{told}"
    );
    let findings = agent.ocsf().all()?;
    let findings = findings.iter().filter(|record| record["class_uid"] == 2004);
    let findings = findings.filter(|record| record["resources"][0]["uid"] == told["key"]);
    ensure!(findings.count() == 1, "not one OCSF finding of {told}");
    let (_, metrics) = agent.page("/metrics").await?;
    let counted = r#"weir_budget_thresholds_total{budget="soft",percent="100",policy="alerting"} 1"#;
    let used = r#"weir_budget_used_ratio{policy="alerting",budget="soft"} "#;
    ensure!(metrics.contains(counted) && metrics.contains(used), "{metrics}");
    Ok(())
}

async fn separate(stage: Arc<Stage>) -> Result<()> {
    for name in ["small-budget-one", "small-budget-two"] {
        // Each fits the limit alone; together they do not.
        let prompt = format!("Write 80 words ({name})");
        let (_, report) = stage
            .report(stage.openai(name, &["--prompt", &prompt, "--max-tokens", "180"])?)
            .await?;
        ensure!(report["error"].is_null(), "{name}: {report}");
    }
    Ok(())
}

async fn parallel(stage: Arc<Stage>) -> Result<()> {
    let tag = "small-budget-parallel";
    let prompt = format!("Write 30 words ({tag})");
    let arguments = [
        "--asynchronous",
        "--parallel",
        "20",
        "--max-tokens",
        "60",
        "--prompt",
        &prompt,
        "--header",
        "x-lab-delay-ms=200",
    ];
    let (truth, reports) = stage.reports(stage.openai(tag, &arguments)?).await?;
    let allowed = reports.iter().filter(|report| report["error"].is_null()).count();
    let denied = reports
        .iter()
        .filter(|report| report["error"]["type"] == "RateLimitError")
        .count();
    ensure!(
        allowed >= 1 && allowed + denied == 20,
        "{allowed} allowed, {denied} denied: {reports:?}"
    );
    let spent: u64 = stage
        .lab
        .log
        .containing(tag)
        .iter()
        .filter_map(|served| served.usage())
        .map(|(input, output)| input + output)
        .sum();
    ensure!(
        spent <= SMALL_TOKENS,
        "{spent} tokens were spent of {SMALL_TOKENS}"
    );
    let exchanges = stage.exchanges(&truth, 20).await?;
    ensure!(exchanges.len() == 20, "{} exchanges on record", exchanges.len());
    Ok(())
}

/// Without usage in the stream the agent's own count is charged, and it is the provider's.
async fn counted(stage: Arc<Stage>) -> Result<()> {
    let tag = "large-budget-counted";
    let prompt = format!("Write 64 words ({tag})");
    let (truth, report) = stage
        .report(stage.openai(tag, &["--stream", "--prompt", &prompt])?)
        .await?;
    ensure!(
        report["error"].is_null() && report["usage"].is_null(),
        "the client was told a usage it did not ask for: {report}"
    );
    let (input, output) = stage.served(tag)?.usage().context("no usage")?;
    let exchange = stage.exchange(&truth).await?;
    ensure!(
        exchange["counted"]["input"] == input && exchange["counted"]["output"] == output,
        "{input} {output} {exchange}"
    );
    Ok(())
}
