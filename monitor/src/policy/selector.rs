//! Whether a policy is about a workload.

use crate::config::{Glob, Selector};
use crate::identity::{Placement, Workload};

/// Whether a policy is about a workload, as far as that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Choice {
    /// It is not, whatever becomes known.
    No,
    /// Something that it asks for is not known yet, or not any more.
    Undecided,
    /// It is.
    Yes,
}

/// Something that a selector asks for.
#[derive(Clone, Copy)]
enum Fact<'a> {
    Known(&'a str),
    /// There is no such thing.
    Absent,
    /// There may be.
    Unknown,
}

impl<'a> Fact<'a> {
    /// What is not there is unknown while `pending`, and absent else.
    fn of(value: Option<&'a str>, pending: bool) -> Self {
        match value {
            Some(value) => Self::Known(value),
            None if pending => Self::Unknown,
            None => Self::Absent,
        }
    }
}

/// Whether `selector` chooses `workload`; one that is not known is chosen by a selector of everyone.
pub(super) fn chooses(selector: &Selector, workload: Option<&Workload>) -> Choice {
    let Some(workload) = workload else {
        return match *selector == Selector::default() {
            true => Choice::Yes,
            false => Choice::Undecided,
        };
    };
    let user = || {
        let uid = workload.uid.to_string();
        let by_uid = any(&selector.users, Fact::Known(&uid));
        by_uid.max(any(&selector.users, Fact::of(workload.user.as_deref(), false)))
    };
    // An executable that could not be read is one all the same.
    any(&selector.exes, Fact::of(workload.exe.as_deref(), true))
        .min(user())
        .min(chooses_placement(selector, &workload.placement))
}

/// Whether the part of `selector` that is about cgroups chooses `placement`.
pub(super) fn chooses_placement(selector: &Selector, placement: &Placement) -> Choice {
    let (pod, container) = (placement.pod.as_deref(), placement.container.as_ref());
    let unplaced = placement.cgroup.is_empty();
    // A pod's names follow its cgroup a moment later.
    let pod_pending = unplaced || pod.is_some_and(|pod| pod.namespace.is_none());
    let container_pending = pod_pending || (pod.is_some() && container.is_some());
    let cgroup = Some(placement.cgroup.as_str()).filter(|_| !unplaced);
    let labels = selector.labels.iter().map(|(key, globs)| {
        let value = pod.and_then(|pod| pod.labels.get(key));
        // An empty list of patterns matches no value.
        match Fact::of(value.map(String::as_str), pod_pending) {
            Fact::Known(value) if globs.iter().any(|glob| glob.matches(value)) => Choice::Yes,
            Fact::Unknown => Choice::Undecided,
            Fact::Known(_) | Fact::Absent => Choice::No,
        }
    });
    let spiffe = placement.spiffe.as_ref().map(|spiffe| spiffe.id.as_str());
    let container_name = container.and_then(|container| container.name.as_deref());
    let image = container.and_then(|container| container.image.as_deref());
    [
        any(&selector.cgroups, Fact::of(cgroup, true)),
        any(&selector.units, Fact::of(placement.unit.as_deref(), unplaced)),
        any(
            &selector.namespaces,
            Fact::of(pod.and_then(|pod| pod.namespace.as_deref()), pod_pending),
        ),
        any(
            &selector.pods,
            Fact::of(pod.and_then(|pod| pod.name.as_deref()), pod_pending),
        ),
        any(
            &selector.service_accounts,
            Fact::of(pod.and_then(|pod| pod.service_account.as_deref()), pod_pending),
        ),
        any(&selector.containers, Fact::of(container_name, container_pending)),
        any(&selector.images, Fact::of(image, container_pending)),
        any(&selector.spiffe, Fact::of(spiffe, pod_pending)),
    ]
    .into_iter()
    .chain(labels)
    .min()
    .unwrap_or(Choice::Yes)
}

/// An empty list chooses everything; a list that is not empty never chooses what is not there.
fn any(globs: &[Glob], fact: Fact<'_>) -> Choice {
    match fact {
        _ if globs.is_empty() => Choice::Yes,
        Fact::Known(value) if globs.iter().any(|glob| glob.matches(value)) => Choice::Yes,
        Fact::Unknown => Choice::Undecided,
        Fact::Known(_) | Fact::Absent => Choice::No,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::identity::{Container, Pod};

    fn globs(pattern: &str) -> Vec<Glob> {
        vec![Glob::new(pattern).unwrap()]
    }

    fn placement() -> Placement {
        Placement {
            cgroup: "/kubepods/burstable/pod1/c1".into(),
            container: Some(Container {
                id: "c1".into(),
                runtime: None,
                name: Some("main".into()),
                image: Some("registry/app:1".into()),
            }),
            pod: Some(Arc::new(Pod {
                uid: "1".into(),
                namespace: Some("billing".into()),
                service_account: Some("bot-a".into()),
                labels: [("tier".to_owned(), "gold".to_owned())].into(),
                ..Pod::default()
            })),
            ..Placement::default()
        }
    }

    #[test]
    fn each_list_that_is_not_empty_must_match() {
        let mut selector = Selector {
            namespaces: globs("bill*"),
            service_accounts: globs("bot-*"),
            images: globs("registry/*"),
            ..Selector::default()
        };
        assert_eq!(chooses_placement(&selector, &placement()), Choice::Yes);
        selector.labels = [("tier".to_owned(), globs("silver"))].into();
        assert_eq!(chooses_placement(&selector, &placement()), Choice::No);
        selector.labels = [("tier".to_owned(), globs("gold"))].into();
        assert_eq!(chooses_placement(&selector, &placement()), Choice::Yes);
        selector.labels = [("team".to_owned(), globs("*"))].into();
        assert_eq!(chooses_placement(&selector, &placement()), Choice::No);
    }

    #[test]
    fn what_is_not_known_is_not_chosen_even_by_a_pattern_for_all() {
        let selector = Selector {
            namespaces: globs("*"),
            ..Selector::default()
        };
        let service = Placement::of_cgroup("/system.slice/a.service");
        assert_eq!(chooses_placement(&selector, &service), Choice::No);
        assert_eq!(chooses(&selector, None), Choice::Undecided);
        assert_eq!(chooses(&Selector::default(), None), Choice::Yes);
    }

    #[test]
    fn a_pod_is_undecided_until_its_names_have_arrived() {
        let mut selector = Selector {
            namespaces: globs("billing"),
            ..Selector::default()
        };
        let mut placement = placement();
        placement.pod = Some(Arc::new(Pod {
            uid: "1".into(),
            ..Pod::default()
        }));
        assert_eq!(chooses_placement(&selector, &placement), Choice::Undecided);
        assert_eq!(
            chooses_placement(&selector, &Placement::default()),
            Choice::Undecided
        );
        selector.cgroups = globs("/elsewhere/*");
        assert_eq!(chooses_placement(&selector, &placement), Choice::No);
    }
}
