//! The programs: created from the object, attached one by one, each with its outcome.

use std::error::Error;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use aya::programs::links::{FdLink, LinkError};
use aya::programs::{
    CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSockAddr, Program, ProgramError, SockOps,
    TracePoint,
};
use aya::{Ebpf, EbpfLoader};

use super::KernelError;
use super::link::Target;
use super::pin::Pins;
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
    Egress,
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
const PROGRAMS: [Entry; 14] = [
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
    optional(
        "cgroup_made",
        Hook::Tracepoint {
            category: "cgroup",
            name: "cgroup_mkdir",
        },
        "tracepoint",
        "knows new cgroups at once, and with them their pods and scopes",
    ),
    optional(
        "cgroup_removed",
        Hook::Tracepoint {
            category: "cgroup",
            name: "cgroup_rmdir",
        },
        "tracepoint",
        "forgets cgroups that were removed",
    ),
    optional(
        "refuse_quic_v4",
        Hook::SockAddr,
        "cgroup/sendmsg4",
        "refuses QUIC over IPv4 from sockets that are not connected",
    ),
    optional(
        "refuse_quic_v6",
        Hook::SockAddr,
        "cgroup/sendmsg6",
        "refuses QUIC over IPv6 from sockets that are not connected",
    ),
    optional(
        "watch_egress",
        Hook::Egress,
        "cgroup_skb/egress",
        "drops QUIC from before the agent, and sees LLM hosts whose address no DNS answer gave",
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

/// Creates the maps, or takes those that are pinned, and sets the values that are fixed for the life of the programs.
pub(super) fn create(
    object: &[u8],
    tracepoints: &Tracepoints,
    pins: Option<&Pins>,
) -> Result<Ebpf, KernelError> {
    let pinned = pins
        .map(|pins| pins.maps(object))
        .transpose()?
        .unwrap_or_default();
    let mut loader = EbpfLoader::new();
    for (name, path) in &pinned {
        loader.map_pin_path(name, path.as_path());
    }
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
    if let Ok(at) = &tracepoints.cgroup_at {
        loader.override_global("CGROUP_ROOT_AT", &at.root, true);
        loader.override_global("CGROUP_LEVEL_AT", &at.level, true);
        loader.override_global("CGROUP_ID_AT", &at.id, true);
        loader.override_global("CGROUP_PATH_AT", &at.path, true);
    }
    loader
        .load(object)
        .map_err(|source| KernelError::Create(Box::new(source)))
}

/// What came of attaching.
pub(super) struct Attached {
    pub(super) statuses: Vec<ProgramStatus>,
    /// The links that are not pinned: dropping one detaches its program.
    pub(super) links: Vec<FdLink>,
}

/// Attaches every program. A required one that is refused is an error, an optional one is reported.
pub(super) fn attach(
    ebpf: &mut Ebpf,
    cgroup: &File,
    tracepoints: &Tracepoints,
    pins: Option<&Pins>,
) -> Result<Attached, KernelError> {
    let mut attached = Attached {
        statuses: Vec::with_capacity(PROGRAMS.len()),
        links: Vec::new(),
    };
    for entry in &PROGRAMS {
        let state = match attach_one(ebpf, entry, cgroup, tracepoints, pins)? {
            Ok(link) => {
                attached.links.extend(link);
                ProgramState::Attached
            }
            Err(reason) if entry.required => {
                return Err(KernelError::Program {
                    name: entry.name,
                    kind: entry.kind,
                    reason,
                });
            }
            Err(reason) => ProgramState::Unavailable { reason },
        };
        attached.statuses.push(ProgramStatus {
            name: entry.name,
            purpose: entry.purpose,
            state,
        });
    }
    Ok(attached)
}

fn attach_one(
    ebpf: &mut Ebpf,
    entry: &Entry,
    cgroup: &File,
    tracepoints: &Tracepoints,
    pins: Option<&Pins>,
) -> Result<Result<Option<FdLink>, String>, KernelError> {
    let unread = match entry.name {
        "process_executed" => tracepoints.exec_filename_at.as_ref().err(),
        "process_forked" => tracepoints.newtask_at.as_ref().err(),
        "process_exited" => tracepoints.exit_group_dead_at.as_ref().err(),
        "cgroup_made" | "cgroup_removed" => tracepoints.cgroup_at.as_ref().err(),
        _ => None,
    };
    if let Some(reason) = unread {
        return Ok(Err(reason.clone()));
    }
    let program = ebpf
        .program_mut(entry.name)
        .ok_or(KernelError::Missing { name: entry.name })?;
    let outcome = load(program, entry.hook).and_then(|()| match pins {
        None => link(program, entry.hook, cgroup).map(Some),
        Some(pins) => attach_pinned(program, entry, cgroup, pins).map(|()| None),
    });
    Ok(outcome.map_err(|error| refusal(&error)))
}

fn load(program: &mut Program, hook: Hook) -> Result<(), ProgramError> {
    match hook {
        Hook::SockOps => <&mut SockOps>::try_from(program)?.load(),
        Hook::SockAddr => <&mut CgroupSockAddr>::try_from(program)?.load(),
        Hook::Ingress | Hook::Egress => <&mut CgroupSkb>::try_from(program)?.load(),
        Hook::Tracepoint { .. } => <&mut TracePoint>::try_from(program)?.load(),
    }
}

/// A link is one of several on a cgroup whatever the mode says; the kernel refuses the flag that says so.
const MODE: CgroupAttachMode = CgroupAttachMode::Single;

/// Attaches for as long as the link is held.
fn link(program: &mut Program, hook: Hook, cgroup: &File) -> Result<FdLink, ProgramError> {
    match hook {
        Hook::SockOps => {
            let program = <&mut SockOps>::try_from(program)?;
            let id = program.attach(cgroup, MODE)?;
            fd_link(program.take_link(id)?.try_into())
        }
        Hook::SockAddr => {
            let program = <&mut CgroupSockAddr>::try_from(program)?;
            let id = program.attach(cgroup, MODE)?;
            fd_link(program.take_link(id)?.try_into())
        }
        Hook::Ingress => {
            let program = <&mut CgroupSkb>::try_from(program)?;
            let id = program.attach(cgroup, CgroupSkbAttachType::Ingress, MODE)?;
            fd_link(program.take_link(id)?.try_into())
        }
        Hook::Egress => {
            let program = <&mut CgroupSkb>::try_from(program)?;
            let id = program.attach(cgroup, CgroupSkbAttachType::Egress, MODE)?;
            fd_link(program.take_link(id)?.try_into())
        }
        Hook::Tracepoint { category, name } => {
            let program = <&mut TracePoint>::try_from(program)?;
            let id = program.attach(category, name)?;
            fd_link(program.take_link(id)?.try_into())
        }
    }
}

/// Puts the program into the place of the one that an earlier agent left attached, or attaches it anew where there is none or
/// its link is of no use. Either way it stays when the agent ends.
fn attach_pinned(
    program: &mut Program,
    entry: &Entry,
    cgroup: &File,
    pins: &Pins,
) -> Result<(), ProgramError> {
    let path = pins.link_path(entry.name);
    let Some(pinned) = pins.link(entry.name)? else {
        return pin(link(program, entry.hook, cgroup)?, &path);
    };
    let useless = match pinned.target()? {
        // The kernel has no update for these: both programs run for a moment, and the later word counts.
        Target::PerfEvent if matches!(entry.hook, Hook::Tracepoint { .. }) => None,
        Target::Cgroup(id) if id == cgroup.metadata()?.ino() => match pinned.update(program.fd()?.as_fd()) {
            Ok(()) => return Ok(()),
            Err(error) => Some(format!("it cannot be updated: {error}")),
        },
        Target::Cgroup(0) => Some("its cgroup has been removed".to_owned()),
        Target::Cgroup(_) => Some("it is attached to another cgroup".to_owned()),
        Target::PerfEvent | Target::Other => Some("it is of another kind".to_owned()),
    };
    if let Some(why) = useless {
        tracing::warn!(
            program = entry.name,
            why,
            "a link left by an earlier agent is replaced"
        );
    }
    let draft = pins.draft_path(entry.name);
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    pin(link(program, entry.hook, cgroup)?, &draft)?;
    // The program before is detached when its link's last name and descriptor are gone.
    std::fs::rename(&draft, &path)?;
    Ok(())
}

/// Every kernel that has the hooks has links that are descriptors.
fn fd_link(link: Result<FdLink, LinkError>) -> Result<FdLink, ProgramError> {
    link.map_err(|error| ProgramError::IOError(io::Error::other(error)))
}

fn pin(link: FdLink, path: &Path) -> Result<(), ProgramError> {
    link.pin(path)
        .map(drop)
        .map_err(|error| ProgramError::IOError(io::Error::other(format!("cannot pin it: {error}"))))
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
            " (this kernel may not know this kind of program; 5.18 or later has all of them)"
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
