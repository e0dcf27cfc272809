//! Whatever workloads do, rows stay bounded and no token is lost from the sums.

use super::*;
use crate::history::retention::{Believed, step};

#[test]
fn models_of_a_workload_and_day() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::open(dir.path(), NOW_MS);
    for round in 0..4 {
        for number in 0..100 {
            rig.history.record(&exchange(
                1,
                &format!("{round}-{number}"),
                NOW_MS + round * MINUTE_MS,
            ));
        }
        rig.history.record(&exchange(2, "quiet", NOW_MS));
        rig.tick();
        // The bound is one of the file: a restart does not lift it.
        drop(rig);
        rig = Rig::open(dir.path(), NOW_MS);
    }
    let answer = rig.answer(&by(&[Dimension::Workload, Dimension::Model], 0));
    assert_eq!(answer.rows.len(), MAX_MODELS_PER_WORKLOAD_AND_DAY + 2);
    let other = answer
        .rows
        .iter()
        .find(|row| row.name(Dimension::Model) == Some(OTHER))
        .unwrap();
    assert_eq!(
        other.counts.exchanges,
        400 - MAX_MODELS_PER_WORKLOAD_AND_DAY as u64
    );
    assert_eq!(total(&answer).exchanges, 404);
    assert_eq!(rig.rows()[2], MAX_MODELS_PER_WORKLOAD_AND_DAY as u64 + 2);
    // Another day, other models.
    rig.history.record(&exchange(1, "tomorrow's", NOW_MS + DAY_MS));
    rig.tick();
    let answer = rig.answer(&by(&[Dimension::Model], NOW_MS + DAY_MS));
    assert_eq!(answer.rows[0].name(Dimension::Model), Some("tomorrow's"));
}

#[test]
fn workloads_of_a_day() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::open(dir.path(), NOW_MS);
    let workloads = MAX_WORKLOADS_PER_DAY as u32 + 500;
    for uid in 0..workloads {
        rig.history.record(&exchange(uid, "a", NOW_MS));
    }
    rig.tick();
    let answer = rig.answer(&by(&[Dimension::Workload], 0));
    assert_eq!(answer.rows.len(), MAX_WORKLOADS_PER_DAY + 1);
    assert_eq!(
        answer.rows[0].name(Dimension::Workload),
        Some(OTHER),
        "{:?}",
        answer.rows[0]
    );
    assert_eq!(total(&answer).exchanges, u64::from(workloads));
    assert_eq!(rig.history.health().events.other, 500);
}

#[test]
fn what_waits_for_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    // A directory in the file's place: the history cannot be opened.
    std::fs::create_dir(dir.path().join(FILE_NAME)).unwrap();
    let mut rig = Rig::open(dir.path(), NOW_MS);
    let exchanges = MAX_WAITING_ROWS as u64 + 1_000;
    for number in 0..exchanges {
        rig.history.record(&exchange(number as u32, "a", NOW_MS));
    }
    let health = rig.history.health();
    assert_eq!(
        (health.waiting, health.events.folded),
        (MAX_WAITING_ROWS + 1, 1_000)
    );
    let answer = rig.answer(&everything(0));
    assert_eq!(total(&answer).exchanges, exchanges);
    assert!(
        answer
            .note
            .unwrap()
            .starts_with("only what is in memory: cannot open the database")
    );

    std::fs::remove_dir(dir.path().join(FILE_NAME)).unwrap();
    rig.writer.open_again = None;
    rig.tick();
    let answer = rig.answer(&everything(0));
    assert_eq!((total(&answer).exchanges, answer.note), (exchanges, None));
    assert_eq!(rig.history.health().waiting, 0);
}

#[test]
fn rows_of_a_table() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::open(dir.path(), NOW_MS);
    for minute in 0..90 {
        for uid in 0..100 {
            rig.history
                .record(&exchange(uid, "a", NOW_MS + minute * MINUTE_MS));
        }
    }
    rig.tick();
    drop(rig);
    let mut file = schema::File::open(&dir.path().join(FILE_NAME)).unwrap();
    let mut believed = Believed::resume(0, NOW_MS, 0);
    let mut evicted = 0;
    loop {
        let deleted = step(&mut file, [0; 3], 1_000, &mut believed).unwrap();
        evicted += deleted.evicted;
        assert_eq!((deleted.expired, deleted.names), (0, 0));
        if !deleted.more {
            break;
        }
    }
    drop(file);
    let rig = Rig::open(dir.path(), NOW_MS);
    assert_eq!((rig.rows(), evicted), ([1_000, 200, 100], 8_000));
    // What is gone by minute is there by hour: the span grows to the hour.
    let answer = rig.answer(&everything(NOW_MS));
    assert_eq!(
        (answer.since_ms, total(&answer).exchanges),
        (samples::MIDNIGHT_MS + 10 * HOUR_MS, 9_000)
    );
    assert!(answer.complete);
}

#[test]
fn too_large_an_answer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::open(dir.path(), NOW_MS);
    let question = Question {
        step: Some(Level::Minute),
        ..everything(0)
    };
    let mut sums = Groups::new(&question);
    let counts = Counts::default();
    let refused = (0..=MAX_GROUPS as u64).find_map(|minute| sums.add(minute * 60, 0, 0, &counts).err());
    assert!(refused.unwrap().is_question());
    assert_eq!(rig.total(0), counts);
}

/// SQLite would make a fraction of an integer that overflows, and refuse it from then on.
#[test]
fn a_sum_stops_at_its_greatest_value() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::open(dir.path(), NOW_MS);
    let mut liar = exchange(1, "a", NOW_MS);
    if let Some(usage) = &mut liar.usage {
        usage.input = u64::MAX;
    }
    for _ in 0..3 {
        rig.history.record(&liar);
        rig.tick();
    }
    let total = rig.total(0);
    assert_eq!((total.exchanges, total.input), (3, i64::MAX as u64));
    assert_eq!(rig.history.health().error, None);
}
