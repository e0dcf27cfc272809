//! What the container runtime says of its pods and containers, over its socket by the Container Runtime Interface: the
//! labels that the kubelet gave them.
//!
//! Two calls without arguments are all that is asked, so messages and framing are here, over the HTTP/2 that is there
//! anyway: `message` has the fields that are read, `call` the gRPC framing.

mod call;
mod message;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) use self::call::CallError;
use self::call::Channel;
use self::message::{Container, ListContainersResponse, ListPodSandboxResponse, PodSandbox};
use super::kubernetes::{ContainerReading, MAX_CONTAINERS, PodReading};
use super::{ContainerNames, Pod};

/// Where runtimes listen: containerd, CRI-O, cri-dockerd, containerd of k3s, k0s and MicroK8s.
const USUAL_SOCKETS: [&str; 6] = [
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/k0s/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
];

/// The kubelet's label of a pod's namespace, on sandboxes and containers.
const NAMESPACE_LABEL: &str = "io.kubernetes.pod.namespace";
/// The kubelet's label of a pod's name.
const POD_LABEL: &str = "io.kubernetes.pod.name";
/// The kubelet's label of a pod's uid.
const UID_LABEL: &str = "io.kubernetes.pod.uid";
/// The kubelet's label of a container's name.
const CONTAINER_LABEL: &str = "io.kubernetes.container.name";

/// The name of a pod's own container, which holds its namespaces. It runs nothing of the pod's.
const SANDBOX_NAME: &str = "POD";

/// A container runtime.
#[derive(Debug)]
pub(super) struct Runtime {
    /// `None`: the first of the usual ones that exists.
    socket: Option<PathBuf>,
}

impl Runtime {
    pub(super) const fn usual() -> Self {
        Self { socket: None }
    }

    pub(super) const fn at(socket: PathBuf) -> Self {
        Self { socket: Some(socket) }
    }

    /// All its pods; `None` when none of the usual sockets exists.
    pub(super) async fn list(&self) -> Result<Option<Vec<PodReading>>, CallError> {
        let usual = || USUAL_SOCKETS.iter().map(Path::new).find(|path| path.exists());
        let Some(socket) = self.socket.as_deref().or_else(usual) else {
            return Ok(None);
        };
        let mut channel = Channel::open(socket).await?;
        let sandboxes: ListPodSandboxResponse =
            channel.call("/runtime.v1.RuntimeService/ListPodSandbox").await?;
        let containers: ListContainersResponse =
            channel.call("/runtime.v1.RuntimeService/ListContainers").await?;
        Ok(Some(pods(sandboxes.items, containers.containers)))
    }
}

/// Sandboxes and containers as pods. What the kubelet has not labelled is none of its pods.
fn pods(sandboxes: Vec<PodSandbox>, mut containers: Vec<Container>) -> Vec<PodReading> {
    let mut by_uid: BTreeMap<String, (Pod, Vec<ContainerReading>)> = BTreeMap::new();
    for mut sandbox in sandboxes {
        let Some(uid) = sandbox.labels.remove(UID_LABEL).filter(|uid| !uid.is_empty()) else {
            continue;
        };
        // A pod whose sandbox was made anew has several; they say the same.
        let (pod, members) = by_uid.entry(uid.clone()).or_default();
        *pod = Pod {
            uid,
            namespace: sandbox.labels.remove(NAMESPACE_LABEL),
            name: sandbox.labels.remove(POD_LABEL),
            service_account: None,
            labels: sandbox.labels.into_iter().collect(),
            owner: None,
        };
        let names = ContainerNames {
            name: Some(SANDBOX_NAME.to_owned()),
            image: None,
        };
        let id = sandbox.id;
        members.push(ContainerReading { id, names });
    }
    // Runtimes list in no order and keep what has ended; of a pod that restarts often the last count.
    containers.sort_by_key(|container| container.created_at_ns);
    for mut container in containers {
        let Some(uid) = container.labels.remove(UID_LABEL) else {
            continue;
        };
        let Some((_, members)) = by_uid.get_mut(&uid) else {
            continue;
        };
        let image = container.image.unwrap_or_default();
        let asked_for = [image.user_specified_image, image.image];
        let names = ContainerNames {
            name: container.labels.remove(CONTAINER_LABEL),
            image: asked_for.into_iter().find(|image| !image.is_empty()),
        };
        let id = container.id;
        members.push(ContainerReading { id, names });
    }
    by_uid
        .into_values()
        .map(|(pod, members)| PodReading::bounded(pod, newest(members)))
        .collect()
}

/// The last of them, as many as are kept.
fn newest(mut members: Vec<ContainerReading>) -> Vec<ContainerReading> {
    let over = members.len().saturating_sub(MAX_CONTAINERS);
    members.drain(..over);
    members
}

#[cfg(test)]
mod tests;
