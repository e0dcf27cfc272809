//! Over real sockets.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use monitor_budget::{Budget, Ledger, ManualClock, Spend};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};

use super::*;
use crate::config::{Config, Uid};
use crate::event::{Event, RecordKind, Recorder, RecorderThread, samples};
use crate::history::{History, HistoryThread};

pub(crate) struct Fixture {
    directory: TempDir,
    pub(crate) node: Node,
    pub(crate) recorder: Recorder,
    thread: Option<RecorderThread>,
    history_thread: Option<HistoryThread>,
    pub(crate) sources: Arc<Sources>,
    missing: Arc<parking_lot::Mutex<Vec<String>>>,
    pub(crate) clock: Arc<ManualClock>,
}

/// What the fixture's agent follows.
fn policies() -> Policies {
    let text = "policies:\n- {name: billing-bots, workloads: {namespace: [billing]}, owner: team-payments}\n\
                - {name: keys, mode: observe, content: [{detect: ['secret.*'], action: alert}]}";
    let config = Config::parse(text, std::path::Path::new("weir.yaml")).unwrap();
    let known = crate::policy::Known {
        detectors: &config.detectors.catalog,
        guardrails: &[],
    };
    Policies::compile(&config.policies, &known, "node-1").unwrap()
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Another user must get as far as the socket.
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut node = Config::parse("", Path::new("weir.yaml")).unwrap().node;
        node.run_dir = directory.path().join("run");
        node.listen = "127.0.0.1:0".parse().unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let clock = Arc::new(ManualClock::new(samples::MIDNIGHT_MS + 60_000));
        let kept = crate::config::Usage::default();
        let (history, history_thread) = History::start(directory.path(), kept, clock).unwrap();
        let (recorder, thread) = Recorder::start_with(&[], metrics.clone(), Some(history.clone())).unwrap();
        let clock = Arc::new(ManualClock::new(samples::MIDNIGHT_MS));
        let ledger = Ledger::in_memory(clock.clone());
        let budget = Budget::tokens(
            "billing-bots/0/workload:/system.slice/bot.service",
            1_000,
            3_600_000,
        );
        let reservation = ledger.reserve(&[&budget], &Spend::request(600, 0)).unwrap();
        reservation.settle(&Spend::request(400, 0), monitor_budget::Certainty::Exact);
        let missing: Arc<parking_lot::Mutex<Vec<String>>> = Arc::default();
        let sources = Sources {
            store: recorder.store().clone(),
            metrics,
            history,
            started_ms: samples::MIDNIGHT_MS,
            node: Box::new(|| NodeStatus {
                stays: "yes".to_owned(),
                usage_history: "on disk".to_owned(),
                cluster: "none".to_owned(),
                config: "/etc/weir/weir.yaml".into(),
                cgroup: "/sys/fs/cgroup".into(),
                programs: BTreeMap::from([("connect4".into(), "attached".into())]),
                kernel_events: BTreeMap::from([("redirected".into(), 7)]),
                names: BTreeMap::from([("cri".into(), "off".into())]),
                pods: 5,
                namespaces: 2,
                scopes: 4,
                open_connections: 1,
                policies: 3,
                ca_certificate: "/var/lib/weir/ca.pem".into(),
            }),
            missing: {
                let missing = missing.clone();
                Box::new(move || missing.lock().clone())
            },
            open_connections: Box::new(|| {
                let mut open = samples::connection();
                open.closed_ms = None;
                open.workload = Some(samples::workload());
                vec![open]
            }),
            ledger,
            identify: Box::new(|pid, uid| {
                Arc::new(crate::identity::Workload {
                    pid,
                    uid,
                    ..crate::identity::Workload::clone(&samples::workload())
                })
            }),
            policies: {
                let policies = Arc::new(policies());
                Box::new(move || policies.clone())
            },
            recorder: recorder.clone(),
            clock: clock.clone(),
            owner_of: Box::new(|key| key.starts_with("billing-bots/").then(|| "team-payments".into())),
            budget_of: Box::new(|key| {
                let rest = key.strip_prefix("billing-bots/0/workload:/")?;
                (!rest.is_empty()).then(|| Budget::tokens(key, 1_000, 3_600_000))
            }),
        };
        Self {
            directory,
            node,
            recorder,
            thread: Some(thread),
            history_thread: Some(history_thread),
            sources: Arc::new(sources),
            missing,
            clock,
        }
    }

    pub(crate) async fn start(&self) -> ApiServer {
        ApiServer::start(&self.node, self.sources.clone()).await.unwrap()
    }

    pub(crate) fn not_ready(&self, missing: &str) {
        self.missing.lock().push(missing.to_owned());
    }

    pub(crate) async fn record(&self, event: Event) {
        self.recorder.send(event);
        let recorder = self.recorder.clone();
        let written = tokio::task::spawn_blocking(move || recorder.flush(Duration::from_secs(5)))
            .await
            .unwrap();
        assert!(written);
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.stop();
        }
        if let Some(thread) = self.history_thread.take() {
            thread.stop();
        }
    }
}

fn exchange(started_ms: u64) -> Event {
    let mut exchange = samples::exchange();
    exchange.started_ms = started_ms;
    Event::Exchange(exchange.into())
}

/// Status and body of a request.
async fn ask(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin, path: &str) -> (u16, String) {
    say(stream, "GET", path, "").await
}

/// Status and body of a request with a method and a body.
async fn say(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, String) {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: weir\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

async fn get(server: &ApiServer, path: &str) -> (u16, Value) {
    let (status, body) = ask(UnixStream::connect(server.socket()).await.unwrap(), path).await;
    (
        status,
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")),
    )
}

#[tokio::test]
async fn answers() {
    let fixture = Fixture::new();
    fixture.record(exchange(samples::MIDNIGHT_MS)).await;
    fixture
        .record(Event::Connection(samples::connection().into()))
        .await;
    let server = fixture.start().await;

    let (code, status) = get(&server, "/v1/status").await;
    assert_eq!(
        (code, &status["ready"], &status["missing"]),
        (200, &json!(true), &json!([]))
    );
    assert_eq!(
        (&status["started"], &status["policies"]),
        (&json!("2024-12-08T00:00:00.000Z"), &json!(3))
    );

    let (_, workloads) = get(&server, "/v1/workloads").await;
    assert_eq!(workloads["workloads"][0]["exe"], "/usr/bin/python3.11");
    assert_eq!(workloads["workloads"][0]["input"], 120);

    let (_, connections) = get(&server, "/v1/connections").await;
    let closed: Vec<_> = connections["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| !c["closed"].is_null())
        .collect();
    assert_eq!(closed, [false, true], "open ones first");
    let (_, one) = get(&server, "/v1/connections?limit=1").await;
    assert_eq!(one["connections"].as_array().unwrap().len(), 1);

    let (_, exchange) = get(&server, "/v1/records").await;
    assert_eq!(
        (&exchange["verdict"], &exchange["workload"]["pid"]),
        (&json!("cut"), &json!(4711))
    );

    let (_, usage) = get(&server, "/v1/usage?by=provider,model").await;
    assert_eq!(
        (&usage["usage"][0]["provider"], &usage["usage"][0]["output"]),
        (&json!("openai"), &json!(300))
    );
    assert_eq!(usage["usage"][0]["workload"], Value::Null);

    let (_, budgets) = get(&server, "/v1/budgets").await;
    let budget = &budgets["budgets"][0];
    assert_eq!(
        (&budget["limit"], &budget["settled"], &budget["peak_outstanding"]),
        (&json!(1000), &json!(400), &json!(600))
    );
}

#[tokio::test]
async fn budgets_are_chosen_and_shown() {
    let fixture = Fixture::new();
    let usd = Budget::new(
        "money/0/service_account:billing/bot",
        2_500_000,
        monitor_budget::Unit::MicroUsd,
        monitor_budget::Window::Open,
    );
    let reservation = fixture.sources.ledger.reserve(
        &[&usd],
        &Spend {
            micro_usd: 2_000_000,
            ..Spend::default()
        },
    );
    let server = fixture.start().await;
    let keys = async |query: &str| {
        let (code, answer) = get(&server, &format!("/v1/budgets{query}")).await;
        assert_eq!(code, 200, "{answer}");
        let budgets = answer["budgets"].as_array().unwrap();
        budgets
            .iter()
            .map(|budget| budget["key"].clone())
            .collect::<Vec<_>>()
    };
    let (bot, money) = (
        json!("billing-bots/0/workload:/system.slice/bot.service"),
        json!("money/0/service_account:billing/bot"),
    );
    assert_eq!(keys("").await, [bot.clone(), money.clone()]);
    assert_eq!(keys("?policy=bill*").await, std::slice::from_ref(&bot));
    assert_eq!(keys("?namespace=billing").await, std::slice::from_ref(&money));
    assert_eq!(keys("?over=80").await, std::slice::from_ref(&money));
    assert_eq!(keys("?over=40&policy=%2Abots").await, [bot]);

    let (_, shown) = get(&server, "/v1/budgets/money%2F0%2Fservice_account%3Abilling%2Fbot").await;
    assert_eq!(
        (
            &shown["unit"],
            &shown["limit"],
            &shown["reserved"],
            &shown["left"],
            &shown["used_percent"],
            &shown["definition"]
        ),
        (
            &json!("micro_usd"),
            &json!(2_500_000),
            &json!(2_000_000),
            &json!(500_000),
            &json!(80),
            &Value::Null
        )
    );
    let (_, shown) = get(&server, "/v1/budgets/bot.service").await;
    assert_eq!(
        (&shown["key"], &shown["opened"], &shown["definition"]["limit"]),
        (
            &json!("billing-bots/0/workload:/system.slice/bot.service"),
            &json!(true),
            &json!(1_000)
        )
    );
    let (_, unused) = get(&server, "/v1/budgets/billing-bots%2F0%2Fworkload%3A%2Fnew").await;
    assert_eq!(
        (&unused["opened"], &unused["left"], &unused["limit"]),
        (&json!(false), &json!(1_000), &json!(1_000))
    );
    drop(reservation);
}

/// The account of the fixture's bot, as a segment of a path.
const BOT: &str = "billing-bots%2F0%2Fworkload%3A%2Fsystem.slice%2Fbot.service";

/// A change of a budget: status and answer.
async fn change(server: &ApiServer, method: &str, path: &str, body: &str) -> (u16, Value) {
    let stream = UnixStream::connect(server.socket()).await.unwrap();
    let (status, body) = say(stream, method, &format!("/v1/budgets/{path}"), body).await;
    (status, serde_json::from_str(&body).unwrap())
}

/// The changes on record.
async fn audits(fixture: &Fixture) -> Vec<Arc<crate::event::Audit>> {
    let recorder = fixture.recorder.clone();
    assert!(
        tokio::task::spawn_blocking(move || recorder.flush(Duration::from_secs(5)))
            .await
            .unwrap()
    );
    let events = fixture.recorder.store().records(RecordKind::Audit, 100);
    let audit = |event| match event {
        Event::Audit(audit) => Some(audit),
        _ => None,
    };
    events.into_iter().filter_map(audit).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_changed_for_a_time_and_on_record() {
    let fixture = Fixture::new();
    let server = fixture.start().await;
    let body = r#"{"limit": 3000, "unit": "tokens", "until": "2024-12-08T02:00:00Z"}"#;
    let (code, answer) = change(&server, "PUT", &format!("{BOT}/override"), body).await;
    assert_eq!(code, 200, "{answer}");
    let budget = &answer["budget"];
    assert_eq!(
        (
            &budget["limit"],
            &budget["defined_limit"],
            &budget["override_until"],
            &budget["left"]
        ),
        (
            &json!(3_000),
            &json!(1_000),
            &json!("2024-12-08T02:00:00.000Z"),
            &json!(2_600)
        )
    );
    assert_eq!(answer["change"]["before"]["limit"], 1_000);

    let (code, _) = change(&server, "POST", &format!("{BOT}/reset"), "").await;
    assert_eq!(code, 200);
    let (_, shown) = get(&server, &format!("/v1/budgets/{BOT}")).await;
    assert_eq!((&shown["settled"], &shown["left"]), (&json!(0), &json!(3_000)));

    // The end comes by itself.
    fixture.clock.advance_ms(2 * 3_600_000 + 1_000);
    let (_, shown) = get(&server, &format!("/v1/budgets/{BOT}")).await;
    assert_eq!(
        (&shown["limit"], &shown["override_until"]),
        (&json!(1_000), &Value::Null)
    );

    let (_, history) = get(&server, "/v1/budgets/history").await;
    let rows = history["history"].as_array().unwrap();
    let changes: Vec<_> = rows.iter().map(|row| row["change"].as_str().unwrap()).collect();
    assert_eq!(changes, ["reset", "override"]);
    assert!(rows[0]["by"].as_str().unwrap().contains("pid"), "{history}");
    let (_, one) = get(&server, &format!("/v1/budgets/history?limit=1&key={BOT}")).await;
    assert_eq!(one["history"].as_array().unwrap().len(), 1);
    let later = samples::MIDNIGHT_MS + 1;
    let (_, none) = get(&server, &format!("/v1/budgets/history?since_ms={later}")).await;
    assert_eq!(none["history"], json!([]));

    let audits = audits(&fixture).await;
    let pids: Vec<_> = audits.iter().map(|audit| audit.actor.pid).collect();
    assert_eq!(
        pids,
        [Some(std::process::id()); 2],
        "the kernel's word on who asked"
    );
    let limits = |audit: &crate::event::Audit| (audit.before.unwrap().limit, audit.after.unwrap().limit);
    assert_eq!(limits(&audits[0]), (1_000, 3_000));
    assert_eq!(
        (
            audits[1].before.unwrap().settled,
            audits[1].after.unwrap().settled
        ),
        (400, 0)
    );
    let metrics = String::from_utf8(fixture.sources.metrics.render().unwrap()).unwrap();
    let counted = r#"weir_audits_total{change="override",outcome="done"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unused_budget_is_opened_and_a_bad_change_refused() {
    let fixture = Fixture::new();
    let server = fixture.start().await;
    let unused = "billing-bots%2F0%2Fworkload%3A%2Fnew.service";
    let body = r#"{"limit": 5, "unit": "tokens", "until": "2024-12-08T02:00:00Z"}"#;
    let (code, answer) = change(&server, "PUT", &format!("{unused}/override"), body).await;
    assert_eq!((code, &answer["budget"]["limit"]), (200, &json!(5)));
    let (code, answer) = change(&server, "DELETE", &format!("{unused}/override"), "").await;
    assert_eq!((code, &answer["budget"]["limit"]), (200, &json!(1_000)));
    assert_eq!(answer["change"]["change"], "override_removed");

    let wrong = [
        ("nobody%2F0%2Fworkload%3A%2Fx", body, 404, "no budget has the key"),
        (
            BOT,
            r#"{"limit": 5, "unit": "requests", "until": "2024-12-08T02:00:00Z"}"#,
            400,
            "counts tokens",
        ),
        (
            BOT,
            r#"{"limit": 5, "unit": "tokens", "until": "2024-12-07T02:00:00Z"}"#,
            400,
            "in the future",
        ),
        (BOT, r#"{"limit": 5, "unit": "tokens"}"#, 400, "until"),
        (BOT, "not JSON", 400, "JSON"),
    ];
    for (key, body, expected, says) in wrong {
        let (code, answer) = change(&server, "PUT", &format!("{key}/override"), body).await;
        let said = answer["error"].as_str().unwrap();
        assert!(
            code == expected && said.contains(says),
            "{key} {body}: {code} {said}"
        );
    }
    let outcomes: Vec<_> = audits(&fixture)
        .await
        .iter()
        .map(|audit| audit.outcome.name())
        .collect();
    assert_eq!(outcomes, [["done"; 2].as_slice(), &["failed"; 5]].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_may_look_may_not_change() {
    if std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) != 0) {
        eprintln!("not run: asking as other users needs root");
        return;
    }
    let named = 64_321;
    let mut fixture = Fixture::new();
    fixture.node.api_users = vec![Uid(named)];
    let server = fixture.start().await;
    let socket = server.socket().to_owned();
    assert_eq!(say_as(named, &socket, "GET", "/v1/budgets").0, "200");
    for (method, what) in [("POST", "reset"), ("DELETE", "override"), ("PUT", "override")] {
        let (code, body) = say_as(named, &socket, method, &format!("/v1/budgets/{BOT}/{what}"));
        assert_eq!(code, "403", "{method} {what}: {body}");
        assert!(
            body.contains("user 64321") && body.contains("ask as root"),
            "{body}"
        );
    }
    let (code, _) = say_as(0, &socket, "POST", &format!("/v1/budgets/{BOT}/reset"));
    assert_eq!(code, "200");
    let audits = audits(&fixture).await;
    let seen: Vec<_> = audits
        .iter()
        .map(|audit| (audit.outcome.name(), audit.actor.uid))
        .collect();
    assert_eq!(
        seen,
        [
            ("denied", named),
            ("denied", named),
            ("denied", named),
            ("done", 0)
        ]
    );
    assert_eq!(fixture.sources.metrics.api_refused.get(), 3);
    let rows = fixture.sources.ledger.audit(None, 10).unwrap();
    assert_eq!(rows.len(), 1, "what was refused changed nothing");
}

#[tokio::test]
async fn refuses_what_it_cannot_answer() {
    let fixture = Fixture::new();
    let server = fixture.start().await;
    for (path, code, says) in [
        ("/v1/nothing", 404, "no such endpoint"),
        ("/v1/records?limit=5000", 400, "4096 records"),
        ("/v1/records?limit=many", 400, "limit"),
        ("/v1/records?last=5", 400, "last"),
        (
            "/v1/records?kind=connection",
            400,
            "exchange, bypass, audit or budget_threshold",
        ),
        ("/v1/budgets?policy=", 400, "the pattern is empty"),
        ("/v1/budgets?over=most", 400, "over"),
        ("/v1/budgets/history?limit=5000", 400, "4096 rows"),
        (
            "/v1/budgets/bilingbots%2F0%2Fworkload%3A%2Fsystem.slice%2Fbot.service",
            404,
            "near it are billing-bots/0/workload",
        ),
        ("/v1/budgets/%FF", 400, "not readable"),
        ("/v1/usage?by=colour", 400, "provider, model"),
        ("/v1/usage?by=hour&step=day", 400, "one step"),
        ("/v1/usage?since=yesterday", 400, "`yesterday` is not a moment"),
        ("/v1/usage?step=week", 400, "minute, hour or day"),
        ("/v1/usage?sort=name", 400, "tokens, exchanges or cost"),
        ("/v1/usage?model=", 400, "model: the pattern is empty"),
        ("/v1/usage?modle=a", 400, "modle"),
    ] {
        let (found, body) = get(&server, path).await;
        assert_eq!(found, code, "{path}");
        assert!(body["error"].as_str().unwrap().contains(says), "{path}: {body}");
    }
}

#[tokio::test]
async fn policies_are_shown_as_they_are_in_force() {
    let fixture = Fixture::new();
    let server = fixture.start().await;
    let (code, all) = get(&server, "/v1/policies").await;
    assert_eq!((code, all["policies"].as_array().unwrap().len()), (200, 2));
    let (code, one) = get(&server, "/v1/policies/keys").await;
    assert_eq!((code, &all["policies"][1]), (200, &one));
    assert_eq!(one["content"][0]["detect"], json!(["secret.*"]));
    assert_eq!(one["mode"], json!("observe"));
    let (code, body) = get(&server, "/v1/policies/key").await;
    assert_eq!((code, &body["error"]), (404, &json!("no policy is called `key`")));
}

#[tokio::test]
async fn follows() {
    let fixture = Fixture::new();
    fixture.record(exchange(1)).await;
    fixture.record(exchange(2)).await;
    let server = fixture.start().await;
    let mut stream = UnixStream::connect(server.socket()).await.unwrap();
    stream
        .write_all(b"GET /v1/records?limit=1&follow=true HTTP/1.1\r\nhost: weir\r\n\r\n")
        .await
        .unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut next = async || {
        loop {
            let line = tokio::time::timeout(Duration::from_secs(10), lines.next_line())
                .await
                .unwrap()
                .unwrap()
                .unwrap();
            if line.starts_with('{') {
                return serde_json::from_str::<Value>(&line).unwrap()["time"]
                    .as_str()
                    .unwrap()
                    .to_owned();
            }
        }
    };
    assert_eq!(next().await, "1970-01-01T00:00:00.002Z");
    fixture.record(exchange(3)).await;
    assert_eq!(next().await, "1970-01-01T00:00:00.003Z");

    // A follower never ends by itself, and does not hold the agent up.
    let stopping = tokio::time::Instant::now();
    server.stop(Duration::from_millis(200)).await;
    assert!(stopping.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_slow_follower_is_told_what_it_missed() {
    let fixture = Fixture::new();
    let (past, live) = fixture.recorder.store().follow(RecordKind::Any, 0);
    for number in 0..crate::event::MAX_FOLLOWER_LAG as u64 + 7 {
        fixture.recorder.send(exchange(number));
    }
    fixture.record(exchange(0)).await;
    let mut feed = std::pin::pin!(feed::Feed::start(RecordKind::Any, past, live));
    let frame = std::future::poll_fn(|cx| hyper::body::Body::poll_frame(feed.as_mut(), cx))
        .await
        .unwrap()
        .unwrap();
    let first = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
    assert!(
        first.starts_with("{\"kind\":\"lost\",\"count\":8}\n"),
        "{first:.60}"
    );
}

#[tokio::test]
async fn health() {
    let fixture = Fixture::new();
    fixture.record(exchange(1)).await;
    let server = fixture.start().await;
    let get = async |path: &str| ask(TcpStream::connect(server.listen()).await.unwrap(), path).await;
    assert_eq!(get("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(get("/readyz").await, (200, "ready\n".to_owned()));
    fixture.not_ready("a self-test connection that arrives attributed");
    let unready = "missing: a self-test connection that arrives attributed\n".to_owned();
    assert_eq!(get("/readyz").await, (503, unready));
    assert_eq!(get("/healthz").await.0, 200, "not ready is not dead");
    let (code, metrics) = get("/metrics").await;
    assert_eq!(code, 200);
    assert!(metrics.contains("weir_exchanges_total{"), "{metrics}");
    assert_eq!(
        get("/v1/status").await.0,
        404,
        "records are for the Unix socket only"
    );
}

#[tokio::test]
async fn one_agent_per_run_directory() {
    let fixture = Fixture::new();
    let server = fixture.start().await;
    let second = ApiServer::start(&fixture.node, fixture.sources.clone()).await;
    assert!(matches!(second, Err(ApiError::AlreadyRunning { .. })));
    assert_eq!(get(&server, "/v1/status").await.0, 200, "the first is not harmed");
    let path = server.socket().to_owned();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    server.stop(Duration::from_secs(1)).await;
    assert!(!path.exists());
    drop(fixture.start().await);
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_file_is_not() {
    let fixture = Fixture::new();
    std::fs::create_dir(&fixture.node.run_dir).unwrap();
    let path = fixture.node.socket();
    // As an agent that was killed leaves it.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let server = fixture.start().await;
    assert_eq!(get(&server, "/v1/status").await.0, 200);
    drop(server);

    std::fs::write(&path, "precious").unwrap();
    let refused = ApiServer::start(&fixture.node, fixture.sources.clone()).await;
    assert!(matches!(refused, Err(ApiError::InTheWay { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let mut fixture = Fixture::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    fixture.node.listen = taken.local_addr().unwrap();
    let error = ApiServer::start(&fixture.node, fixture.sources.clone())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains(&fixture.node.listen.to_string()),
        "{error}"
    );
    assert!(!fixture.node.socket().exists(), "a failed start leaves no socket");
}

/// Asks as another user: status and body.
fn ask_as(uid: u32, socket: &Path) -> (String, String) {
    say_as(uid, socket, "GET", "/v1/status")
}

/// Asks as another user, by any method.
fn say_as(uid: u32, socket: &Path, method: &str, path: &str) -> (String, String) {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--max-time",
            "10",
            "--write-out",
            "\n%{http_code}",
            "--unix-socket",
        ])
        .arg(socket)
        .args(["--request", method])
        .arg(format!("http://weir{path}"))
        .uid(uid)
        .gid(uid)
        .output()
        .expect("curl is needed to ask as another user");
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, code) = text.rsplit_once('\n').unwrap();
    (code.to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_are_told_apart() {
    if std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) != 0) {
        eprintln!("not run: asking as other users needs root");
        return;
    }
    let (named, other) = (64_321, 64_322);
    let mut fixture = Fixture::new();
    fixture.node.api_users = vec![Uid(named)];
    let server = fixture.start().await;
    let socket = server.socket().to_owned();

    assert_eq!(ask_as(named, &socket).0, "200");
    assert_eq!(ask_as(0, &socket).0, "200");
    let (code, body) = ask_as(other, &socket);
    assert_eq!(code, "403");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert!(body["error"].as_str().unwrap().contains("user 64322"), "{body}");
    assert_eq!(fixture.sources.metrics.api_refused.get(), 1);
    server.stop(Duration::from_secs(1)).await;

    // Without named users, the file's mode keeps others out already.
    fixture.node.api_users.clear();
    let server = fixture.start().await;
    assert_eq!(ask_as(named, server.socket()).0, "000");
    assert_eq!(ask_as(0, server.socket()).0, "200");
    assert!(fixture.directory.path().exists());
}
