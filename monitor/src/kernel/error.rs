//! What can go wrong with the kernel side, and what to do about it.

use std::io;
use std::path::PathBuf;

use aya::maps::MapError;

/// A failure of the kernel side.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// Capabilities the programs need are missing.
    #[error(
        "loading the kernel programs needs the capabilities {missing}, which this process does not have: run it as root, \
         or give it these"
    )]
    Capabilities {
        /// Their names, separated by commas.
        missing: String,
    },
    /// The object is neither embedded nor beside the binary.
    #[error(
        "this binary was built without the kernel programs and {path} does not exist: run `cargo xtask build`"
    )]
    NoObject {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The object beside the binary cannot be read.
    #[error("cannot read the kernel programs from {path}: {source}")]
    ReadObject {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The object was refused before any program was loaded.
    #[error("cannot create the maps of the kernel programs: {0}")]
    Create(#[source] Box<aya::EbpfError>),
    /// No cgroup2 file system is mounted.
    #[error(
        "no cgroup2 file system is mounted: mount one, or name the cgroup directory in the configuration"
    )]
    NoCgroup2,
    /// The mount table cannot be read.
    #[error("cannot read {path}: {source}")]
    Mounts {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The cgroup directory cannot be opened.
    #[error("cannot open the cgroup directory {path}: {source}")]
    Cgroup {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program without which nothing can be intercepted was refused.
    #[error(
        "the kernel refuses the program {name} ({kind}), without which nothing can be intercepted: {reason}"
    )]
    Program {
        /// The program.
        name: &'static str,
        /// Its kind, as the kernel's documentation names it.
        kind: &'static str,
        /// Why.
        reason: String,
    },
    /// A map operation failed.
    #[error("the kernel map {name} failed: {source}")]
    Map {
        /// The map.
        name: &'static str,
        /// Why.
        source: MapError,
    },
    /// The object cannot be read.
    #[error("the kernel object cannot be read: {0}; run `cargo xtask build`")]
    Object(#[source] Box<aya_obj::ParseError>),
    /// A pinned map cannot be used.
    #[error("the pinned map {path} cannot be used: {why}; stop the agent and remove the directory {remedy}")]
    Pinned {
        /// The map.
        path: PathBuf,
        /// The directory to remove.
        remedy: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The directory for pins is on another file system.
    #[error(
        "programs and maps cannot be pinned in {path}, which is on no bpf file system: mount one (mount -t bpf bpf /sys/fs/bpf), or set \
         node.pin_dir to a directory on one"
    )]
    NoBpfFs {
        /// `node.pin_dir`.
        path: PathBuf,
    },
    /// A file operation for the pins failed.
    #[error("pinning programs and maps: cannot {action} {path}: {source}")]
    Pins {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Programs must stay when the agent ends, and cannot.
    #[error(
        "a policy has on_agent_down: closed, which takes programs that stay when the agent ends, and they cannot be pinned: {0}"
    )]
    MustPin(#[source] Box<KernelError>),
    /// The object lacks a map or a program.
    #[error("the kernel object has no {name}: it is of another version of Weir; run `cargo xtask build`")]
    Missing {
        /// The map or program.
        name: &'static str,
    },
    /// A record has another layout than this agent knows.
    #[error(
        "a flow record has version {found}, this agent reads version {expected}: run `cargo xtask build`"
    )]
    Abi {
        /// The record's version.
        found: u32,
        /// The agent's version.
        expected: u32,
    },
    /// A name of the catalog or the configuration cannot be a host name.
    #[error(
        "{name:?} is no host name: give a name such as api.openai.com, or *.suffix for every name below a suffix"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// More names than the map holds.
    #[error("{count} host names are listed, at most {limit} can be")]
    TooManyNames {
        /// How many were given.
        count: usize,
        /// How many there can be.
        limit: usize,
    },
    /// More cgroups have a scope of their own than the map holds.
    #[error(
        "{limit} cgroups have a scope of their own already: this one is treated as its ancestor's scope says, or the default"
    )]
    ScopeTableFull {
        /// How many there can be.
        limit: usize,
    },
    /// The stream of events was taken before.
    #[error("the events of the kernel are already being read")]
    EventsTaken,
    /// The stream of events cannot be watched.
    #[error("cannot watch the events of the kernel: {0}")]
    Watch(#[source] io::Error),
    /// An event cannot be read.
    #[error(
        "the kernel sent an event of kind {kind} and {bytes} bytes, which this agent cannot read: run `cargo xtask build`"
    )]
    Event {
        /// Its first word.
        kind: u32,
        /// Its length.
        bytes: usize,
    },
}

impl KernelError {
    /// For `map_err`: a failure of the named map.
    pub(super) fn map(name: &'static str) -> impl FnOnce(MapError) -> Self {
        move |source| Self::Map { name, source }
    }
}
