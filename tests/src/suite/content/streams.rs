//! Rules on answers that come in pieces, in every framing, as real SDKs read them.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::clients::{Client, answer_text, clients};
use crate::lab::agent::AgentConfig;
use crate::suite::runner::Test;
use crate::suite::stage::Stage;

const CARD: &str = "4111 1111 1111 1111";

pub(super) fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for client in clients() {
        tests.push(Test::new(
            format!("streams::a_card_is_redacted_in_{}", client.name),
            move |stage| redacted(stage, client),
        ));
        tests.push(Test::new(
            format!("streams::a_card_ends_the_answer_in_{}", client.name),
            move |stage| blocked(stage, client),
        ));
    }
    tests.extend([
        Test::new("streams::an_alert_changes_nothing", alerted),
        Test::new("streams::a_policy_that_observes_changes_nothing", observed),
    ]);
    tests
}

pub(super) fn policies(config: AgentConfig) -> AgentConfig {
    config
        .policy(
            "answers",
            "answers-*",
            "content: [{detect: [pii.credit_card], in: [response], action: redact}]",
        )
        .policy(
            "cut",
            "cut-*",
            "content: [{detect: [pii.credit_card], in: [response], action: block}]",
        )
        .policy(
            "alert",
            "alert-*",
            "content: [{detect: [\"pii.*\"], in: [response], action: alert}]",
        )
        .policy(
            "observe",
            "observe-*",
            "mode: observe, content: [{detect: [\"pii.*\"], in: [response], action: block}]",
        )
}

/// The answer says the card in pieces of three characters.
async fn redacted(stage: Arc<Stage>, client: Client) -> Result<()> {
    let tag = format!("answers-{}", client.name);
    let (truth, report) = client
        .run(&stage, &tag, &format!("Tell a card number ({tag})"))
        .await?;
    ensure!(report["error"].is_null(), "{report}");
    let text = answer_text(&report["answer"]);
    ensure!(
        !text.contains("1111") && text.contains("The card is ") && text.contains(" and that is all."),
        "{tag}: {text}"
    );
    let exchanges = stage.exchanges(&truth, 1).await?;
    let finding = exchanges
        .iter()
        .find(|exchange| exchange["verdict"] == "redacted")
        .map(|exchange| &exchange["findings"][0])
        .with_context(|| format!("nothing on record: {exchanges:?}"))?;
    ensure!(
        finding["detector"] == "pii.credit_card"
            && finding["part"] == "text"
            && finding["policy"] == "answers"
            && finding["action"] == "redact"
            && finding["owasp"] == "LLM02",
        "{finding}"
    );
    Ok(())
}

/// What comes before the card arrives in a stream; then the SDK raises what it raises when a provider ends a stream with an error.
async fn blocked(stage: Arc<Stage>, client: Client) -> Result<()> {
    let tag = format!("cut-{}", client.name);
    let (truth, report) = client
        .run(&stage, &tag, &format!("Tell a card number ({tag})"))
        .await?;
    ensure!(report["error"]["type"] == client.raises, "{tag}: {report}");
    ensure!(!report.to_string().contains("1111"), "{tag}: {report}");
    // The realtime client keeps the names of events, and texts only when they are done.
    let began = answer_text(&report["answer"]);
    ensure!(
        !client.streams || began.contains("The card is") || began.contains("response.output_text.delta"),
        "{tag}: {report}"
    );
    let exchanges = stage.exchanges(&truth, 1).await?;
    let verdict = if client.streams { "cut" } else { "denied" };
    let exchange = exchanges
        .iter()
        .find(|exchange| exchange["verdict"] == verdict)
        .with_context(|| format!("nothing on record: {exchanges:?}"))?;
    let finding = &exchange["findings"][0];
    ensure!(
        exchange["reason"] == "content"
            && exchange["policy"] == "cut"
            && exchange["owasp"] == "LLM02"
            && finding["detector"] == "pii.credit_card"
            && finding["part"] == "text"
            && finding["action"] == "block",
        "{exchange}"
    );
    Ok(())
}

async fn alerted(stage: Arc<Stage>) -> Result<()> {
    let exchange = unchanged(&stage, "alert-a").await?;
    let finding = &exchange["findings"][0];
    ensure!(
        exchange["verdict"] == "allowed" && finding["action"] == "alert" && finding["part"] == "text",
        "{exchange}"
    );
    Ok(())
}

async fn observed(stage: Arc<Stage>) -> Result<()> {
    let exchange = unchanged(&stage, "observe-a").await?;
    ensure!(
        exchange["verdict"] == "allowed"
            && exchange["observed"] == "denied"
            && exchange["findings"][0]["enforced"] == false,
        "{exchange}"
    );
    Ok(())
}

/// A streamed answer with a card, which arrives as it is; its record.
async fn unchanged(stage: &Stage, tag: &str) -> Result<serde_json::Value> {
    let prompt = format!("Tell a card number ({tag})");
    let launch = stage.openai(tag, &["--prompt", &prompt, "--stream"])?;
    let (truth, report) = stage.report(launch).await?;
    ensure!(report["error"].is_null(), "{report}");
    let text = answer_text(&report["answer"]);
    ensure!(text.contains(CARD), "{tag}: {text}");
    stage.exchange(&truth).await
}
