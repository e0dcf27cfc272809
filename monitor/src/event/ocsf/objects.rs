//! Objects that both classes share.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::VERSION;
use crate::event::workload::WorkloadView;
use crate::identity::{Ancestor, Sha256};

/// `status_id` of something that worked.
pub(super) const STATUS_SUCCESS: u8 = 1;
/// `status_id` of something that did not.
pub(super) const STATUS_FAILURE: u8 = 2;

/// `severity_id`: how much a person should care.
#[derive(Clone, Copy)]
pub(super) enum Severity {
    Informational = 1,
    Low = 2,
    Medium = 3,
}

#[derive(Serialize)]
pub(super) struct Metadata {
    version: &'static str,
    product: Product,
    profiles: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<crate::event::ExchangeId>,
}

impl Metadata {
    pub(super) fn new(profiles: &'static [&'static str], uid: Option<crate::event::ExchangeId>) -> Self {
        let product = Product {
            name: "Weir",
            vendor_name: "Weir",
            version: env!("CARGO_PKG_VERSION"),
        };
        Self {
            version: VERSION,
            product,
            profiles,
            uid,
        }
    }
}

#[derive(Serialize)]
struct Product {
    name: &'static str,
    vendor_name: &'static str,
    version: &'static str,
}

/// `actor`: needs a process, or the name of an application where no process is known.
#[derive(Serialize)]
pub(super) struct Actor<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<Process<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_name: Option<&'static str>,
}

impl<'a> Actor<'a> {
    pub(super) fn new(workload: Option<WorkloadView<'a>>) -> Self {
        match workload {
            Some(workload) => Self {
                process: Some(Process::new(workload)),
                user: Some(User::new(workload)),
                app_name: None,
            },
            None => Self {
                process: None,
                user: None,
                app_name: Some("unknown"),
            },
        }
    }
}

#[derive(Serialize)]
struct Process<'a> {
    pid: u32,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cmd_line: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<File<'a>>,
}

impl<'a> Process<'a> {
    fn new(workload: WorkloadView<'a>) -> Self {
        let file = workload.exe.map(|path| File {
            name: path.rsplit('/').next().unwrap_or(path),
            path,
            // Regular file.
            type_id: 1,
            hashes: workload.exe_sha256.map(|digest| [Fingerprint::sha256(digest)]),
        });
        Self {
            pid: workload.pid,
            name: workload.comm,
            created_time: workload.started_ms,
            cmd_line: workload.command_line,
            file,
        }
    }
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    path: &'a str,
    type_id: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashes: Option<[Fingerprint; 1]>,
}

/// `fingerprint`.
#[derive(Serialize)]
struct Fingerprint {
    algorithm_id: u8,
    algorithm: &'static str,
    value: Sha256,
}

impl Fingerprint {
    fn sha256(value: Sha256) -> Self {
        Self {
            algorithm_id: 3,
            algorithm: "SHA-256",
            value,
        }
    }
}

#[derive(Serialize)]
struct User<'a> {
    uid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl<'a> User<'a> {
    fn new(workload: WorkloadView<'a>) -> Self {
        Self {
            uid: workload.uid.to_string(),
            name: workload.user,
        }
    }
}

/// `network_endpoint`.
#[derive(Serialize)]
pub(super) struct Endpoint<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
}

impl<'a> Endpoint<'a> {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            ip: Some(address.ip()),
            port: Some(address.port()),
            hostname: None,
        }
    }

    /// An endpoint of which at least one of address and name is known.
    pub(super) fn named(address: Option<SocketAddr>, hostname: Option<&'a str>) -> Option<Self> {
        if address.is_none() && hostname.is_none() {
            return None;
        }
        let (ip, port) = (
            address.map(|address| address.ip()),
            address.map(|address| address.port()),
        );
        Some(Self { ip, port, hostname })
    }
}

/// `policy`.
#[derive(Serialize)]
pub(super) struct PolicyName<'a> {
    pub(super) name: &'a str,
}

/// What the schema has no attribute for about a workload.
#[derive(Serialize)]
pub(super) struct Workload<'a> {
    cgroup: &'a str,
    netns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    euid: Option<u32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ancestors: &'a [Ancestor],
}

impl<'a> From<WorkloadView<'a>> for Workload<'a> {
    fn from(workload: WorkloadView<'a>) -> Self {
        Self {
            cgroup: workload.cgroup,
            netns: workload.netns,
            euid: workload.euid,
            ancestors: workload.ancestors,
        }
    }
}
