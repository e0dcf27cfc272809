use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

/// What a fixture says of itself.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    cgroup: String,
    unit: Option<String>,
    slice: Option<String>,
    container: Option<ExpectedContainer>,
    pod_uid: Option<String>,
    #[serde(default)]
    conflict: bool,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedContainer {
    id: String,
    runtime: Option<String>,
}

impl From<ProcessReading<'_>> for Expected {
    fn from(process: ProcessReading<'_>) -> Self {
        let reading = process.reading;
        Self {
            cgroup: process.cgroup.to_owned(),
            unit: reading.unit.map(String::from),
            slice: reading.slice.map(str::to_owned),
            container: reading.container.map(|container| ExpectedContainer {
                id: container.id.to_owned(),
                runtime: container.runtime.map(str::to_owned),
            }),
            pod_uid: reading.pod_uid.map(String::from),
            conflict: process.conflict,
        }
    }
}

/// One directory for each runtime and driver, with files such as the kernel shows them, and what is to be read from each.
#[test]
fn fixtures_are_read_as_they_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cgroup");
    let mut read = 0;
    for directory in fs::read_dir(root).unwrap() {
        let directory = directory.unwrap().path();
        let text = fs::read_to_string(directory.join("expected.json")).unwrap();
        let expected: BTreeMap<String, Expected> = serde_json::from_str(&text).unwrap();
        assert_eq!(
            fs::read_dir(&directory).unwrap().count(),
            expected.len() + 1,
            "{directory:?}"
        );
        for (name, expected) in expected {
            let file = directory.join(name);
            let lines = fs::read_to_string(&file).unwrap();
            assert_eq!(Expected::from(read_process(&lines)), expected, "{file:?}");
            read += 1;
        }
    }
    assert!(read > 80, "{read} fixtures");
}

#[test]
fn the_unified_line_is_found_among_others() {
    let lines = "12:pids:/a\n1:name=systemd:/b\n0::/c\n";
    assert_eq!(unified(lines), Some("/c"));
    assert!(is_hybrid(lines));
    assert!(!is_hybrid("0::/c\n"));
}

/// Pieces that the rules look for, put together in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("/".to_owned()),
        Just(":".to_owned()),
        Just("-pod".to_owned()),
        Just("pod".to_owned()),
        Just("crio-conmon-".to_owned()),
        Just(".slice".to_owned()),
        Just(".scope".to_owned()),
        Just(".service".to_owned()),
        Just("user@1000.service/".to_owned()),
        Just("/k8s.io/".to_owned()),
        Just("\n0::".to_owned()),
        Just("\n3:cpu:".to_owned()),
        "[0-9a-f]{64}",
        "[0-9a-f]{32}",
        "[0-9a-f]{8}(_[0-9a-f]{4}){3}_[0-9a-f]{12}",
        ".{0,8}",
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn anything_can_be_read(lines in pieces()) {
        let process = read_process(&lines);
        prop_assert!(process.cgroup.starts_with(process.reading.principal));
        if let Some(container) = process.reading.container {
            prop_assert!(lines.contains(container.id));
        }
        if let Some(uid) = process.reading.pod_uid {
            prop_assert!(lines.replace('_', "-").contains(&*uid));
        }
        prop_assert!(!process.conflict || process.reading.container.is_none());
    }
}

/// A hundred times the text takes about a hundred times as long; four times that is granted to the machine.
#[test]
fn time_is_linear_in_the_text() {
    let segment = format!(
        "/kubepods-pod{}.slice:-pod:docker-{}",
        "a".repeat(31),
        "b".repeat(63)
    );
    let time = |segments: usize| {
        let lines = format!("0::{}\n", segment.repeat(segments));
        let best = (0..5).map(|_| {
            let began = Instant::now();
            assert_eq!(read_process(&lines).reading.container, None);
            began.elapsed()
        });
        best.min().unwrap()
    };
    let (short, long) = (time(100), time(10_000));
    assert!(
        long < short * 400,
        "{short:?} for a hundredth of what took {long:?}"
    );
}
