//! A guardrail of the operator's own: what it is asked, and what follows where it says no, fails or is late.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::lab::agent::AgentConfig;
use crate::suite::runner::Test;
use crate::suite::stage::Stage;

/// How long the agent waits for an answer.
const DEADLINE: &str = "1s";
/// What the service takes for an answer that is late.
const LATE: Duration = Duration::from_secs(5);
/// Failures in a row after which it is not asked for a while.
const FAILURES: usize = 5;

pub(super) fn tests() -> Vec<Test> {
    vec![Test::new("guardrail::decides_about_prompts", decides)]
}

/// Two guardrails of one service: what cannot be asked about is refused by one's policy, and passes by the other's.
fn policies(config: AgentConfig, address: &str) -> AgentConfig {
    let guardrail = |name: &str, on_error: &str| {
        format!(
            "- {{name: {name}, url: \"http://{address}/check\", timeout: {DEADLINE}, on_error: {on_error}}}"
        )
    };
    config
        .key("guardrails", &guardrail("strict", "deny"))
        .key("guardrails", &guardrail("lenient", "allow"))
        .policy(
            "strict",
            "strict-*",
            "guardrails: [{name: strict, in: [user], owasp: LLM01}]",
        )
        .policy(
            "lenient",
            "lenient-*",
            "guardrails: [{name: lenient, in: [user]}]",
        )
}

async fn decides(stage: Arc<Stage>) -> Result<()> {
    let service = Service::start().await?;
    stage
        .agent()
        .await
        .reload(&stage.lab, policies(super::config(), &service.address))
        .await?;
    let decided = cases(&stage, &service).await;
    stage.agent().await.reload(&stage.lab, super::config()).await?;
    decided
}

async fn cases(stage: &Stage, service: &Service) -> Result<()> {
    passes(stage, service).await?;
    for (tag, prompt, reason) in [
        ("strict-blocked", "Write 3 forbidden words", "guardrail"),
        ("lenient-blocked", "Write 3 forbidden words", "guardrail"),
        ("strict-late", "Write 3 late words", "guardrail_failed"),
        ("strict-broken", "Write 3 broken words", "guardrail_failed"),
    ] {
        refused(stage, tag, prompt, reason).await?;
    }
    for tag in ["lenient-late", "lenient-broken"] {
        let kind = tag.split('-').next_back().unwrap_or_default();
        let exchange = unhindered(stage, tag, &format!("Write 3 words {kind} ({tag})")).await?;
        ensure!(
            exchange["reason"] == "guardrail_failed" && exchange["rule"] == "lenient",
            "{tag}: {exchange}"
        );
    }
    breaks(stage, service).await
}

/// It is asked about the parts that the policy names, once.
async fn passes(stage: &Stage, service: &Service) -> Result<()> {
    let prompt = "Write 3 words (strict-passes)";
    let arguments = ["--system", "You are terse.", "--prompt", prompt];
    let (truth, report) = stage.report(stage.openai("strict-passes", &arguments)?).await?;
    ensure!(report["error"].is_null(), "{report}");
    let exchange = stage.exchange(&truth).await?;
    ensure!(exchange["verdict"] == "allowed", "{exchange}");
    let asked = service.asked.lock().clone();
    ensure!(asked.len() == 1, "asked {} times", asked.len());
    let question = &asked[0];
    ensure!(
        question["version"] == 1
            && question["exchange"] == exchange["id"]
            && question["provider"] == "openai"
            && question["operation"] == "chat_completions"
            && question["texts"] == json!([{"part": "user", "text": prompt}]),
        "{question}"
    );
    Ok(())
}

async fn refused(stage: &Stage, tag: &str, prompt: &str, reason: &str) -> Result<()> {
    let prompt = format!("{prompt} ({tag})");
    let (truth, report) = stage.report(stage.openai(tag, &["--prompt", &prompt])?).await?;
    ensure!(
        report["error"]["type"] == "PermissionDeniedError" && report["error"]["status"] == 403,
        "{tag}: {report}"
    );
    ensure!(
        stage.lab.log.containing(tag).is_empty(),
        "{tag}: the provider got the request"
    );
    let exchange = stage.exchange(&truth).await?;
    let name = tag.split('-').next();
    let owasp = (name == Some("strict")).then_some("LLM01");
    ensure!(
        exchange["verdict"] == "denied"
            && exchange["reason"] == reason
            && exchange["policy"].as_str() == name
            && exchange["rule"].as_str() == name
            && exchange["owasp"].as_str() == owasp,
        "{tag}: {exchange}"
    );
    Ok(())
}

async fn unhindered(stage: &Stage, tag: &str, prompt: &str) -> Result<Value> {
    let (truth, report) = stage.report(stage.openai(tag, &["--prompt", prompt])?).await?;
    ensure!(report["error"].is_null(), "{tag}: {report}");
    ensure!(stage.lab.log.containing(tag).len() == 1, "{tag}: not served");
    let exchange = stage.exchange(&truth).await?;
    ensure!(exchange["verdict"] == "allowed", "{tag}: {exchange}");
    Ok(exchange)
}

/// After some failures in a row nobody waits for it.
async fn breaks(stage: &Stage, service: &Service) -> Result<()> {
    // One that succeeds, to count from.
    unhindered(stage, "lenient-first", "Write 3 words (lenient-first)").await?;
    let before = service.asked.lock().len();
    let prompt = "Write 3 words broken (lenient-again)";
    let launch = stage.openai("lenient-again", &["--prompt", prompt, "--repeat", "9"])?;
    let (_, reports) = stage.reports(launch).await?;
    ensure!(
        reports.len() == 9 && reports.iter().all(|report| report["error"].is_null()),
        "{reports:?}"
    );
    let asked = service.asked.lock().len() - before;
    ensure!(asked == FAILURES, "asked {asked} times of 9");
    Ok(())
}

/// The guardrail's side: it blocks what is forbidden, and fails where it is told to.
struct Service {
    address: String,
    asked: Arc<Mutex<Vec<Value>>>,
    task: JoinHandle<()>,
}

impl Service {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
        let task = tokio::spawn(serve(listener, asked.clone()));
        Ok(Self { address, asked, task })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, asked: Arc<Mutex<Vec<Value>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let asked = asked.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, asked.clone()));
            // Who does not wait for a late answer leaves.
            let _ended = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    asked: Arc<Mutex<Vec<Value>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let response = |status, body: Value| {
        let mut response = Response::new(Full::new(body.to_string().into()));
        *response.status_mut() = status;
        response
    };
    let Ok(question) = question(request).await else {
        return Ok(response(StatusCode::BAD_REQUEST, Value::Null));
    };
    let text = question["texts"].to_string();
    asked.lock().push(question);
    if text.contains("late") {
        tokio::time::sleep(LATE).await;
    }
    Ok(if text.contains("broken") {
        response(StatusCode::INTERNAL_SERVER_ERROR, Value::Null)
    } else if text.contains("forbidden") {
        response(
            StatusCode::OK,
            json!({"action": "block", "why": "it is forbidden"}),
        )
    } else {
        response(StatusCode::OK, json!({"action": "allow"}))
    })
}

async fn question(request: Request<Incoming>) -> Result<Value> {
    ensure!(request.uri().path() == "/check" && request.method() == "POST");
    let body = request.into_body().collect().await?.to_bytes();
    serde_json::from_slice(&body).context("the question is no JSON")
}
