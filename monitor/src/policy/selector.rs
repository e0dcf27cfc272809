//! Whether a policy is about a workload.

use crate::config::{Glob, Selector};
use crate::identity::{Placement, Workload};

/// Whether `selector` chooses `workload`; one that is not known is chosen only by a selector of everyone.
pub(super) fn chooses(selector: &Selector, workload: Option<&Workload>) -> bool {
    let Some(workload) = workload else {
        return selector == &Selector::default();
    };
    let user_matches = || {
        let uid = workload.uid.to_string();
        any(&selector.users, Some(&uid)) || any(&selector.users, workload.user.as_deref())
    };
    user_matches()
        && any(&selector.exes, workload.exe.as_deref())
        && chooses_placement(selector, &workload.placement)
}

/// Whether the part of `selector` that is about cgroups chooses `placement`.
pub(super) fn chooses_placement(selector: &Selector, placement: &Placement) -> bool {
    let pod = placement.pod.as_deref();
    let container = placement.container.as_ref();
    any(&selector.cgroups, Some(&placement.cgroup))
        && any(&selector.units, placement.unit.as_deref())
        && any(&selector.namespaces, pod.and_then(|pod| pod.namespace.as_deref()))
        && any(&selector.pods, pod.and_then(|pod| pod.name.as_deref()))
        && any(
            &selector.service_accounts,
            pod.and_then(|pod| pod.service_account.as_deref()),
        )
        && any(
            &selector.containers,
            container.and_then(|container| container.name.as_deref()),
        )
        && any(
            &selector.images,
            container.and_then(|container| container.image.as_deref()),
        )
        && any(
            &selector.spiffe,
            placement.spiffe.as_ref().map(|spiffe| spiffe.id.as_str()),
        )
        && selector.labels.iter().all(|(key, globs)| {
            let value = pod.and_then(|pod| pod.labels.get(key));
            value.is_some_and(|value| globs.iter().any(|glob| glob.matches(value)))
        })
}

/// An empty list chooses everything; a list that is not empty never chooses what is not known.
fn any(globs: &[Glob], value: Option<&str>) -> bool {
    globs.is_empty() || value.is_some_and(|value| globs.iter().any(|glob| glob.matches(value)))
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
        assert!(chooses_placement(&selector, &placement()));
        selector.labels = [("tier".to_owned(), globs("silver"))].into();
        assert!(!chooses_placement(&selector, &placement()));
        selector.labels = [("tier".to_owned(), globs("gold"))].into();
        assert!(chooses_placement(&selector, &placement()));
        selector.labels = [("team".to_owned(), globs("*"))].into();
        assert!(!chooses_placement(&selector, &placement()));
    }

    #[test]
    fn what_is_not_known_is_not_chosen_even_by_a_pattern_for_all() {
        let selector = Selector {
            namespaces: globs("*"),
            ..Selector::default()
        };
        assert!(!chooses_placement(
            &selector,
            &Placement::of_cgroup("/system.slice/a.service")
        ));
        assert!(!chooses(&selector, None));
        assert!(chooses(&Selector::default(), None));
    }
}
