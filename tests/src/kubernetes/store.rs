//! The pods, and how they came to be what they are.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Pods by uid, each change a version.
#[derive(Debug, Default)]
pub(super) struct Store {
    version: u64,
    pods: BTreeMap<String, Value>,
    history: Vec<Change>,
    /// The latest version whose change is forgotten.
    compacted: u64,
}

/// One change.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) kind: &'static str,
    pub(super) object: Value,
}

impl Store {
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn put(&mut self, uid: &str, object: Value) -> u64 {
        let kind = if self.pods.contains_key(uid) {
            "MODIFIED"
        } else {
            "ADDED"
        };
        let object = self.record(kind, object);
        self.pods.insert(uid.to_owned(), object);
        self.version
    }

    pub(super) fn delete(&mut self, uid: &str) -> u64 {
        if let Some(object) = self.pods.remove(uid) {
            self.record("DELETED", object);
        }
        self.version
    }

    fn record(&mut self, kind: &'static str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.history.push(Change {
            version: self.version,
            kind,
            object: object.clone(),
        });
        object
    }

    pub(super) fn compact(&mut self) {
        self.compacted = self.version;
        self.history.clear();
    }

    /// The changes after a version; `None` when they are forgotten.
    pub(super) fn since(&self, version: u64) -> Option<Vec<Change>> {
        if version < self.compacted {
            return None;
        }
        let changes = self.history.iter().filter(|change| change.version > version);
        Some(changes.cloned().collect())
    }

    /// A page of the pods of a node that come after a uid, and the last uid of the page if there are more.
    pub(super) fn page(&self, node: &str, after: &str, limit: usize) -> (Vec<Value>, Option<String>) {
        let mut rest = self
            .pods
            .iter()
            .filter(|(uid, pod)| uid.as_str() > after && is_on(pod, node));
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let more = rest
            .next()
            .and_then(|_| page.last())
            .map(|(uid, _)| (*uid).clone());
        (page.into_iter().map(|(_, pod)| pod.clone()).collect(), more)
    }
}

/// Whether a pod was given to a node.
pub(super) fn is_on(pod: &Value, node: &str) -> bool {
    pod["spec"]["nodeName"] == node
}
