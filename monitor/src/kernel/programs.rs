//! The programs: created from the object, attached one by one, each with its outcome.

use std::error::Error;
use std::fs::File;
use std::io;
use std::time::Duration;

use aya::programs::{
    CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSockAddr, ProgramError, SockOps, TracePoint,
};
use aya::{Ebpf, EbpfLoader};

use super::KernelError;
use super::tracefs::Tracepoints;

/// Whether a program is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramStatus {
    /// The program's name, as `bpftool prog` shows it.
    pub name: &'static str,
    /// What is lost without it.
    pub purpose: &'static str,
    /// Whether it is attached.
    pub state: ProgramState,
}

/// Whether a program is attached, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramState {
    /// It runs.
    Attached,
    /// It does not run.
    Unavailable {
        /// Why.
        reason: String,
    },
}

/// What the kernel measured of a program, while `kernel.bpf_stats_enabled` was 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramStats {
    /// The program.
    pub name: String,
    /// How often it ran.
    pub runs: u64,
    /// For how long, in all.
    pub run_time: Duration,
    /// Instructions the verifier examined when it was loaded; a program may cost it a million. `None` before Linux 5.16.
    pub verified_instructions: Option<u32>,
}

#[derive(Clone, Copy)]
enum Hook {
    SockOps,
    SockAddr,
    Ingress,
    Tracepoint {
        category: &'static str,
        name: &'static str,
    },
}

struct Entry {
    name: &'static str,
    hook: Hook,
    kind: &'static str,
    purpose: &'static str,
    required: bool,
}

const fn required(name: &'static str, hook: Hook, kind: &'static str, purpose: &'static str) -> Entry {
    Entry {
        name,
        hook,
        kind,
        purpose,
        required: true,
    }
}

const fn optional(name: &'static str, hook: Hook, kind: &'static str, purpose: &'static str) -> Entry {
    Entry {
        name,
        hook,
        kind,
        purpose,
        required: false,
    }
}

/// In the order they are attached: `connect` last, when the rest of a connection's way is ready.
const PROGRAMS: [Entry; 9] = [
    required(
        "carry_record",
        Hook::SockOps,
        "sock_ops",
        "ties the accepted connection to its workload",
    ),
    optional(
        "original_peer_v4",
        Hook::SockAddr,
        "cgroup/getpeername4",
        "workloads see the peer they asked for",
    ),
    optional(
        "original_peer_v6",
        Hook::SockAddr,
        "cgroup/getpeername6",
        "workloads see the peer they asked for",
    ),
    optional(
        "read_dns_answer",
        Hook::Ingress,
        "cgroup_skb/ingress",
        "recognises LLM hosts by their DNS answers",
    ),
    optional(
        "process_executed",
        Hook::Tracepoint {
            category: "sched",
            name: "sched_process_exec",
        },
        "tracepoint",
        "knows the programs of short-lived processes",
    ),
    optional(
        "process_forked",
        Hook::Tracepoint {
            category: "task",
            name: "task_newtask",
        },
        "tracepoint",
        "knows the programs of short-lived processes",
    ),
    optional(
        "process_exited",
        Hook::Tracepoint {
            category: "sched",
            name: "sched_process_exit",
        },
        "tracepoint",
        "forgets processes that ended",
    ),
    required(
        "redirect_v4",
        Hook::SockAddr,
        "cgroup/connect4",
        "sends IPv4 connections to the agent",
    ),
    required(
        "redirect_v6",
        Hook::SockAddr,
        "cgroup/connect6",
        "sends IPv6 connections to the agent",
    ),
];

/// Creates the maps and sets the values that are fixed for the life of the programs.
pub(super) fn create(object: &[u8], tracepoints: &Tracepoints) -> Result<Ebpf, KernelError> {
    let mut loader = EbpfLoader::new();
    if let Ok(filename) = &tracepoints.exec_filename_at {
        loader.override_global("EXEC_FILENAME_AT", filename, true);
    }
    if let Ok((pid, flags)) = &tracepoints.newtask_at {
        loader.override_global("NEWTASK_PID_AT", pid, true);
        loader.override_global("NEWTASK_FLAGS_AT", flags, true);
    }
    if let Ok(group_dead) = &tracepoints.exit_group_dead_at {
        loader.override_global("EXIT_GROUP_DEAD_AT", group_dead, true);
    }
    loader
        .load(object)
        .map_err(|source| KernelError::Create(Box::new(source)))
}

/// Attaches every program. A required one that is refused is an error, an optional one is reported.
pub(super) fn attach(
    ebpf: &mut Ebpf,
    cgroup: &File,
    tracepoints: &Tracepoints,
) -> Result<Vec<ProgramStatus>, KernelError> {
    let mut statuses = Vec::with_capacity(PROGRAMS.len());
    for entry in &PROGRAMS {
        let state = match attach_one(ebpf, entry, cgroup, tracepoints)? {
            Ok(()) => ProgramState::Attached,
            Err(reason) if entry.required => {
                return Err(KernelError::Program {
                    name: entry.name,
                    kind: entry.kind,
                    reason,
                });
            }
            Err(reason) => ProgramState::Unavailable { reason },
        };
        statuses.push(ProgramStatus {
            name: entry.name,
            purpose: entry.purpose,
            state,
        });
    }
    Ok(statuses)
}

fn attach_one(
    ebpf: &mut Ebpf,
    entry: &Entry,
    cgroup: &File,
    tracepoints: &Tracepoints,
) -> Result<Result<(), String>, KernelError> {
    let unread = match entry.name {
        "process_executed" => tracepoints.exec_filename_at.as_ref().err(),
        "process_forked" => tracepoints.newtask_at.as_ref().err(),
        "process_exited" => tracepoints.exit_group_dead_at.as_ref().err(),
        _ => None,
    };
    if let Some(reason) = unread {
        return Ok(Err(reason.clone()));
    }
    let program = ebpf
        .program_mut(entry.name)
        .ok_or(KernelError::Missing { name: entry.name })?;
    // A link is one of several on a cgroup whatever the mode says; the kernel refuses the flag that says so.
    let mode = CgroupAttachMode::Single;
    let outcome = match entry.hook {
        Hook::SockOps => <&mut SockOps>::try_from(program).and_then(|program| {
            program.load()?;
            program.attach(cgroup, mode).map(drop)
        }),
        Hook::SockAddr => <&mut CgroupSockAddr>::try_from(program).and_then(|program| {
            program.load()?;
            program.attach(cgroup, mode).map(drop)
        }),
        Hook::Ingress => <&mut CgroupSkb>::try_from(program).and_then(|program| {
            program.load()?;
            program
                .attach(cgroup, CgroupSkbAttachType::Ingress, mode)
                .map(drop)
        }),
        Hook::Tracepoint { category, name } => <&mut TracePoint>::try_from(program).and_then(|program| {
            program.load()?;
            program.attach(category, name).map(drop)
        }),
    };
    Ok(outcome.map_err(|error| refusal(&error)))
}

/// The reason of a refusal: the verifier's last words, or the system call's error with its likely cause.
fn refusal(error: &ProgramError) -> String {
    if let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    {
        let log = verifier_log.to_string();
        let words: Vec<&str> = log
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !is_statistics(line))
            .collect();
        // The last lines of a rejection are the refused instruction and the reason.
        let tail = words
            .get(words.len().saturating_sub(3)..)
            .unwrap_or_default()
            .join("; ");
        return format!(
            "{io_error}{}{}{tail}",
            likely_cause(io_error),
            if tail.is_empty() { "" } else { "; " }
        );
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        if let Some(io_error) = inner.downcast_ref::<io::Error>() {
            text.push_str(likely_cause(io_error));
        }
        cause = inner.source();
    }
    text
}

/// What the verifier adds after its reason.
fn is_statistics(line: &str) -> bool {
    ["verification time ", "stack depth ", "processed "]
        .iter()
        .any(|start| line.starts_with(start))
}

fn likely_cause(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM) => " (a security module or kernel lockdown forbids this kind of program)",
        Some(libc::EINVAL) => {
            " (this kernel may not know this kind of program; 5.15 or later has all of them)"
        }
        _ => "",
    }
}

/// What the kernel measured of each program that is loaded.
pub(super) fn stats(ebpf: &Ebpf) -> Result<Vec<ProgramStats>, KernelError> {
    let mut stats = Vec::with_capacity(PROGRAMS.len());
    for entry in &PROGRAMS {
        let program = ebpf
            .program(entry.name)
            .ok_or(KernelError::Missing { name: entry.name })?;
        match program.info() {
            Ok(info) => stats.push(ProgramStats {
                name: entry.name.to_owned(),
                runs: info.run_count(),
                run_time: info.run_time(),
                verified_instructions: info.verified_instruction_count(),
            }),
            // An optional program that is not there.
            Err(ProgramError::NotLoaded) => {}
            Err(error) => {
                return Err(KernelError::Program {
                    name: entry.name,
                    kind: entry.kind,
                    reason: refusal(&error),
                });
            }
        }
    }
    Ok(stats)
}
