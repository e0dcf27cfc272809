//! Who wrote a text decides: the same words pass from a user and are stopped in a tool's result or a document.

use std::sync::Arc;

use anyhow::{Result, ensure};

use crate::lab::agent::AgentConfig;
use crate::provider::log_contains;
use crate::suite::runner::Test;
use crate::suite::stage::Stage;

/// Told in a tool's result, or by the user.
const KEY: &str = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("origin::a_key_in_a_tool_result_is_redacted_as_one", tool_result),
        Test::new("origin::a_key_in_a_prompt_is_another_matter", own_key),
        Test::new("origin::a_key_in_a_document_is_blocked", document),
    ]
}

pub(super) fn policies(config: AgentConfig) -> AgentConfig {
    config
        .policy(
            "tool-keys",
            "tool-keys-*",
            "content: [{name: no-keys, detect: [\"secret.*\"], in: [tool_result], action: redact}]",
        )
        .policy(
            "documents",
            "documents-*",
            "content: [{detect: [\"secret.*\"], in: [document], action: block}]",
        )
}

async fn tool_result(stage: Arc<Stage>) -> Result<()> {
    for provider in ["openai", "anthropic"] {
        let tag = format!("tool-keys-{provider}");
        let prompt = format!("Write 8 words ({tag})");
        let result = format!("12 degrees. token={KEY}");
        let arguments = ["--prompt", &prompt, "--tools", "--tool-result", &result];
        let launch = if provider == "openai" {
            stage.openai(&tag, &arguments)?
        } else {
            stage.anthropic(&tag, &arguments)?
        };
        let (truth, report) = stage.report(launch).await?;
        ensure!(report["error"].is_null(), "{report}");
        let served = stage.served(&tag)?;
        ensure!(
            !log_contains(&served.body, KEY.as_bytes()) && log_contains(&served.body, b"[REDACTED:github]"),
            "{tag}: the provider got the key"
        );
        let exchange = stage.exchange(&truth).await?;
        let finding = &exchange["findings"][0];
        ensure!(
            exchange["verdict"] == "redacted"
                && finding["detector"] == "secret.github"
                && finding["part"] == "tool_result"
                && finding["rule"] == "no-keys"
                && finding["owasp"] == "LLM02",
            "{exchange}"
        );
        ensure!(!exchange.to_string().contains(KEY), "the record has the key");
    }
    Ok(())
}

async fn own_key(stage: Arc<Stage>) -> Result<()> {
    let prompt = format!("Write 8 words with {KEY} (tool-keys-own)");
    let (truth, report) = stage
        .report(stage.openai("tool-keys-own", &["--prompt", &prompt])?)
        .await?;
    ensure!(report["error"].is_null(), "{report}");
    ensure!(
        log_contains(&stage.served("tool-keys-own")?.body, KEY.as_bytes()),
        "the rule is for tool results"
    );
    ensure!(stage.exchange(&truth).await?["verdict"] == "allowed", "redacted");
    Ok(())
}

async fn document(stage: Arc<Stage>) -> Result<()> {
    for (tag, document) in [
        ("documents-bad", format!("The deploy token is {KEY}.")),
        (
            "documents-good",
            "The deploy token is kept by the team in Oslo.".to_owned(),
        ),
    ] {
        let prompt = format!("Summarise the document ({tag})");
        let arguments = ["--prompt", &prompt, "--document", &document];
        let (truth, report) = stage.report(stage.anthropic(tag, &arguments)?).await?;
        let exchange = stage.exchange(&truth).await?;
        if tag == "documents-good" {
            ensure!(report["error"].is_null(), "{report}");
            ensure!(
                exchange["verdict"] == "allowed" && exchange["findings"] == serde_json::json!([]),
                "{exchange}"
            );
            continue;
        }
        ensure!(
            report["error"]["type"] == "PermissionDeniedError" && report["error"]["status"] == 403,
            "{report}"
        );
        ensure!(
            stage.lab.log.containing(tag).is_empty(),
            "the provider got the request"
        );
        let finding = &exchange["findings"][0];
        ensure!(
            exchange["verdict"] == "denied"
                && exchange["reason"] == "content"
                && exchange["policy"] == "documents"
                && finding["detector"] == "secret.github"
                && finding["part"] == "document",
            "{exchange}"
        );
    }
    Ok(())
}
