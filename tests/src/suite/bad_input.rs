//! Bad input from a workload: each kind has one clear outcome on record, and the agent goes on.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::runner::Test;
use super::stage::{Stage, check_attribution, shown};
use crate::client::replay::{Heard, Talk, Turn, Until};
use crate::lab::address::{OPENAI, SCRIPTED};
use crate::provider::Step;

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("bad_input::not_a_client_hello", not_tls),
        Test::new("bad_input::half_a_client_hello", half_hello),
        Test::new("bad_input::nothing_at_all", nothing),
        Test::new("bad_input::truncated_request", truncated),
        Test::new("bad_input::oversized_head", oversized_head),
        Test::new("bad_input::framing_that_two_readers_read_differently", smuggling),
        Test::new("bad_input::invalid_json", invalid_json),
        Test::new("bad_input::hundred_megabytes", hundred_megabytes),
        Test::new("bad_input::unknown_model", unknown_model),
        Test::new("bad_input::a_megabyte_of_one_letter", one_letter),
        Test::new("bad_input::garbage_from_the_provider", provider_garbage),
        Test::new("bad_input::provider_closes_without_an_answer", provider_closes),
        Test::new("bad_input::provider_never_answers", provider_never_answers),
    ]
}

async fn not_tls(stage: Arc<Stage>) -> Result<()> {
    let garbage: Vec<u8> = (0..4096_u32)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0] | 0x80)
        .collect();
    for (name, bytes) in [
        ("garbage", garbage.as_slice()),
        ("plain-http", b"GET / HTTP/1.1\r\nhost: api.openai.com\r\n\r\n"),
    ] {
        let turn = Turn {
            finish: true,
            ..Turn::new(bytes, Until::Close)
        };
        let (truth, _) = stage
            .talk(&format!("not-tls-{name}"), &[Talk::bare(OPENAI.name, vec![turn])])
            .await?;
        let connection = connection(&stage, truth.pid).await?;
        check_attribution(&connection, &truth)?;
        let outcome = connection["outcome"].as_str().unwrap_or_default();
        ensure!(
            ["refused_not_tls", "spliced_not_tls"].contains(&outcome),
            "{name}: {connection}"
        );
    }
    Ok(())
}

async fn half_hello(stage: Arc<Stage>) -> Result<()> {
    // A record header that promises a ClientHello of 500 bytes, and 4 of them.
    let turn = Turn {
        finish: true,
        ..Turn::new(b"\x16\x03\x01\x01\xf8\x01\x00\x01\xf4", Until::Close)
    };
    let (truth, _) = stage
        .talk("half-hello", &[Talk::bare(OPENAI.name, vec![turn])])
        .await?;
    let connection = connection(&stage, truth.pid).await?;
    // It never becomes one; whatever else it was, it was not let into an inspected connection.
    let outcome = connection["outcome"].as_str().unwrap_or_default();
    ensure!(
        ["client_gone", "refused_not_tls", "spliced_not_tls"].contains(&outcome),
        "{connection}"
    );
    Ok(())
}

async fn nothing(stage: Arc<Stage>) -> Result<()> {
    let turn = Turn {
        finish: true,
        ..Turn::new(b"", Until::Close)
    };
    let (truth, _) = stage
        .talk("nothing", &[Talk::bare(OPENAI.name, vec![turn])])
        .await?;
    let connection = connection(&stage, truth.pid).await?;
    ensure!(connection["outcome"] == "client_gone", "{connection}");
    Ok(())
}

async fn truncated(stage: Arc<Stage>) -> Result<()> {
    let body = chat("gpt-4o-mini", "cut short");
    for (name, bytes, outcome) in [
        (
            "in-head",
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: llm.scr".to_vec(),
            // There never was a request.
            "unused",
        ),
        (
            "in-body",
            request("truncated", &body, body.len() + 100),
            "intercepted",
        ),
    ] {
        stage.lab.golden.lay("truncated", vec![Step::Close]);
        let turn = Turn {
            finish: true,
            ..Turn::new(&bytes, Until::Close)
        };
        let (truth, heard) = scripted(&stage, &format!("truncated-{name}"), turn).await?;
        ensure!(
            !heard.turns.concat().starts_with(b"HTTP/1.1 200"),
            "{name}: an answer to half a request"
        );
        let connection = connection(&stage, truth).await?;
        ensure!(connection["outcome"] == outcome, "{name}: {connection}");
    }
    let complete = stage
        .lab
        .golden
        .captured("truncated")
        .iter()
        .any(|captured| captured.complete);
    ensure!(!complete, "half a request arrived as a whole one");
    Ok(())
}

async fn oversized_head(stage: Arc<Stage>) -> Result<()> {
    let bytes = format!(
        "GET /v1/models HTTP/1.1\r\nhost: llm.scripted.test\r\nx-long: {}\r\n\r\n",
        "a".repeat(2 << 20)
    );
    let (truth, heard) = scripted(
        &stage,
        "oversized-head",
        Turn::new(bytes.as_bytes(), Until::Close),
    )
    .await?;
    let answer = heard.turns.concat();
    ensure!(
        heard.closed || heard.error.is_some(),
        "the connection stayed open"
    );
    ensure!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
        "{}",
        answer.escape_ascii()
    );
    connection(&stage, truth).await?;
    Ok(())
}

/// RFC 9112, section 6.3: what can be read in two ways is an attack. It must not reach the provider.
async fn smuggling(stage: Arc<Stage>) -> Result<()> {
    let heads = [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "content-length: 5\r\ncontent-length: 6",
        "transfer-encoding: xchunked",
        "content-length: +5",
        "transfer-encoding : chunked",
    ];
    for (index, head) in heads.iter().enumerate() {
        let case = format!("smuggle-{index}");
        stage.lab.golden.lay(&case, vec![Step::Close]);
        let bytes = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: llm.scripted.test\r\nx-lab-case: {case}\r\n{head}\r\n\r\n0\r\n\r\nGET /"
        );
        let turn = Turn {
            finish: true,
            ..Turn::new(bytes.as_bytes(), Until::Close)
        };
        let (_, heard) = scripted(&stage, &case, turn).await?;
        let answer = heard.turns.concat();
        ensure!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"),
            "{head}: {}",
            answer.escape_ascii()
        );
        ensure!(
            stage.lab.golden.captured(&case).is_empty(),
            "`{head}` reached the provider"
        );
    }
    Ok(())
}

async fn invalid_json(stage: Arc<Stage>) -> Result<()> {
    // Without a policy it is the provider's business; with one, what cannot be read cannot pass.
    let arguments = [
        "-H",
        "content-type: application/json",
        "-d",
        "{\"model\": oops",
        "https://api.openai.com/v1/chat/completions",
    ];
    for (name, arrives) in [
        ("invalid-json", true),
        ("redact-invalid-json", false),
        ("large-budget-invalid-json", false),
    ] {
        let before = stage.lab.log.containing("oops").len();
        let (truth, output) = stage.curl(name, &arguments).run(&stage.lab).await?;
        let answer: Value = serde_json::from_slice(&output.stdout).with_context(|| shown(&output))?;
        ensure!(
            answer["error"]["type"] == "invalid_request_error",
            "{name}: {answer}"
        );
        ensure!(
            (stage.lab.log.containing("oops").len() > before) == arrives,
            "{name}: reached the provider: {}",
            !arrives
        );
        let exchange = stage.exchange(&truth).await?;
        let expected = if arrives { "allowed" } else { "denied" };
        ensure!(
            exchange["verdict"] == expected && exchange["http"]["status"] == 400,
            "{name}: {exchange}"
        );
    }
    Ok(())
}

async fn hundred_megabytes(stage: Arc<Stage>) -> Result<()> {
    let path = stage.lab.dir().join("large.json");
    let body = chat("gpt-4o-mini", &"weir ".repeat(20 << 20));
    ensure!(body.len() > 100_000_000, "not that large");
    std::fs::write(&path, &body)?;
    let data = format!("@{}", path.display());
    for version in ["--http1.1", "--http2"] {
        let arguments = [
            version,
            "-w",
            "\n%{http_code}",
            "-H",
            "content-type: application/json",
            "--data-binary",
            &data,
            "https://api.openai.com/v1/chat/completions",
        ];
        let (truth, output) = stage.curl("redact-large", &arguments).run(&stage.lab).await?;
        ensure!(
            String::from_utf8_lossy(&output.stdout).ends_with("413"),
            "{version}: {}",
            shown(&output)
        );
        let exchange = stage.exchange(&truth).await?;
        ensure!(
            exchange["verdict"] == "denied" && exchange["reason"] == "too_large",
            "{version}: {exchange}"
        );
    }
    std::fs::remove_file(&path)?;
    Ok(())
}

async fn unknown_model(stage: Arc<Stage>) -> Result<()> {
    let (truth, report) = stage
        .report(stage.openai(
            "large-budget-model",
            &[
                "--model",
                "lab-model-9",
                "--prompt",
                "Write 9 words (unknown model)",
            ],
        )?)
        .await?;
    ensure!(report["error"].is_null(), "{report}");
    let exchange = stage.exchange(&truth).await?;
    ensure!(
        exchange["model"] == "lab-model-9" && exchange["verdict"] == "allowed",
        "{exchange}"
    );
    Ok(())
}

/// A tokenizer's or regex engine's worst case must cost the agent no more than its length.
async fn one_letter(stage: Arc<Stage>) -> Result<()> {
    let path = stage.lab.dir().join("letters.json");
    for letter in ["a", " ", "\\u00e9", "4"] {
        let body =
            String::from_utf8(chat("gpt-4o-mini", "LETTERS"))?.replace("LETTERS", &letter.repeat(1_000_000));
        std::fs::write(&path, &body)?;
        let data = format!("@{}", path.display());
        // Not a model of the stand-in's: it would count with the library that is slow on this.
        let arguments = [
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{time_total}",
            "-H",
            "content-type: application/json",
            "-H",
            "x-lab-case: letters",
            "--data-binary",
            &data,
            "https://llm.scripted.test/v1/chat/completions",
        ];
        stage.lab.golden.lay(
            "letters",
            vec![Step::Send(
                b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec(),
            )],
        );
        let name = format!(
            "redact-letters-{}",
            u32::from(letter.bytes().last().unwrap_or_default())
        );
        let output = stage.curl(&name, &arguments).output(&stage.lab).await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let (status, seconds) = said.split_once(' ').with_context(|| shown(&output))?;
        ensure!(
            status == "200" && seconds.parse::<f64>()? < 5.0,
            "`{letter}`: status {status} after {seconds} s"
        );
    }
    Ok(())
}

async fn provider_garbage(stage: Arc<Stage>) -> Result<()> {
    let body = chat("gpt-4o-mini", "garbage");
    for (case, answer) in [
        ("garbage-head", b"\x00\x01\x02 not HTTP at all\r\n\r\n".to_vec()),
        ("garbage-chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\nabc\r\n".to_vec()),
        ("garbage-json", b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{\"choi}".to_vec()),
        ("garbage-events", b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 17\r\n\r\ndata: {\"oops\n\n\xff\xfe\xfd".to_vec()),
        ("truncated-body", b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 70\r\n\r\n{\"cho".to_vec()),
    ] {
        for prefix in ["", "redact-"] {
            let case = format!("{prefix}{case}");
            stage.lab.golden.lay(&case, vec![Step::Send(answer.clone()), Step::Close]);
            let (truth, heard) = scripted(&stage, &case, Turn::new(&request(&case, &body, body.len()), Until::Close)).await?;
            ensure!(heard.closed || heard.error.is_some(), "{case}: the client is left waiting");
            let records = stage.agent().await.records();
            let exchange = records.exchanges_of(truth, 1).await?.pop().context("none")?;
            ensure!(exchange["kind"] == "exchange", "{exchange}");
        }
    }
    Ok(())
}

async fn provider_closes(stage: Arc<Stage>) -> Result<()> {
    let body = chat("gpt-4o-mini", "closes");
    for (case, step) in [("closes", Step::Close), ("cuts", Step::Cut)] {
        stage.lab.golden.lay(case, vec![step]);
        let (truth, heard) = scripted(
            &stage,
            case,
            Turn::new(&request(case, &body, body.len()), Until::Close),
        )
        .await?;
        ensure!(
            heard.closed || heard.error.is_some(),
            "{case}: the client is left waiting"
        );
        let exchange = stage
            .agent()
            .await
            .records()
            .exchanges_of(truth, 1)
            .await?
            .pop()
            .context("none")?;
        ensure!(
            exchange["error"] == "transport" || exchange["reason"] == "upstream_failed",
            "{exchange}"
        );
    }
    Ok(())
}

/// A client that has waited long enough goes; its exchange is on record and the provider's connection is let go.
async fn provider_never_answers(stage: Arc<Stage>) -> Result<()> {
    let body = chat("gpt-4o-mini", "silence");
    stage.lab.golden.lay("silence", vec![Step::Hang]);
    let turn = Turn::new(&request("silence", &body, body.len()), Until::Close).within_ms(1500);
    let (pid, heard) = scripted(&stage, "large-budget-silence", turn).await?;
    ensure!(
        heard.error.is_some() && heard.turns.concat().is_empty(),
        "{heard:?}"
    );
    let exchange = stage
        .agent()
        .await
        .records()
        .exchanges_of(pid, 1)
        .await?
        .pop()
        .context("none")?;
    ensure!(
        exchange["reason"] == "client_gone" && exchange["http"]["status"].is_null(),
        "{exchange}"
    );
    Ok(())
}

fn chat(model: &str, prompt: &str) -> Vec<u8> {
    json!({"model": model, "messages": [{"role": "user", "content": prompt}]})
        .to_string()
        .into_bytes()
}

fn request(case: &str, body: &[u8], content_length: usize) -> Vec<u8> {
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: llm.scripted.test\r\nx-lab-case: {case}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {content_length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

async fn scripted(stage: &Stage, name: &str, turn: Turn) -> Result<(u32, Heard)> {
    let (truth, heard) = stage
        .talk(name, &[Talk::tls(SCRIPTED.name, stage.trust.clone(), vec![turn])])
        .await?;
    Ok((truth.pid, heard.into_iter().next().context("nothing heard")?))
}

async fn connection(stage: &Stage, pid: u32) -> Result<Value> {
    let records = stage.agent().await.records();
    records
        .connections_of(pid, 1)
        .await?
        .pop()
        .context("no connection on record")
}
