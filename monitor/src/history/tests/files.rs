//! Files that are not, or not any more, what the history wrote.

use rusqlite::Connection;

use super::*;

/// What the operator is told of a file that cannot be used. Usage stays in memory meanwhile.
#[track_caller]
fn refused(dir: &Path) -> (Rig, String) {
    let rig = Rig::open(dir, NOW_MS);
    rig.history.record(&exchange(1, "a", NOW_MS));
    let health = rig.history.health();
    assert_eq!(health.file, FileState::Failed);
    let answer = rig.answer(&everything(0));
    assert_eq!(total(&answer).exchanges, 1);
    let error = health.error.unwrap();
    assert_eq!(answer.note, Some(format!("only what is in memory: {error}")));
    (rig, error)
}

fn written(dir: &Path) -> std::path::PathBuf {
    let mut rig = Rig::open(dir, NOW_MS);
    for uid in 0..2_000 {
        rig.history.record(&exchange(uid, "a", NOW_MS));
    }
    rig.tick();
    dir.join(FILE_NAME)
}

#[test]
fn of_a_later_version() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let (_, error) = refused(dir.path());
    assert!(
        error.contains("schema version 99, this agent knows up to 1"),
        "{error}"
    );
}

#[test]
fn of_another_program() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE mine (x)")
        .unwrap();
    let (_, error) = refused(dir.path());
    assert!(error.contains("tables that are not the history's"), "{error}");
    Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 1)
        .unwrap();
    let (_, error) = refused(dir.path());
    assert!(error.contains("another program's database"), "{error}");
    std::fs::write(&path, "x".repeat(100_000)).unwrap();
    let (_, error) = refused(dir.path());
    assert!(error.contains("is damaged: file is not a database"), "{error}");
}

#[test]
fn damaged_and_then_moved_away() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    let (mut rig, error) = refused(dir.path());
    assert!(
        error.contains("is damaged") && error.contains("move it away"),
        "{error}"
    );
    rig.tick();
    let now = std::fs::read(&path).unwrap();
    let changed = now.iter().zip(&bytes).position(|(now, then)| now != then);
    assert_eq!(
        (changed, now.len()),
        (None, bytes.len()),
        "what is damaged is not written: {error}"
    );

    std::fs::rename(&path, dir.path().join("history.damaged")).unwrap();
    rig.writer.open_again = None;
    rig.tick();
    let health = rig.history.health();
    assert_eq!(
        (health.file, health.error, health.waiting),
        (FileState::Open, None, 0)
    );
    assert_eq!(rig.total(0).exchanges, 1, "what was in memory is in the new file");
}

/// The outcome of a commit may be unknown: a batch that is in the file is not written again.
#[test]
fn a_batch_is_written_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::open(dir.path(), NOW_MS);
    rig.history.record(&exchange(1, "a", NOW_MS));
    rig.tick();
    let mut batch = Batch::default();
    batch.add(&exchange(1, "a", NOW_MS), MAX_WAITING_ROWS);
    let mut file = schema::File::open(&dir.path().join(FILE_NAME)).unwrap();
    let mut dictionary = write::Dictionary::default();
    let writer = rig.history.writer;
    for number in [1, 2, 2] {
        write::write(&mut file, &mut dictionary, &batch, writer, number).unwrap();
    }
    rig.history.memory.lock().written = 2;
    assert_eq!(rig.total(0).exchanges, 2);
}
