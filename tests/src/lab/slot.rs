//! Slots: the number that keeps two labs on one machine apart, and the way back from one that was killed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::mount::{MntFlags, umount2};

use super::{cgroup, netns, pins};

/// Where slots are kept. A tmpfs on every distribution, so that a reboot frees them all.
pub(super) const SLOTS_DIR: &str = "/run/weir-lab";

/// Labs that can run at once: the third byte of their addresses, far fewer than it could hold.
const SLOT_COUNT: u8 = 32;

/// A slot held by this process. The kernel drops the lock when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Slot {
    number: u8,
    dir: PathBuf,
    _lock: File,
}

impl Slot {
    /// Takes the first free slot and removes what a dead lab left in any slot.
    pub(crate) fn take() -> Result<Self> {
        fs::create_dir_all(SLOTS_DIR)
            .with_context(|| format!("creating {SLOTS_DIR} (the lab needs root)"))?;
        let mut taken = None;
        for number in 0..SLOT_COUNT {
            let lock_path = Path::new(SLOTS_DIR).join(format!("{number}.lock"));
            let known = lock_path.exists();
            if !known && taken.is_some() {
                continue;
            }
            let lock = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&lock_path)
                .with_context(|| format!("opening {}", lock_path.display()))?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(error).context("locking a lab slot"),
            }
            if known {
                remove(number)?;
            }
            if taken.is_none() {
                let dir = slot_dir(number);
                fs::create_dir_all(&dir)?;
                fs::set_permissions(&dir, fs::Permissions::from_mode(0o755))?;
                taken = Some(Self {
                    number,
                    dir,
                    _lock: lock,
                });
            } else {
                // The lock file goes last, while it is still held: nobody can take the slot in between.
                fs::remove_file(&lock_path)?;
            }
        }
        match taken {
            Some(slot) => Ok(slot),
            None => bail!("all {SLOT_COUNT} lab slots are in use; end one of the running labs"),
        }
    }

    /// The slot's number.
    pub(crate) fn number(&self) -> u8 {
        self.number
    }

    /// The prefix of everything this lab makes.
    pub(crate) fn name(&self) -> String {
        slot_name(self.number)
    }

    /// The name of the cgroup that no agent attaches to.
    pub(crate) fn outside_name(&self) -> String {
        outside_name(self.number)
    }

    /// The lab's own directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Err(error) = remove(self.number) {
            crate::screen::warn(&format!("removing lab {}: {error:#}", self.number));
        }
    }
}

fn slot_name(number: u8) -> String {
    format!("weir-lab-{number}")
}

fn outside_name(number: u8) -> String {
    format!("{}-outside", slot_name(number))
}

fn slot_dir(number: u8) -> PathBuf {
    Path::new(SLOTS_DIR).join(number.to_string())
}

/// Removes all that carries the slot's name. Processes first: they hold the rest.
fn remove(number: u8) -> Result<()> {
    let name = slot_name(number);
    cgroup::remove(&name)?;
    cgroup::remove(&outside_name(number))?;
    netns::remove_all(&name, number)?;
    pins::remove_all(&name)?;
    let dir = slot_dir(number);
    unmount_below(&dir)?;
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", dir.display()))
        }
        _ => Ok(()),
    }
}

fn unmount_below(dir: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let below = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|target| Path::new(target).starts_with(dir));
    for target in below {
        umount2(target, MntFlags::MNT_DETACH).with_context(|| format!("unmounting {target}"))?;
    }
    Ok(())
}
