//! What `/proc` says of a process.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::placement::process::unified;

/// Ticks of `/proc/PID/stat`: the kernel's `USER_HZ`, 100 on every architecture Linux still runs on but one.
const NS_PER_TICK: u64 = 10_000_000;

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

/// When the process was started, nanoseconds of `CLOCK_BOOTTIME`, rounded down to a tick.
pub(super) fn start_boottime_ns(tgid: u32) -> Option<u64> {
    parse_start(&fs::read_to_string(format!("/proc/{tgid}/stat")).ok()?)
}

/// The 22nd field. The second is the command in parentheses, which may hold blanks and parentheses.
fn parse_start(stat: &str) -> Option<u64> {
    let after_command = stat.rsplit_once(')')?.1;
    let ticks: u64 = after_command.split_ascii_whitespace().nth(19)?.parse().ok()?;
    ticks.checked_mul(NS_PER_TICK)
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
        assert_eq!(parse_start(stat), Some(123_450_000_000));
        assert_eq!(parse_start("42 (x) S"), None);
        assert_eq!(parse_start("nothing"), None);
    }

    #[test]
    fn this_process_is_described() {
        let own = std::process::id();
        assert_eq!(
            exe(own).map(std::path::PathBuf::from),
            std::env::current_exe().ok()
        );
        assert!(start_boottime_ns(own).unwrap() <= crate::kernel::boottime_ns());
        assert!(netns_inode(own).is_some());
        assert!(processes().contains(&own));
        assert!(exe(u32::MAX).is_none());
    }
}
