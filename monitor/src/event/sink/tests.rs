use std::path::PathBuf;

use super::*;
use crate::event::samples;

struct Fixture {
    directory: tempfile::TempDir,
    metrics: Metrics,
    now: Instant,
}

impl Fixture {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            metrics: Metrics::new().unwrap(),
            now: Instant::now(),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("log/events.jsonl")
    }

    fn sink(&self, path: PathBuf) -> FileSink {
        FileSink::new(
            Target {
                path,
                format: Format::Native,
            },
            &self.metrics,
        )
    }
}

fn event(number: u64) -> Event {
    let mut exchange = samples::exchange();
    exchange.http.request_bytes = number;
    Event::Exchange(exchange.into())
}

/// The `request_bytes` of each line; every line must be a whole record.
fn numbers(path: &Path) -> Vec<u64> {
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["http"]["request_bytes"]
                .as_u64()
                .unwrap()
        })
        .collect()
}

#[test]
fn writes_and_appends_after_a_restart() {
    let fixture = Fixture::new();
    for number in 0..2 {
        let mut sink = fixture.sink(fixture.path());
        sink.append(&event(number));
        sink.flush(fixture.now);
        assert_eq!(sink.held_bytes(), 0);
    }
    assert_eq!(numbers(&fixture.path()), [0, 1]);
    assert_eq!(std::fs::metadata(fixture.path()).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_torn_last_line_costs_only_itself() {
    let fixture = Fixture::new();
    std::fs::create_dir(fixture.path().parent().unwrap()).unwrap();
    std::fs::write(fixture.path(), "{\"kind\":\"exch").unwrap();
    let mut sink = fixture.sink(fixture.path());
    sink.append(&event(7));
    sink.flush(fixture.now);
    let text = std::fs::read_to_string(fixture.path()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, "{\"kind\":\"exch"));
    assert!(serde_json::from_str::<serde_json::Value>(lines[1]).is_ok());
}

#[test]
fn follows_rotation_and_a_removed_directory() {
    let fixture = Fixture::new();
    let path = fixture.path();
    let mut sink = fixture.sink(path.clone());
    sink.append(&event(1));
    sink.flush(fixture.now);
    let rotated = path.with_extension("1");
    std::fs::rename(&path, &rotated).unwrap();
    sink.append(&event(2));
    sink.flush(fixture.now);
    assert_eq!((numbers(&rotated), numbers(&path)), (vec![1], vec![2]));
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    sink.append(&event(3));
    sink.flush(fixture.now);
    assert_eq!(numbers(&path), [3]);
    assert_eq!(sink.errors.get(), 0);
}

#[test]
fn a_failure_is_counted_and_made_good() {
    let fixture = Fixture::new();
    let path = fixture.path();
    let parent = path.parent().unwrap();
    std::fs::write(parent, "a file where the directory should be").unwrap();
    let mut sink = fixture.sink(path.clone());
    sink.append(&event(1));
    sink.flush(fixture.now);
    sink.append(&event(2));
    sink.flush(fixture.now);
    assert_eq!(sink.errors.get(), 1, "not tried again at once");
    sink.flush(fixture.now + RETRY_AFTER);
    assert_eq!(sink.errors.get(), 2);
    std::fs::remove_file(parent).unwrap();
    sink.flush(fixture.now + RETRY_AFTER * 2);
    assert_eq!(numbers(&path), [1, 2]);
    assert_eq!(sink.dropped.get(), 0);
}

#[test]
fn a_full_disk_holds_up_to_the_bound_then_counts_what_is_lost() {
    let fixture = Fixture::new();
    let mut sink = fixture.sink("/dev/full".into());
    let mut line = Vec::new();
    native::encode(&event(1), &mut line).unwrap();
    let fit = MAX_HELD_BYTES / line.len();
    for _ in 0..fit + 5 {
        sink.append(&event(1));
        sink.flush(fixture.now);
    }
    assert_eq!((sink.errors.get(), sink.dropped.get()), (1, 5));
    assert!(sink.held.len() <= MAX_HELD_BYTES);
    sink.finish(fixture.now);
    assert_eq!(
        sink.dropped.get(),
        fit as u64 + 5,
        "what is still held at the end is lost, and counted"
    );
}

#[test]
fn part_of_a_line_is_continued_in_the_same_file_and_repeated_in_another() {
    let (mut held, mut written) = (b"one\ntwo\nthree\n".to_vec(), 6);
    forget_whole_lines(&mut held, &mut written);
    assert_eq!((held.as_slice(), written), (&b"two\nthree\n"[..], 2));

    let fixture = Fixture::new();
    let path = fixture.path();
    let mut sink = fixture.sink(path.clone());
    sink.append(&event(1));
    sink.flush(fixture.now);
    // As a full disk leaves it: ten bytes of the second record are in the file.
    sink.append(&event(2));
    sink.open
        .as_mut()
        .unwrap()
        .file
        .write_all(&sink.held[..10])
        .unwrap();
    sink.written = 10;
    sink.flush(fixture.now);
    assert_eq!(numbers(&path), [1, 2]);

    sink.append(&event(3));
    sink.open
        .as_mut()
        .unwrap()
        .file
        .write_all(&sink.held[..10])
        .unwrap();
    sink.written = 10;
    std::fs::rename(&path, path.with_extension("old")).unwrap();
    sink.flush(fixture.now);
    assert_eq!(numbers(&path), [3], "a new file begins with a whole line");
}

#[test]
fn a_fifo_that_nobody_reads_does_not_hang() {
    let fixture = Fixture::new();
    let path = fixture.directory.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let mut sink = fixture.sink(path);
    sink.append(&event(1));
    sink.flush(fixture.now);
}
