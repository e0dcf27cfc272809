//! Against a real agent's API.

use std::path::Path;

use clap::CommandFactory;

use super::*;
use crate::api::tests::Fixture;
use crate::event::{Event, samples};

/// Runs a command line against a socket, on a thread of its own, as a process would.
async fn weir(socket: &Path, command: &str) -> (Result<(), CliError>, String) {
    let words = ["weir"].into_iter().chain(command.split(' ')).map(str::to_owned);
    let socket = ["--socket".to_owned(), socket.display().to_string()];
    let arguments = Arguments::try_parse_from(words.chain(socket)).unwrap();
    tokio::task::spawn_blocking(move || {
        let mut out = Vec::new();
        let result = run(&arguments.command, &mut out);
        (result, String::from_utf8(out).unwrap())
    })
    .await
    .unwrap()
}

#[track_caller]
fn shows(result: &(Result<(), CliError>, String), expected: &[&str]) {
    assert!(result.0.is_ok(), "{:?}", result.0);
    for text in expected {
        assert!(result.1.contains(text), "no `{text}` in\n{}", result.1);
    }
}

#[test]
fn arguments_are_consistent() {
    Arguments::command().debug_assert();
}

#[tokio::test]
async fn lists() {
    let fixture = Fixture::new();
    fixture.record(Event::Exchange(samples::exchange().into())).await;
    fixture
        .record(Event::Connection(samples::connection().into()))
        .await;
    let server = fixture.start().await;
    let socket = server.socket();

    let table = weir(socket, "workloads").await;
    shows(
        &table,
        &[
            "PROGRAM",
            "python3.11",
            "bot",
            "4711",
            "120",
            "2024-12-08T00:00:01Z",
            "bot.service",
        ],
    );
    assert!(!table.1.contains("/system.slice"), "{}", table.1);
    let names = weir(socket, "workloads -o name").await;
    assert_eq!(names.1, "/usr/bin/python3.11 bot /system.slice/bot.service\n");
    let json = weir(socket, "workloads -o json").await.1;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&json).unwrap()["workloads"][0]["output"],
        300
    );

    shows(
        &weir(socket, "connections").await,
        &["open", "closed", "example.com:?", "spliced_not_listed", "4,096"],
    );
    shows(
        &weir(socket, "usage").await,
        &["python3.11", "openai", "gpt-4o-mini", "120", "64", "300", "40"],
    );
    let providers = weir(socket, "usage --by provider").await;
    shows(&providers, &["PROVIDER", "openai"]);
    assert!(!providers.1.contains("MODEL"));
    assert_eq!(
        weir(socket, "usage --by provider,model -o name").await.1,
        "openai gpt-4o-mini\n"
    );
    shows(
        &weir(socket, "budget").await,
        &["billing-bots/0", "1h", "1,000", "400", "600"],
    );
}

#[tokio::test]
async fn policies() {
    let fixture = Fixture::new();
    let server = fixture.start().await;
    let socket = server.socket();
    let table = weir(socket, "policy list").await;
    shows(
        &table,
        &[
            "billing-bots",
            "namespaces=billing",
            "team-payments",
            "observe",
            "all",
        ],
    );
    shows(
        &weir(socket, "policy get keys").await,
        &["secret.*", "mode: observe"],
    );
    let unknown = weir(socket, "policy get nothing").await.0.unwrap_err();
    assert!(
        unknown.to_string().contains("no policy is called `nothing`"),
        "{unknown}"
    );
}

#[tokio::test]
async fn budgets() {
    let fixture = Fixture::new();
    let ledger = &fixture.sources.ledger;
    let usd = monitor_budget::Budget::new(
        "money/0/all",
        2_500_000,
        monitor_budget::Unit::MicroUsd,
        monitor_budget::Window::Open,
    );
    let spend = monitor_budget::Spend {
        micro_usd: 2_000_001,
        ..Default::default()
    };
    let _held = ledger.reserve(&[&usd], &spend).unwrap();
    let server = fixture.start().await;
    let socket = server.socket();

    let table = weir(socket, "budget list").await;
    shows(
        &table,
        &[
            "BUDGET",
            "USED",
            "40%",
            "USD",
            "now",
            "$2.50",
            "$2.000001",
            "$0.499999",
            "80%",
        ],
    );
    assert!(!table.1.contains("PEAK"));
    assert_eq!(weir(socket, "budget").await.1, table.1, "alone it is the list");
    shows(&weir(socket, "budget list -o wide").await, &["PEAK", "NEXT FREE"]);
    let names = weir(socket, "budget list -o name --over 80%").await;
    assert_eq!(names.1, "money/0/all\n");
    shows(
        &weir(socket, "budget -o yaml --policy money").await,
        &["limit: 2500000"],
    );
    let one = weir(socket, "budget get bot.service").await;
    shows(
        &one,
        &[
            "billing-bots/0/workload:/system.slice/bot.service",
            "limit             1,000",
            "left              600",
            "definition        1,000 tokens in 1h, of the node, by policy billing-bots",
        ],
    );
    shows(
        &weir(socket, "budget get money -o json").await,
        &["\"left\": 499999"],
    );
    shows(
        &weir(socket, "budget get money").await,
        &["no policy asks for it any more"],
    );
    let unknown = weir(socket, "budget get nothing-like-it").await.0.unwrap_err();
    assert!(unknown.to_string().contains("weir budget list"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn budgets_are_changed_by_hand() {
    let fixture = Fixture::new();
    let server = fixture.start().await;
    let socket = server.socket();
    let key = "billing-bots/0/workload:/system.slice/bot.service";
    // The command's own words hold blanks.
    let weir = async |words: &[&str]| {
        let socket = socket.display().to_string();
        let words = ["weir", "budget"]
            .iter()
            .chain(words)
            .map(|word| (*word).to_owned());
        let arguments = Arguments::try_parse_from(words.chain(["--socket".to_owned(), socket])).unwrap();
        tokio::task::spawn_blocking(move || {
            let mut out = Vec::new();
            let result = run(&arguments.command, &mut out);
            (result, String::from_utf8(out).unwrap())
        })
        .await
        .unwrap()
    };
    let until = "2024-12-08T02:00:00Z";
    let set = weir(&["set", key, "--limit", "3k tokens", "--until", until]).await;
    shows(
        &set,
        &[&format!(
            "{key}: limit 3,000 tokens until 2024-12-08T02:00:00.000Z, then 1,000 again; 2,600 left"
        )],
    );
    shows(&weir(&["list"]).await, &["3,000*", "* not the configured limit"]);
    shows(
        &weir(&["get", key]).await,
        &["override          until 2024-12-08T02:00:00.000Z, then 1,000 again"],
    );
    let reset = weir(&["reset", "bot.service", "--yes"]).await;
    shows(
        &reset,
        &["reset, 3,000 tokens left; 400 settled and 0 owed are forgotten"],
    );
    shows(
        &weir(&["set", "bot.service", "--clear", "--yes"]).await,
        &["limit 1,000 tokens, as configured"],
    );
    let history = weir(&["history", key]).await;
    shows(
        &history,
        &[
            "CHANGE",
            "override removed",
            "400 settled, 0 owed",
            "1,000 tokens",
            "3,000 tokens until 2024-12-08T02:00:00.000Z",
            "pid",
        ],
    );
    assert_eq!(weir(&["history", "-o", "name", "-n", "2"]).await.1, "3\n2\n");
    shows(&weir(&["history", "-o", "json"]).await, &["\"before\""]);

    // Standard input of a test is no terminal that could say yes; where it is one, this is not run.
    if !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        let error = weir(&["reset", key]).await.0.unwrap_err();
        assert!(error.to_string().contains("--yes"), "{error}");
        let error = weir(&["set", "bot.service", "--clear"]).await.0.unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
    }
    let endless = weir(&["set", key, "--limit", "3k tokens"]).await.0.unwrap_err();
    assert_eq!(endless.exit(), Exit::Usage);
    assert!(
        endless.to_string().contains("a change of the configuration"),
        "{endless}"
    );
    let wrong = weir(&["set", key, "--limit", "3 USD", "--until", until]).await;
    assert!(wrong.0.unwrap_err().to_string().contains("counts tokens"));
}

#[test]
fn changes_that_make_no_sense_are_refused_by_the_arguments() {
    let parses = |words: &str| Arguments::try_parse_from(words.split(' ')).is_ok();
    assert!(parses("weir budget set k --limit 5tokens --for 2h"));
    for wrong in [
        "weir budget set k",
        "weir budget set k --limit 5tokens --clear",
        "weir budget set k --clear --for 2h",
        "weir budget set k --limit 5tokens --for 2h --until 2026-12-01T00:00:00Z",
        "weir budget set k --limit 5 --for 2h",
        "weir budget set k --limit 5tokens --for 0s",
        "weir budget set k --limit 5tokens --until tomorrow",
        "weir budget --over 80% get k",
        "weir budget reset",
    ] {
        assert!(!parses(wrong), "{wrong}");
    }
}

#[tokio::test]
async fn observes() {
    let fixture = Fixture::new();
    let server = fixture.start().await;
    for _ in 0..3 {
        fixture.record(Event::Exchange(samples::exchange().into())).await;
    }
    let compact = weir(server.socket(), "observe --last 2").await;
    let line = "2024-12-08T00:00:00.000Z python3.11[4711] bot → openai chat_completions gpt-4o-mini \
                120→300 tokens 0.000194 USD 1.25s cut (budget, billing-bots)\n";
    assert_eq!(compact.1, line.repeat(2));
    fixture.record(Event::Bypass(samples::bypass().into())).await;
    let bypass = weir(server.socket(), "observe --kind bypass").await;
    let line = "2024-12-08T00:00:00.000Z /system.slice/bot.service → 162.159.140.245:443 udp \
                refused, not intercepted (older_quic), and 3 more\n";
    assert_eq!(bypass.1, line);
    fixture.record(Event::Audit(samples::audit().into())).await;
    let audit = weir(server.socket(), "observe --kind audit").await;
    let line = "2024-12-08T00:00:00.000Z python3.11[4711] 0 → override of \
                billing-bots/0/workload:/system.slice/bot.service done\n";
    assert_eq!(audit.1, line);
    let threshold = Event::BudgetThreshold(samples::budget_threshold().into());
    fixture.record(threshold).await;
    let threshold = weir(server.socket(), "observe --kind budget_threshold").await;
    let line = "2024-12-08T00:00:00.000Z billing-bots/0/workload:/system.slice/bot.service passed 80% of its limit: \
                815 of 1,000 tokens\n";
    assert_eq!(threshold.1, line);
    shows(
        &weir(server.socket(), "observe -o table").await,
        &[
            "TIME",
            "COST",
            "VERDICT",
            "0.000194 USD",
            "cut (budget, billing-bots)",
        ],
    );
    let json = weir(server.socket(), "observe -o json --kind exchange").await.1;
    assert_eq!(json.lines().count(), 3);
    assert!(
        json.lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
    );
}

#[tokio::test]
async fn pods_are_shown_by_name() {
    let fixture = Fixture::new();
    let mut exchange = samples::exchange();
    exchange.workload = Some(samples::pod_workload());
    fixture.record(Event::Exchange(exchange.into())).await;
    let mut connection = samples::connection();
    connection.workload = Some(samples::pod_workload());
    fixture.record(Event::Connection(connection.into())).await;
    let server = fixture.start().await;
    for list in ["workloads", "connections"] {
        let table = weir(server.socket(), list).await;
        shows(&table, &["WHERE", "billing/bot-7d9-x"]);
        assert!(!table.1.contains("SERVICE ACCOUNT"), "{}", table.1);
        let wide = weir(server.socket(), &format!("{list} -o wide")).await;
        shows(
            &wide,
            &[
                "SERVICE ACCOUNT",
                " bot ",
                "main",
                "spiffe://example.org/ns/billing/sa/bot",
                "/kubepods/burstable/pod",
            ],
        );
    }
}

#[tokio::test]
async fn status_fails_when_the_agent_is_not_ready() {
    let fixture = Fixture::new();
    let server = fixture.start().await;
    let ready = weir(server.socket(), "status").await;
    shows(
        &ready,
        &["ready             yes", "connect4", "attached", "redirected", "7"],
    );
    fixture.not_ready("listener in netns 4026531840");
    let (result, text) = weir(server.socket(), "status").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::Failure);
    assert!(
        error.to_string().contains("listener in netns 4026531840"),
        "{error}"
    );
    assert!(
        text.contains("ready             no"),
        "what is known is shown all the same"
    );
}

#[tokio::test]
async fn without_an_agent() {
    let (result, text) = weir(Path::new("/nonexistent/weir.sock"), "status").await;
    let error = result.unwrap_err();
    assert_eq!((error.exit(), text.as_str()), (Exit::NotRunning, ""));
    assert!(
        error.to_string().contains("/nonexistent/weir.sock") && error.to_string().contains("weir run"),
        "{error}"
    );
}

#[tokio::test]
async fn the_agents_refusal_is_shown() {
    let fixture = Fixture::new();
    let server = fixture.start().await;
    let error = weir(server.socket(), "observe --last 5000").await.0.unwrap_err();
    assert_eq!(error.exit(), Exit::Failure);
    assert!(error.to_string().contains("4096 records are kept"), "{error}");
}

#[test]
fn checks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("weir.yaml");
    let check = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let mut out = Vec::new();
        let result = check::run(&check::Check { config: path.clone() }, &mut out);
        (result, String::from_utf8(out).unwrap())
    };
    let (valid, text) = check("policies: [{name: a}, {name: b}]");
    assert!(
        valid.is_ok() && text.contains("valid: 2 policies, 0 endpoints, 0 sinks"),
        "{text}"
    );
    let (invalid, text) = check("policies:\n  - name: a\n    mode: never\n");
    let error = invalid.unwrap_err();
    assert_eq!((error.exit(), text.as_str()), (Exit::InvalidConfig, ""));
    assert!(
        error
            .to_string()
            .starts_with(&format!("{}:3:11: ", path.display())),
        "{error}"
    );
}
