use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::*;
use crate::identity::{ContainerNames, SpiffeId, SpiffeSource};

const UID: &str = "1f9f1a7e-4a0b-4a44-8f4e-2f1c6f1f0a01";

fn id_of(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

/// A hierarchy with a pod and a unit, and the ids of the pod's container and of the unit.
fn rig() -> (tempfile::TempDir, Placements, u64, u64) {
    let mount = tempfile::tempdir().unwrap();
    let container = mount
        .path()
        .join(format!("kubepods/burstable/pod{UID}/{}", "c".repeat(64)));
    let unit = mount.path().join("system.slice/bot.service");
    fs::create_dir_all(&container).unwrap();
    fs::create_dir_all(&unit).unwrap();
    let placements = Placements::new(mount.path().to_path_buf());
    placements.walk();
    let ids = (id_of(&container), id_of(&unit));
    (mount, placements, ids.0, ids.1)
}

#[derive(Debug, Default)]
struct Names {
    namespace: Mutex<Option<&'static str>>,
}

impl Directory for Names {
    fn pod(&self, uid: &str) -> Option<Arc<Pod>> {
        let namespace = (*self.namespace.lock())?;
        Some(Arc::new(Pod {
            uid: uid.to_owned(),
            namespace: Some(namespace.to_owned()),
            ..Pod::default()
        }))
    }

    fn container(&self, _id: &str) -> Option<ContainerNames> {
        (*self.namespace.lock())?;
        Some(ContainerNames {
            name: Some("main".into()),
            image: None,
        })
    }

    fn spiffe(&self, placement: &Placement, tgid: Option<u32>) -> Option<SpiffeId> {
        placement.unit.as_ref()?;
        Some(SpiffeId {
            id: format!("spiffe://node/{}", tgid?),
            source: SpiffeSource::Delegated,
        })
    }
}

#[test]
fn a_walk_finds_what_is_there_and_a_lookup_what_is_new() {
    let (mount, placements, container, unit) = rig();
    let placement = placements.of(container, u32::MAX);
    assert_eq!(placement.pod.as_ref().unwrap().uid, UID);
    assert_eq!(placement.container.as_ref().unwrap().id, "c".repeat(64));
    assert_eq!(placements.of(unit, u32::MAX).unit.as_deref(), Some("bot.service"));
    assert_eq!(placements.all().len(), 7);
    std::thread::sleep(WALK_PAUSE);
    let late = mount.path().join("system.slice/late.service");
    fs::create_dir(&late).unwrap();
    assert_eq!(
        placements.of(id_of(&late), u32::MAX).unit.as_deref(),
        Some("late.service")
    );
    assert_eq!(*placements.of(1, u32::MAX), Placement::default());
}

#[test]
fn a_placement_is_replaced_when_the_directory_learns_more() {
    let (_mount, placements, container, unit) = rig();
    let names = Arc::new(Names::default());
    placements.set_directory(Arc::clone(&names) as Arc<dyn Directory>);
    let before = placements.of(container, 0);
    assert_eq!(before.pod.as_ref().unwrap().namespace, None);
    assert!(placements.is_current(container, &before));
    let _start = placements.take_changes();

    *names.namespace.lock() = Some("billing");
    placements.refresh_pod("another");
    assert!(placements.is_current(container, &before));
    placements.refresh_pod(UID);
    assert!(!placements.is_current(container, &before));
    let after = placements.of(container, 0);
    assert_eq!(after.pod.as_ref().unwrap().namespace.as_deref(), Some("billing"));
    assert_eq!(after.container.as_ref().unwrap().name.as_deref(), Some("main"));
    let Changes::Cgroups(changed) = placements.take_changes() else {
        panic!("two changes fit");
    };
    // The pod's own cgroup and its container's.
    assert_eq!(changed.len(), 2);
    assert!(changed.contains(&container));

    // A pod that the directory has forgotten keeps its names.
    *names.namespace.lock() = None;
    placements.refresh_all();
    assert!(placements.is_current(container, &after));

    // An id that takes a process is asked for with the first that is seen.
    assert_eq!(placements.of(unit, 0).spiffe, None);
    let spiffe = placements.of(unit, 7).spiffe.clone().unwrap();
    assert_eq!(spiffe.id, "spiffe://node/7");
    assert!(placements.is_current(unit, &placements.of(unit, 8)));
    assert_eq!(placements.of(unit, 8).spiffe, Some(spiffe));
}

#[test]
fn what_is_removed_is_known_a_while_longer() {
    let (mount, placements, container, unit) = rig();
    placements.on_cgroup(container, "", true);
    let gone = placements.of(container, u32::MAX);
    assert!(gone.pod.is_some() && placements.is_current(container, &gone));
    assert_eq!(placements.get(container), None);
    assert!(placements.all().iter().all(|(id, _)| *id != container));
    // Its directory is still there: a walk puts right what was reported too early.
    placements.walk();
    assert!(placements.get(container).is_some());
    // One that was not reported is missed by the walk.
    fs::remove_dir(mount.path().join("system.slice/bot.service")).unwrap();
    placements.walk();
    assert_eq!(placements.get(unit), None);
    assert!(placements.of(unit, u32::MAX).unit.is_some());
    placements
        .table
        .write()
        .forget_removed(Instant::now() + GONE_KEPT);
    assert_eq!(*placements.of(unit, u32::MAX), Placement::default());
}

#[test]
fn changes_beyond_the_bound_are_all() {
    let mut changes = Changes::default();
    for id in 0..=MAX_CGROUPS as u64 {
        changes.add(id);
    }
    assert_eq!(changes, Changes::All);
}

#[test]
fn a_users_container_gets_no_names() {
    let (_mount, placements, ..) = rig();
    let names = Arc::new(Names::default());
    *names.namespace.lock() = Some("billing");
    placements.set_directory(names);
    let path = format!(
        "/user.slice/user-1.slice/user@1.service/user.slice/libpod-{}.scope",
        "d".repeat(64)
    );
    placements.on_cgroup(u64::MAX, &path, false);
    assert_eq!(placements.get(u64::MAX), None, "there is no such directory");
    placements.add(u64::MAX, &path, 0);
    let container = placements.get(u64::MAX).unwrap().container.clone().unwrap();
    assert_eq!((container.name, container.runtime), (None, Some("podman")));
}
