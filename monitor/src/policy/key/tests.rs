use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::event::samples;
use crate::identity::Pod;

const NONE: ExchangeValues<'_> = ExchangeValues {
    provider: "openai",
    model: "",
    operation: "chat_completions",
    api_key: None,
};

fn per(names: &[&str]) -> Grouping {
    Grouping::by(names.iter().map(|name| Dimension::parse(name).unwrap()).collect())
}

fn key_of(names: &[&str], workload: Option<&Workload>, exchange: &ExchangeValues<'_>) -> String {
    KeyTemplate::new("p", "b", &per(names), "node-1", workload).key(exchange)
}

fn labelled(labels: &[(&str, &str)]) -> Workload {
    let named = samples::pod_workload();
    let pod = Pod {
        labels: labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        ..Pod::clone(named.placement.pod.as_deref().unwrap())
    };
    let placement = Placement {
        pod: Some(Arc::new(pod)),
        ..Placement::clone(&named.placement)
    };
    Workload {
        placement: Arc::new(placement),
        ..Workload::clone(&named)
    }
}

#[test]
fn a_key_names_every_dimension_in_one_order() {
    let workload = labelled(&[("team", "a,b")]);
    let exchange = ExchangeValues {
        model: "gpt-4o",
        api_key: Some("00112233445566ff"),
        ..NONE
    };
    let names = [
        "model",
        "label:team",
        "service_account",
        "api_key",
        "node",
        "namespace",
    ];
    let key = "p/b/namespace:billing,service_account:billing/bot,label:team=a%2Cb,node:node-1,model:gpt-4o,api_key:00112233445566ff";
    assert_eq!(key_of(&names, Some(&workload), &exchange), key);
    let mut reversed = names;
    reversed.reverse();
    assert_eq!(key_of(&reversed, Some(&workload), &exchange), key);
    assert_eq!(key_of(&[], Some(&workload), &exchange), "p/b/all");
    assert_eq!(budget_in(key), Some(("p", "b")));
    let user = format!("p/b/user:{}", workload.uid);
    assert_eq!(key_of(&["user"], Some(&workload), &exchange), user);
}

#[test]
fn the_workload_stands_in_for_who_runs_and_a_dash_for_the_rest() {
    let service = samples::workload();
    let workload = "workload:/system.slice/bot.service";
    for (names, expected) in [
        (&["pod"][..], workload),
        (&["namespace", "service_account", "label:team"], workload),
        (&["workload", "container"], workload),
        (&["unit"], "unit:bot.service"),
        (&["spiffe", "model"], "workload:/system.slice/bot.service,model:-"),
        (&["api_key"], "api_key:-"),
        (
            &["provider", "operation"],
            "provider:openai,operation:chat_completions",
        ),
    ] {
        assert_eq!(
            key_of(names, Some(&service), &NONE),
            format!("p/b/{expected}"),
            "{names:?}"
        );
    }
    assert_eq!(key_of(&["user", "exe"], None, &NONE), "p/b/exe:-,user:-");
    assert_eq!(key_of(&["pod"], None, &NONE), "p/b/workload:unknown");
    let dash = ExchangeValues { model: "-", ..NONE };
    assert_eq!(key_of(&["model"], None, &dash), "p/b/model:%2D");
    assert_eq!(
        key_of(&["label:team"], Some(&labelled(&[("team", "")])), &NONE),
        "p/b/label:team="
    );
}

#[test]
fn long_values_are_cut_and_told_apart() {
    let long = "ä".repeat(MAX_GROUPING_BYTES);
    let other = format!("{long}x");
    let keys = [&long, &other].map(|model| key_of(&["model"], None, &ExchangeValues { model, ..NONE }));
    assert_ne!(keys[0], keys[1]);
    for key in keys {
        assert!(key.len() <= "p/b/".len() + MAX_GROUPING_BYTES);
        assert!(key.starts_with("p/b/model:ää") && key.contains("ä%#"), "{key}");
    }
}

#[test]
fn the_longest_key_fits_the_ledger() {
    // Names of policies and budgets have at most 63 bytes.
    const { assert!(2 * 64 + MAX_GROUPING_BYTES <= monitor_budget::MAX_KEY_BYTES) };
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-a,:=/%#2CD\u{0}\n\u{85}é]{0,6}",
        Just("-".to_owned()),
        Just("a".repeat(MAX_GROUPING_BYTES)),
    ]
}

proptest! {
    #[test]
    fn keys_are_equal_only_where_all_values_are(
        one in (value(), value(), proptest::option::of(value())),
        other in (value(), value(), proptest::option::of(value())),
    ) {
        let key = |(label, model, api_key): &(String, String, Option<String>)| {
            let workload = labelled(&[("team", label)]);
            let exchange = ExchangeValues { model, api_key: api_key.as_deref(), ..NONE };
            key_of(&["label:team", "model", "api_key"], Some(&workload), &exchange)
        };
        prop_assert_eq!(key(&one) == key(&other), one == other);
        prop_assert!(!key(&one).contains(|c: char| c.is_control()));
    }
}
