//! A disk that takes no more writes, for real: a small file system in a mount namespace of its own where that can be had, and a
//! limit on file sizes, which any system has. Enforcement goes on from memory, the health says so, and it heals by itself.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use monitor_budget::{Budget, Certainty, Checkpoints, DenyReason, Ledger, LedgerError, Spend, SystemClock};

const CHILD: &str = "WEIR_LEDGER_FULL_DISK_DIR";
const HOUR_MS: u64 = 3_600_000;
const LIMIT: u64 = 10_000_000;

fn open(dir: &Path) -> Result<Ledger, LedgerError> {
    Ledger::open_with(dir, Arc::new(SystemClock::new()), Checkpoints::OnDemand)
}

/// Runs one of the children below in a shell that has prepared the disk.
fn run_child(shell: &mut Command, prepare: &str, child: &str, dir: &Path) -> Output {
    let script = format!("{prepare} && exec \"$0\" --exact {child} --nocapture");
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
    let mut shell = Command::new("sh");
    // Without the trap the system would kill the process instead of failing the write.
    let prepare = "trap '' XFSZ && ulimit -f 1000";
    assert_passed(&run_child(
        shell.arg("-c"),
        prepare,
        "child_whose_files_may_not_grow",
        dir.path(),
    ));
}

#[test]
fn a_full_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(arguments).args(["sh", "-c"]);
        command
    };
    let mount = "mount -t tmpfs -o size=3m weir \"$WEIR_LEDGER_FULL_DISK_DIR\"";
    let namespaces: [&[&str]; 2] = [&["--mount"], &["--mount", "--map-root-user"]];
    let possible = namespaces.iter().find(|arguments| {
        let tried = unshare(arguments).arg(mount).env(CHILD, dir.path()).status();
        tried.is_ok_and(|status| status.success())
    });
    let Some(arguments) = possible else {
        println!("not run: this system lets us mount nothing; the limit on file sizes stands in for it");
        return;
    };
    assert_passed(&run_child(
        &mut unshare(arguments),
        mount,
        "child_on_a_full_file_system",
        dir.path(),
    ));
}

/// Spends until the journal cannot be written, and checks what must hold then. Returns what was spent in all.
fn spend_until_not_durable(ledger: &Ledger) -> u64 {
    let budget = Budget::tokens("w", LIMIT, HOUR_MS);
    let mut spent = 0;
    while ledger.health().durable {
        assert!(spent < 1_000_000, "the disk never filled up");
        ledger
            .reserve(&[&budget], &Spend::request(10, 0))
            .unwrap()
            .settle(&Spend::request(10, 0), Certainty::Exact);
        spent += 10;
    }
    let health = ledger.health();
    assert_eq!(health.journal_errors, 1);
    let kinds = [ErrorKind::StorageFull, ErrorKind::FileTooLarge];
    assert!(kinds.contains(&health.last_error_kind.unwrap()), "{health:?}");

    for _ in 0..100 {
        ledger
            .reserve(&[&budget], &Spend::request(10, 0))
            .unwrap()
            .settle(&Spend::request(10, 0), Certainty::Exact);
        spent += 10;
    }
    assert_eq!(ledger.account("w").unwrap().settled, spent);
    let denied = ledger
        .reserve(&[&budget], &Spend::request(LIMIT - spent + 1, 0))
        .unwrap_err();
    assert_eq!((denied.reason, denied.used), (DenyReason::Exhausted, spent));
    spent
}

/// The directory as a kill would leave it at this moment.
fn killed(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_str().unwrap().starts_with("ledger.") {
            // Not `fs::copy`: it asks for more than there is, which fails where a file is just as long as files may be.
            fs::write(
                copy.path().join(entry.file_name()),
                fs::read(entry.path()).unwrap(),
            )
            .unwrap();
        }
    }
    copy
}

#[test]
fn child_whose_files_may_not_grow() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let dir = Path::new(&dir);
    let ledger = open(dir).unwrap();
    let spent = spend_until_not_durable(&ledger);
    let then = open(killed(dir).path()).unwrap();
    let settled = then.account("w").unwrap().settled;
    assert!(settled > 0 && settled <= spent, "{settled} of {spent}");
    // A new file has room again.
    ledger.checkpoint().unwrap();
    assert!(ledger.health().durable);
    assert_eq!(
        open(killed(dir).path()).unwrap().account("w").unwrap().settled,
        spent
    );
}

#[test]
fn child_on_a_full_file_system() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let dir = Path::new(&dir);
    let ledger = open(dir).unwrap();
    let ballast = fill(dir);
    let spent = spend_until_not_durable(&ledger);
    let error = ledger.checkpoint().unwrap_err();
    assert!(!ledger.health().durable, "{error}");
    assert!(ledger.health().checkpoint_errors > 0);
    assert_eq!(
        ledger.health().last_error_kind,
        Some(ErrorKind::StorageFull),
        "{error}"
    );

    fs::remove_file(&ballast).unwrap();
    ledger.checkpoint().unwrap();
    assert!(ledger.health().durable);
    let budget = Budget::tokens("w", LIMIT, HOUR_MS);
    ledger
        .reserve(&[&budget], &Spend::request(10, 0))
        .unwrap()
        .settle(&Spend::request(10, 0), Certainty::Exact);
    assert_eq!(
        open(killed(dir).path()).unwrap().account("w").unwrap().settled,
        spent + 10
    );

    // Started on a full disk, it refuses or goes on with what it knew; it never starts empty.
    drop(ledger);
    let ballast = fill(dir);
    match open(dir) {
        Ok(ledger) => {
            assert_eq!(ledger.account("w").unwrap().settled, spent + 10);
            assert!(!ledger.health().durable);
        }
        Err(error) => assert!(matches!(error, LedgerError::Store { .. }), "{error}"),
    }
    fs::remove_file(&ballast).unwrap();
    assert_eq!(open(dir).unwrap().account("w").unwrap().settled, spent + 10);
}

/// Fills the file system to the last byte.
fn fill(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("ballast");
    let mut file = File::create(&path).unwrap();
    while file.write_all(&[0; 64]).is_ok() {
        assert!(
            file.metadata().unwrap().len() < 100 << 20,
            "the small file system is not one"
        );
    }
    path
}
