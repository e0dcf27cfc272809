//! Text stays here: no prompt, answer or credential in logs, records, metrics or the state directory.

use std::fs;
use std::sync::Arc;

use anyhow::{Result, ensure};

use super::runner::Test;
use super::stage::{Stage, files_below};
use crate::provider::log_contains;

/// Pieces of what went through: prompts, answers, tool arguments, numbers, credentials.
const SECRETS: [&str; 9] = [
    "river weir sluice",
    "Write 8 words",
    "charge ",
    "4111 1111",
    "4111111111111111",
    "Reykjav",
    "sk-lab-secret",
    "sk-ant-lab-secret",
    "T3BlbkFJ",
];

pub(super) fn tests() -> Vec<Test> {
    vec![Test::new("privacy::no_text_leaves_the_agent", no_text)]
}

async fn no_text(stage: Arc<Stage>) -> Result<()> {
    // Alone, this test looks at an agent that has seen text all the same.
    let prompt = "Write 8 words, charge 4111 1111 1111 1111 (redact-privacy)";
    stage
        .report(stage.openai("redact-privacy", &["--stream", "--prompt", prompt])?)
        .await?;
    stage
        .report(stage.anthropic("block-privacy", &["--prompt", prompt])?)
        .await?;
    let agent = stage.agent().await;
    let mut pages = Vec::new();
    for file in files_below(agent.dir())? {
        pages.push((file.display().to_string(), fs::read(&file)?));
    }
    ensure!(pages.len() > 3, "nothing to look at in {}", agent.dir().display());
    pages.push((
        "/metrics".to_owned(),
        agent.page("/metrics").await?.1.into_bytes(),
    ));
    for (name, bytes) in &pages {
        for secret in SECRETS {
            ensure!(!log_contains(bytes, secret.as_bytes()), "`{secret}` is in {name}");
        }
    }
    Ok(())
}
