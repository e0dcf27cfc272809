use super::super::reading::ContainerReading;
use super::*;

fn reading(uid: &str, name: &str, containers: &[&str]) -> PodReading {
    let pod = Pod {
        uid: uid.to_owned(),
        name: Some(name.to_owned()),
        ..Pod::default()
    };
    let containers = containers.iter().map(|id| ContainerReading {
        id: (*id).to_owned(),
        names: ContainerNames {
            name: Some(format!("{name}-{id}")),
            image: None,
        },
    });
    PodReading {
        pod,
        containers: containers.collect(),
    }
}

fn name<'t>(table: &'t Table, uid: &str) -> Option<&'t str> {
    table.pod(uid)?.name.as_deref()
}

#[test]
fn says_whether_something_is_new() {
    let (mut table, now) = (Table::default(), Instant::now());
    let mut apply = |reading| table.apply(reading, Source::Api, now);
    assert_eq!(apply(reading("u", "a", &["c1"])), Applied::Something);
    assert_eq!(apply(reading("u", "a", &["c1"])), Applied::Nothing);
    assert_eq!(apply(reading("u", "b", &["c1"])), Applied::Something);
    assert_eq!(apply(reading("u", "b", &["c1", "c2"])), Applied::Something);
    // A restarted container has another id; the one before is still known.
    assert_eq!(apply(reading("u", "b", &["c3"])), Applied::Something);
    for id in ["c1", "c2", "c3"] {
        assert!(table.container(id).is_some(), "{id}");
    }
}

#[test]
fn the_better_source_counts_and_others_add_containers() {
    let (mut table, now) = (Table::default(), Instant::now());
    table.apply(reading("u", "cri", &["c1"]), Source::Cri, now);
    assert!(table.is_settled("u", Source::Cri) && !table.is_settled("u", Source::Api));
    table.apply(reading("u", "api", &[]), Source::Api, now);
    assert_eq!(
        table.apply(reading("u", "cri", &["c1", "c2"]), Source::Cri, now),
        Applied::Something
    );
    assert_eq!(name(&table, "u"), Some("api"));
    assert!(table.is_settled("u", Source::Api));
    assert_eq!(table.container("c2").unwrap().name.as_deref(), Some("cri-c2"));
}

#[test]
fn a_deleted_pod_is_remembered_for_a_while() {
    let (mut table, now) = (Table::default(), Instant::now());
    table.apply(reading("u", "a", &["c1"]), Source::Api, now);
    table.delete("u", now);
    table.delete("no such", now);
    assert_eq!(table.len(), 0);
    let late = now + DELETED_KEPT - Duration::from_secs(1);
    table.forget_deleted(late);
    assert_eq!(name(&table, "u"), Some("a"));
    // The runtime lists what has ended: that does not bring it back.
    table.apply(reading("u", "a", &["c1"]), Source::Cri, late);
    table.forget_deleted(now + DELETED_KEPT);
    assert_eq!(name(&table, "u"), None);
    assert!(table.container("c1").is_none());
}

#[test]
fn what_a_list_does_not_name_is_deleted_if_the_same_source_named_it() {
    let (mut table, now) = (Table::default(), Instant::now());
    table.apply(reading("a", "a", &[]), Source::Api, now);
    table.apply(reading("b", "b", &[]), Source::Api, now);
    table.apply(reading("c", "c", &[]), Source::Cri, now);
    table.listed(Source::Api, &HashSet::from(["a".to_owned()]), now);
    table.forget_deleted(now + DELETED_KEPT);
    assert_eq!(
        [name(&table, "a"), name(&table, "b"), name(&table, "c")],
        [Some("a"), None, Some("c")]
    );
}

#[test]
fn the_table_is_bounded_and_prefers_pods_that_are_there() {
    let (mut table, now) = (Table::default(), Instant::now());
    for index in 0..MAX_PODS {
        let uid = format!("u{index}");
        assert_eq!(
            table.apply(reading(&uid, "p", &[&uid]), Source::Api, now),
            Applied::Something
        );
    }
    let one_more = || reading("more", "more", &["cm"]);
    assert_eq!(table.apply(one_more(), Source::Api, now), Applied::NoRoom);
    assert_eq!((table.dropped(), table.len()), (1, MAX_PODS));
    assert!(table.container("cm").is_none());
    // One that is known can still change.
    assert_eq!(
        table.apply(reading("u0", "q", &[]), Source::Api, now),
        Applied::Something
    );
    table.delete("u7", now);
    assert_eq!(table.apply(one_more(), Source::Api, now), Applied::Something);
    assert!(table.pod("u7").is_none() && table.container("u7").is_none());
}

#[test]
fn a_pod_that_restarts_without_end_keeps_its_last_containers() {
    let (mut table, now) = (Table::default(), Instant::now());
    for index in 0..MAX_CONTAINERS * 3 {
        table.apply(reading("u", "a", &[&format!("c{index}")]), Source::Api, now);
    }
    assert_eq!(table.containers.len(), MAX_CONTAINERS);
    assert!(table.container("c0").is_none());
    assert!(table.container(&format!("c{}", MAX_CONTAINERS * 3 - 1)).is_some());
}
