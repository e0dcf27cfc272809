//! Where cgroup2 is mounted. Never assumed: it is `/sys/fs/cgroup` on most systems, `/sys/fs/cgroup/unified` where the
//! first version is in use beside it, and anywhere in a container.

use std::fs;
use std::path::{Path, PathBuf};

use super::KernelError;

/// The mount point of the cgroup2 file system, from this process's mount table. Of several, one that shows the whole
/// hierarchy is preferred to one that shows a part of it.
///
/// # Errors
///
/// When the mount table cannot be read or has no cgroup2.
pub fn find_cgroup2_mount() -> Result<PathBuf, KernelError> {
    let path = Path::new("/proc/self/mountinfo");
    let mounts = fs::read_to_string(path).map_err(|source| KernelError::Mounts {
        path: path.to_path_buf(),
        source,
    })?;
    cgroup2_mount(&mounts).ok_or(KernelError::NoCgroup2)
}

/// `mountinfo` as in proc_pid_mountinfo(5): id, parent, device, root, mount point, options, optional fields, `-`, type.
fn cgroup2_mount(mounts: &str) -> Option<PathBuf> {
    let mut part = None;
    for line in mounts.lines() {
        let Some((head, tail)) = line.split_once(" - ") else {
            continue;
        };
        if tail.split(' ').next() != Some("cgroup2") {
            continue;
        }
        let mut fields = head.split(' ').skip(3);
        let (Some(root), Some(mount)) = (fields.next(), fields.next()) else {
            continue;
        };
        let mount = PathBuf::from(unescape(mount));
        if root == "/" {
            return Some(mount);
        }
        part.get_or_insert(mount);
    }
    part
}

/// Blanks, tabs, line feeds and backslashes are written as a backslash and three octal digits.
fn unescape(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut rest = field;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let code = after
            .get(..3)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                text.push(char::from(code));
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                text.push('\\');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hybrid_layout_is_understood() {
        let mounts = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
                      32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:7 - cgroup2 cgroup2 rw\n";
        assert_eq!(
            cgroup2_mount(mounts),
            Some(PathBuf::from("/sys/fs/cgroup/unified"))
        );
    }

    #[test]
    fn the_whole_hierarchy_is_preferred() {
        let mounts = "50 1 0:38 /kubepods /mnt/part rw - cgroup2 cgroup2 rw\n\
                      51 1 0:38 / /mnt/the\\040whole rw - cgroup2 cgroup2 rw\n";
        assert_eq!(cgroup2_mount(mounts), Some(PathBuf::from("/mnt/the whole")));
        assert_eq!(
            cgroup2_mount(mounts.lines().next().unwrap()),
            Some(PathBuf::from("/mnt/part"))
        );
    }

    #[test]
    fn none_is_none() {
        assert_eq!(
            cgroup2_mount("22 27 0:21 / /proc rw,relatime - proc proc rw\n"),
            None
        );
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescape("/a\\040b\\134c"), "/a b\\c");
        assert_eq!(unescape("/a\\9"), "/a\\9");
    }
}
