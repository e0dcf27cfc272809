//! Where a process runs: its cgroup, and what that says of unit, container and pod.
//!
//! A placement belongs to the cgroup, not to the process: it is worked out once for all processes of a cgroup, and the
//! kernel's scope of a cgroup follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

mod directory;
pub(super) mod path;
pub(super) mod process;
mod table;

pub use self::directory::{ContainerNames, Directory, NoDirectory};
pub use self::table::{Changes, Placements};

/// What is known of one cgroup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Placement {
    /// Path in the cgroup2 hierarchy, beginning with `/`; empty where it is not known.
    pub cgroup: String,
    /// The systemd unit: a service or a scope.
    pub unit: Option<String>,
    /// The systemd slice that the unit is in.
    pub slice: Option<String>,
    /// The container.
    pub container: Option<Container>,
    /// The pod. Shared by its containers.
    pub pod: Option<Arc<Pod>>,
    /// The SPIFFE id.
    pub spiffe: Option<SpiffeId>,
}

/// A container, as far as its cgroup and its runtime tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Container {
    /// The runtime's id, usually 64 hexadecimal digits.
    pub id: String,
    /// The runtime, where the path tells: `containerd`, `cri-o`, `docker`, `podman`.
    pub runtime: Option<&'static str>,
    /// The container's name in its pod, or the runtime's.
    pub name: Option<String>,
    /// The image as it was asked for.
    pub image: Option<String>,
}

/// A pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pod {
    /// The uid in the cgroup's path, in the API's form (with dashes). A static pod's is a hash.
    pub uid: String,
    /// The namespace; `None` until the pod has been looked up, as are all that follow.
    pub namespace: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The service account.
    pub service_account: Option<String>,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The controller that made it.
    pub owner: Option<Owner>,
}

/// The controller of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// Its kind, such as `ReplicaSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// A SPIFFE id and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpiffeId {
    /// The id, such as `spiffe://example.org/ns/billing/sa/bot`.
    pub id: String,
    /// Where it comes from.
    pub source: SpiffeSource,
}

/// Where a SPIFFE id comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SpiffeSource {
    /// The SPIFFE Broker API of a SPIRE agent.
    Broker,
    /// The Delegated Identity API of a SPIRE agent.
    Delegated,
    /// The configured trust domain, namespace and service account.
    Derived,
}

impl Placement {
    /// A cgroup of which nothing but the path is known.
    #[must_use]
    pub fn of_cgroup(cgroup: impl Into<String>) -> Self {
        Self {
            cgroup: cgroup.into(),
            ..Self::default()
        }
    }

    /// The part of the cgroup's path that names who runs in it: down to the container, else to the pod or the systemd unit.
    /// What is below it the workload may name as it likes, where cgroups are delegated. The whole path where there is
    /// none of them.
    #[must_use]
    pub fn principal(&self) -> &str {
        path::read_path(&self.cgroup).principal
    }

    /// The container's id where the cgroup's path does not hold it, so that the cgroup alone does not tell containers
    /// apart: on a hybrid node.
    #[must_use]
    pub fn container_beside_path(&self) -> Option<&str> {
        let container = self.container.as_ref()?;
        (!self.cgroup.contains(&container.id)).then_some(&*container.id)
    }
}
