//! What a cgroup's path says: systemd unit, container, pod.
//!
//! The path is read from the root to the leaf, as runtimes write it:
//!
//! | who | path |
//! |---|---|
//! | kubelet with containerd, cgroupfs driver | `/kubepods[/burstable\|/besteffort]/pod<uid>/<id>` |
//! | kubelet, systemd driver | `/kubepods.slice/kubepods-<qos>.slice/kubepods-<qos>-pod<uid, _ for ->.slice/cri-containerd-<id>.scope`, CRI-O `crio-<id>.scope` |
//! | kubelet and runtime that disagree on the driver | `…/kubepods-<qos>-pod<uid>.slice:cri-containerd:<id>` |
//! | Docker | `/docker/<id>`, `/system.slice/docker-<id>.scope` |
//! | Podman | `/libpod_parent/libpod-<id>`, `/machine.slice/libpod-<id>.scope/container`, `<unit>/libpod-payload-<id>` |
//! | `ctr` in the namespace of containerd's CRI | `/k8s.io/<name>` |
//! | systemd | `/system.slice/<unit>`, `/user.slice/user-<uid>.slice/user@<uid>.service/app.slice/<unit>` |
//!
//! Any of them may stand below others: a kind node is a container with `kubelet/kubepods/…` in it.
//!
//! Whoever may write below a cgroup may give the directories there any name, so the outer names outweigh the inner ones
//! where the inner ones could lie: there is no pod in a pod, no pod below a user's own service manager, and no unit in a
//! container; of the containers in a pod the outermost counts. Outside of pods it is the innermost.

use std::borrow::Cow;

/// Hexadecimal digits of a container's id.
const ID_DIGITS: usize = 64;
/// Hexadecimal digits of a static pod's uid, which is a hash of its manifest.
const HASH_DIGITS: usize = 32;
/// The containerd namespace that Kubernetes uses. Only in it is a name below a namespace taken for a container's: any
/// other directory could be anything.
const CRI_NAMESPACE: &str = "k8s.io";

/// What one path says. Borrows from the path where it can.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PathReading<'a> {
    /// The systemd unit; for a unit of a user's own manager, or of a system that a unit runs, the outer unit, a slash
    /// and the inner one.
    pub(crate) unit: Option<Cow<'a, str>>,
    /// The slice that the unit is in, or the innermost one outside of containers where there is no unit.
    pub(crate) slice: Option<&'a str>,
    /// The container's id and runtime.
    pub(crate) container: Option<ContainerId<'a>>,
    /// The pod's uid in the form of the API.
    pub(crate) pod_uid: Option<Cow<'a, str>>,
    /// The path down to the container, else to the pod or the outer unit: what is below it is the workload's own choice.
    /// The whole path where there is none of them.
    pub(crate) principal: &'a str,
}

/// A container's id in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContainerId<'a> {
    /// 64 hexadecimal digits, or a name in the namespace of containerd's CRI.
    pub(crate) id: &'a str,
    /// The runtime, where the path tells.
    pub(crate) runtime: Option<&'static str>,
}

/// Reads a path. Linear in its length.
#[must_use]
pub(crate) fn read_path(path: &str) -> PathReading<'_> {
    let mut reader = Reader::default();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        reader.segment(segment);
        reader.parent = segment;
    }
    reader.finish(path)
}

/// Whether a unit is a user's own service manager, below which the user names the cgroups.
#[must_use]
pub(crate) fn is_users_manager(unit: &str) -> bool {
    let outer = unit.split('/').next().unwrap_or_default();
    outer.starts_with("user@") && outer.ends_with(".service")
}

#[derive(Default)]
struct Reader<'a> {
    outer_unit: Option<&'a str>,
    inner_unit: Option<&'a str>,
    unit_slice: Option<&'a str>,
    slice: Option<&'a str>,
    container: Option<ContainerId<'a>>,
    pod_uid: Option<Cow<'a, str>>,
    /// The container is the pod's: what is below it is the workload's own.
    settled: bool,
    /// The segment that ends the principal's path.
    principal: Option<&'a str>,
    parent: &'a str,
}

impl<'a> Reader<'a> {
    fn segment(&mut self, segment: &'a str) {
        if self.settled {
            return;
        }
        if let Some((pod_uid, container)) = pod(segment) {
            if self.pod_uid.is_none() && !self.is_users_own() {
                self.pod_uid = Some(pod_uid);
                // A container around a pod is its node's.
                self.container = container;
                self.settled = container.is_some();
                self.principal = Some(segment);
            }
        } else if let Some(container) = container(segment, self.parent) {
            self.container = Some(container);
            self.settled = self.pod_uid.is_some();
            if !self.is_users_own() {
                self.principal = Some(segment);
            }
        } else if self.container.is_none() && self.pod_uid.is_none() {
            let name = unescape(segment);
            if is_unit(name) {
                if self.outer_unit.is_none() {
                    self.outer_unit = Some(name);
                    self.unit_slice = self.slice;
                    self.principal = Some(segment);
                } else {
                    self.inner_unit = Some(name);
                }
            } else if is_slice(name) {
                self.slice = Some(name);
            }
        }
    }

    /// Below a user's own service manager, where the user makes the directories.
    fn is_users_own(&self) -> bool {
        self.outer_unit.is_some_and(is_users_manager)
    }

    fn finish(self, path: &'a str) -> PathReading<'a> {
        let unit = match (self.outer_unit, self.inner_unit) {
            (Some(outer), Some(inner)) => Some(Cow::Owned(format!("{outer}/{inner}"))),
            (outer, _) => outer.map(Cow::Borrowed),
        };
        PathReading {
            slice: if unit.is_some() {
                self.unit_slice
            } else {
                self.slice
            },
            unit,
            container: self.container,
            pod_uid: self.pod_uid,
            principal: self.principal.map_or(path, |last| down_to(path, last)),
        }
    }
}

/// A path down to a segment that is a part of it.
fn down_to<'a>(path: &'a str, segment: &'a str) -> &'a str {
    let end = segment.as_ptr().addr() + segment.len() - path.as_ptr().addr();
    path.get(..end).unwrap_or(path)
}

/// A pod's directory; in the colon form its container is in the same name.
fn pod(segment: &str) -> Option<(Cow<'_, str>, Option<ContainerId<'_>>)> {
    let mut parts = segment.splitn(3, ':');
    let (name, runtime, id) = (parts.next()?, parts.next(), parts.next());
    let uid = match name.strip_suffix(".slice") {
        Some(slice) => slice.rsplit_once("-pod")?.1,
        None => name.strip_prefix("pod")?,
    };
    let uid = pod_uid(uid)?;
    match (runtime, id) {
        (None, _) => Some((uid, None)),
        (Some(runtime), Some(id)) if is_id(id) => Some((
            uid,
            Some(ContainerId {
                id,
                runtime: runtime_of(runtime),
            }),
        )),
        _ => None,
    }
}

/// A UUID, with `_` for `-` where systemd forbids that, or a static pod's hash.
fn pod_uid(text: &str) -> Option<Cow<'_, str>> {
    let bytes = text.as_bytes();
    if bytes.len() == HASH_DIGITS && is_hex(bytes) {
        return Some(text.into());
    }
    // 8-4-4-4-12.
    let well_formed = bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => matches!(byte, b'-' | b'_'),
            _ => byte.is_ascii_hexdigit(),
        });
    well_formed.then(|| {
        if text.contains('_') {
            text.replace('_', "-").into()
        } else {
            text.into()
        }
    })
}

fn container<'a>(segment: &'a str, parent: &str) -> Option<ContainerId<'a>> {
    if is_id(segment) {
        let runtime = match parent {
            "docker" => Some("docker"),
            CRI_NAMESPACE => Some("containerd"),
            _ => None,
        };
        return Some(ContainerId { id: segment, runtime });
    }
    // `system.slice:docker:<id>`: a runtime with another driver than it was told.
    if let Some((rest, id)) = segment.rsplit_once(':') {
        let runtime = rest.rsplit_once(':')?.1;
        return is_id(id).then(|| ContainerId {
            id,
            runtime: runtime_of(runtime),
        });
    }
    let name = segment.strip_suffix(".scope").unwrap_or(segment);
    if let Some((prefix, id)) = name.rsplit_once('-')
        && is_id(id)
    {
        // The container's monitor has the container's id in its name, and is not in it.
        let is_monitor = prefix.ends_with("conmon");
        return (!is_monitor).then(|| ContainerId {
            id,
            runtime: runtime_of(prefix),
        });
    }
    let is_named = parent == CRI_NAMESPACE
        && segment
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    is_named.then_some(ContainerId {
        id: segment,
        runtime: Some("containerd"),
    })
}

fn runtime_of(prefix: &str) -> Option<&'static str> {
    match prefix {
        "docker" => Some("docker"),
        "cri-containerd" | "nerdctl" => Some("containerd"),
        "crio" => Some("cri-o"),
        "libpod" | "libpod-payload" => Some("podman"),
        _ => None,
    }
}

fn is_id(text: &str) -> bool {
    text.len() == ID_DIGITS && is_hex(text.as_bytes())
}

fn is_hex(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_hexdigit)
}

/// systemd puts `_` before a unit's name that the kernel could take for one of its own files; escapes such as `\x2d` are
/// part of the unit's name, as `systemctl` shows it.
fn unescape(segment: &str) -> &str {
    segment.strip_prefix('_').unwrap_or(segment)
}

/// The units that have processes: systemd.unit(5).
fn is_unit(name: &str) -> bool {
    [".service", ".scope", ".socket", ".mount", ".swap"]
        .into_iter()
        .any(|suffix| name.len() > suffix.len() && name.ends_with(suffix))
}

fn is_slice(name: &str) -> bool {
    name.len() > ".slice".len() && name.ends_with(".slice")
}

#[cfg(test)]
mod tests;
