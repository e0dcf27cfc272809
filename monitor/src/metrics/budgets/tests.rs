use monitor_budget::{Budget, Certainty, Ledger, ManualClock, Spend, Window};

use crate::event::{LimitAction, Reason, Verdict, samples};
use crate::metrics::{BudgetFigures, Metrics};

use super::*;

fn rendered(metrics: &Metrics) -> String {
    String::from_utf8(metrics.render().unwrap()).unwrap()
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
}

#[test]
fn what_limits_did() {
    let metrics = Metrics::new().unwrap();
    has(
        &rendered(&metrics),
        r#"weir_budget_actions_total{action="denied",mode="enforce"} 0"#,
    );
    let mut exchange = samples::exchange();
    exchange.actions = [LimitAction::Clamped, LimitAction::SlowedDown]
        .into_iter()
        .collect();
    exchange.observed_actions = [LimitAction::Downgraded].into_iter().collect();
    metrics.count_exchange(&exchange);
    let mut observed = samples::exchange();
    (observed.verdict, observed.observed) = (Verdict::Allowed, Some(Verdict::Denied));
    metrics.count_exchange(&observed);
    let mut content = samples::exchange();
    (content.verdict, content.reason) = (Verdict::Denied, Some(Reason::Content));
    metrics.count_exchange(&content);
    let text = rendered(&metrics);
    for (action, mode, count) in [
        ("cut", "enforce", 1),
        ("clamped", "enforce", 1),
        ("slowed_down", "enforce", 1),
        ("downgraded", "enforce", 0),
        ("downgraded", "observe", 1),
        ("denied", "observe", 1),
        ("denied", "enforce", 0),
    ] {
        let line = format!(r#"weir_budget_actions_total{{action="{action}",mode="{mode}"}} {count}"#);
        has(&text, &line);
    }
}

#[test]
fn how_budgets_stand() {
    let metrics = Metrics::new().unwrap();
    let ledger = Ledger::in_memory(Arc::new(ManualClock::new(1_733_616_000_000)));
    for (key, limit, spent) in [
        ("bots/daily/user:a", 100, 25),
        ("bots/daily/user:b", 200, 180),
        ("bots/0/all", 1_000, 0),
        ("gone/0/all", 10, 17),
    ] {
        let budget = Budget::new(key, limit, Unit::Tokens, Window::rolling(3_600_000));
        let reserved = ledger
            .reserve(&[&budget], &Spend::request(spent.min(limit), 0))
            .unwrap();
        let _charged = reserved.settle(&Spend::request(spent, 0), Certainty::Exact);
    }
    let open = Budget::new("bots/held/all", 4, Unit::Concurrency, Window::Open);
    let _held = ledger.reserve(&[&open], &Spend::request(1, 1)).unwrap();
    let for_metrics = ledger.clone();
    let read = move || {
        let accounts = for_metrics.snapshot();
        BudgetFigures::of(&accounts, 3, |key| key.starts_with("bots/"))
    };
    metrics.add_budgets(read).unwrap();
    let text = rendered(&metrics);
    has(
        &text,
        r#"weir_budget_used_ratio{policy="bots",budget="daily"} 0.9"#,
    );
    has(
        &text,
        r#"weir_budget_used_ratio{policy="bots",budget="held"} 0.25"#,
    );
    assert!(!text.contains(r#"policy="gone""#), "{text}");
    has(&text, r#"weir_budget_debt{unit="tokens"} 7"#);
    has(&text, r#"weir_budget_debt{unit="micro_usd"} 0"#);
    has(&text, "weir_budget_thresholds_lost_total 3");
    let accounts = format!("weir_budget_accounts {}", ledger.snapshot().len());
    has(&text, &accounts);
}
