//! Objects that both classes share.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::VERSION;
use crate::event::workload::{PlacementView, PodView, WorkloadView};
use crate::identity::{Ancestor, Sha256, SpiffeId};

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
    /// The SPIFFE id.
    #[serde(skip_serializing_if = "Option::is_none")]
    app_uid: Option<&'a str>,
}

impl<'a> Actor<'a> {
    /// The same with what it proves itself by; an actor that is not known has none.
    pub(super) fn with_credential(mut self, credential_uid: Option<&'a str>) -> Self {
        if let Some(user) = &mut self.user {
            user.credential_uid = credential_uid;
        }
        self
    }

    pub(super) fn new(workload: Option<WorkloadView<'a>>) -> Self {
        match workload {
            Some(workload) => Self {
                process: Some(Process::new(workload)),
                user: Some(User::new(workload)),
                app_name: None,
                app_uid: workload.placement.spiffe.map(|spiffe| spiffe.id.as_str()),
            },
            None => Self {
                process: None,
                user: None,
                app_name: Some("unknown"),
                app_uid: None,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<Container<'a>>,
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
            container: Container::new(workload.placement),
        }
    }
}

/// `container`, of the profile of that name. Its image needs the image's own id, which is not known: the reference by
/// which it was asked for stands with what is not mapped.
#[derive(Serialize)]
struct Container<'a> {
    uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orchestrator: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_uuid: Option<&'a str>,
}

impl<'a> Container<'a> {
    fn new(placement: PlacementView<'a>) -> Option<Self> {
        let container = placement.container?;
        Some(Self {
            uid: &container.id,
            name: container.name.as_deref(),
            runtime: container.runtime,
            orchestrator: placement.pod.map(|_| "kubernetes"),
            // A static pod's is a hash and no UUID.
            pod_uuid: placement.pod.map(|pod| pod.uid).filter(|uid| uid.contains('-')),
        })
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
    /// The fingerprint of the API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_uid: Option<&'a str>,
}

impl<'a> User<'a> {
    fn new(workload: WorkloadView<'a>) -> Self {
        Self {
            uid: workload.uid.to_string(),
            name: workload.user,
            credential_uid: None,
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
    netns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    euid: Option<u32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ancestors: &'a [Ancestor],
    #[serde(flatten)]
    placement: Placement<'a>,
}

impl<'a> From<WorkloadView<'a>> for Workload<'a> {
    fn from(workload: WorkloadView<'a>) -> Self {
        Self {
            netns: workload.netns,
            euid: workload.euid,
            ancestors: workload.ancestors,
            placement: workload.placement.into(),
        }
    }
}

/// What the schema has no attribute for about where something ran.
#[derive(Serialize)]
pub(super) struct Placement<'a> {
    cgroup: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slice: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<PodView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spiffe: Option<&'a SpiffeId>,
}

impl<'a> From<PlacementView<'a>> for Placement<'a> {
    fn from(placement: PlacementView<'a>) -> Self {
        Self {
            cgroup: placement.cgroup,
            unit: placement.unit,
            slice: placement.slice,
            image: placement
                .container
                .and_then(|container| container.image.as_deref()),
            pod: placement.pod,
            spiffe: placement.spiffe,
        }
    }
}
