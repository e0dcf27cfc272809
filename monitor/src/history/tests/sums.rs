//! Sum over any split, span and step = sum of what was recorded.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What the history must be equal to: every exchange that may not be lost.
#[derive(Default)]
struct Model {
    exchanges: Vec<(u64, u32, String, Counts)>,
    /// Recorded since the last write.
    unwritten: usize,
}

impl Model {
    fn sums(
        &self,
        from_ms: u64,
        to_ms: Option<u64>,
        step: Option<Level>,
        by: &[Dimension],
    ) -> BTreeMap<(u64, Option<u32>, Option<String>), Counts> {
        let mut sums: BTreeMap<_, Counts> = BTreeMap::new();
        for (ended_ms, uid, model, counts) in &self.exchanges {
            if *ended_ms < from_ms || to_ms.is_some_and(|to_ms| *ended_ms >= to_ms) {
                continue;
            }
            let at = step.map_or(0, |step| step.start(ended_ms / 1_000) * 1_000);
            let uid = by.contains(&Dimension::Workload).then_some(*uid);
            let model = by.contains(&Dimension::Model).then(|| model.clone());
            sums.entry((at, uid, model)).or_default().add(counts);
        }
        sums
    }
}

#[derive(Debug, Clone)]
enum Act {
    Record {
        uid: u32,
        model: u8,
        ago_ms: u64,
        tokens: u64,
    },
    Write,
    /// The agent ends in order.
    Restart,
    /// The agent is killed: what was not written is gone.
    Kill,
    Pass(u64),
    Step(i64),
    Tidy,
    Ask {
        since_ms: u64,
        length_ms: Option<u64>,
        step: Option<Level>,
        by: Vec<Dimension>,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let record = (
        0..4_u32,
        0..3_u8,
        prop_oneof![Just(0), 0..3 * HOUR_MS],
        0..1_000_000_u64,
    )
        .prop_map(|(uid, model, ago_ms, tokens)| Act::Record {
            uid,
            model,
            ago_ms,
            tokens,
        });
    let ask = (
        0..60 * DAY_MS,
        prop::option::of(MINUTE_MS..40 * DAY_MS),
        prop::option::of(prop::sample::select(Level::ALL.to_vec())),
        prop::sample::subsequence(vec![Dimension::Workload, Dimension::Model], 0..=2),
    )
        .prop_map(|(since_ms, length_ms, step, by)| Act::Ask {
            since_ms,
            length_ms,
            step,
            by,
        });
    prop_oneof![
        8 => record,
        3 => Just(Act::Write),
        1 => Just(Act::Restart),
        1 => Just(Act::Kill),
        2 => (1..4 * DAY_MS).prop_map(Act::Pass),
        1 => (-30 * DAY_MS as i64..30 * DAY_MS as i64).prop_map(Act::Step),
        1 => Just(Act::Tidy),
        4 => ask,
    ]
}

/// Asks, and compares with the model at the edges that the answer says it has.
fn ask(rig: &Rig, model: &Model, question: &Question) -> Result<(), TestCaseError> {
    let answer = match rig.history.answer(question) {
        Ok(answer) => answer,
        Err(error) => {
            prop_assert!(error.is_question() && question.step.is_some(), "{error}");
            return Ok(());
        }
    };
    prop_assert!(answer.since_ms <= question.since_ms);
    if let (Some(asked), Some(found)) = (question.until_ms, answer.until_ms) {
        prop_assert!(found >= asked);
    }
    prop_assert!(answer.complete, "days are kept for longer than this test goes on");
    let expected = model.sums(answer.since_ms, answer.until_ms, question.step, &question.by);
    let mut found = BTreeMap::new();
    for row in &answer.rows {
        let json = serde_json::to_value(row).unwrap();
        let uid = json["workload"]["uid"].as_u64().map(|uid| uid as u32);
        let name = row.name(Dimension::Model).map(str::to_owned);
        found.insert((row.at_ms.unwrap_or(0), uid, name), row.counts);
    }
    prop_assert_eq!(found, expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_is_lost_or_doubled(acts in prop::collection::vec(act(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let mut now_ms = NOW_MS;
        let mut rig = Rig::open(dir.path(), now_ms);
        let mut model = Model::default();
        for act in acts {
            match act {
                Act::Record { uid, model: name, ago_ms, tokens } => {
                    let mut exchange = exchange(uid, &format!("m{name}"), now_ms - ago_ms);
                    if let Some(usage) = &mut exchange.usage {
                        usage.input = tokens;
                    }
                    rig.history.record(&exchange);
                    model.exchanges.push((now_ms - ago_ms, uid, format!("m{name}"), Counts::of(&exchange)));
                    model.unwritten += 1;
                }
                Act::Write => {
                    rig.tick();
                    model.unwritten = 0;
                }
                Act::Restart => {
                    rig.tick();
                    model.unwritten = 0;
                    drop(rig);
                    rig = Rig::open(dir.path(), now_ms);
                }
                Act::Kill => {
                    drop(rig);
                    rig = Rig::open(dir.path(), now_ms);
                    model.exchanges.truncate(model.exchanges.len() - model.unwritten);
                    model.unwritten = 0;
                }
                Act::Pass(ms) => {
                    now_ms += ms;
                    rig.clock.advance_ms(ms);
                }
                Act::Step(ms) => {
                    now_ms = now_ms.saturating_add_signed(ms);
                    rig.clock.step_wall_to_ms(now_ms);
                }
                Act::Tidy => {
                    rig.tidy();
                    model.unwritten = 0;
                }
                Act::Ask { since_ms, length_ms, step, by } => {
                    let since_ms = now_ms - since_ms;
                    let until_ms = length_ms.map(|length_ms| since_ms + length_ms);
                    ask(&rig, &model, &Question { by, step, since_ms, until_ms, ..everything(0) })?;
                }
            }
        }
        // The levels agree, whatever was deleted of the finer ones.
        ask(&rig, &model, &everything(0))?;
    }
}

#[test]
fn retention_leaves_the_coarser_sums() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::open(dir.path(), NOW_MS);
    let mut now_ms = NOW_MS;
    // One exchange every seven hours for a year.
    for _ in 0..1_251 {
        rig.history.record(&exchange(1, "a", now_ms));
        rig.tick();
        rig.clock.advance_ms(7 * HOUR_MS);
        now_ms += 7 * HOUR_MS;
    }
    rig.tidy();
    let [minutes, hours, days] = rig.rows();
    assert!((6..=7).contains(&minutes), "{minutes}");
    assert!((105..=107).contains(&hours), "{hours}");
    assert!((360..=366).contains(&days), "{days}");
    let answer = rig.answer(&everything(NOW_MS));
    assert_eq!((total(&answer).exchanges, answer.complete), (1_251, true));
    let events = rig.history.health().events;
    assert_eq!((events.expired, events.evicted), (1_251 * 2 - minutes - hours, 0));

    let kept = Usage {
        minutes_ms: HOUR_MS,
        hours_ms: DAY_MS,
        days_ms: 10 * DAY_MS,
    };
    rig.history.keep(kept);
    rig.tidy();
    assert_eq!(rig.rows()[0], 0);
    assert!((10..=11).contains(&rig.rows()[2]), "{:?}", rig.rows());
    let answer = rig.answer(&everything(NOW_MS));
    assert!(!answer.complete);
    let refused = rig.history.answer(&Question {
        step: Some(Level::Hour),
        ..everything(now_ms - 9 * DAY_MS)
    });
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("usage by hour is kept from 2025-")
    );
}

#[test]
fn names_go_with_the_last_usage_of_them_and_the_file_shrinks() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::open(dir.path(), NOW_MS);
    let count = |table: &str| -> u64 {
        let connection = schema::open_to_read(&dir.path().join(FILE_NAME)).unwrap();
        let count = format!("SELECT count(*) FROM {table}");
        connection.query_row(&count, [], |row| row.get(0)).unwrap()
    };
    for uid in 0..5_000 {
        rig.history
            .record(&exchange(uid, &format!("m{}", uid % 50), NOW_MS));
    }
    rig.tick();
    assert_eq!(
        (count("workload"), count("model"), rig.rows()),
        (5_000, 50, [5_000; 3])
    );
    let large = rig.history.health().bytes;
    rig.clock.advance_ms(401 * DAY_MS);
    rig.history.record(&exchange(1, "m1", NOW_MS + 401 * DAY_MS));
    rig.tick();
    // A leap of more than a day has to last.
    rig.tidy();
    assert_eq!(rig.rows(), [1; 3]);
    assert_eq!((count("workload"), count("model")), (1, 1));
    for _ in 0..20 {
        rig.clock.advance_ms(DAY_MS);
        rig.tidy();
    }
    assert!(
        rig.history.health().bytes < large / 4,
        "{} of {large}",
        rig.history.health().bytes
    );
    // The numbers of names that went are not used any more.
    rig.history.record(&exchange(2, "m2", NOW_MS + 401 * DAY_MS));
    rig.tick();
    assert_eq!(rig.total(0).exchanges, 2);
    assert_eq!(rig.answer(&by(&[Dimension::Workload], 0)).rows.len(), 2);
}

/// A wall clock that is ahead by years for a moment deletes nothing.
#[test]
fn a_clock_that_leaps_ahead_deletes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::open(dir.path(), NOW_MS);
    rig.history.record(&exchange(1, "a", NOW_MS));
    rig.tidy();
    rig.clock.step_wall_to_ms(NOW_MS + 3_000 * DAY_MS);
    rig.history.record(&exchange(1, "a", NOW_MS + 3_000 * DAY_MS));
    rig.tidy();
    rig.clock.step_wall_to_ms(NOW_MS);
    rig.history.record(&exchange(1, "a", NOW_MS));
    rig.tidy();
    assert_eq!(rig.rows(), [2, 2, 2]);
    assert_eq!(
        rig.total(NOW_MS - DAY_MS).exchanges,
        3,
        "with what was recorded ahead"
    );
    let until_now = Question {
        until_ms: Some(NOW_MS),
        ..everything(NOW_MS - DAY_MS)
    };
    assert_eq!(total(&rig.answer(&until_now)).exchanges, 2);
}
