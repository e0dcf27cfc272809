//! The SDKs as programs use them: whole and streamed, sync and async, tools, several choices, compressed answers.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::runner::Test;
use super::stage::{Report, Stage, check_usage};
use crate::lab::workload::{Launch, Truth};

/// One way to call a provider.
struct Way {
    name: &'static str,
    arguments: &'static [&'static str],
}

const WAYS: [Way; 4] = [
    Way {
        name: "sync",
        arguments: &[],
    },
    Way {
        name: "async",
        arguments: &["--asynchronous"],
    },
    Way {
        name: "stream",
        arguments: &["--stream"],
    },
    Way {
        name: "async-stream",
        arguments: &["--asynchronous", "--stream"],
    },
];

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("sdk::openai_text", openai_text),
        Test::new("sdk::openai_tools", openai_tools),
        Test::new("sdk::openai_choices_and_usage_in_stream", openai_choices),
        Test::new("sdk::openai_from_another_netns", openai_second_netns),
        Test::new("sdk::openai_keeps_one_connection", openai_keep_alive),
        Test::new("sdk::openai_sees_the_providers_errors", openai_errors),
        Test::new("sdk::openai_sees_a_broken_stream", openai_broken_stream),
        Test::new("sdk::anthropic_text", anthropic_text),
        Test::new("sdk::anthropic_tools", anthropic_tools),
        Test::new("sdk::anthropic_sees_the_providers_errors", anthropic_errors),
        Test::new("sdk::compressed_answers", compressed),
        Test::new("sdk::models_list", models),
    ]
}

async fn openai_text(stage: Arc<Stage>) -> Result<()> {
    for way in &WAYS {
        let prompt = format!("Write 21 words ({} openai)", way.name);
        let launch = stage.openai(
            &format!("openai-{}", way.name),
            &[&["--prompt", &prompt], way.arguments].concat(),
        )?;
        exchange(&stage, launch, &prompt, "openai", "chat_completions")
            .await
            .context(way.name)?;
    }
    Ok(())
}

async fn anthropic_text(stage: Arc<Stage>) -> Result<()> {
    for way in &WAYS {
        let prompt = format!("Write 21 words ({} anthropic)", way.name);
        let arguments = [&["--prompt", &prompt, "--system", "Be brief."], way.arguments].concat();
        let launch = stage.anthropic(&format!("anthropic-{}", way.name), &arguments)?;
        exchange(&stage, launch, &prompt, "anthropic", "messages")
            .await
            .context(way.name)?;
    }
    Ok(())
}

async fn openai_tools(stage: Arc<Stage>) -> Result<()> {
    for way in &WAYS {
        let prompt = format!("Use the tool ({} openai)", way.name);
        let arguments = [&["--tools", "--prompt", &prompt], way.arguments].concat();
        let launch = stage.openai(&format!("openai-tools-{}", way.name), &arguments)?;
        let report = exchange(&stage, launch, &prompt, "openai", "chat_completions")
            .await
            .context(way.name)?;
        ensure!(
            report["answer"]["calls"][0][0] == "get_weather" && report["answer"]["finish"][0] == "tool_calls",
            "{}: {report}",
            way.name
        );
    }
    Ok(())
}

async fn anthropic_tools(stage: Arc<Stage>) -> Result<()> {
    for way in &WAYS {
        let prompt = format!("Use the tool ({} anthropic)", way.name);
        let arguments = [&["--tools", "--prompt", &prompt], way.arguments].concat();
        let launch = stage.anthropic(&format!("anthropic-tools-{}", way.name), &arguments)?;
        let report = exchange(&stage, launch, &prompt, "anthropic", "messages")
            .await
            .context(way.name)?;
        ensure!(
            report["answer"]["calls"][0][0] == "get_weather" && report["answer"]["finish"][0] == "tool_use",
            "{}: {report}",
            way.name
        );
    }
    Ok(())
}

async fn openai_choices(stage: Arc<Stage>) -> Result<()> {
    let prompt = "Write 9 words (three choices)";
    let arguments = [
        "--stream",
        "--choices",
        "3",
        "--include-usage",
        "--prompt",
        prompt,
    ];
    let report = exchange(
        &stage,
        stage.openai("openai-choices", &arguments)?,
        prompt,
        "openai",
        "chat_completions",
    )
    .await?;
    ensure!(
        report["answer"]["text"]
            .as_array()
            .is_some_and(|texts| texts.len() == 3),
        "{report}"
    );
    let served = stage.served(prompt)?;
    let (input, output) = served.usage().context("no usage")?;
    let told = &report["usage"];
    ensure!(
        told["prompt_tokens"] == input && told["completion_tokens"] == output,
        "the client was told {told}"
    );
    Ok(())
}

async fn openai_second_netns(stage: Arc<Stage>) -> Result<()> {
    let prompt = "Write 5 words (second netns)";
    let launch = stage
        .openai("openai-second", &["--prompt", prompt])?
        .netns(&stage.second);
    let report = exchange(&stage, launch, prompt, "openai", "chat_completions").await?;
    ensure!(report["usage"]["total_tokens"].is_u64(), "{report}");
    Ok(())
}

async fn openai_keep_alive(stage: Arc<Stage>) -> Result<()> {
    let before = stage.lab.log.connections();
    let launch = stage.openai(
        "openai-repeat",
        &["--prompt", "Write 5 words (again)", "--repeat", "8"],
    )?;
    let (truth, reports) = stage.reports(launch).await?;
    ensure!(
        reports.len() == 8 && reports.iter().all(|report| report["error"].is_null()),
        "{reports:?}"
    );
    let exchanges = stage.exchanges(&truth, 8).await?;
    ensure!(exchanges.len() == 8, "{} exchanges on record", exchanges.len());
    let connections = stage.lab.log.connections() - before;
    ensure!(
        connections == 1,
        "8 requests on one client connection made {connections} upstream connections"
    );
    Ok(())
}

async fn openai_errors(stage: Arc<Stage>) -> Result<()> {
    for (status, class) in [
        ("401", "AuthenticationError"),
        ("400", "BadRequestError"),
        ("503", "InternalServerError"),
    ] {
        let code: u16 = status.parse()?;
        let prompt = format!("Write 5 words (status {status})");
        let header = format!("x-lab-status={status}");
        let launch = stage.openai(
            &format!("openai-{status}"),
            &["--prompt", &prompt, "--header", &header],
        )?;
        let (truth, report) = stage.report(launch).await?;
        ensure!(report["error"]["type"] == class, "{status}: {report}");
        // The SDK retries a 5xx by itself, on the record as often as it did.
        let exchanges = stage
            .exchanges(&truth, if status == "503" { 3 } else { 1 })
            .await?;
        let all = exchanges.iter().all(|exchange| {
            exchange["verdict"] == "allowed"
                && exchange["http"]["status"] == code
                && exchange["error"].is_string()
        });
        ensure!(all, "{status}: {exchanges:?}");
    }
    Ok(())
}

async fn openai_broken_stream(stage: Arc<Stage>) -> Result<()> {
    for (header, class) in [
        ("x-lab-error-after=3", "APIError"),
        ("x-lab-break-after=3", "APIConnectionError"),
    ] {
        let prompt = format!("Write 9 words ({header})");
        let name = header.split('=').next().unwrap_or_default();
        let launch = stage.openai(name, &["--stream", "--prompt", &prompt, "--header", header])?;
        let (truth, report) = stage.report(launch).await?;
        ensure!(
            report["error"]["type"] == class && report["answer"]["text"][0] == "river weir sluice",
            "{report}"
        );
        let exchange = stage.exchange(&truth).await?;
        // What was generated was spent, even though the provider did not live to say so.
        ensure!(
            exchange["usage"]["output"]
                .as_u64()
                .is_some_and(|output| output > 0),
            "{exchange}"
        );
        ensure!(
            exchange["usage"]["certainty"] != "exact" && exchange["error"].is_string(),
            "{exchange}"
        );
    }
    Ok(())
}

async fn anthropic_errors(stage: Arc<Stage>) -> Result<()> {
    let prompt = "Write 9 words (overloaded in the stream)";
    let arguments = ["--stream", "--prompt", prompt, "--header", "x-lab-error-after=3"];
    let (truth, report) = stage
        .report(stage.anthropic("anthropic-overloaded", &arguments)?)
        .await?;
    ensure!(
        report["error"]["code"] == "overloaded_error" && report["answer"]["text"][0] == "river weir sluice",
        "{report}"
    );
    let exchange = stage.exchange(&truth).await?;
    ensure!(
        exchange["error"] == "stream" && exchange["verdict"] == "allowed",
        "{exchange}"
    );
    Ok(())
}

async fn compressed(stage: Arc<Stage>) -> Result<()> {
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        for streamed in [false, true] {
            // curl decodes all four; the SDKs as installed here only the first two.
            let prompt = format!("Write 30 words ({encoding} {streamed})");
            let body = serde_json::json!({
                "model": "gpt-4o-mini", "stream": streamed, "messages": [{"role": "user", "content": prompt}],
            });
            let header = format!("x-lab-encoding: {encoding}");
            let arguments = [
                "--compressed",
                "-H",
                &header,
                "-H",
                "content-type: application/json",
                "-d",
                &body.to_string(),
                "https://api.openai.com/v1/chat/completions",
            ]
            .map(str::to_owned);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let launch = stage.curl(&format!("compressed-{encoding}-{streamed}"), &arguments);
            let (truth, output) = launch.run(&stage.lab).await?;
            let text = String::from_utf8(output.stdout).context("not decoded")?;
            ensure!(text.contains("tailrace"), "{encoding}: {text}");
            check_usage(&stage.exchange(&truth).await?, &*stage.served(&prompt)?).context(prompt)?;
        }
    }
    Ok(())
}

async fn models(stage: Arc<Stage>) -> Result<()> {
    let (truth, report) = stage
        .report(stage.python("openai-models", "openai_client.py", &["models"])?)
        .await?;
    ensure!(report["answer"]["models"][0] == "gpt-4o-mini", "{report}");
    let exchange = stage.exchange(&truth).await?;
    ensure!(
        exchange["usage"].is_null() && exchange["verdict"] == "allowed",
        "{exchange}"
    );
    Ok(())
}

/// Runs a program that makes one exchange, and checks what the client got and what is on record.
async fn exchange(
    stage: &Stage,
    launch: Launch,
    prompt: &str,
    provider: &str,
    operation: &str,
) -> Result<Report> {
    let (truth, report): (Truth, Report) = stage.report(launch).await?;
    ensure!(report["error"].is_null(), "{report}");
    let served = stage.served(prompt)?;
    let text = report["answer"]["text"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|text| text.as_str())
        .collect::<String>();
    if report["answer"]["calls"][0].is_null() {
        // Choices come interleaved at the provider and apart at the client.
        ensure!(
            text.len() == served.sent_text().len(),
            "the client got `{text}`, the provider sent `{}`",
            served.sent_text()
        );
    }
    let exchange = stage.exchange(&truth).await?;
    let fields = exchange["provider"] == provider
        && exchange["operation"] == operation
        && exchange["model"] == served.model.as_str()
        && exchange["streamed"] == served.stream
        && exchange["verdict"] == "allowed"
        && exchange["http"]["status"] == 200;
    ensure!(fields, "on record: {exchange}");
    check_usage(&exchange, &served)?;
    if provider == "openai" && exchange["model"] == "gpt-4o-mini" {
        check_cost(&exchange)?;
    }
    Ok(report)
}

/// Checks the money on record: 0.15 USD per million tokens of the prompt, 0.075 for cached ones, and 0.60 of the answer.
fn check_cost(record: &serde_json::Value) -> Result<()> {
    let tokens = |part: &str| record["usage"][part].as_u64().unwrap_or_default();
    let fresh = tokens("input").saturating_sub(tokens("cache_read"));
    let thousandths = fresh * 150 + tokens("cache_read") * 75 + tokens("output") * 600;
    ensure!(
        record["cost_micro_usd"] == thousandths.div_ceil(1_000) && record["price_from"] == "2024-10-01",
        "the cost on record is {} at the price of {}, for {}",
        record["cost_micro_usd"],
        record["price_from"],
        record["usage"]
    );
    Ok(())
}
