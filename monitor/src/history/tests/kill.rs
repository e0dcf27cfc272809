//! A process that records is killed again and again: what it recorded more than a write before must be there, once.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use monitor_budget::{Clock, SystemClock};

use super::*;

const CHILD: &str = "WEIR_HISTORY_CHILD_DIR";
const KILLS: u64 = 20;

/// The child's part: records until it is killed, and says before each write how many exchanges will be in it, and after it that it is done.
#[test]
fn child_that_records() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let clock = Arc::new(SystemClock::new());
    let history = Arc::new(History::new(Path::new(&dir), Usage::default(), clock.clone()));
    let mut writer = Writer::new(history.clone());
    let mut recorded = 0;
    let say = |line: String| std::io::stdout().write_all(line.as_bytes()).unwrap();
    for round in 0..100_000_u32 {
        for number in 0..20 {
            history.record(&exchange(number % 7, &format!("m{}", round % 5), clock.now_ms()));
            recorded += 1;
        }
        say(format!("\nrecorded {recorded}\n"));
        writer.tick(Instant::now());
        assert_eq!(history.health().error, None);
        say(format!("\nwritten {recorded}\n"));
    }
}

#[test]
fn what_was_written_before_a_kill_is_there_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = 0;
    for kill in 0..KILLS {
        let (recorded, written) = record_and_kill(dir.path(), Duration::from_millis(60 + kill * 13 % 70));
        let rig = Rig::open(dir.path(), SystemClock::new().now_ms());
        let found = rig.total(0).exchanges - before;
        assert!(
            found == written || found == recorded,
            "kill {kill}: {found} found, {written} written, {recorded} recorded"
        );
        before += found;
        for step in [None, Some(Level::Minute), Some(Level::Hour), Some(Level::Day)] {
            for by in [&[][..], &[Dimension::Workload], &[Dimension::Model]] {
                let answer = rig.answer(&Question {
                    by: by.to_vec(),
                    step,
                    ..everything(0)
                });
                assert_eq!(total(&answer).exchanges, before, "kill {kill}: the levels agree");
            }
        }
    }
    assert!(
        before > KILLS * 20,
        "the children were killed before they could record: {before}"
    );
}

/// Exchanges recorded at most, and written at least, until the child was killed.
fn record_and_kill(dir: &Path, after: Duration) -> (u64, u64) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "history::tests::kill::child_that_records",
            "--nocapture",
        ])
        .env(CHILD, dir);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reader = std::thread::spawn(move || {
        let (mut recorded, mut written) = (0, 0);
        for line in lines.map_while(Result::ok) {
            let number = |prefix| line.strip_prefix(prefix)?.parse::<u64>().ok();
            recorded = number("recorded ").unwrap_or(recorded);
            written = number("written ").unwrap_or(written);
        }
        (recorded, written)
    });
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}
