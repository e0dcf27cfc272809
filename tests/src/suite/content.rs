//! Content policy: what a policy finds in an exchange, and what an SDK and the provider then see.
//!
//! The first tests are of the main suite: redaction and blocking in prompts and answers. Those of the suite `content` are in
//! files of their own.

mod clients;
mod guardrail;
mod origin;
mod reversible;
mod rules;
mod streams;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::runner::{Plan, Test};
use super::stage::Stage;
use crate::lab::address::OLLAMA;
use crate::lab::agent::AgentConfig;
use crate::provider::log_contains;

const CARD: &str = "4111 1111 1111 1111";
const NOT_A_CARD: &str = "4111 1111 1111 1112";
const KEY: &str = "sk-proj-T3BlbkFJabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH";

/// The suite `content`.
pub(super) fn plan() -> Plan {
    let groups = [
        origin::tests(),
        reversible::tests(),
        rules::tests(),
        streams::tests(),
        guardrail::tests(),
    ];
    Plan {
        suite: "content",
        policies: config(),
        tests: groups.into_iter().flatten().collect(),
        at_once: 1,
    }
}

/// The configuration of its agent.
fn config() -> AgentConfig {
    let config = AgentConfig::new().endpoint(&format!("{{host: {}, api: ollama}}", OLLAMA.name));
    streams::policies(rules::policies(reversible::policies(origin::policies(config))))
}

/// The tests of the main suite.
pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("content::a_card_in_a_prompt_is_redacted", prompt_redacted),
        Test::new("content::a_card_in_a_prompt_is_blocked", prompt_blocked),
        Test::new("content::a_card_in_an_answer_is_redacted", answer_redacted),
        Test::new("content::a_number_that_is_no_card_passes", not_a_card),
        Test::new("content::a_key_in_a_prompt_is_redacted", key_redacted),
        Test::new("content::a_model_that_is_not_allowed", model_denied),
    ]
}

async fn prompt_redacted(stage: Arc<Stage>) -> Result<()> {
    for (provider, stream) in [
        ("openai", false),
        ("openai", true),
        ("anthropic", false),
        ("anthropic", true),
    ] {
        let tag = format!("redact-{provider}-{stream}");
        let prompt = format!("Write 8 words, charge {CARD} ({tag})");
        let mut arguments = vec!["--prompt", &prompt];
        arguments.extend(stream.then_some("--stream"));
        let launch = if provider == "openai" {
            stage.openai(&tag, &arguments)?
        } else {
            stage.anthropic(&tag, &arguments)?
        };
        let (truth, report) = stage.report(launch).await?;
        ensure!(
            report["error"].is_null()
                && report["answer"]["text"][0]
                    .as_str()
                    .is_some_and(|text| text.contains("flow")),
            "{report}"
        );
        let served = stage.served(&tag)?;
        ensure!(
            !log_contains(&served.body, b"4111") && log_contains(&served.body, b"charge "),
            "the provider got the number"
        );
        let length = served.header("content-length").map(str::to_owned);
        ensure!(
            length.is_none_or(|length| length == served.body.len().to_string()),
            "wrong content-length"
        );
        let exchange = stage.exchange(&truth).await?;
        ensure!(
            exchange["verdict"] == "redacted" && exchange["reason"] == "content",
            "{exchange}"
        );
        let finding = &exchange["findings"][0];
        ensure!(
            finding["detector"] == "pii.credit_card" && finding["part"] == "user" && finding["count"] == 1,
            "{exchange}"
        );
    }
    Ok(())
}

async fn prompt_blocked(stage: Arc<Stage>) -> Result<()> {
    for provider in ["openai", "anthropic"] {
        let tag = format!("block-{provider}");
        let prompt = format!("Write 8 words, charge {CARD} ({tag})");
        let arguments = ["--prompt", &prompt];
        let launch = if provider == "openai" {
            stage.openai(&tag, &arguments)?
        } else {
            stage.anthropic(&tag, &arguments)?
        };
        let (truth, report) = stage.report(launch).await?;
        ensure!(
            report["error"]["type"] == "PermissionDeniedError" && report["error"]["status"] == 403,
            "{report}"
        );
        ensure!(
            !report.to_string().contains("4111"),
            "the refusal repeats the number"
        );
        ensure!(
            stage.lab.log.containing(&tag).is_empty(),
            "the provider got the request"
        );
        let exchange = stage.exchange(&truth).await?;
        ensure!(
            exchange["verdict"] == "denied"
                && exchange["reason"] == "content"
                && exchange["policy"] == "block",
            "{exchange}"
        );
    }
    Ok(())
}

async fn answer_redacted(stage: Arc<Stage>) -> Result<()> {
    for (provider, stream) in [
        ("openai", false),
        ("openai", true),
        ("anthropic", false),
        ("anthropic", true),
    ] {
        let tag = format!("redact-answer-{provider}-{stream}");
        let prompt = format!("Tell a card number ({tag})");
        let mut arguments = vec!["--prompt", &prompt];
        arguments.extend(stream.then_some("--stream"));
        let launch = if provider == "openai" {
            stage.openai(&tag, &arguments)?
        } else {
            stage.anthropic(&tag, &arguments)?
        };
        let (truth, report) = stage.report(launch).await?;
        let text = report["answer"]["text"][0]
            .as_str()
            .with_context(|| report.to_string())?;
        ensure!(!text.contains("4111"), "{tag}: the client got {text}");
        ensure!(
            text.starts_with("The card is ") && text.ends_with(" and that is all."),
            "{tag}: {text}"
        );
        let exchange = stage.exchange(&truth).await?;
        ensure!(
            exchange["verdict"] == "redacted" && exchange["findings"][0]["part"] == "text",
            "{exchange}"
        );
    }
    Ok(())
}

async fn not_a_card(stage: Arc<Stage>) -> Result<()> {
    let prompt = format!("Write 8 words about {NOT_A_CARD} (redact-none)");
    let (truth, report) = stage
        .report(stage.openai("redact-none", &["--stream", "--prompt", &prompt])?)
        .await?;
    ensure!(report["error"].is_null(), "{report}");
    ensure!(
        log_contains(&stage.served("redact-none")?.body, NOT_A_CARD.as_bytes()),
        "the number is gone"
    );
    let exchange = stage.exchange(&truth).await?;
    ensure!(
        exchange["verdict"] == "allowed" && exchange["findings"] == serde_json::json!([]),
        "{exchange}"
    );
    Ok(())
}

async fn key_redacted(stage: Arc<Stage>) -> Result<()> {
    let prompt = format!("Write 8 words with {KEY} (redact-key)");
    let (truth, report) = stage
        .report(stage.openai("redact-key", &["--prompt", &prompt])?)
        .await?;
    ensure!(report["error"].is_null(), "{report}");
    let served = stage.served("redact-key")?;
    ensure!(
        !log_contains(&served.body, b"T3BlbkFJ"),
        "the provider got the key"
    );
    // The client's own credential is not text: it must arrive.
    ensure!(
        served.header("authorization") == Some("Bearer sk-lab-secret-7f3a"),
        "the credential did not arrive"
    );
    ensure!(
        stage.exchange(&truth).await?["verdict"] == "redacted",
        "not on record"
    );
    Ok(())
}

async fn model_denied(stage: Arc<Stage>) -> Result<()> {
    let (truth, report) = stage
        .report(stage.openai(
            "models-a",
            &["--model", "gpt-4o", "--prompt", "Write 3 words (models-a)"],
        )?)
        .await?;
    ensure!(report["error"]["type"] == "PermissionDeniedError", "{report}");
    ensure!(
        stage.lab.log.containing("models-a").is_empty(),
        "the provider got the request"
    );
    let exchange = stage.exchange(&truth).await?;
    ensure!(
        exchange["verdict"] == "denied" && exchange["reason"] == "model",
        "{exchange}"
    );
    let (_, report) = stage
        .report(stage.openai("models-b", &["--prompt", "Write 3 words (models-b)"])?)
        .await?;
    ensure!(report["error"].is_null(), "{report}");
    Ok(())
}
