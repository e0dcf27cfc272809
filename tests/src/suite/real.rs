//! A real inference server: llama.cpp's with a small model, in the lab's internet, over HTTP without TLS. It answers OpenAI's and
//! Anthropic's shapes and its own; what it says of its tokens is the truth here.
//!
//! Not part of the default run: the server is built from source, some 20 minutes on two cores.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::runner::{Plan, Test};
use super::stage::{Stage, shown};
use crate::lab::address::LLAMA;
use crate::lab::agent::AgentConfig;
use crate::lab::workload::Launch;

/// Where the server listens: [`LLAMA`]'s port, in clear.
const PORT: u16 = 8080;
/// The name by which requests ask for the model; the server has only one.
const MODEL: &str = "gemma-3-270m";
/// How long the server may take to load its model on a busy machine.
const LOAD_WITHIN: Duration = Duration::from_secs(120);
/// How far the agent's own count may be off what the server says, in percent of all tokens.
const ESTIMATE_WITHIN_PERCENT: u64 = 5;
/// Some pages that a person would hand to a model.
const PAGES: &str = include_str!("../../../docs/architecture.md");
/// Bytes of them: some 700 tokens, so that what a chat template adds is not most of the count.
const PROMPT_BYTES: usize = 3_000;

/// The suite.
pub(super) fn plan() -> Plan {
    Plan {
        suite: "real",
        policies: AgentConfig::new()
            .endpoint(&format!(
                "{{host: {}, api: openai, ports: [{PORT}], tls: false}}",
                LLAMA.name
            ))
            .policy(
                "large-budget",
                "large-budget-*",
                "budgets: [{limit: 1M tokens, window: 1h, per: workload}]",
            ),
        tests: vec![
            Test::new("chat", |stage| sdk(stage, "openai_client.py", &["chat"])),
            Test::new("chat_streamed", |stage| {
                sdk(
                    stage,
                    "openai_client.py",
                    &["chat", "--stream", "--include-usage"],
                )
            }),
            Test::new("messages", |stage| {
                sdk(stage, "anthropic_client.py", &["messages"])
            }),
            Test::new("messages_streamed", |stage| {
                sdk(stage, "anthropic_client.py", &["messages", "--stream"])
            }),
            Test::new("its_own_completion", |stage| own(stage, false)),
            Test::new("its_own_completion_streamed", |stage| own(stage, true)),
        ],
        at_once: 1,
    }
}

/// The server; killed when dropped.
struct Server {
    process: Child,
    host: String,
}

impl Server {
    async fn start(stage: &Stage) -> Result<Self> {
        let path = |name: &str| {
            env::var_os(name).map(PathBuf::from).with_context(|| {
                format!("{name} is not set; run this through `cargo xtask test --suite real`")
            })
        };
        let (server, model) = (path("WEIR_LAB_LLAMA_SERVER")?, path("WEIR_LAB_LLAMA_MODEL")?);
        let libraries = server.parent().context("the server lies in no directory")?;
        let address = stage.lab.plan.v4(LLAMA);
        // Of both address families: a client that tries the other first would find the agent there, and behind it nothing.
        let every = "::";
        let mut process = Command::new("ip")
            .args(["netns", "exec", stage.lab.internet().name()])
            .arg(&server)
            .arg("--model")
            .arg(model)
            .args(["--host", every, "--port", &PORT.to_string()])
            .args(["--ctx-size", "4096", "--parallel", "1"])
            .env("LD_LIBRARY_PATH", libraries)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("starting llama-server")?;
        let started = Instant::now();
        while !is_healthy((address, PORT).into()).await {
            ensure!(process.try_wait()?.is_none(), "llama-server has ended");
            ensure!(
                started.elapsed() < LOAD_WITHIN,
                "llama-server is not ready after {LOAD_WITHIN:?}"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(Self {
            process,
            host: format!("{}:{PORT}", LLAMA.name),
        })
    }

    /// Ends it, so that the next one finds its port free.
    async fn stop(mut self) -> Result<()> {
        self.process.kill().await.context("ending llama-server")
    }
}

/// Whether the server has loaded its model. Asked from outside the agent's cgroup.
async fn is_healthy(address: std::net::SocketAddr) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(b"GET /health HTTP/1.1\r\nhost: llama\r\nconnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    asked.await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn prompt() -> String {
    let mut end = PROMPT_BYTES;
    while !PAGES.is_char_boundary(end) {
        end += 1;
    }
    format!("Say in some sentences what this is about:\n\n{}", &PAGES[..end])
}

/// An SDK's call: the SDK is told the same tokens as are on record.
async fn sdk(stage: Arc<Stage>, program: &'static str, arguments: &'static [&'static str]) -> Result<()> {
    let server = Server::start(&stage).await?;
    let name = format!("large-budget-real-{}", arguments.join(""));
    let path = if program.starts_with("openai") { "/v1" } else { "" };
    let url = format!("http://{}{path}", server.host);
    let prompt = prompt();
    let more = [
        "--base-url",
        &url,
        "--model",
        MODEL,
        "--max-tokens",
        "128",
        "--prompt",
        &prompt,
    ];
    let launch = stage.python(&name, program, &[arguments, &more].concat())?;
    let (truth, report) = stage.report(launch).await?;
    ensure!(report["error"].is_null(), "{}", report["error"]);
    let told = told(&report["usage"])?;
    let record = stage.exchange(&truth).await?;
    server.stop().await?;
    agrees(&record, told)
}

/// The server's own endpoint, which no SDK speaks.
async fn own(stage: Arc<Stage>, stream: bool) -> Result<()> {
    let server = Server::start(&stage).await?;
    let body = serde_json::json!({"prompt": prompt(), "n_predict": 128, "stream": stream, "temperature": 0});
    let url = format!("http://{}/completion", server.host);
    let launch: Launch = stage.curl(
        &format!("large-budget-real-own-{stream}"),
        &["--no-buffer", "--data", &body.to_string(), &url],
    );
    let (truth, output) = launch.run(&stage.lab).await?;
    ensure!(output.status.success(), "curl: {}", shown(&output));
    let text = String::from_utf8(output.stdout)?;
    let last = text.lines().rfind(|line| !line.is_empty()).context("no answer")?;
    let last: Value = serde_json::from_str(last.strip_prefix("data: ").unwrap_or(last))?;
    let count = |name: &str| {
        last[name]
            .as_u64()
            .with_context(|| format!("no {name} in {last}"))
    };
    let told = (count("tokens_evaluated")?, count("tokens_predicted")?);
    let record = stage.exchange(&truth).await?;
    server.stop().await?;
    // It names no model, so that there is no estimate to hold to the model's vocabulary.
    is_exact(&record, told)
}

/// Prompt and completion, cached tokens included, in either SDK's words.
fn told(usage: &Value) -> Result<(u64, u64)> {
    let count = |name: &str| usage[name].as_u64();
    match (count("prompt_tokens"), count("input_tokens")) {
        (Some(prompt), _) => Ok((
            prompt,
            count("completion_tokens").context("no completion_tokens")?,
        )),
        (None, Some(input)) => {
            let cached = count("cache_read_input_tokens").unwrap_or(0);
            Ok((
                input + cached,
                count("output_tokens").context("no output_tokens")?,
            ))
        }
        (None, None) => bail!("the server told no usage: {usage}"),
    }
}

/// On record is what the server says.
fn is_exact(record: &Value, told: (u64, u64)) -> Result<()> {
    let usage = &record["usage"];
    ensure!(
        usage["certainty"] == "exact" && usage["input"] == told.0 && usage["output"] == told.1,
        "the server told {told:?}, on record is {usage}"
    );
    Ok(())
}

/// On record is what the server says, and the agent's own count is near it.
fn agrees(record: &Value, told: (u64, u64)) -> Result<()> {
    is_exact(record, told)?;
    let counted = &record["counted"];
    let own = ["input", "output"].map(|part| counted[part].as_u64());
    let [Some(input), Some(output)] = own else {
        bail!("no count of the agent's own on record: {record}");
    };
    let (own, told_sum) = (input + output, told.0 + told.1);
    ensure!(
        own.abs_diff(told_sum) * 100 <= told_sum * ESTIMATE_WITHIN_PERCENT,
        "the agent counted {input} and {output}, the server {told:?}"
    );
    crate::screen::line(&format!("    told {told:?}, counted ({input}, {output})"));
    Ok(())
}
