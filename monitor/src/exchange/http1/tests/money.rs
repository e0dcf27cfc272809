//! Budgets in money, requests and requests under way.

use std::sync::Arc;

use monitor_budget::{PicoUsd, PriceTable, Prices, Unit, Unknown, Window};

use super::*;

const KEY: &str = "test/0/workload:/app";

/// 1 USD per million tokens of a prompt, 10 USD of an answer.
fn priced(lab: &crate::exchange::testing::Lab) {
    let unknown = Unknown::At {
        input: PicoUsd(1_000_000),
        output: PicoUsd(10_000_000),
    };
    let prices = Prices::new(PriceTable::default(), unknown);
    lab.node.prices.store(Arc::new(prices));
}

fn limit(limit: u64, unit: Unit) -> BudgetRule {
    BudgetRule {
        unit,
        window: match unit {
            Unit::Concurrency => Window::Open,
            _ => Window::rolling(3_600_000),
        },
        ..budget(limit)
    }
}

fn free() -> Vec<u8> {
    let request = String::from_utf8(post(r#"{"model":"m","input":"hello"}"#)).unwrap();
    request
        .replacen("/v1/chat/completions", "/v1/moderations", 1)
        .into_bytes()
}

#[test]
fn money_is_held_at_its_most_and_settled_as_billed() {
    let lab = lab(&[policy(vec![], vec![limit(1_000, Unit::MicroUsd)])]);
    priced(&lab);
    let mut run = Run::new(&lab);
    run.client(&post(CHAT));
    let held = lab.node.ledger.account(KEY).unwrap().reserved;
    // At most 20 tokens of output are asked for, and some of prompt.
    assert!((200..400).contains(&held), "{held}");
    run.upstream(&answer(ANSWER));
    let exchange = lab.one_exchange();
    let usage = exchange.usage.unwrap();
    let account = lab.node.ledger.account(KEY).unwrap();
    assert_eq!(account.settled, usage.input + 10 * usage.output);
    assert_eq!(account.reserved, 0);
    assert_eq!(
        (exchange.budgets[0].unit, exchange.budgets[0].settled),
        (Unit::MicroUsd, account.settled)
    );
    assert_eq!(exchange.cost.as_ref().unwrap().amount.0, account.settled);
}

#[test]
fn a_stream_is_cut_where_the_money_ends() {
    let lab = lab(&[policy(vec![], vec![limit(600, Unit::MicroUsd)])]);
    priced(&lab);
    let mut run = Run::new(&lab);
    let body = CHAT.replace("\"max_tokens\":20", "\"stream\":true,\"max_tokens\":5");
    run.client(&post(&body));
    let words: Vec<String> = (0..200).map(|n| format!(" word{n}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    run.upstream(&chunked(&stream_of(&words)));
    let account = lab.node.ledger.account(KEY).unwrap();
    assert!(account.settled <= 600 && account.settled > 550, "{account:?}");
    // What the provider had made when it was cut off: one event.
    assert!(account.reserved == 0 && account.debt <= 40, "{account:?}");
    assert_eq!(lab.one_exchange().verdict, Verdict::Cut);
}

#[test]
fn a_model_without_a_price_is_refused_where_a_budget_counts_money() {
    let body = CHAT.replace("gpt-4o-mini", "house-blend");
    assert_ne!(body, CHAT);
    let lab_of = |mode, unit| {
        let policy = Policy {
            mode,
            ..policy(vec![], vec![limit(1_000_000, unit)])
        };
        lab(&[policy])
    };
    let lab = lab_of(Mode::Enforce, Unit::MicroUsd);
    let mut run = Run::new(&lab);
    run.client(&post(&body));
    assert!(run.to_client.starts_with(b"HTTP/1.1 403 ") && run.to_upstream.is_empty());
    assert!(String::from_utf8_lossy(&run.to_client).contains("model_not_priced"));
    let exchange = lab.one_exchange();
    assert_eq!(
        (exchange.verdict, exchange.reason, exchange.policy.as_deref()),
        (Verdict::Denied, Some(Reason::Unpriced), Some("test"))
    );
    let observing = lab_of(Mode::Observe, Unit::MicroUsd);
    let mut run = Run::new(&observing);
    run.client(&post(&body));
    run.upstream(&answer(ANSWER));
    let exchange = observing.one_exchange();
    assert_eq!(
        (exchange.observed, exchange.reason),
        (Some(Verdict::Denied), Some(Reason::Unpriced))
    );
    let of_tokens = lab_of(Mode::Enforce, Unit::Tokens);
    let mut run = Run::new(&of_tokens);
    run.client(&post(&body));
    assert_eq!(run.to_upstream, post(&body));
    let free = lab_of(Mode::Enforce, Unit::MicroUsd);
    let prices = Prices::new(PriceTable::default(), Unknown::Free);
    free.node.prices.store(Arc::new(prices));
    let mut run = Run::new(&free);
    run.client(&post(&body));
    run.upstream(&answer(ANSWER));
    assert_eq!(free.one_exchange().budgets[0].settled, 0);
}

#[test]
fn requests_count_whatever_they_cost() {
    let lab = lab(&[policy(vec![], vec![limit(3, Unit::Requests)])]);
    for request in [post(CHAT), free()] {
        let mut run = Run::new(&lab);
        run.client(&request);
        run.upstream(&answer(ANSWER));
    }
    // One that the provider refuses went to it all the same.
    let mut refused = Run::new(&lab);
    refused.client(&post(CHAT));
    refused.upstream(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}");
    assert_eq!(lab.node.ledger.account(KEY).unwrap().settled, 3);
    for request in [post(CHAT), free()] {
        let mut run = Run::new(&lab);
        run.client(&request);
        assert!(run.to_client.starts_with(b"HTTP/1.1 429 ") && run.to_upstream.is_empty());
    }
}

#[test]
fn requests_under_way_are_counted_and_let_go() {
    let lab = lab(&[policy(vec![], vec![limit(1, Unit::Concurrency)])]);
    let mut first = Run::new(&lab);
    first.client(&post(CHAT));
    let mut second = Run::new(&lab);
    second.client(&post(CHAT));
    assert!(second.to_client.starts_with(b"HTTP/1.1 429 "));
    first.upstream(&answer(ANSWER));
    let mut third = Run::new(&lab);
    third.client(&post(CHAT));
    assert_eq!(third.to_upstream, post(CHAT));
}
