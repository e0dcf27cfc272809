//! A pod as the API writes it: the few fields that are needed, each of which may be missing. Everything else is passed
//! over while it is parsed.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{NamespaceResourceScope, Resource};
use serde::Deserialize;

use super::reading::{ContainerReading, PodReading};
use crate::identity::{ContainerNames, Owner, Pod};

/// A pod of a list or a watch.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Written")]
pub(in crate::identity) struct PodObject {
    /// Name, namespace and resource version, which is what the watcher asks for.
    meta: ObjectMeta,
    /// The node it was given to.
    pub(in crate::identity) node: Option<String>,
    /// What is kept of it; `None` for an object without a uid.
    pub(in crate::identity) reading: Option<PodReading>,
}

/// A list of pods, as the kubelet writes it.
#[derive(Debug, Deserialize)]
pub(in crate::identity) struct PodList {
    #[serde(default)]
    pub(in crate::identity) items: Option<Vec<PodObject>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Written {
    metadata: Option<Metadata>,
    spec: Option<Spec>,
    status: Option<Status>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<Annotations>,
    owner_references: Option<Vec<OwnerReference>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Annotations {
    /// On the API's image of a static pod: the uid that the kubelet gave it, which is the one in its cgroup's path.
    #[serde(rename = "kubernetes.io/config.mirror")]
    mirror: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OwnerReference {
    kind: Option<String>,
    name: Option<String>,
    controller: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    node_name: Option<String>,
    service_account_name: Option<String>,
    containers: Option<Vec<ContainerSpec>>,
    init_containers: Option<Vec<ContainerSpec>>,
    ephemeral_containers: Option<Vec<ContainerSpec>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ContainerSpec {
    name: Option<String>,
    image: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    container_statuses: Option<Vec<ContainerStatus>>,
    init_container_statuses: Option<Vec<ContainerStatus>>,
    ephemeral_container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ContainerStatus {
    name: Option<String>,
    image: Option<String>,
    /// `<runtime>://<id>`; missing until the container has been made.
    #[serde(rename = "containerID")]
    container_id: Option<String>,
}

impl From<Written> for PodObject {
    fn from(written: Written) -> Self {
        let metadata = written.metadata.unwrap_or_default();
        let meta = ObjectMeta {
            name: metadata.name.clone(),
            namespace: metadata.namespace.clone(),
            resource_version: metadata.resource_version.clone(),
            ..ObjectMeta::default()
        };
        let spec = written.spec.unwrap_or_default();
        let node = spec.node_name.clone().filter(|node| !node.is_empty());
        let containers = containers(&spec, written.status.unwrap_or_default());
        let reading = reading(metadata, spec, containers);
        Self { meta, node, reading }
    }
}

fn reading(metadata: Metadata, spec: Spec, containers: Vec<ContainerReading>) -> Option<PodReading> {
    let mirror = metadata.annotations.and_then(|annotations| annotations.mirror);
    let uid = mirror.or(metadata.uid).filter(|uid| !uid.is_empty())?;
    let owner = metadata
        .owner_references
        .unwrap_or_default()
        .into_iter()
        .filter(|owner| owner.controller == Some(true))
        .find_map(|owner| {
            Some(Owner {
                kind: owner.kind?,
                name: owner.name?,
            })
        });
    let pod = Pod {
        uid,
        namespace: metadata.namespace,
        name: metadata.name,
        service_account: spec.service_account_name.filter(|name| !name.is_empty()),
        labels: metadata.labels.unwrap_or_default(),
        owner,
    };
    Some(PodReading::bounded(pod, containers))
}

/// The containers that have been made. The image is the one that was asked for: a status may have another name of it.
fn containers(spec: &Spec, status: Status) -> Vec<ContainerReading> {
    let specs = [
        &spec.containers,
        &spec.init_containers,
        &spec.ephemeral_containers,
    ];
    let images: HashMap<&str, &str> = specs
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|container| Some((container.name.as_deref()?, container.image.as_deref()?)))
        .collect();
    let statuses = [
        status.container_statuses,
        status.init_container_statuses,
        status.ephemeral_container_statuses,
    ];
    statuses
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|status| {
            let id = status.container_id.as_deref()?.rsplit("://").next()?.to_owned();
            let asked_for = status.name.as_deref().and_then(|name| images.get(name));
            let image = asked_for.map(|image| (*image).to_owned()).or(status.image);
            let names = ContainerNames {
                name: status.name,
                image,
            };
            Some(ContainerReading { id, names })
        })
        .filter(|container| !container.id.is_empty())
        .collect()
}

impl Resource for PodObject {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Pod".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "pods".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[cfg(test)]
mod tests;
