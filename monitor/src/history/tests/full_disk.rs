//! A disk that takes no more writes, for real: a small file system in a mount namespace of its own where that can be had, and a limit on
//! file sizes, which any system has. Recording goes on in memory, the health says so, and all of it is written once there is room.

use std::process::{Command, Output};

use super::*;

const CHILD: &str = "WEIR_HISTORY_FULL_DISK_DIR";

fn run_child(shell: &mut Command, prepare: &str, child: &str, dir: &Path) -> Output {
    let script = format!("{prepare} && exec \"$0\" --exact history::tests::full_disk::{child} --nocapture");
    shell
        .arg(script)
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, dir)
        .output()
        .unwrap()
}

fn assert_passed(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_limit_on_file_sizes() {
    let dir = tempfile::tempdir().unwrap();
    // Without the trap the system would kill the process instead of failing the write.
    let prepare = "trap '' XFSZ && ulimit -f 600";
    let mut shell = Command::new("sh");
    let output = run_child(
        shell.arg("-c"),
        prepare,
        "child_whose_files_may_not_grow",
        dir.path(),
    );
    assert_passed(&output);
    // Without the limit: what had been written is there, and no more of it than was recorded.
    let rig = Rig::open(dir.path(), NOW_MS);
    let found = rig.total(0).exchanges;
    assert!(found > 0 && found.is_multiple_of(100), "{found}");
}

#[test]
fn a_full_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(arguments).args(["sh", "-c"]);
        command
    };
    let mount = format!("mount -t tmpfs -o size=3m weir \"${CHILD}\"");
    let namespaces: [&[&str]; 2] = [&["--mount"], &["--mount", "--map-root-user"]];
    let possible = namespaces.iter().find(|arguments| {
        let tried = unshare(arguments).arg(&mount).env(CHILD, dir.path()).status();
        tried.is_ok_and(|status| status.success())
    });
    let Some(arguments) = possible else {
        println!("not run: this system lets us mount nothing; the limit on file sizes stands in for it");
        return;
    };
    assert_passed(&run_child(
        &mut unshare(arguments),
        &mount,
        "child_on_a_full_file_system",
        dir.path(),
    ));
}

/// Records until it cannot be written, and for a while on. Returns the exchanges recorded.
fn record_until_full(rig: &mut Rig) -> u64 {
    let mut recorded = 0;
    let mut record = |rig: &mut Rig| {
        for _ in 0..100 {
            rig.history.record(&exchange(recorded, "a", NOW_MS));
            recorded += 1;
        }
        assert!(recorded < 100_000, "the disk never filled up");
        rig.tick();
    };
    // The first errors pass: emptying the log makes room once more.
    while rig.history.health().waiting < 1_000 {
        record(rig);
    }
    let recorded = u64::from(recorded);
    let health = rig.history.health();
    assert!(
        health.waiting >= 1_000 && health.events.errors >= 10,
        "{health:?}"
    );
    assert!(health.to_string().starts_with("in memory only, "), "{health}");
    assert_eq!(rig.total(0).exchanges, recorded, "answers lack nothing");
    recorded
}

#[test]
fn child_whose_files_may_not_grow() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    record_until_full(&mut Rig::open(Path::new(&dir), NOW_MS));
}

#[test]
fn child_on_a_full_file_system() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let dir = Path::new(&dir);
    let mut rig = Rig::open(dir, NOW_MS);
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let recorded = record_until_full(&mut rig);

    std::fs::remove_file(&ballast).unwrap();
    // The batch that failed, and what was collected behind it.
    rig.tick();
    rig.tick();
    let health = rig.history.health();
    assert_eq!((health.error, health.waiting), (None, 0));
    assert_eq!(rig.total(0).exchanges, recorded);
    drop(rig);
    let rig = Rig::open(dir, NOW_MS);
    assert_eq!(rig.history.health().error, None);
    assert_eq!(rig.total(0).exchanges, recorded);
}
