//! `cargo xtask vm-test`: the kernel tests on other kernels than this machine's, each in a virtual machine.
//!
//! The kernels are Debian's; the machine's whole file system is an archive with the test binary and the few programs it
//! starts. The processor is emulated in software: slow, but the same wherever it runs, also inside a virtual machine.

mod archive;
mod kernels;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use archive::Archive;
use kernels::DebianKernel;

use crate::paths::{Paths, cargo};
use crate::step::{Failure, capture, say};
use crate::test::Sum;
use crate::{kernel, packages};

/// What the tests start, beside themselves.
const PROGRAMS: [&str; 9] = [
    "bash", "cat", "false", "ip", "mkfifo", "sh", "sleep", "true", "unshare",
];
/// How long one kernel may take: three minutes on a fast machine, most of it for twenty thousand connections.
const LIMIT_S: u32 = 1_500;
/// What begins the line with the status of the tests.
const ENDED: &str = "tests ended with status ";

/// The first process of the virtual machine. What costs are measured means nothing under emulation.
const INIT: &str = r#"#!/bin/busybox sh
export PATH=/bin CI=true HOME=/tmp
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t cgroup2 cgroup2 /sys/fs/cgroup
/bin/busybox mount -t tracefs tracefs /sys/kernel/tracing
/bin/busybox mount -t bpf bpf /sys/fs/bpf
/bin/busybox mount -t tmpfs tmp /tmp
/bin/busybox mkdir -p /dev/shm
ip link set lo up
/kernel-tests --test-threads=1 --skip cost:: $(/bin/busybox cat /filter)
echo "tests ended with status $?"
/bin/busybox poweroff -f
"#;

/// Runs the kernel tests, or those whose names contain a filter, on every kernel there is.
pub(crate) fn test(paths: &Paths, arguments: &[String]) -> Result<(), Failure> {
    let filter = match arguments {
        [] => "",
        [filter] => filter.as_str(),
        _ => return Err(Failure::new("usage: cargo xtask vm-test [FILTER]")),
    };
    packages::for_vm()?;
    kernel::build(paths)?;
    let folder = paths.target.join("vm");
    let failure = |error: std::io::Error| Failure::new(format!("{}: {error}", folder.display()));
    fs::create_dir_all(&folder).map_err(failure)?;
    let kernels = kernels::ready(&folder)?;
    let image = image(&folder, &test_binary(paths)?, filter)?;
    let mut outcomes = Vec::new();
    for kernel in &kernels {
        say(&format!("running the kernel tests on Linux {}", kernel.release));
        outcomes.push((kernel, boot(&folder, kernel, &image)?));
    }
    let mut sum = Sum::default();
    for (kernel, outcome) in &outcomes {
        say(&format!(
            "Linux {}: {} passed, {} failed",
            kernel.release, outcome.passed, outcome.failed
        ));
        sum.passed += outcome.passed;
        sum.failed += outcome.failed;
    }
    if sum.failed > 0 || outcomes.iter().any(|(_, outcome)| outcome.passed == 0) {
        return Err(Failure::new(format!(
            "kernel tests failed; the consoles are in {}",
            folder.display()
        )));
    }
    Ok(())
}

/// Builds the kernel tests and returns their binary.
fn test_binary(paths: &Paths) -> Result<PathBuf, Failure> {
    let mut build = Command::new(cargo());
    build.current_dir(&paths.root).args([
        "test",
        "--release",
        "--quiet",
        "--package",
        "monitor",
        "--test",
        "kernel",
        "--no-run",
        "--message-format=json",
    ]);
    // One object a line; the last that has an executable is the test's.
    let messages = capture(&mut build)?;
    let path = messages.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once("\"executable\":\"")?;
        rest.split_once('"').map(|(path, _)| PathBuf::from(path))
    });
    path.ok_or_else(|| Failure::new("cargo named no binary of the kernel tests"))
}

/// The file system of the virtual machine.
fn image(folder: &Path, tests: &Path, filter: &str) -> Result<PathBuf, Failure> {
    let mut archive = Archive::default();
    for directory in ["bin", "dev", "etc", "proc", "run", "sys", "tmp", "usr", "usr/lib"] {
        archive.directory(directory);
    }
    archive.file("init", INIT.as_bytes(), 0o755);
    archive.file("filter", filter.as_bytes(), 0o644);
    archive.file(
        "etc/passwd",
        b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
        0o644,
    );
    archive.program("kernel-tests", tests)?;
    archive.program("bin/busybox", &packages::path_of("busybox")?)?;
    for program in PROGRAMS {
        archive.program(&format!("bin/{program}"), &packages::path_of(program)?)?;
    }
    let path = folder.join("root.cpio");
    archive
        .write(&path)
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
    Ok(path)
}

/// Runs one virtual machine to its end; its console is kept in a file.
fn boot(folder: &Path, kernel: &DebianKernel, image: &Path) -> Result<Sum, Failure> {
    let console = folder.join(format!("{}.log", kernel.release));
    let failure = |error: std::io::Error| Failure::new(format!("{}: {error}", console.display()));
    let mut log = File::create(&console).map_err(failure)?;
    let mut machine = Command::new("timeout")
        .args([&LIMIT_S.to_string(), "qemu-system-x86_64"])
        .args([
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "2048",
        ])
        .args(["-nographic", "-no-reboot", "-nic", "none"])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(image)
        .args(["-append", "console=ttyS0 panic=-1 quiet mitigations=off"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::new(format!("cannot run qemu-system-x86_64: {error}")))?;
    let output = machine.stdout.take();
    let mut sum = Sum::default();
    let mut status = None;
    for line in output
        .into_iter()
        .flat_map(|output| BufReader::new(output).split(b'\n'))
    {
        let line = line.map_err(failure)?;
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches('\r');
        writeln!(log, "{line}").map_err(failure)?;
        sum.add(line);
        if line.starts_with("test ") {
            // As everywhere, a closed terminal is no reason to stop.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
        status = status.or(line.strip_prefix(ENDED).map(str::to_owned));
    }
    // How it ended says nothing: the tests' own status is on the console.
    machine.wait().map_err(failure)?;
    match status.as_deref() {
        Some("0") => Ok(sum),
        Some(_) if sum.failed > 0 => Ok(sum),
        Some(other) => Err(Failure::new(format!(
            "the kernel tests ended with status {other}; see {}",
            console.display()
        ))),
        None => Err(Failure::new(format!(
            "the virtual machine did not come to the end of the tests within {LIMIT_S} s; see {}",
            console.display()
        ))),
    }
}
