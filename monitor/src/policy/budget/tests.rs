use std::path::Path;

use crate::config::Config;
use crate::event::samples;
use crate::policy::{ExchangeBudgets, ExchangeFacts, Known, Policies};

const FACTS: ExchangeFacts<'_> = ExchangeFacts {
    provider: "openai",
    models: &["gpt-4o"],
    operation: "chat_completions",
    api_key: Some("00112233445566ff"),
};

fn policies(text: &str) -> Policies {
    let config = Config::parse(text, Path::new("weir.yaml")).unwrap();
    let known = Known {
        detectors: &config.detectors.catalog,
        guardrails: &[],
    };
    Policies::compile(&config.policies, &known, "node-1").unwrap()
}

fn keys(budgets: &ExchangeBudgets) -> (Vec<&str>, Vec<&str>) {
    let of = |list: &super::BudgetList| -> Vec<_> {
        list.iter()
            .map(|applied| {
                let key: &str = &applied.budget.key;
                // They live as long as the list.
                key.to_owned().leak() as &str
            })
            .collect()
    };
    (of(&budgets.enforced), of(&budgets.observed))
}

#[test]
fn a_budget_counts_the_exchanges_that_it_names() {
    let policies = policies(
        r#"
policies:
  - name: p
    budgets:
      - {name: all, limit: 1 token, window: 1h, per: all}
      - {name: four, limit: 1 token, window: 1h, per: all, models: "GPT-4o*"}
      - {name: azure, limit: 1 token, window: 1h, per: all, providers: [azure, "open*"], operations: "*completions"}
      - {name: other, limit: 1 token, window: 1h, per: all, providers: azure}
"#,
    );
    let applied = policies.select(Some(&samples::workload()));
    let names = |facts: &ExchangeFacts<'_>| -> Vec<String> {
        let budgets = applied.budgets_for(facts);
        assert!(budgets.observed.is_empty());
        budgets
            .enforced
            .iter()
            .map(|applied| applied.rule.name.clone().unwrap())
            .collect()
    };
    assert_eq!(names(&FACTS), ["all", "four", "azure"]);
    assert_eq!(
        names(&ExchangeFacts {
            models: &["o3"],
            operation: "responses",
            ..FACTS
        }),
        ["all"]
    );
    // One that may answer in the stead of the one that is asked for counts as well.
    assert_eq!(
        names(&ExchangeFacts {
            models: &["o3", "gpt-4O-mini"],
            operation: "responses",
            ..FACTS
        }),
        ["all", "four"]
    );
    assert_eq!(
        names(&ExchangeFacts {
            provider: "azure",
            models: &[],
            ..FACTS
        }),
        ["all", "azure", "other"]
    );
}

#[test]
fn keys_hold_what_the_exchange_adds() {
    let policies = policies(
        r#"
policies:
  - name: p
    budgets:
      - {limit: 1 token, window: 1h, per: [model, provider]}
      - {limit: 1 token, window: 1h, per: [api_key, operation]}
"#,
    );
    let applied = policies.select(None);
    let one = applied.budgets_for(&FACTS);
    let keys_of_one = [
        "p/0/provider:openai,model:gpt-4o",
        "p/1/operation:chat_completions,api_key:00112233445566ff",
    ];
    assert_eq!(keys(&one).0, keys_of_one);
    for key in keys(&one).0 {
        let budget = policies.budget_of(key).unwrap();
        assert_eq!((&*budget.key, budget.limit), (key, 1));
    }
    let several = applied.budgets_for(&ExchangeFacts {
        models: &["gpt-4o", "GPT-4O", "o3"],
        api_key: None,
        ..FACTS
    });
    assert_eq!(
        keys(&several).0,
        [
            "p/0/provider:openai,model:gpt-4o",
            "p/0/provider:openai,model:o3",
            "p/1/operation:chat_completions,api_key:-"
        ]
    );
}

#[test]
fn what_never_refuses_is_apart() {
    let policies = policies(
        r#"
policies:
  - name: p
    owner: team-payments
    budgets:
      - {name: hard, limit: 1 token, window: 1h}
      - {name: soft, limit: 1 token, window: 1h, at_limit: alert}
  - name: trial
    mode: observe
    budgets: [{name: hard, limit: 1 token, window: 1h}]
"#,
    );
    let applied = policies.select(Some(&samples::workload()));
    let budgets = applied.budgets_for(&FACTS);
    let workload = "workload:/system.slice/bot.service";
    assert_eq!(
        keys(&budgets),
        (
            vec![&*format!("p/hard/{workload}")],
            vec![&*format!("p/soft/{workload}"), &*format!("trial/hard/{workload}")]
        )
    );
    let denying: Vec<_> = budgets
        .observed
        .iter()
        .map(|applied| (applied.enforce, applied.denies()))
        .collect();
    assert_eq!(denying, [(true, false), (false, false)]);
    assert_eq!(applied.owner_of("p").as_deref(), Some("team-payments"));
    assert_eq!(applied.owner_of("trial"), None);
    assert_eq!(
        policies.owner_of("p/soft/x:y").map(|owner| &**owner),
        Some("team-payments")
    );
    assert!(applied.may_change_response());
}

#[test]
fn what_the_exchange_does_not_change_is_shared() {
    let policies = policies("policies: [{name: p, budgets: [{limit: 1 token, window: 1h}]}]");
    let applied = policies.select(Some(&samples::workload()));
    let (one, other) = (applied.budgets_for(&FACTS), applied.budgets_for(&FACTS));
    assert!(std::sync::Arc::ptr_eq(&one.enforced[0], &other.enforced[0]));
}

#[test]
fn a_reload_finds_accounts_by_name_wherever_they_stand() {
    let before = policies(
        "policies: [{name: p, budgets: [{limit: 1 token, window: 1h}, {name: daily, limit: 2 tokens, window: day}]}]",
    );
    let after = policies(
        "policies: [{name: q}, {name: p, budgets: [{name: daily, limit: 25 USD, window: month, time_zone: Europe/Berlin, alert_at: 80%}]}]",
    );
    let key = "p/daily/workload:/a,b";
    assert_eq!(before.budget_of(key).unwrap().limit, 2);
    let now = after.budget_of(key).unwrap();
    assert_eq!(
        (now.limit, now.unit, now.window.to_string(), &*now.alert_at),
        (
            25_000_000,
            monitor_budget::Unit::MicroUsd,
            "month:Europe/Berlin".to_owned(),
            &[80][..]
        )
    );
    assert_eq!(before.budget_of("p/0/all").unwrap().limit, 1);
    for unknown in ["p/0/all", "p/daily", "q/0/all", "", "daily/p/all"] {
        assert_eq!(after.budget_of(unknown), None, "{unknown}");
    }
}
