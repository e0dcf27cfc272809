//! curl: both versions of HTTP, other users, IPv4 and IPv6, `expect: 100-continue`, pipelines of its own.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::runner::Test;
use super::stage::{Stage, check_usage, shown};

const CHAT: &str = "https://api.openai.com/v1/chat/completions";
const MESSAGES: &str = "https://api.anthropic.com/v1/messages";

/// `nobody`, on every distribution.
const NOBODY: u32 = 65534;

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("curl::http1_and_http2", both_versions),
        Test::new("curl::ipv4_and_ipv6", both_families),
        Test::new("curl::another_user", another_user),
        Test::new("curl::expect_continue", expect_continue),
        Test::new("curl::http2_concurrent_streams", concurrent_streams),
        Test::new("curl::no_alt_svc", no_alt_svc),
        Test::new("curl::trailers", trailers),
    ]
}

async fn both_versions(stage: Arc<Stage>) -> Result<()> {
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        for (url, stream) in [(CHAT, false), (CHAT, true), (MESSAGES, false), (MESSAGES, true)] {
            let prompt = format!("Write 14 words ({flag} {url} {stream})");
            let (truth, exchange, text) =
                chat(&stage, &format!("curl{version}"), url, &prompt, stream, &[flag]).await?;
            ensure!(text.contains("spillway"), "{truth:?} got {text}");
            ensure!(exchange["http"]["version"] == version, "{exchange}");
            let served = stage.served(&prompt)?;
            let alpn = if version == "2" { "h2" } else { "http/1.1" };
            ensure!(
                served.arrival.alpn == alpn,
                "towards the provider: {}",
                served.arrival.alpn
            );
            check_usage(&exchange, &served)?;
        }
    }
    Ok(())
}

async fn both_families(stage: Arc<Stage>) -> Result<()> {
    for flag in ["-4", "-6"] {
        let prompt = format!("Write 5 words (family {flag})");
        let (_, exchange, _) = chat(&stage, "curl-family", CHAT, &prompt, false, &[flag]).await?;
        let served = stage.served(&prompt)?;
        let destination = exchange["original_destination"]
            .as_str()
            .context("no destination")?;
        ensure!(destination.starts_with('[') == (flag == "-6"), "{exchange}");
        ensure!(
            served.arrival.peer.is_ipv6() == (flag == "-6"),
            "the provider was reached from {}",
            served.arrival.peer
        );
    }
    Ok(())
}

async fn another_user(stage: Arc<Stage>) -> Result<()> {
    let prompt = "Write 5 words (nobody)";
    let body = body(prompt, false);
    let launch = stage
        .curl(
            "curl-nobody",
            &["-H", "content-type: application/json", "-d", &body, CHAT],
        )
        .uid(NOBODY);
    let (truth, output) = launch.netns(&stage.second).run(&stage.lab).await?;
    ensure!(output.status.success(), "{}", shown(&output));
    let exchange = stage.exchange(&truth).await?;
    ensure!(
        exchange["workload"]["uid"] == NOBODY && exchange["workload"]["user"] == "nobody",
        "{exchange}"
    );
    Ok(())
}

async fn expect_continue(stage: Arc<Stage>) -> Result<()> {
    let prompt = "Write 5 words (continue)";
    let arguments = ["--http1.1", "-v", "-H", "expect: 100-continue"];
    let body = body(prompt, false);
    let launch = stage.curl(
        "curl-continue",
        &[
            &arguments[..],
            &["-H", "content-type: application/json", "-d", &body, CHAT],
        ]
        .concat(),
    );
    let (truth, output) = launch.run(&stage.lab).await?;
    let said = shown(&output);
    ensure!(said.contains("100 Continue") && said.contains("gauge"), "{said}");
    stage.exchange(&truth).await?;
    Ok(())
}

async fn concurrent_streams(stage: Arc<Stage>) -> Result<()> {
    let body = body("Write 40 words (parallel curl)", true);
    let mut arguments = vec![
        "--parallel",
        "--parallel-max",
        "20",
        "--http2",
        "-H",
        "content-type: application/json",
        "-H",
        "x-lab-delay-ms: 5",
    ];
    arguments.extend(["-d", &body]);
    arguments.extend([CHAT; 20]);
    let (truth, output) = stage.curl("curl-parallel", &arguments).run(&stage.lab).await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success() && text.matches("[DONE]").count() == 20,
        "{}",
        shown(&output)
    );
    let exchanges = stage.exchanges(&truth, 20).await?;
    ensure!(
        exchanges.len() == 20
            && exchanges
                .iter()
                .all(|exchange| exchange["usage"]["output"] == exchanges[0]["usage"]["output"]),
        "{exchanges:?}"
    );
    Ok(())
}

async fn no_alt_svc(stage: Arc<Stage>) -> Result<()> {
    for flag in ["--http1.1", "--http2"] {
        let (truth, output) = stage
            .curl("curl-alt-svc", &[flag, "-i", "https://api.openai.com/v1/models"])
            .run(&stage.lab)
            .await?;
        let answer = String::from_utf8_lossy(&output.stdout).to_lowercase();
        ensure!(
            answer.contains("x-request-id") && !answer.contains("alt-svc"),
            "{}: {answer}",
            truth.name
        );
    }
    Ok(())
}

async fn trailers(stage: Arc<Stage>) -> Result<()> {
    let prompt = "Write 5 words (trailers)";
    let (_, _, text) = chat(
        &stage,
        "curl-trailers",
        CHAT,
        prompt,
        true,
        &["--http2", "-i", "-H", "te: trailers", "-H", "x-lab-trailers: 1"],
    )
    .await?;
    ensure!(text.contains("x-lab-checksum: 0a1b2c3d"), "{text}");
    Ok(())
}

/// One chat by curl: who it was, what is on record, what it printed.
async fn chat(
    stage: &Stage,
    name: &str,
    url: &str,
    prompt: &str,
    stream: bool,
    more: &[&str],
) -> Result<(crate::lab::workload::Truth, serde_json::Value, String)> {
    let body = body(prompt, stream);
    let launch = stage.curl(
        name,
        &[more, &["-H", "content-type: application/json", "-d", &body, url]].concat(),
    );
    let (truth, output) = launch.run(&stage.lab).await?;
    ensure!(output.status.success(), "{}", shown(&output));
    let exchange = stage.exchange(&truth).await?;
    Ok((
        truth,
        exchange,
        String::from_utf8_lossy(&output.stdout).into_owned(),
    ))
}

fn body(prompt: &str, stream: bool) -> String {
    json!({
        "model": "gpt-4o-mini", "max_tokens": 1000, "stream": stream, "messages": [{"role": "user", "content": prompt}],
    })
    .to_string()
}
