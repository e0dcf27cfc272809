use kube::core::ObjectList;
use serde_json::json;

use super::super::reading::{MAX_CONTAINERS, MAX_LABELS, MAX_TEXT_BYTES};
use super::*;

fn read(object: serde_json::Value) -> PodObject {
    serde_json::from_value(object).unwrap()
}

#[test]
fn reads_what_is_needed_of_a_real_pod() {
    // As `kubectl get pod -o json` prints it, shortened.
    let object = read(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "bot-7d4b9-x2x", "namespace": "billing", "uid": "8f0c6a6e-5a3f-4b6e-9f60-0123456789ab",
            "resourceVersion": "4711", "generateName": "bot-7d4b9-", "creationTimestamp": "2026-11-01T10:00:00Z",
            "labels": {"app": "bot", "tier": "gold"}, "annotations": {"kubectl.kubernetes.io/x": "{}"},
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "not-a-controller", "uid": "1"},
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "bot-7d4b9", "uid": "2", "controller": true}
            ],
            "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {}}}]
        },
        "spec": {
            "nodeName": "worker-1", "serviceAccountName": "bot-a", "serviceAccount": "bot-a",
            "containers": [{"name": "main", "image": "registry.example/bot:1", "resources": {}}],
            "initContainers": [{"name": "setup", "image": "setup:2"}]
        },
        "status": {
            "phase": "Running",
            "containerStatuses": [{
                "name": "main", "image": "registry.example/bot@sha256:00", "ready": true, "restartCount": 0,
                "containerID": "containerd://aa11", "state": {"running": {}}
            }],
            "initContainerStatuses": [{"name": "setup", "image": "docker.io/library/setup:2", "containerID": "cri-o://bb22"}],
            "ephemeralContainerStatuses": [{"name": "debug", "image": "busybox:1", "containerID": "docker://cc33"}]
        }
    }));
    assert_eq!(object.node.as_deref(), Some("worker-1"));
    assert_eq!(object.meta().resource_version.as_deref(), Some("4711"));
    let reading = object.reading.unwrap();
    let expected = Pod {
        uid: "8f0c6a6e-5a3f-4b6e-9f60-0123456789ab".into(),
        namespace: Some("billing".into()),
        name: Some("bot-7d4b9-x2x".into()),
        service_account: Some("bot-a".into()),
        labels: [("app", "bot"), ("tier", "gold")]
            .map(|(key, value)| (key.into(), value.into()))
            .into(),
        owner: Some(Owner {
            kind: "ReplicaSet".into(),
            name: "bot-7d4b9".into(),
        }),
    };
    assert_eq!(reading.pod, expected);
    let containers: Vec<_> = reading
        .containers
        .iter()
        .map(|container| {
            let names = &container.names;
            (
                container.id.as_str(),
                names.name.as_deref(),
                names.image.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        containers,
        [
            ("aa11", Some("main"), Some("registry.example/bot:1")),
            ("bb22", Some("setup"), Some("setup:2")),
            ("cc33", Some("debug"), Some("busybox:1")),
        ]
    );
}

#[test]
fn a_static_pod_goes_by_the_uid_of_its_cgroup() {
    let mirror = read(json!({"metadata": {
        "uid": "11111111-0000-0000-0000-000000000000", "name": "etcd-w1", "namespace": "kube-system",
        "annotations": {"kubernetes.io/config.mirror": "0123456789abcdef0123456789abcdef"}
    }}));
    let reading = mirror.reading.unwrap();
    assert_eq!(reading.pod.uid, "0123456789abcdef0123456789abcdef");
    assert_eq!(reading.pod.name.as_deref(), Some("etcd-w1"));
}

#[test]
fn what_is_missing_or_null_is_not_known() {
    for odd in [
        json!({}),
        json!({"metadata": null, "spec": null, "status": null}),
        json!({"metadata": {"name": "no-uid"}}),
        json!({"metadata": {"uid": ""}}),
    ] {
        assert!(read(odd).reading.is_none());
    }
    let bare = read(json!({
        "metadata": {"uid": "u", "labels": null, "ownerReferences": [{}, {"controller": true}], "annotations": null},
        "spec": {"serviceAccountName": "", "nodeName": "", "containers": null},
        "status": {"containerStatuses": [
            {}, {"name": "waiting", "image": "i", "containerID": ""}, {"name": "x", "containerID": "containerd://"},
            {"containerID": "bare-id"}
        ]}
    }));
    assert_eq!(bare.node, None);
    let reading = bare.reading.unwrap();
    let expected = Pod {
        uid: "u".into(),
        ..Pod::default()
    };
    assert_eq!(reading.pod, expected);
    assert_eq!(reading.containers.len(), 1);
    assert_eq!(reading.containers[0].id, "bare-id");
    assert_eq!(reading.containers[0].names, ContainerNames::default());
}

#[test]
fn what_exceeds_the_bounds_is_left_out() {
    let labels: serde_json::Map<_, _> = (0..MAX_LABELS + 10)
        .map(|index| (format!("label-{index:04}"), json!("v")))
        .chain([("a".to_owned(), json!("x".repeat(MAX_TEXT_BYTES + 1)))])
        .collect();
    let statuses: Vec<_> = (0..MAX_CONTAINERS + 10)
        .map(|index| json!({"name": format!("c{index}"), "containerID": format!("containerd://{index}")}))
        .collect();
    let reading = read(json!({
        "metadata": {"uid": "u", "name": "n".repeat(MAX_TEXT_BYTES + 1), "namespace": "ns", "labels": labels},
        "status": {"containerStatuses": statuses}
    }))
    .reading
    .unwrap();
    assert_eq!(reading.pod.name, None);
    assert_eq!(reading.pod.namespace.as_deref(), Some("ns"));
    assert_eq!(reading.pod.labels.len(), MAX_LABELS);
    assert!(reading.pod.labels.contains_key("label-0000"));
    assert!(!reading.pod.labels.contains_key("a"));
    assert_eq!(reading.containers.len(), MAX_CONTAINERS);
}

#[test]
fn a_list_is_one_of_pods() {
    let text = r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9","continue":"c"},
        "items":[{"metadata":{"uid":"u","name":"n"}}]}"#;
    let list: ObjectList<PodObject> = serde_json::from_str(text).unwrap();
    assert_eq!(list.items.len(), 1);
    assert_eq!(list.metadata.continue_.as_deref(), Some("c"));
    assert_eq!(PodObject::url_path(&(), None), "/api/v1/pods");
    let kubelets: PodList = serde_json::from_str(r#"{"items":null}"#).unwrap();
    assert!(kubelets.items.is_none());
}
