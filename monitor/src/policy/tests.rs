//! Tests of policies as a whole.

use std::path::Path;

use super::*;
use crate::config::Config;
use crate::event::samples;
use crate::identity::{Attribution, AttributionReason, Pod};
use monitor_budget::Budget;

fn policies(text: &str) -> Policies {
    let config = Config::parse(text, Path::new("weir.yaml")).unwrap();
    let known = Known {
        detectors: &config.detectors.catalog,
        guardrails: &[],
    };
    Policies::compile(&config.policies, &known, "node-1").unwrap()
}

#[test]
fn the_strictest_word_counts_and_observers_refuse_nothing() {
    let policies = policies(
        r#"
policies:
  - {name: a, workloads: {cgroup: "/pods/*"}, on_agent_down: closed, quic: pass}
  - {name: b, workloads: {cgroup: "/pods/1"}, on_agent_down: open, quic: refuse, match: all-tls}
  - {name: c, mode: observe, on_bypass: deny}
  - {name: d, workloads: {exe: /bin/x}, on_unknown: deny}
"#,
    );
    let scope = |cgroup: &str| policies.scope_of(&Placement::of_cgroup(cgroup), Match::Resolved);
    assert_eq!(scope("/pods/1"), Scope::ALL_TLS.with(Scope::CLOSED));
    assert_eq!(scope("/pods/2"), Scope::CLOSED.with(Scope::PASS_QUIC));
    assert_eq!(scope("/other"), Scope::NONE);
    assert!(policies.any_closed());
    let all = policies.scope_of(&Placement::of_cgroup("/other"), Match::AllTls);
    assert_eq!(all, Scope::ALL_TLS);
}

#[test]
fn accounts_are_of_what_is_known() {
    let policies = policies(
        r#"
policies:
  - name: a
    budgets:
      - {limit: 1 token, window: 1h}
      - {limit: 1 token, window: 1h, per: pod}
      - {limit: 1 token, window: 1h, per: service_account}
      - {limit: 1 token, window: 1h, per: namespace}
"#,
    );
    let accounts = |workload: &Workload| -> Vec<String> {
        let facts = ExchangeFacts {
            provider: "openai",
            models: &["gpt-4o"],
            operation: "chat_completions",
            api_key: None,
        };
        let budgets = policies.select(Some(workload)).budgets_for(&facts);
        budgets
            .enforced
            .iter()
            .map(|budget| budget.budget.key.to_string())
            .collect()
    };
    let named = samples::pod_workload();
    let cgroup = &named.placement.cgroup;
    assert_eq!(
        accounts(&named),
        [
            format!("a/0/workload:{cgroup}"),
            format!("a/1/pod:{}", samples::POD_UID),
            "a/2/service_account:billing/bot".to_owned(),
            "a/3/namespace:billing".to_owned(),
        ]
    );
    for key in accounts(&named) {
        assert_eq!(
            policies.budget_of(&key),
            Some(Budget::tokens(&*key, 1, 3_600_000))
        );
    }
    let unnamed = Workload {
        placement: Arc::new(Placement {
            pod: Some(Arc::new(Pod {
                uid: samples::POD_UID.into(),
                ..Pod::default()
            })),
            ..Placement::clone(&named.placement)
        }),
        ..Workload::clone(&named)
    };
    assert_eq!(
        accounts(&unnamed)[1..3],
        [
            format!("a/1/pod:{}", samples::POD_UID),
            format!("a/2/workload:{cgroup}"),
        ]
    );
    assert_eq!(accounts(&unnamed)[3], format!("a/3/workload:{cgroup}"));
    // Several containers in one cgroup, on a hybrid node.
    let beside = Workload {
        placement: Arc::new(Placement {
            cgroup: "/".into(),
            pod: None,
            ..Placement::clone(&named.placement)
        }),
        ..Workload::clone(&named)
    };
    let account = format!("a/1/workload:///{}", "c".repeat(64));
    assert_eq!(accounts(&beside)[1], account);
}

#[test]
fn a_client_that_distrusts_the_ca_is_denied_where_a_policy_is_enforced() {
    let governed = policies("policies: [{name: a}]").select(None);
    assert!(governed.denies_untrusted_ca());
    let passed = policies("policies: [{name: a, on_untrusted_ca: pass}]").select(None);
    assert!(!passed.denies_untrusted_ca());
    let observed = policies("policies: [{name: a, mode: observe, on_untrusted_ca: deny}]").select(None);
    assert!(!observed.denies_untrusted_ca());
    assert!(!policies("").select(None).denies_untrusted_ca());
}

#[test]
fn what_is_not_known_is_refused_by_policies_that_may_apply() {
    let policies = policies(
        r#"
policies:
  - {name: everyone, workloads: {cgroup: "/kubepods/*"}}
  - {name: billing, workloads: {namespace: billing}, on_unknown: deny}
  - {name: trial, mode: observe, on_unknown: hold}
"#,
    );
    let mut workload = crate::event::samples::workload().as_ref().clone();
    let select = |workload: &Workload| {
        let applied = policies.select(Some(workload));
        let known = applied.is_known(Some(workload), Attribution::Exact);
        (
            known,
            applied.on_unknown,
            applied.on_unknown_by.as_deref().map(str::to_owned),
        )
    };
    assert_eq!(select(&workload), (true, OnUnknown::Observe, None));
    let mut placement = Placement::of_cgroup("/kubepods/pod1/c1");
    placement.pod = Some(Arc::default());
    workload.placement = Arc::new(placement.clone());
    let by = Some("billing".to_owned());
    assert_eq!(select(&workload), (false, OnUnknown::Deny, by.clone()));
    placement.pod = Some(Arc::new(crate::identity::Pod {
        namespace: Some("billing".into()),
        ..Default::default()
    }));
    workload.placement = Arc::new(placement);
    assert_eq!(select(&workload), (true, OnUnknown::Deny, by));
    let applied = policies.select(Some(&workload));
    assert_eq!(applied.observed_on_unknown.as_deref(), Some("trial"));
    let passed = AttributionReason::PassedDescriptorAcrossCgroups;
    assert!(!applied.is_known(Some(&workload), Attribution::Ambiguous(passed)));
    let forked = AttributionReason::SharedByFork;
    assert!(applied.is_known(Some(&workload), Attribution::Ambiguous(forked)));
}
