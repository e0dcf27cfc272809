//! The seam to whoever knows the names of pods and containers.

use std::sync::Arc;

use super::{Placement, Pod, SpiffeId};

/// What a runtime calls a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerNames {
    /// The container's name in its pod, or the runtime's.
    pub name: Option<String>,
    /// The image as it was asked for.
    pub image: Option<String>,
}

/// Who knows the names of pods and containers. Asked once for each cgroup and again when it says that it has learnt more:
/// [`Placements::refresh_pod`](super::Placements::refresh_pod) and its like. Every method answers at once from what it
/// knows; one that has to ask somebody else does so behind the call, and refreshes when it has the answer.
pub trait Directory: std::fmt::Debug + Send + Sync {
    /// The pod with a uid; `None` when it is not known, which takes nothing away from what was known before: a uid is
    /// never used twice.
    fn pod(&self, uid: &str) -> Option<Arc<Pod>>;

    /// The names of the container with an id; `None` as for pods.
    fn container(&self, id: &str) -> Option<ContainerNames>;

    /// The SPIFFE id of what runs in a cgroup; `None` takes away one that was known before. `placement` is complete but
    /// for it. `tgid` is some process that was seen there, in the initial pid namespace; it may be gone.
    fn spiffe(&self, placement: &Placement, tgid: Option<u32>) -> Option<SpiffeId>;
}

/// Knows nothing: a node without Kubernetes and SPIFFE.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDirectory;

impl Directory for NoDirectory {
    fn pod(&self, _uid: &str) -> Option<Arc<Pod>> {
        None
    }

    fn container(&self, _id: &str) -> Option<ContainerNames> {
        None
    }

    fn spiffe(&self, _placement: &Placement, _tgid: Option<u32>) -> Option<SpiffeId> {
        None
    }
}
