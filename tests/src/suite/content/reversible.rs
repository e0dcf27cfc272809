//! What is found in a prompt reaches the provider as a pseudonym and is itself again in the answer, in every framing.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::clients::{Client, answer_text, clients};
use crate::lab::agent::AgentConfig;
use crate::provider::log_contains;
use crate::suite::runner::Test;
use crate::suite::stage::{Stage, files_below};

const CARD: &str = "4111 1111 1111 1111";
const MAIL: &str = "anna.berg@corp.example";
/// Of the card whichever separators it is written with.
const CARD_END: &[u8] = b"1111 1111";

pub(super) fn tests() -> Vec<Test> {
    let mut tests: Vec<Test> = clients()
        .into_iter()
        .map(|client| {
            Test::new(
                format!("reversible::a_card_is_whole_again_in_{}", client.name),
                move |stage| whole_again(stage, client),
            )
        })
        .collect();
    tests.extend([
        Test::new("reversible::arguments_of_tools_are_whole_again", arguments),
        Test::new("reversible::nothing_is_kept", nothing_is_kept),
    ]);
    tests
}

pub(super) fn policies(config: AgentConfig) -> AgentConfig {
    config.policy(
        "reversible",
        "reversible-*",
        "content: [{detect: [pii.credit_card, pii.email], action: {redact: reversible}}, {detect: [pii.credit_card], in: [response], action: block}]",
    )
}

/// The stand-in repeats what it was told, in pieces of three characters.
async fn whole_again(stage: Arc<Stage>, client: Client) -> Result<()> {
    let tag = format!("reversible-{}", client.name);
    let prompt = format!("Repeat: Charge {CARD}, mail {MAIL} ({tag}).");
    let (truth, report) = client.run(&stage, &tag, &prompt).await?;
    ensure!(report["error"].is_null(), "{tag}: {report}");
    let text = answer_text(&report["answer"]);
    ensure!(
        text.contains(&format!("Charge {CARD}, mail {MAIL} ({tag}).")),
        "{tag}: {text}"
    );
    for served in stage.lab.log.containing(&tag) {
        ensure!(
            !log_contains(&served.body, CARD_END) && !log_contains(&served.body, MAIL.as_bytes()),
            "{tag}: the provider got the originals"
        );
    }
    let exchanges = stage.exchanges(&truth, 1).await?;
    let exchange = exchanges
        .iter()
        .find(|exchange| exchange["verdict"] == "redacted")
        .with_context(|| format!("nothing on record: {exchanges:?}"))?;
    let mut found: Vec<_> = exchange["findings"].as_array().into_iter().flatten().collect();
    found.retain(|finding| finding["part"] == "user" && finding["action"] == "redact");
    ensure!(
        found.len() == 2 && exchange["findings"].as_array().map(Vec::len) == Some(2),
        "what is put back is no finding: {exchange}"
    );
    Ok(())
}

async fn arguments(stage: Arc<Stage>) -> Result<()> {
    for (provider, stream) in [
        ("openai", true),
        ("openai", false),
        ("anthropic", true),
        ("anthropic", false),
    ] {
        let tag = format!("reversible-tool-{provider}-{stream}");
        let prompt = format!("Use the tool with: {CARD} of {MAIL} ({tag})");
        let mut arguments = vec!["--prompt", &prompt, "--tools"];
        arguments.extend(stream.then_some("--stream"));
        let launch = if provider == "openai" {
            stage.openai(&tag, &arguments)?
        } else {
            stage.anthropic(&tag, &arguments)?
        };
        let (_, report) = stage.report(launch).await?;
        ensure!(report["error"].is_null(), "{tag}: {report}");
        let calls = report["answer"]["calls"].to_string();
        ensure!(
            calls.contains(&format!("{CARD} of {MAIL} ({tag})")),
            "{tag}: {report}"
        );
        let served = stage.served(&tag)?;
        ensure!(
            !log_contains(&served.body, CARD_END),
            "{tag}: the provider got the card"
        );
    }
    Ok(())
}

/// Neither the originals nor what stood for them are in a record, the log or any other file.
async fn nothing_is_kept(stage: Arc<Stage>) -> Result<()> {
    let tag = "reversible-kept";
    let prompt = format!("Repeat: Charge {CARD} ({tag}).");
    let (truth, report) = stage
        .report(stage.openai(tag, &["--prompt", &prompt, "--stream"])?)
        .await?;
    ensure!(report["error"].is_null(), "{report}");
    let body = String::from_utf8_lossy(&stage.served(tag)?.body).into_owned();
    let (_, from) = body.split_once("Charge ").context("no prompt was served")?;
    let pseudonym = from.get(..CARD.len()).context("a short prompt was served")?;
    ensure!(
        pseudonym.starts_with('4') && pseudonym != CARD,
        "no card: {pseudonym}"
    );
    ensure!(
        stage.exchange(&truth).await?["verdict"] == "redacted",
        "not on record"
    );
    let agent = stage.agent().await;
    let files = files_below(agent.dir())?;
    ensure!(files.len() > 3, "nothing to look at in {}", agent.dir().display());
    for file in files {
        let bytes = fs::read(&file)?;
        for text in [CARD, pseudonym] {
            ensure!(
                !log_contains(&bytes, text.as_bytes()),
                "{} has `{text}`",
                file.display()
            );
        }
    }
    Ok(())
}
