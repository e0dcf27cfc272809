//! Pods as a test describes them and as the API writes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::NODE;

/// A pod with one container.
#[derive(Clone, Debug)]
pub(crate) struct PodSpec {
    pub(crate) uid: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) service_account: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) node: String,
    /// Its container's id; `None` until it has been made.
    pub(crate) container: Option<String>,
}

impl PodSpec {
    /// A pod of the node, given by a number that its uid and its container's id are made of.
    pub(crate) fn new(number: u32, namespace: &str, name: &str, service_account: &str) -> Self {
        Self {
            uid: format!("8f0c6a6e-5a3f-4b6e-9f60-{number:012x}"),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            service_account: service_account.to_owned(),
            labels: BTreeMap::from([("app".to_owned(), name.to_owned())]),
            node: NODE.to_owned(),
            container: Some(format!("{number:064x}")),
        }
    }

    /// With a label.
    pub(crate) fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Where its container's processes are, below the lab's cgroup, as the kubelet's cgroupfs driver names it.
    pub(crate) fn cgroup(&self) -> String {
        let container = self.container.as_deref().unwrap_or_default();
        format!("kubepods/burstable/pod{}/{container}", self.uid)
    }

    /// The image that it asks for.
    pub(crate) fn image(&self) -> String {
        format!("registry.example/{}:1", self.name)
    }

    /// The API's object.
    pub(super) fn object(&self) -> Value {
        let statuses: Vec<Value> = self
            .container
            .iter()
            .map(|id| {
                json!({
                    "name": "main", "image": format!("{}@sha256:00", self.image()), "imageID": "sha256:00",
                    "containerID": format!("containerd://{id}"), "ready": true, "restartCount": 0,
                    "state": {"running": {"startedAt": "2026-11-01T10:00:00Z"}}
                })
            })
            .collect();
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": self.name, "namespace": self.namespace, "uid": self.uid, "labels": self.labels,
                "creationTimestamp": "2026-11-01T10:00:00Z",
                "annotations": {"example.org/note": "passed over"},
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{}-rs", self.name),
                    "uid": "1", "controller": true, "blockOwnerDeletion": true
                }],
                "managedFields": [{"manager": "kubelet", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {}}}]
            },
            "spec": {
                "nodeName": self.node, "serviceAccountName": self.service_account, "restartPolicy": "Always",
                "containers": [{"name": "main", "image": self.image(), "resources": {}}]
            },
            "status": {"phase": "Running", "qosClass": "Burstable", "containerStatuses": statuses}
        })
    }
}
