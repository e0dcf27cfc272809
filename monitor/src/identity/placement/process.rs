//! What `/proc/<pid>/cgroup` says where more than one hierarchy is mounted: on a hybrid node a runtime may have put the
//! container's name into the hierarchies of the first version only.

use super::path::{PathReading, read_path};

/// What the lines of one process say together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ProcessReading<'a> {
    /// The path in the cgroup2 hierarchy; empty where there is no such line.
    pub(crate) cgroup: &'a str,
    /// Unit, container and pod.
    pub(crate) reading: PathReading<'a>,
    /// The hierarchies name different containers, so that none is believed.
    pub(crate) conflict: bool,
}

/// Reads the lines. Those with a pod outweigh those without, and the cgroup2 path the others; where several of these name
/// different containers or pods, none is believed.
#[must_use]
pub(crate) fn read_process(lines: &str) -> ProcessReading<'_> {
    let cgroup = unified(lines).unwrap_or_default();
    let mut process = ProcessReading {
        cgroup,
        reading: read_path(cgroup),
        conflict: false,
    };
    if process.reading.pod_uid.is_some() {
        return process;
    }
    let mut best: Option<PathReading<'_>> = None;
    for other in lines.lines().filter_map(first_version) {
        if process.reading.unit.is_none() && other.unit.is_some() {
            process.reading.unit.clone_from(&other.unit);
            process.reading.slice = other.slice;
        }
        let has_pod = other.pod_uid.is_some();
        let counts = has_pod || (other.container.is_some() && process.reading.container.is_none());
        if !counts {
            continue;
        }
        match &best {
            Some(best) if best.pod_uid.is_some() && !has_pod => {}
            Some(best) if best.pod_uid.is_some() == has_pod => {
                process.conflict |= best.pod_uid != other.pod_uid
                    || best.container.map(|one| one.id) != other.container.map(|one| one.id);
            }
            _ => {
                best = Some(other);
                process.conflict = false;
            }
        }
    }
    if process.conflict {
        process.reading.container = None;
    } else if let Some(best) = best {
        process.reading.container = best.container;
        process.reading.pod_uid = best.pod_uid;
    }
    process
}

/// The path in the cgroup2 hierarchy.
#[must_use]
pub(crate) fn unified(lines: &str) -> Option<&str> {
    lines.lines().find_map(|line| line.strip_prefix("0::"))
}

/// Whether there are hierarchies of the first version.
#[must_use]
pub(crate) fn is_hybrid(lines: &str) -> bool {
    lines.lines().any(|line| first_version(line).is_some())
}

/// `id:controllers:path`, of which only the path may hold further colons.
fn first_version(line: &str) -> Option<PathReading<'_>> {
    let mut fields = line.splitn(3, ':');
    let (id, _controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    (id != "0").then(|| read_path(path))
}

#[cfg(test)]
mod tests;
