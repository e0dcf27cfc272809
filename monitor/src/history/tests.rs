//! The history as a whole.

mod bounds;
mod files;
mod full_disk;
mod kill;
mod sums;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use monitor_budget::ManualClock;

use super::*;
use crate::event::{Counts, ShortText, samples};
use crate::identity::Workload;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
/// 2024-12-08, 10:30:20 UTC.
const NOW_MS: u64 = samples::MIDNIGHT_MS + 10 * HOUR_MS + 30 * MINUTE_MS + 20_000;

/// A history whose thread is the test's.
struct Rig {
    history: Arc<History>,
    writer: Writer,
    clock: Arc<ManualClock>,
}

impl Rig {
    fn open(dir: &Path, now_ms: u64) -> Self {
        Self::keeping(dir, now_ms, Usage::default())
    }

    fn keeping(dir: &Path, now_ms: u64, kept: Usage) -> Self {
        let clock = Arc::new(ManualClock::new(now_ms));
        let history = Arc::new(History::new(dir, kept, clock.clone()));
        let writer = Writer::new(history.clone());
        let mut rig = Self {
            history,
            writer,
            clock,
        };
        rig.tick();
        rig
    }

    /// One turn of the thread.
    fn tick(&mut self) {
        self.writer.tick(Instant::now());
    }

    /// Turns of the thread until nothing is left to delete.
    fn tidy(&mut self) {
        for _ in 0..10_000 {
            self.writer.delete_again = None;
            self.tick();
            assert_eq!(self.history.health().error, None);
            if self.writer.delete_again.is_some() {
                return;
            }
        }
        panic!("there is always more to delete");
    }

    fn rows(&self) -> [u64; 3] {
        self.history.health().rows
    }

    fn answer(&self, question: &Question) -> Answer {
        self.history.answer(question).unwrap()
    }

    fn total(&self, since_ms: u64) -> Counts {
        total(&self.answer(&everything(since_ms)))
    }
}

/// Without a split, from a moment on.
fn everything(since_ms: u64) -> Question {
    Question {
        by: Vec::new(),
        step: None,
        since_ms,
        until_ms: None,
        only: Vec::new(),
        order: Order::Tokens,
        limit: None,
    }
}

fn by(by: &[Dimension], since_ms: u64) -> Question {
    Question {
        by: by.to_vec(),
        ..everything(since_ms)
    }
}

fn total(answer: &Answer) -> Counts {
    let mut total = Counts::default();
    answer.rows.iter().for_each(|row| total.add(&row.counts));
    total
}

/// An exchange that ended at a moment.
fn exchange(uid: u32, model: &str, ended_ms: u64) -> Exchange {
    let mut exchange = samples::exchange();
    exchange.started_ms = ended_ms - exchange.duration_us / 1_000;
    exchange.workload = Some(Arc::new(Workload {
        uid,
        ..Workload::clone(&samples::workload())
    }));
    exchange.model = Some(ShortText::new(model));
    exchange
}

#[test]
fn an_answer_is_up_to_date_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::open(dir.path(), NOW_MS);
    for _ in 0..3 {
        rig.history.record(&exchange(1, "a", NOW_MS));
    }
    assert_eq!(rig.total(0).exchanges, 3, "from memory");
    rig.tick();
    assert_eq!(
        (rig.total(0).exchanges, rig.history.health().waiting),
        (3, 0),
        "from the disk"
    );
    rig.history.record(&exchange(1, "a", NOW_MS));
    assert_eq!(rig.total(0).exchanges, 4, "from both");
    rig.tick();
    assert_eq!(rig.rows(), [1, 1, 1]);
    drop(rig);
    let rig = Rig::open(dir.path(), NOW_MS);
    let total = rig.total(0);
    assert_eq!((total.exchanges, total.cut, total.micro_usd), (4, 4, 4 * 194));
    assert_eq!(
        (
            total.exchanges,
            total.input,
            total.output,
            total.cut,
            total.cache_read,
            total.reasoning
        ),
        (4, 480, 1_200, 4, 256, 160)
    );
}

#[test]
fn the_thread_writes_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(NOW_MS));
    let (history, thread) = History::start(dir.path(), Usage::default(), clock).unwrap();
    history.record(&exchange(1, "a", NOW_MS));
    assert_eq!(total(&history.answer(&everything(0)).unwrap()).exchanges, 1);
    let until = Instant::now() + Duration::from_secs(20);
    while history.health().waiting > 0 {
        assert!(Instant::now() < until, "{:?}", history.health());
        std::thread::sleep(Duration::from_millis(10));
    }
    history.record(&exchange(2, "b", NOW_MS));
    thread.stop();
    assert_eq!(history.health().waiting, 0);
    assert_eq!(Rig::open(dir.path(), NOW_MS).total(0).exchanges, 2);
}

#[test]
fn splits_picks_and_limits() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::open(dir.path(), NOW_MS);
    let mut pod = exchange(1, "gpt-4o", NOW_MS);
    pod.workload = Some(samples::pod_workload());
    let mut unknown = exchange(1, "gpt-4o-mini", NOW_MS);
    unknown.workload = None;
    for (exchange, times) in [(&pod, 3), (&unknown, 2), (&exchange(7, "claude", NOW_MS), 1)] {
        (0..times).for_each(|_| rig.history.record(exchange));
    }
    // Half from the disk, half from memory.
    rig.tick();
    rig.history.record(&pod);

    let names = |question: &Question, dimension| -> Vec<(Option<String>, u64)> {
        let answer = rig.answer(question);
        let name = |row: &Row| (row.name(dimension).map(str::to_owned), row.counts.exchanges);
        answer.rows.iter().map(name).collect()
    };
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(
        names(&by(&[Dimension::Model], 0), Dimension::Model),
        [(some("gpt-4o"), 4), (some("gpt-4o-mini"), 2), (some("claude"), 1)]
    );
    assert_eq!(
        names(&by(&[Dimension::Namespace], 0), Dimension::Namespace),
        [(some("billing"), 4), (None, 3)]
    );
    assert_eq!(
        names(&by(&[Dimension::Unit], 0), Dimension::Unit),
        [(None, 6), (some("bot.service"), 1)]
    );
    let only = |dimension, pattern| Question {
        only: vec![(dimension, crate::config::Glob::new(pattern).unwrap())],
        ..everything(0)
    };
    for (dimension, pattern, exchanges) in [
        (Dimension::Model, "gpt-*", 6),
        (Dimension::Model, "*mini", 2),
        (Dimension::Namespace, "bill*", 4),
        (Dimension::ServiceAccount, "bot", 4),
        (Dimension::Pod, "bot-7d9-*", 4),
        (Dimension::Workload, "/usr/bin/python*", 5),
        (Dimension::Workload, "/system.slice/*", 1),
        (Dimension::User, "bot", 5),
        (Dimension::Provider, "openai", 7),
        (Dimension::Operation, "messages", 0),
    ] {
        assert_eq!(
            total(&rig.answer(&only(dimension, pattern))).exchanges,
            exchanges,
            "{dimension:?} {pattern}"
        );
    }
    let limited = rig.answer(&Question {
        limit: Some(1),
        ..by(&[Dimension::Model], 0)
    });
    assert_eq!((limited.rows.len(), limited.left_out), (1, 2));

    let json = serde_json::to_value(rig.answer(&by(&[Dimension::Workload, Dimension::Model], 0))).unwrap();
    assert_eq!(json["usage"][0]["workload"]["exe"], "/usr/bin/python3.11");
    assert_eq!(json["usage"][1]["workload"], serde_json::Value::Null);
    assert_eq!(
        (&json["by"][1], &json["until"], &json["complete"]),
        (&"model".into(), &().into(), &true.into())
    );
}

#[test]
fn steps() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::open(dir.path(), NOW_MS);
    for (ago_ms, model) in [(0, "a"), (MINUTE_MS, "a"), (HOUR_MS, "b"), (11 * HOUR_MS, "a")] {
        rig.history.record(&exchange(1, model, NOW_MS - ago_ms));
    }
    rig.tick();
    let series = |step, limit| {
        let answer = rig.answer(&Question {
            step: Some(step),
            limit,
            ..by(&[Dimension::Model], NOW_MS - DAY_MS)
        });
        answer
            .rows
            .iter()
            .map(|row| {
                (
                    row.at_ms.unwrap(),
                    row.name(Dimension::Model).unwrap().to_owned(),
                    row.counts.exchanges,
                )
            })
            .collect::<Vec<_>>()
    };
    let day = samples::MIDNIGHT_MS;
    let row = |at: u64, model: &str, exchanges: u64| (at, model.to_owned(), exchanges);
    assert_eq!(
        series(Level::Day, None),
        [row(day - DAY_MS, "a", 1), row(day, "a", 2), row(day, "b", 1)]
    );
    assert_eq!(
        series(Level::Hour, None),
        [
            row(day - HOUR_MS, "a", 1),
            row(day + 9 * HOUR_MS, "b", 1),
            row(day + 10 * HOUR_MS, "a", 2)
        ]
    );
    let minute = NOW_MS - 20_000;
    assert_eq!(
        series(Level::Minute, Some(1)),
        [
            row(minute - 11 * HOUR_MS, "a", 1),
            row(minute - MINUTE_MS, "a", 1),
            row(minute, "a", 1)
        ]
    );
}

/// As during a take-over: the old agent goes on writing what it still carries.
#[test]
fn two_agents_write_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut old = Rig::open(dir.path(), NOW_MS);
    let mut new = Rig::open(dir.path(), NOW_MS);
    for round in 0..5 {
        old.history.record(&exchange(1, "a", NOW_MS));
        new.history.record(&exchange(1, "a", NOW_MS));
        new.history.record(&exchange(round, "b", NOW_MS));
        old.tick();
        new.tick();
    }
    assert_eq!((old.total(0).exchanges, new.total(0).exchanges), (15, 15));
    old.history.record(&exchange(1, "a", NOW_MS));
    assert_eq!(
        (old.total(0).exchanges, new.total(0).exchanges),
        (16, 15),
        "what is in the other's memory"
    );
    old.tick();
    assert_eq!(new.total(0).exchanges, 16);
    assert_eq!(new.answer(&by(&[Dimension::Workload], 0)).rows.len(), 5);
}
