//! The demo: three unmodified workloads, an agent, and every claim about them measured in the same run.
//!
//! | workload | what it is | what happens to it |
//! |---|---|---|
//! | chat-bot | openai-python, streaming, in the host's netns | two exchanges, counted exactly |
//! | research-agent | anthropic-python in a netns of its own | runs into its budget in mid-stream |
//! | billing-script | curl as another user | its prompt carries a card number |
//!
//! Beside them an ordinary HTTPS connection to the provider's own address, which must pass untouched. Each value in the
//! JSON comes from the agent's records and API, from the stand-ins' log or from the launcher; claims that do not hold
//! are printed and make the demo fail.

mod claims;
mod live;
mod told;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::json;

use crate::client::replay::{Heard, Talk, Turn, Until};
use crate::lab::Lab;
use crate::lab::address::ORDINARY;
use crate::lab::agent::{Agent, AgentConfig};
use crate::lab::workload::Launch;
use crate::provider::page;
use crate::screen;
use crate::suite::clients;
use told::Told;

/// The number in the prompt: a well-known test number that passes Luhn.
pub(crate) const CARD: &str = "4111 1111 1111 1111";
/// Tokens the research agent may spend.
const LIMIT_TOKENS: u64 = 600;
/// `nobody`.
const OTHER_USER: u32 = 65534;
/// Bytes of the ordinary page.
const PAGE_BYTES: usize = 200_000;

/// What to do with the result.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Write what was measured to this file as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn policies() -> AgentConfig {
    AgentConfig::new()
        .policy(
            "research",
            "research-agent",
            &format!("budgets: [{{limit: {LIMIT_TOKENS} tokens, window: 1h, per: workload}}]"),
        )
        .policy(
            "no-card-numbers",
            "billing-script",
            "content: [{detect: [pii.credit_card], in: [prompt], action: redact}]",
        )
}

impl Demo {
    /// Runs it.
    pub(crate) async fn run(self) -> Result<()> {
        let steps = live::Steps::new(3);
        steps.next("making namespaces, DNS and stand-in providers");
        let lab = Lab::up().await.context("bringing the lab up")?;
        let second = lab.workload_netns("research")?;
        steps.next("starting the agent and waiting until it has seen itself");
        let agent = Agent::start(&lab, "agent", policies()).await?;
        let trust = agent.trust(&lab)?;
        steps.next("starting three workloads and an ordinary HTTPS connection");
        let (python, programs) = clients()?;
        let chat_bot = Launch::new("chat-bot", &python)
            .args([programs.join("openai_client.py")])
            .args(["chat"])
            .args([
                "--stream",
                "--include-usage",
                "--repeat",
                "2",
                "--header",
                "x-lab-delay-ms=20",
            ])
            .args(["--prompt", "Write 40 words about what a weir does to a river."])
            .trust(&trust);
        let research_agent = Launch::new("research-agent", &python)
            .args([programs.join("anthropic_client.py")])
            .args(["messages"])
            .args(["--stream", "--header", "x-lab-delay-ms=4"])
            .args(["--prompt", "Write 3000 words on the history of flow measurement."])
            .netns(&second)
            .trust(&trust);
        let body = json!({"model": "gpt-4o-mini", "messages": [
            {"role": "user", "content": format!("Write 12 words to the customer who paid with {CARD}.")},
        ]})
        .to_string();
        let billing_script = Launch::new("billing-script", "curl")
            .args([
                "-sS",
                "--max-time",
                "60",
                "-H",
                "content-type: application/json",
                "-H",
                "authorization: Bearer sk-lab",
                "-d",
                &body,
            ])
            .args(["https://api.openai.com/v1/chat/completions"])
            .uid(OTHER_USER)
            .trust(&trust);
        steps.done();

        let names = ["chat-bot", "research-agent", "billing-script"];
        let live = live::Table::follow(agent.records(), &names);
        let (chat_bot, research_agent, billing_script, ordinary) = tokio::try_join!(
            chat_bot.run(&lab),
            research_agent.run(&lab),
            billing_script.run(&lab),
            ordinary(&lab)
        )?;
        let outputs = [chat_bot, research_agent, billing_script];
        for ((truth, output), expected) in outputs.iter().zip([2, 1, 1]) {
            ensure!(
                output.status.success(),
                "{} failed: {}",
                truth.name,
                String::from_utf8_lossy(&output.stderr)
            );
            agent.records().exchanges_of(truth.pid, expected).await?;
        }
        live.finish().await?;

        let told = Told::gather(&lab, &agent, &outputs, &ordinary).await?;
        let failed = claims::check(&told);
        if let Some(path) = &self.json {
            std::fs::write(path, serde_json::to_string_pretty(&told.json())?)
                .with_context(|| format!("writing {}", path.display()))?;
            screen::line(&format!("\nwhat was measured: {}", path.display()));
        }
        if failed > 0 {
            screen::note(&agent.log_tail());
            bail!("{failed} claims of the demo do not hold");
        }
        screen::line(POINTER);
        Ok(())
    }
}

/// What an operator does next.
const POINTER: &str = "
Real providers need no more than this (their hosts are in the built-in catalog):
  1. weir.yaml          node: {cgroup: auto}
                        policies: [{name: all, budgets: [{limit: 200k tokens, window: 1h, per: workload}]}]
  2. sudo weir run -c weir.yaml
  3. Let workloads trust the node's CA: SSL_CERT_FILE and REQUESTS_CA_BUNDLE=/run/weir/bundle.pem (the system's roots
     and the CA), NODE_EXTRA_CA_CERTS=/run/weir/ca.pem (the CA alone).
  4. weir observe -f";

/// The ordinary connection: the page as it came, and the certificate it came with.
async fn ordinary(lab: &Lab) -> Result<Heard> {
    let request = format!(
        "GET /bytes/{PAGE_BYTES} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        ORDINARY.name
    );
    let talk = Talk::tls(
        ORDINARY.name,
        lab.lab_bundle(),
        vec![Turn::new(request.as_bytes(), Until::Close)],
    );
    let (plan, result) = (
        lab.dir().join("ordinary.json"),
        lab.dir().join("ordinary-heard.json"),
    );
    std::fs::write(&plan, serde_json::to_vec(&[talk])?)?;
    let launch = Launch::new("ordinary", std::env::current_exe()?)
        .args(["replay", "--plan"])
        .args([&plan])
        .args(["--result"])
        .args([&result]);
    let output = launch.output(lab).await?;
    ensure!(
        output.status.success(),
        "the ordinary connection: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let heard: Vec<Heard> = serde_json::from_slice(&std::fs::read(&result)?)?;
    heard.into_iter().next().context("nothing heard")
}

/// Whether what came is the page, byte for byte.
pub(crate) fn is_the_page(heard: &Heard) -> bool {
    heard.turns.concat().ends_with(&page(PAGE_BYTES))
}
