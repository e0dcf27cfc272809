use std::path::Path;

use monitor_budget::{OnStoreLoss, Scope, Unit};

use super::*;
use crate::config::{Config, ConfigError};

const CLUSTER: &str = "cluster: {name: prod, redis: {url: redis://127.0.0.1}}\n";

fn parse(budget: &str, more: &str) -> Result<BudgetRule, ConfigError> {
    let text =
        format!("{more}policies:\n- name: p\n  models: {{allow: [\"gpt-*\"]}}\n  budgets:\n  - {budget}\n");
    let config = Config::parse(&text, Path::new("weir.yaml"))?;
    Ok(config.policies[0].budgets[0].clone())
}

#[track_caller]
fn refuses(budget: &str, more: &str, says: &str) {
    let error = parse(budget, more).expect_err(budget);
    let found = error.problems().iter().any(|problem| {
        let line = 5 + more.lines().count() as u64;
        problem.message.contains(says) && problem.line == line && problem.column > 4
    });
    assert!(found, "no `{says}` in {error}");
}

#[test]
fn the_whole_grammar_is_read() {
    let rule = parse(
        "{name: daily, limit: 25 USD, window: day, time_zone: Europe/Berlin, per: [service_account, \"label:team\", model], \
         providers: [openai, azure], models: [\"GPT-4o*\"], operations: chat_completions, alert_at: [50%, 80%], \
         at_limit: {downgrade: gpt-4o-mini}, slow_down: {from: 80%, to: 20 tokens/s}, clamp: true, reserve: full, \
         scope: cluster, on_store_loss: deny}",
        CLUSTER,
    )
    .unwrap();
    assert_eq!(
        (rule.name.as_deref(), rule.limit, rule.unit),
        (Some("daily"), 25_000_000, Unit::MicroUsd)
    );
    assert_eq!(rule.window.to_string(), "day:Europe/Berlin");
    let per: Vec<_> = rule.per.dimensions().iter().map(ToString::to_string).collect();
    assert_eq!(per, ["service_account", "label:team", "model"]);
    assert_eq!(rule.filter.models.unwrap()[0].as_str(), "gpt-4o*");
    assert_eq!(rule.filter.providers.unwrap().len(), 2);
    assert_eq!(*rule.alert_at, [50, 80]);
    assert_eq!(rule.at_limit, AtLimit::Downgrade("gpt-4o-mini".into()));
    let pace = SlowDown {
        from_percent: 80,
        tokens_per_s: 20,
    };
    assert_eq!(
        (rule.slow_down, rule.clamp, rule.reserve),
        (Some(pace), true, Reserve::Full)
    );
    let on_store_loss = OnStoreLoss::Deny;
    assert_eq!(rule.scope, Scope::Cluster { on_store_loss });
}

#[test]
fn defaults_are_those_of_a_plain_limit() {
    assert_eq!(
        parse("{limit: 200k tokens, window: 1h}", "").unwrap(),
        BudgetRule::tokens(200_000, 3_600_000)
    );
    let concurrent = parse("{limit: 4 concurrent, per: all, at_limit: alert}", "").unwrap();
    assert_eq!(
        (concurrent.window, concurrent.per, concurrent.at_limit),
        (Window::Open, Grouping::all(), AtLimit::Alert)
    );
    assert!(concurrent.alert_at.is_empty());
    for (alert_at, expected) in [("", &[100][..]), (", alert_at: 50%", &[50])] {
        let budget = format!("{{limit: 9 requests, window: day, at_limit: alert{alert_at}}}");
        assert_eq!(*parse(&budget, "").unwrap().alert_at, *expected, "{budget}");
    }
    let month = parse("{limit: 5k requests, window: month}", "").unwrap();
    assert_eq!(month.window.to_string(), "month:UTC");
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    let cases = [
        ("{limit: 0 tokens, window: 1h}", "would deny every request"),
        ("{limit: 10 tokens}", "has no `window`"),
        ("{limit: 10, window: 1h}", "is not a limit"),
        (
            "{limit: 1.0000001 USD, window: 1h}",
            "less than that is not counted",
        ),
        ("{limit: 4 concurrent, window: 1h}", "has no window"),
        ("{limit: 4 concurrent, time_zone: UTC}", "has no window"),
        ("{limit: 4 concurrent, alert_at: 50%}", "`alert_at` means nothing"),
        (
            "{limit: 1 token, window: 1w}",
            "or one of `hour`, `day`, `week` and `month`",
        ),
        ("{limit: 1 token, window: 31d}", "out of range"),
        (
            "{limit: 1 token, window: 1h, time_zone: UTC}",
            "only windows of the calendar",
        ),
        (
            "{limit: 1 token, window: day, time_zone: Middle/Earth}",
            "no time zone",
        ),
        (
            "{limit: 1 token, window: 1h, name: \"7\"}",
            "by its place in the policy",
        ),
        ("{limit: 1 token, window: 1h, name: a/b}", "not a budget name"),
        (
            "{limit: 1 token, window: 1h, per: team}",
            "nothing that budgets are told apart by",
        ),
        ("{limit: 1 token, window: 1h, per: \"label:\"}", "`label:KEY`"),
        ("{limit: 1 token, window: 1h, per: [all, pod]}", "stands alone"),
        ("{limit: 1 token, window: 1h, per: [pod, pod]}", "there twice"),
        ("{limit: 1 token, window: 1h, per: []}", "tells no budgets apart"),
        ("{limit: 1 token, window: 1h, models: []}", "would count nothing"),
        (
            "{limit: 1 token, window: 1h, operations: chats}",
            "is no operation",
        ),
        ("{limit: 1 token, window: 1h, alert_at: [80%, 50%]}", "must rise"),
        ("{limit: 1 token, window: 1h, alert_at: 0%}", "is no share"),
        ("{limit: 1 token, window: 1h, alert_at: 101%}", "is no share"),
        ("{limit: 1 token, window: 1h, alert_at: 50}", "is no share"),
        (
            "{limit: 1 request, window: 1h, clamp: true}",
            "`clamp` means nothing for a limit in requests",
        ),
        (
            "{limit: 1 concurrent, slow_down: {from: 80%, to: 2 tokens/s}}",
            "`slow_down` means nothing",
        ),
        (
            "{limit: 1 input token, window: 1h, reserve: full}",
            "`reserve: full` means nothing",
        ),
        (
            "{limit: 1 token, window: 1h, slow_down: {from: 80%, to: 0 tokens/s}}",
            "would never end",
        ),
        (
            "{limit: 1 token, window: 1h, slow_down: {from: 80%, to: fast}}",
            "not a pace",
        ),
        (
            "{limit: 1 token, window: 1h, at_limit: alert, clamp: true}",
            "changes no request",
        ),
        (
            "{limit: 1 token, window: 1h, at_limit: {downgrade: claude-3}}",
            "do not allow `claude-3`",
        ),
        (
            "{limit: 1 token, window: 1h, at_limit: {downgrade: gpt-4o}}",
            "counts `gpt-4o` as well",
        ),
        (
            "{limit: 1 token, window: 1h, scope: cluster}",
            "needs the cluster's store",
        ),
        (
            "{limit: 1 token, window: 1h, on_store_loss: deny}",
            "has no store to lose",
        ),
        ("{limit: 1 token, window: 1h, limits: 1}", "unknown"),
        ("{limit: 1 token, window: 1h, at_limit: stop}", "stop"),
    ];
    for (budget, says) in cases {
        refuses(budget, "", says);
    }
    let clustered = [
        (
            "{limit: 1 token, window: 1h, scope: cluster, per: node}",
            "needs no cluster",
        ),
        (
            "{limit: 1 token, window: 1h, scope: cluster, per: api_key}",
            "fingerprint_key_file",
        ),
    ];
    for (budget, says) in clustered {
        refuses(budget, CLUSTER, says);
    }
}

#[test]
fn another_model_is_for_a_budget_that_it_can_spare() {
    for budget in [
        "{limit: 1 token, window: 1h, models: gpt-4o, at_limit: {downgrade: gpt-4o-mini}}",
        "{limit: 1 token, window: 1h, per: [workload, model], at_limit: {downgrade: gpt-4o-mini}}",
        "{limit: 1 USD, window: 1h, at_limit: {downgrade: gpt-4o-mini}}",
    ] {
        parse(budget, "").unwrap();
    }
}

#[test]
fn names_of_budgets_are_unique_in_their_policy() {
    let text = |policy: &str| {
        format!("policies:\n- {{name: a, budgets: [{{name: x, limit: 1 token, window: 1h}}]}}\n- {policy}\n")
    };
    let apart = text("{name: b, budgets: [{name: x, limit: 1 token, window: 1h}]}");
    assert!(Config::parse(&apart, Path::new("weir.yaml")).is_ok());
    let twice = text(
        "{name: b, budgets: [{name: x, limit: 1 token, window: 1h}, {name: x, limit: 2 tokens, window: 1h}]}",
    );
    let error = Config::parse(&twice, Path::new("weir.yaml")).unwrap_err();
    assert!(
        error.to_string().contains("already exists in this policy"),
        "{error}"
    );
}

#[test]
fn a_cluster_is_reached_without_a_password_in_sight() {
    let cluster = |text: &str| Config::parse(&format!("cluster: {text}\n"), Path::new("weir.yaml"));
    let config = cluster(
        "{name: prod, redis: {url: \"rediss://weir@redis:6379/0\", password_file: /etc/weir/redis.pw, timeout: 80ms}, lease_ttl: 1m, \
         fingerprint_key_file: /etc/weir/fingerprint.key}",
    )
    .unwrap();
    let cluster_of = config.cluster.unwrap();
    assert_eq!(
        (cluster_of.redis.timeout_ms, cluster_of.lease_ttl_ms),
        (80, 60_000)
    );
    for (text, says) in [
        (
            "{name: prod, redis: {url: \"redis://weir:secret@redis\"}}",
            "password_file",
        ),
        (
            "{name: prod, redis: {url: \"http://redis\"}}",
            "no address of a Redis",
        ),
        ("{name: prod, redis: {url: redis}}", "no address of a Redis"),
        ("{name: a/b, redis: {url: \"redis://h\"}}", "cluster name"),
        ("{name: prod, redis: {url: \"redis://h\", ca: /x}}", "without TLS"),
        (
            "{name: prod, redis: {url: \"redis://h\", timeout: 10s}}",
            "out of range",
        ),
        (
            "{name: prod, redis: {url: \"redis://h\"}, lease_ttl: 1s}",
            "out of range",
        ),
        ("{name: prod}", "redis"),
    ] {
        let error = cluster(text).expect_err(text).to_string();
        assert!(error.contains(says) && !error.contains("secret"), "{error}");
    }
}

#[test]
fn prices_of_the_operator_come_first() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("prices.json");
    let table = r#"{"currency": "USD", "prices": [
        {"provider": "openai", "model": ["gpt-4o", "house"], "input": "9", "output": "9"}]}"#;
    std::fs::write(&file, table).unwrap();
    let text = format!(
        "prices:\n  file: {}\n  models:\n  - {{provider: openai, model: gpt-4o, input: 2.50 USD, output: 10, per_request: 0.01 USD}}\n  unknown: {{input: 10 USD, output: 50 USD}}\n",
        file.display()
    );
    let config = Config::parse(&text, Path::new("weir.yaml")).unwrap();
    let prices = config.prices.table();
    let input = |model| {
        prices
            .price("openai", Some(model), 1_800_000_000_000)
            .unwrap()
            .rates
            .input
            .0
    };
    assert_eq!(
        (input("gpt-4o"), input("house"), input("no-such-model")),
        (2_500_000, 9_000_000, 10_000_000)
    );
    for (prices, says) in [
        ("{unknown: maybe}", "`maybe`"),
        ("{unknown: {input: 1 USD}}", ""),
        ("{unknown: {input: 1 EUR, output: 1 USD}}", "not in USD"),
        ("{file: /no/such/table.json}", "cannot use the price table"),
        ("{models: [{provider: x, model: m, input: \"1\"}]}", "output"),
        (
            "{models: [{provider: x, model: m, input: \"1\", output: \"1\"}, {provider: x, model: M, input: \"2\", output: \"1\"}]}",
            "repeats",
        ),
    ] {
        let error = Config::parse(&format!("prices: {prices}\n"), Path::new("weir.yaml")).expect_err(prices);
        assert!(error.to_string().contains(says), "{prices}: {error}");
    }
    let default = Config::parse("", Path::new("weir.yaml")).unwrap();
    assert_eq!(default.prices.unknown, monitor_budget::Unknown::Deny);
}
