//! What `/proc` says of a process.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::placement::process::unified;

/// Ticks of `/proc/PID/stat`: the kernel's `USER_HZ`, 100 on every architecture Linux still runs on but one.
const NS_PER_TICK: u64 = 10_000_000;

/// Bytes of a command line that are kept: most are shorter, and a record is no place for the two megabytes that are
/// possible.
const MAX_COMMAND_LINE_BYTES: u64 = 4_096;

/// The absolute path of the executable. `None` when the process is gone, is the kernel's own, or may not be read.
pub(super) fn exe(tgid: u32) -> Option<String> {
    let link = fs::read_link(format!("/proc/{tgid}/exe")).ok()?;
    let text = link.to_string_lossy().into_owned();
    // The kernel adds the remark; a file may also be called so.
    match text.strip_suffix(" (deleted)") {
        Some(bare) if !Path::new(&text).exists() => Some(bare.to_owned()),
        _ => Some(text),
    }
}

/// The command name of the process's first thread.
pub(super) fn comm(tgid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{tgid}/comm")).ok()?;
    Some(name.trim_end_matches('\n').to_owned())
}

/// What `/proc/PID/stat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    /// The process that forked it, or the one that took its place.
    pub(super) parent_tgid: u32,
    /// When it was started, nanoseconds of `CLOCK_BOOTTIME`, rounded down to a tick.
    pub(super) start_boottime_ns: u64,
}

/// A time rounded down to a tick, as `/proc` tells when a process was started: the kernel's records know the nanosecond,
/// and one process is to have one start time whichever of the two it was learnt from.
pub(super) const fn whole_ticks(boottime_ns: u64) -> u64 {
    boottime_ns / NS_PER_TICK * NS_PER_TICK
}

/// Parent and start of a process.
pub(super) fn stat(tgid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{tgid}/stat")).ok()?)
}

/// The fourth and the 22nd field. The second is the command in parentheses, which may hold blanks and parentheses.
fn parse_stat(stat: &str) -> Option<Stat> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let parent_tgid = fields.nth(1)?.parse().ok()?;
    let ticks: u64 = fields.nth(17)?.parse().ok()?;
    Some(Stat {
        parent_tgid,
        start_boottime_ns: ticks.checked_mul(NS_PER_TICK)?,
    })
}

/// The effective user, in the user namespace of this process.
pub(super) fn euid(tgid: u32) -> Option<u32> {
    parse_euid(&fs::read_to_string(format!("/proc/{tgid}/status")).ok()?)
}

/// `Uid:` with the real, the effective, the saved and the filesystem user.
fn parse_euid(status: &str) -> Option<u32> {
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    users.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The arguments, joined by blanks and cut to [`MAX_COMMAND_LINE_BYTES`].
pub(super) fn command_line(tgid: u32) -> Option<String> {
    let mut bytes = Vec::with_capacity(256);
    let file = fs::File::open(format!("/proc/{tgid}/cmdline")).ok()?;
    file.take(MAX_COMMAND_LINE_BYTES).read_to_end(&mut bytes).ok()?;
    join_arguments(&bytes)
}

/// Arguments end with a NUL each; a process may have written something else there.
fn join_arguments(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if bytes.is_empty() {
        return None;
    }
    let text = String::from_utf8_lossy(bytes);
    Some(text.replace(|c: char| c.is_control(), " "))
}

/// The process's cgroups, a line for each hierarchy, as this process's cgroup namespace shows them.
pub(super) fn cgroup_lines(tgid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{tgid}/cgroup")).ok()
}

/// The path of the process's cgroup in the cgroup2 hierarchy, as this process's cgroup namespace shows it.
pub(super) fn cgroup(tgid: u32) -> Option<String> {
    unified(&cgroup_lines(tgid)?).map(str::to_owned)
}

/// The inode of the process's network namespace.
pub(super) fn netns_inode(tgid: u32) -> Option<u64> {
    fs::metadata(format!("/proc/{tgid}/ns/net"))
        .ok()
        .map(|found| found.ino())
}

/// The ids of all processes.
pub(super) fn processes() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_parentheses_is_skipped() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 99 0 0 0 1 2 3 4 20 0 1 0 12345 1000 5 18446744073709551615";
        let expected = Stat {
            parent_tgid: 1,
            start_boottime_ns: 123_450_000_000,
        };
        assert_eq!(parse_stat(stat), Some(expected));
        assert_eq!(parse_stat("42 (x) S"), None);
        assert_eq!(parse_stat("nothing"), None);
    }

    #[test]
    fn the_effective_user_is_the_second() {
        let status = "Name:\tsudo\nUid:\t1001\t0\t0\t0\nGid:\t7\t7\t7\t7\n";
        assert_eq!(parse_euid(status), Some(0));
        assert_eq!(parse_euid("Name:\tx\n"), None);
    }

    #[test]
    fn arguments_are_joined_on_one_line() {
        assert_eq!(join_arguments(b"a\0b c\0\0").as_deref(), Some("a b c "));
        assert_eq!(join_arguments(b"retitled\n").as_deref(), Some("retitled "));
        assert_eq!(join_arguments(b"\0"), None);
        assert_eq!(join_arguments(b""), None);
    }

    #[test]
    fn a_start_is_the_same_from_the_kernels_record_and_from_proc() {
        assert_eq!(whole_ticks(123_459_999_999), 123_450_000_000);
        assert_eq!(whole_ticks(123_450_000_000), 123_450_000_000);
    }

    #[test]
    fn this_process_is_described() {
        let own = std::process::id();
        assert_eq!(
            exe(own).map(std::path::PathBuf::from),
            std::env::current_exe().ok()
        );
        let found = stat(own).unwrap();
        assert!(found.start_boottime_ns <= crate::kernel::boottime_ns());
        assert_eq!(found.parent_tgid, std::os::unix::process::parent_id());
        assert!(command_line(own).is_some());
        assert!(netns_inode(own).is_some());
        assert!(processes().contains(&own));
        assert!(exe(u32::MAX).is_none());
    }
}
