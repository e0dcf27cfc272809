//! The processes that led to a process.

use std::sync::Arc;

use super::{Ancestor, procfs};

/// Ancestors that are kept: enough to get from a tool past its wrappers, the agent that ran it and its shell to the
/// service or the login that began it.
pub(super) const MAX_ANCESTORS: usize = 8;

/// The ancestors of the children of a process.
pub(super) fn extend(pid: u32, exe: &Arc<str>, ancestors: &[Ancestor]) -> Arc<[Ancestor]> {
    let nearest = Ancestor {
        pid,
        exe: Some(Arc::clone(exe)),
    };
    let older = ancestors.iter().take(MAX_ANCESTORS - 1).cloned();
    std::iter::once(nearest).chain(older).collect()
}

/// The ancestors of the children of a process of which nothing is known, as `/proc` has them now.
pub(super) fn read(parent_tgid: u32) -> Arc<[Ancestor]> {
    let mut ancestors = Vec::new();
    let mut pid = parent_tgid;
    while pid != 0 && ancestors.len() < MAX_ANCESTORS {
        ancestors.push(Ancestor {
            pid,
            exe: procfs::exe(pid).map(Arc::from),
        });
        pid = procfs::stat(pid).map_or(0, |stat| stat.parent_tgid);
    }
    ancestors.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_are_kept() {
        let exe: Arc<str> = "/bin/x".into();
        let mut ancestors: Arc<[Ancestor]> = Arc::default();
        for pid in 1..=20 {
            ancestors = extend(pid, &exe, &ancestors);
        }
        let pids: Vec<u32> = ancestors.iter().map(|ancestor| ancestor.pid).collect();
        assert_eq!(pids, [20, 19, 18, 17, 16, 15, 14, 13]);
    }

    #[test]
    fn the_way_up_ends_at_the_first_process() {
        let ancestors = read(std::process::id());
        assert_eq!(
            ancestors[0].exe.as_deref(),
            std::env::current_exe().unwrap().to_str()
        );
        assert_eq!(ancestors[1].pid, std::os::unix::process::parent_id());
        assert!(ancestors.len() == MAX_ANCESTORS || ancestors.last().unwrap().pid == 1);
    }
}
