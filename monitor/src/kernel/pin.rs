//! Programs and maps that stay when the agent ends: pinned on a bpf file system, below a directory of their own for each
//! version of the layouts.
//!
//! ```text
//!   node.pin_dir/v<ABI_VERSION>/links/<program>   what keeps a program attached
//!   node.pin_dir/v<ABI_VERSION>/maps/<MAP>        what the programs and the next agent share
//! ```

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use aya::maps::MapInfo;
use aya_obj::{EbpfSectionKind, Object};
use monitor_common::ABI_VERSION;

use super::KernelError;
use super::link::Link;

/// Where a bpf file system is mounted if none is yet.
const MOUNT: &str = "/sys/fs/bpf";
/// `linux/magic.h`.
const BPF_FS_MAGIC: i64 = 0xcafe_4a11;
/// The maps that hold nothing between two runs of a program.
const SCRATCH: &str = "_SCRATCH";
/// The prefix of a version's directory.
const VERSION: &str = "v";

/// The pins of one version.
#[derive(Debug)]
pub(super) struct Pins {
    root: PathBuf,
    version: PathBuf,
}

impl Pins {
    /// Makes the directories below `root`, which must lie on a bpf file system. One is mounted at its usual place where there is
    /// none yet.
    pub(super) fn prepare(root: &Path) -> Result<Self, KernelError> {
        let failed = |action: &'static str, path: &Path| {
            let path = path.to_path_buf();
            move |source| KernelError::Pins { action, path, source }
        };
        if root.starts_with(MOUNT) && !is_bpf_fs(Path::new(MOUNT)) {
            mount().map_err(failed("mount a bpf file system at", Path::new(MOUNT)))?;
        }
        let version = version_dir(root);
        let make = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
        make(root).map_err(failed("create", root))?;
        if !is_bpf_fs(root) {
            return Err(KernelError::NoBpfFs {
                path: root.to_path_buf(),
            });
        }
        for folder in ["maps", "links"] {
            let path = version.join(folder);
            make(&path).map_err(failed("create", &path))?;
        }
        Ok(Self {
            root: root.to_path_buf(),
            version,
        })
    }

    /// Whether an earlier agent's maps are here.
    pub(super) fn are_inherited(&self) -> bool {
        entries(&self.version.join("maps")).next().is_some()
    }

    /// The maps of the object that are pinned, each with its path. Those that are there are checked to be what the object
    /// wants: aya takes any map that has the name.
    pub(super) fn maps(&self, object: &[u8]) -> Result<Vec<(String, PathBuf)>, KernelError> {
        let object = Object::parse(object).map_err(|source| KernelError::Object(Box::new(source)))?;
        let mut maps = Vec::new();
        for (name, map) in object.maps {
            let holds_data = matches!(
                map.section_kind(),
                EbpfSectionKind::Data | EbpfSectionKind::Rodata | EbpfSectionKind::Bss
            );
            if holds_data || name.ends_with(SCRATCH) {
                continue;
            }
            let path = self.version.join("maps").join(&name);
            if path.exists() {
                let found = MapInfo::from_pin(&path).map_err(|source| KernelError::Pinned {
                    path: path.clone(),
                    remedy: self.version.clone(),
                    why: source.to_string(),
                })?;
                let wanted = (
                    map.map_type(),
                    map.key_size(),
                    map.value_size(),
                    map.max_entries(),
                );
                let found = (
                    found.map_type().map_or(0, |kind| kind as u32),
                    found.key_size(),
                    found.value_size(),
                    found.max_entries(),
                );
                if found != wanted {
                    return Err(KernelError::Pinned {
                        path,
                        remedy: self.version.clone(),
                        why: format!(
                            "it is of another layout: type, key, value and entries are {found:?}, not {wanted:?}"
                        ),
                    });
                }
            }
            maps.push((name, path));
        }
        Ok(maps)
    }

    /// The link of a program, if one is pinned.
    pub(super) fn link(&self, program: &str) -> io::Result<Option<Link>> {
        Link::open(&self.link_path(program))
    }

    /// Where a program's link is pinned.
    pub(super) fn link_path(&self, program: &str) -> PathBuf {
        self.version.join("links").join(program)
    }

    /// Where a new link is pinned before it takes the place of the one before.
    pub(super) fn draft_path(&self, program: &str) -> PathBuf {
        // A bpf file system allows no dots in names.
        self.version.join("links").join(format!("{program}-new"))
    }

    /// Removes what other versions left, once this version's programs run. Returns the directories removed.
    pub(super) fn remove_other_versions(&self) -> Result<Vec<PathBuf>, KernelError> {
        let others: Vec<PathBuf> = versions(&self.root)
            .into_iter()
            .filter(|version| *version != self.version)
            .collect();
        others.iter().try_for_each(|version| remove_version(version))?;
        Ok(others)
    }

    /// Removes this version's pins: the programs are detached and the maps go with their last user.
    pub(super) fn remove(&self) -> Result<(), KernelError> {
        remove_version(&self.version)
    }
}

/// Where the row of this version's agent is pinned.
pub(super) fn agent_row(root: &Path) -> PathBuf {
    version_dir(root).join("maps").join("AGENT")
}

/// The directories of all versions below `root`.
pub(super) fn versions(root: &Path) -> Vec<PathBuf> {
    let is_version = |name: &str| {
        name.strip_prefix(VERSION)
            .is_some_and(|number| number.parse::<u32>().is_ok())
    };
    entries(root)
        .filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(is_version)
        })
        .collect()
}

/// Removes a version's pins, those that redirect connections first, so that none is sent to what is already gone.
pub(super) fn remove_version(version: &Path) -> Result<(), KernelError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| KernelError::Pins {
            action: "remove",
            path,
            source,
        }
    };
    let mut links: Vec<PathBuf> = entries(&version.join("links")).collect();
    links.sort_by_key(|path| {
        let redirects = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with("redirect"));
        !redirects
    });
    for path in &links {
        if let Some(link) = Link::open(path).map_err(failed(path))? {
            link.detach().map_err(failed(path))?;
        }
    }
    for path in links.into_iter().chain(entries(&version.join("maps"))) {
        absent_is_fine(fs::remove_file(&path)).map_err(failed(&path))?;
    }
    for folder in [version.join("links"), version.join("maps"), version.to_path_buf()] {
        absent_is_fine(fs::remove_dir(&folder)).map_err(failed(&folder))?;
    }
    Ok(())
}

fn version_dir(root: &Path) -> PathBuf {
    root.join(format!("{VERSION}{ABI_VERSION}"))
}

fn absent_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// What is in a directory; nothing where there is none.
fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
}

#[expect(
    unsafe_code,
    reason = "fstatfs(2) has no safe wrapper in the standard library"
)]
fn is_bpf_fs(path: &Path) -> bool {
    let Ok(directory) = File::open(path) else {
        return false;
    };
    // SAFETY: plain numbers, for which zero is a value.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: an open descriptor and a structure of ours.
    let outcome = unsafe { libc::fstatfs(directory.as_raw_fd(), &raw mut found) };
    outcome == 0 && found.f_type == BPF_FS_MAGIC
}

/// Mounts a bpf file system at its usual place, as systemd does at boot. A lock on the directory keeps two agents that start at
/// once from mounting one over the other.
#[expect(unsafe_code, reason = "mount(2) has no safe wrapper in the standard library")]
fn mount() -> io::Result<()> {
    let place = File::open(MOUNT)?;
    place.lock()?;
    if is_bpf_fs(Path::new(MOUNT)) {
        return Ok(());
    }
    let target = std::ffi::CString::new(MOUNT)?;
    // SAFETY: three NUL-terminated texts that live through the call, and no data.
    let outcome = unsafe {
        libc::mount(
            c"bpf".as_ptr(),
            target.as_ptr(),
            c"bpf".as_ptr(),
            libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC,
            std::ptr::null(),
        )
    };
    if outcome != 0 {
        return Err(io::Error::last_os_error());
    }
    tracing::info!(path = MOUNT, "mounted a bpf file system");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_of_versions_are_taken_for_pins() {
        let root = tempfile::tempdir().unwrap();
        for name in ["v1", "v22", "v", "vx", "other"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let mut found = versions(root.path());
        found.sort();
        assert_eq!(found, [root.path().join("v1"), root.path().join("v22")]);
    }

    #[test]
    fn a_version_is_removed_whole_and_twice() {
        let root = tempfile::tempdir().unwrap();
        let version = root.path().join("v1");
        for folder in ["links", "maps"] {
            fs::create_dir_all(version.join(folder)).unwrap();
        }
        fs::write(version.join("maps/x"), "").unwrap();
        remove_version(&version).unwrap();
        assert!(!version.exists());
        remove_version(&version).unwrap();
    }

    #[test]
    fn an_ordinary_directory_is_no_bpf_file_system() {
        let root = tempfile::tempdir().unwrap();
        assert!(!is_bpf_fs(root.path()));
        assert!(matches!(
            Pins::prepare(root.path()),
            Err(KernelError::NoBpfFs { .. })
        ));
    }
}
