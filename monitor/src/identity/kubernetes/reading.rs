//! What one source says of one pod, within the bounds of what is kept.

use crate::identity::{ContainerNames, Pod};

/// Labels that are kept of a pod. Real pods have some dozens; one with more keeps the first by key.
pub(in crate::identity) const MAX_LABELS: usize = 128;

/// Containers that are kept of a pod, those before a restart included; the oldest are forgotten first.
pub(in crate::identity) const MAX_CONTAINERS: usize = 64;

/// Longest text that is kept: the API's label keys have at most 317 bytes, its names 253, and an image's repository, tag
/// and digest 455 together. A longer text is no name and is left out.
pub(in crate::identity) const MAX_TEXT_BYTES: usize = 512;

/// A pod and the containers of it that have been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::identity) struct PodReading {
    pub(in crate::identity) pod: Pod,
    pub(in crate::identity) containers: Vec<ContainerReading>,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::identity) struct ContainerReading {
    /// The runtime's id.
    pub(in crate::identity) id: String,
    pub(in crate::identity) names: ContainerNames,
}

impl PodReading {
    /// Cuts what exceeds the bounds.
    pub(in crate::identity) fn bounded(mut pod: Pod, mut containers: Vec<ContainerReading>) -> Self {
        bound(&mut pod.namespace);
        bound(&mut pod.name);
        bound(&mut pod.service_account);
        pod.owner = pod
            .owner
            .filter(|owner| owner.kind.len() <= MAX_TEXT_BYTES && owner.name.len() <= MAX_TEXT_BYTES);
        pod.labels
            .retain(|key, value| key.len() <= MAX_TEXT_BYTES && value.len() <= MAX_TEXT_BYTES);
        if pod.labels.len() > MAX_LABELS
            && let Some(first_over) = pod.labels.keys().nth(MAX_LABELS).cloned()
        {
            pod.labels.split_off(&first_over);
        }
        containers.retain(|container| container.id.len() <= MAX_TEXT_BYTES);
        containers.truncate(MAX_CONTAINERS);
        for container in &mut containers {
            bound(&mut container.names.name);
            bound(&mut container.names.image);
        }
        Self { pod, containers }
    }
}

fn bound(text: &mut Option<String>) {
    *text = text.take().filter(|text| text.len() <= MAX_TEXT_BYTES);
}
