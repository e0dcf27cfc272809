//! What happens at and near a budget's limit: lowered limits, full reservations, cheaper models, paced streams.

use super::*;
use crate::config::{AtLimit, Reserve, SlowDown};
use crate::event::LimitAction;

const KEY: &str = "test/0/workload:/app";

fn body_of(wire: &[u8]) -> String {
    let wire = String::from_utf8(wire.to_vec()).unwrap();
    wire.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn to(path: &str, body: &str) -> Vec<u8> {
    let request = String::from_utf8(post(body)).unwrap();
    request.replacen("/v1/chat/completions", path, 1).into_bytes()
}

fn ask_for(tokens: u64) -> String {
    CHAT.replace("\"max_tokens\":20", &format!("\"max_tokens\":{tokens}"))
}

#[test]
fn a_limit_is_lowered_to_what_is_left() {
    let clamp = BudgetRule {
        clamp: true,
        ..budget(100)
    };
    let lab = lab(&[policy(vec![], vec![clamp])]);
    let mut run = Run::new(&lab);
    run.client(&post(&ask_for(5_000)));
    let sent = body_of(&run.to_upstream);
    let left: u64 = sent
        .split("max_tokens\":")
        .nth(1)
        .unwrap()
        .trim_end_matches('}')
        .parse()
        .unwrap();
    assert_eq!(sent, ask_for(left), "no other byte changes");
    let account = lab.node.ledger.account(KEY).unwrap();
    assert_eq!(account.reserved, 100, "all that was there is held");
    assert!((1..100).contains(&left));
    // Nothing is left for another.
    let mut other = Run::new(&lab);
    other.client(&post(CHAT));
    assert!(other.to_client.starts_with(b"HTTP/1.1 429 "));
    run.upstream(&answer(ANSWER));
    assert_eq!(run.to_client, answer(ANSWER));
    let exchange = lab
        .exchanges()
        .into_iter()
        .find(|exchange| exchange.verdict == Verdict::Allowed)
        .unwrap();
    assert_eq!(exchange.clamped, Some(left));
    assert_eq!(
        (&*exchange.actions, exchange.reason),
        (&[LimitAction::Clamped][..], Some(Reason::Budget))
    );
    assert_eq!(exchange.budgets[0].settled, 25);
}

#[test]
fn what_fits_is_not_touched() {
    let clamp = BudgetRule {
        clamp: true,
        ..budget(10_000)
    };
    let lab = lab(&[policy(vec![], vec![clamp])]);
    let mut run = Run::new(&lab);
    run.client(&post(&ask_for(5_000)));
    assert_eq!(run.to_upstream, post(&ask_for(5_000)));
    run.upstream(&answer(ANSWER));
    let exchange = lab.one_exchange();
    assert_eq!((exchange.clamped, exchange.reason), (None, None));
}

#[test]
fn several_answers_share_what_is_left_and_a_stream_is_told_what_it_may_grow_to() {
    for (limit, members, most) in [(130, r#""n":3,"#, 130 / 3), (400, r#""stream":true,"#, 400)] {
        let clamp = BudgetRule {
            clamp: true,
            ..budget(limit)
        };
        let lab = lab(&[policy(vec![], vec![clamp])]);
        let mut run = Run::new(&lab);
        let body = ask_for(5_000).replacen('{', &format!("{{{members}"), 1);
        run.client(&post(&body));
        let sent = body_of(&run.to_upstream);
        let left: u64 = sent
            .split("max_tokens\":")
            .nth(1)
            .unwrap()
            .trim_end_matches('}')
            .parse()
            .unwrap();
        assert!(left > 0 && left <= most, "{left} of {most}");
        let reserved = lab.node.ledger.account(KEY).unwrap().reserved;
        assert!(reserved <= limit && reserved + 3 > limit.min(256), "{reserved}");
    }
}

#[test]
fn a_full_reservation_covers_a_stream_and_is_said_to_the_provider() {
    let full = BudgetRule {
        reserve: Reserve::Full,
        ..budget(10_000)
    };
    let lab = lab(&[policy(vec![], vec![full])]);
    let mut run = Run::new(&lab);
    let body = CHAT.replace("\"max_tokens\":20", "\"stream\":true");
    run.client(&post(&body));
    assert_eq!(
        body_of(&run.to_upstream),
        body.replacen('{', "{\"max_completion_tokens\":4096,", 1)
    );
    let held = lab.node.ledger.account(KEY).unwrap().reserved;
    assert!(held > 4_096 && held < 4_200, "{held}");
    // What cannot be made to say so is refused.
    let mut batch = Run::new(&lab);
    batch.client(&to("/generate", r#"{"inputs":"a"}"#));
    assert!(
        batch.to_client.starts_with(b"HTTP/1.1 429 "),
        "{:?}",
        String::from_utf8_lossy(&batch.to_client)
    );
}

fn downgrading(limit: u64, model: &str) -> BudgetRule {
    BudgetRule {
        at_limit: AtLimit::Downgrade(model.to_owned()),
        ..budget(limit)
    }
}

#[test]
fn without_a_model_that_fits_it_is_refused_by_name() {
    let lab = lab(&[policy(vec![], vec![downgrading(10, "gpt-4o-nano")])]);
    let mut run = Run::new(&lab);
    run.client(&post(CHAT));
    assert!(run.to_upstream.is_empty());
    let refusal = String::from_utf8(run.to_client.clone()).unwrap();
    assert!(refusal.starts_with("HTTP/1.1 429 "), "{refusal}");
    assert!(
        refusal.contains("'test/0' of tokens") && !refusal.contains("/app"),
        "{refusal}"
    );
    let exchange = lab.one_exchange();
    assert_eq!(
        (exchange.verdict, exchange.reason),
        (Verdict::Denied, Some(Reason::Budget))
    );
    assert_eq!(exchange.model.as_ref().unwrap().as_str(), "gpt-4o-mini");
    assert!(exchange.requested_model.is_none() && exchange.actions.is_empty());
}

#[test]
fn a_paced_stream_pauses_event_by_event_and_ends_whole() {
    let slow = BudgetRule {
        slow_down: Some(SlowDown {
            from_percent: 1,
            tokens_per_s: 10,
        }),
        ..budget(1_000)
    };
    let lab = lab(&[policy(vec![], vec![slow])]);
    let mut run = Run::new(&lab);
    run.client(&post(&CHAT.replacen('{', "{\"stream\":true,", 1)));
    let texts = ["one", " two", " three", " four"];
    run.upstream(&chunked(&stream_of(&texts)));
    let mut pauses = 0;
    while let Some(until) = run.relay.paused_until() {
        let wait = until - tokio::time::Instant::now();
        assert!(wait.as_millis() <= 100 * (pauses + 1), "{wait:?}");
        assert!(!run.relay.wants_upstream(), "the upstream is not read in a pause");
        let seen = String::from_utf8_lossy(&run.to_client).into_owned();
        let next = usize::try_from(pauses).unwrap() + 2;
        assert!(seen.contains(texts[next - 1]), "{seen}");
        assert!(
            texts.get(next).is_none_or(|later| !seen.contains(later)),
            "{seen}"
        );
        run.relay.resume();
        run.settle();
        pauses += 1;
    }
    assert_eq!(pauses, 3, "the first event shows how full the budget is");
    assert_eq!(dechunk(&run.to_client), stream_of(&texts));
    let exchange = lab.one_exchange();
    assert_eq!((exchange.verdict, exchange.slowed), (Verdict::Allowed, Some(10)));
}

#[test]
fn below_the_share_nothing_is_paced() {
    let slow = BudgetRule {
        slow_down: Some(SlowDown {
            from_percent: 80,
            tokens_per_s: 1,
        }),
        ..budget(100_000)
    };
    let lab = lab(&[policy(vec![], vec![slow])]);
    let mut run = Run::new(&lab);
    run.client(&post(&CHAT.replacen('{', "{\"stream\":true,", 1)));
    run.upstream(&chunked(&stream_of(&["one", " two"])));
    assert_eq!(dechunk(&run.to_client), stream_of(&["one", " two"]));
    assert_eq!(lab.one_exchange().slowed, None);
}

#[test]
fn a_policy_that_observes_says_what_it_would_have_done() {
    for (rule, expected) in [
        (
            BudgetRule {
                clamp: true,
                ..budget(100)
            },
            LimitAction::Clamped,
        ),
        (downgrading(100, "gpt-4o-nano"), LimitAction::Downgraded),
    ] {
        let mut observing = policy(vec![], vec![rule]);
        observing.mode = Mode::Observe;
        let lab = lab(&[observing]);
        let mut run = Run::new(&lab);
        run.client(&post(&ask_for(5_000)));
        assert_eq!(run.to_upstream, post(&ask_for(5_000)), "nothing is touched");
        run.upstream(&answer(ANSWER));
        let exchange = lab.one_exchange();
        assert_eq!(&*exchange.observed_actions, &[expected]);
        assert_eq!((exchange.verdict, exchange.observed), (Verdict::Allowed, None));
        assert_eq!(exchange.budgets[0].settled, 25, "and is charged");
    }
}

#[test]
fn a_budget_that_only_alerts_is_charged_beyond_its_limit() {
    let alert = BudgetRule {
        at_limit: AtLimit::Alert,
        ..budget(10)
    };
    let lab = lab(&[policy(vec![], vec![alert])]);
    let mut run = Run::new(&lab);
    run.client(&post(CHAT));
    assert_eq!(run.to_upstream, post(CHAT));
    run.upstream(&answer(ANSWER));
    let exchange = lab.one_exchange();
    assert_eq!((exchange.verdict, exchange.reason), (Verdict::Allowed, None));
    let account = lab.node.ledger.account(KEY).unwrap();
    assert_eq!((account.settled, account.debt), (10, 15));
}
