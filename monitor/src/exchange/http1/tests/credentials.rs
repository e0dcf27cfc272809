//! API keys have a fingerprint on record and in keys of accounts, and are nowhere else.

use std::sync::Arc;

use monitor_budget::{Ledger, ManualClock, Spend};

use super::*;
use crate::config::{Dimension, Grouping};
use crate::event::{Event, native, ocsf};
use crate::exchange::testing::{Lab, lab};

const SECRET: &str = "sk-live-0123456789abcdef";

fn with_key(field: &str) -> Vec<u8> {
    let request = String::from_utf8(post(CHAT)).unwrap();
    request
        .replacen("\r\nX-Odd:", &format!("\r\n{field}\r\nX-Odd:"), 1)
        .into_bytes()
}

fn per_key() -> Lab {
    let rule = BudgetRule {
        per: Grouping::by(vec![Dimension::ApiKey]),
        ..budget(1_000)
    };
    lab(&[policy(vec![], vec![rule])])
}

fn fingerprint(lab: &Lab, secret: &str) -> String {
    lab.node.fingerprints.of(secret.as_bytes()).as_str().to_owned()
}

#[test]
fn each_key_has_a_budget_of_its_own_whatever_the_field() {
    let lab = per_key();
    let expected = fingerprint(&lab, SECRET);
    for field in [
        format!("Authorization: Bearer {SECRET}"),
        format!("x-api-key: {SECRET}"),
    ] {
        let mut run = Run::new(&lab);
        run.client(&with_key(&field));
        run.upstream(&answer(ANSWER));
    }
    let mut without = Run::new(&lab);
    without.client(&post(CHAT));
    without.upstream(&answer(ANSWER));
    let settled = |key: &str| lab.node.ledger.account(key).unwrap().settled;
    assert_eq!(settled(&format!("test/0/api_key:{expected}")), 50);
    assert_eq!(settled("test/0/api_key:-"), 25);
    let on_record: Vec<Option<String>> = lab
        .exchanges()
        .iter()
        .map(|exchange| exchange.api_key.map(|key| key.as_str().to_owned()))
        .collect();
    let with = on_record
        .iter()
        .filter(|key| **key == Some(expected.clone()))
        .count();
    assert_eq!((on_record.len(), with), (3, 2));
}

#[test]
fn neither_records_nor_the_ledger_hold_a_key() {
    let lab = per_key();
    let in_query = String::from_utf8(post(CHAT)).unwrap();
    let in_query = in_query.replacen(
        "/v1/chat/completions",
        &format!("/v1/chat/completions?key={SECRET}"),
        1,
    );
    for request in [
        with_key(&format!("Authorization: Bearer {SECRET}")),
        with_key(&format!("x-goog-api-key: {SECRET}")),
        in_query.into_bytes(),
        // A head that cannot be read.
        format!("POST / HTTP/1.1\r\nAuthorization: Bearer {SECRET}\r\nbroken\r\n\r\n").into_bytes(),
    ] {
        let mut run = Run::new(&lab);
        run.client(&request);
        run.upstream(&answer(ANSWER));
    }
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), Arc::new(ManualClock::new(0))).unwrap();
    let mut accounts = 0;
    for account in lab.node.ledger.snapshot() {
        let budget = monitor_budget::Budget::tokens(account.key, account.limit, 3_600_000);
        let reservation = ledger.reserve(&[&budget], &Spend::request(1, 0)).unwrap();
        reservation.release();
        accounts += 1;
    }
    assert_eq!(accounts, 1, "all of them are the same key");
    ledger.checkpoint().unwrap();
    let mut written = Vec::new();
    for file in std::fs::read_dir(dir.path()).unwrap() {
        written.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let exchanges = lab.exchanges();
    assert_eq!(exchanges.len(), 4);
    for exchange in exchanges {
        written.extend(format!("{exchange:?}").bytes());
        let event = Event::Exchange(exchange);
        native::encode(&event, &mut written).unwrap();
        ocsf::encode(&event, &mut written).unwrap();
    }
    let found = |text: &str| memchr::memmem::find(&written, text.as_bytes()).is_some();
    assert!(found(&fingerprint(&lab, SECRET)));
    assert!(!found(SECRET) && !found("sk-live"));
}
