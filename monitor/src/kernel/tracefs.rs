//! Where each tracepoint's fields lie, from the format files the kernel publishes.
//!
//! The offsets differ between kernels, so they are read and handed to the programs. Where the file system that has them
//! is not mounted, it is mounted at its usual place, as the system's own boot would do; where that is refused, the
//! programs that need it are reported as unavailable.

#![expect(
    unsafe_code,
    reason = "mount(2) is a system call without a safe wrapper in the standard library"
)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// The field offsets, each group absent with its reason.
#[derive(Debug)]
pub(super) struct Tracepoints {
    /// `sched:sched_process_exec`: of the `__data_loc` of the file name.
    pub(super) exec_filename_at: Result<u32, String>,
    /// `task:task_newtask`: of the new thread's id and of the clone flags.
    pub(super) newtask_at: Result<(u32, u32), String>,
    /// `sched:sched_process_exit`: of whether the last thread ends; 0 on kernels that do not say.
    pub(super) exit_group_dead_at: Result<u32, String>,
    /// `cgroup:cgroup_mkdir` and `cgroup:cgroup_rmdir`, which have the same fields.
    pub(super) cgroup_at: Result<CgroupFields, String>,
}

/// Offsets in the tracepoints of cgroups.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CgroupFields {
    /// Of the hierarchy's id.
    pub(super) root: u32,
    /// Of the cgroup's level.
    pub(super) level: u32,
    /// Of the cgroup's id.
    pub(super) id: u32,
    /// Of the `__data_loc` of the cgroup's path.
    pub(super) path: u32,
}

impl Tracepoints {
    /// Reads the format files.
    pub(super) fn find() -> Self {
        let events = match events_folder() {
            Ok(events) => events,
            Err(reason) => {
                return Self {
                    exec_filename_at: Err(reason.clone()),
                    newtask_at: Err(reason.clone()),
                    exit_group_dead_at: Err(reason.clone()),
                    cgroup_at: Err(reason),
                };
            }
        };
        Self {
            exec_filename_at: format(&events, "sched/sched_process_exec")
                .and_then(|text| field(&text, "filename", 4)),
            newtask_at: format(&events, "task/task_newtask")
                .and_then(|text| Ok((field(&text, "pid", 4)?, field(&text, "clone_flags", 8)?))),
            exit_group_dead_at: format(&events, "sched/sched_process_exit")
                .map(|text| field(&text, "group_dead", 1).unwrap_or(0)),
            cgroup_at: cgroup_fields(&events),
        }
    }
}

fn cgroup_fields(events: &Path) -> Result<CgroupFields, String> {
    let of = |event: &str| -> Result<CgroupFields, String> {
        let text = format(events, event)?;
        Ok(CgroupFields {
            root: field(&text, "root", 4)?,
            level: field(&text, "level", 4)?,
            id: field(&text, "id", 8)?,
            path: field(&text, "path", 4)?,
        })
    };
    let (made, removed) = (of("cgroup/cgroup_mkdir")?, of("cgroup/cgroup_rmdir")?);
    if made == removed {
        Ok(made)
    } else {
        Err("the tracepoints of cgroups differ in their fields".into())
    }
}

fn events_folder() -> Result<PathBuf, String> {
    if let Some(found) = PLACES
        .iter()
        .map(|place| Path::new(place).join("events"))
        .find(|events| events.exists())
    {
        return Ok(found);
    }
    let place = PLACES[0];
    mount(place)
        .map_err(|error| format!("tracefs is not mounted and cannot be mounted at {place}: {error}"))?;
    Ok(Path::new(place).join("events"))
}

fn mount(place: &str) -> io::Result<()> {
    let target = std::ffi::CString::new(place)?;
    // SAFETY: three NUL-terminated texts that live through the call, and no data.
    let outcome = unsafe {
        libc::mount(
            c"tracefs".as_ptr(),
            target.as_ptr(),
            c"tracefs".as_ptr(),
            libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC,
            std::ptr::null(),
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn format(events: &Path, event: &str) -> Result<String, String> {
    let path = events.join(event).join("format");
    fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// The offset of a field of a known size. A line reads `field:pid_t pid; offset:8; size:4; signed:1;`.
fn field(format: &str, name: &str, bytes: u32) -> Result<u32, String> {
    let found = format.lines().find_map(|line| {
        let mut parts = line.trim().split(';').map(str::trim);
        let declared = parts.next()?.strip_prefix("field:")?;
        let declared_name = declared.split_ascii_whitespace().next_back()?;
        if declared_name.split('[').next()? != name {
            return None;
        }
        let offset: u32 = parts.next()?.strip_prefix("offset:")?.parse().ok()?;
        let size: u32 = parts.next()?.strip_prefix("size:")?.parse().ok()?;
        Some((offset, size))
    });
    match found {
        Some((offset, size)) if size == bytes => Ok(offset),
        Some((_, size)) => Err(format!(
            "the tracepoint's field {name} has {size} bytes, not {bytes}"
        )),
        None => Err(format!("the tracepoint has no field {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXEC: &str = "name: sched_process_exec\nID: 309\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
        \tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;\n\
        \tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;\n\
        \tfield:char comm[16];\toffset:16;\tsize:16;\tsigned:0;\n\n\
        print fmt: \"filename=%s pid=%d\", __get_str(filename), REC->pid\n";

    #[test]
    fn offsets_are_read() {
        assert_eq!(field(EXEC, "filename", 4), Ok(8));
        assert_eq!(field(EXEC, "pid", 4), Ok(12));
        assert_eq!(field(EXEC, "comm", 16), Ok(16));
    }

    #[test]
    fn another_layout_is_refused() {
        assert!(field(EXEC, "pid", 8).unwrap_err().contains("4 bytes"));
        assert!(field(EXEC, "group_dead", 1).unwrap_err().contains("no field"));
    }
}
