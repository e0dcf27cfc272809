//! The program a process runs, shared with the children that run it too.

use std::fs::{self, File, Metadata, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::sync::{Arc, OnceLock};

use super::hash::{FileKey, Files};
use super::{ExeHash, procfs};

/// One program as it was executed.
#[derive(Debug)]
pub(super) struct Program {
    /// The executable's absolute path.
    pub(super) exe: Arc<str>,
    /// Arguments, where they are asked for.
    pub(super) command_line: Option<Arc<str>>,
    file: Option<FileKey>,
    /// Asked for by the first connection: most programs never make one.
    hash: OnceLock<ExeHash>,
}

impl Program {
    /// The program that a process runs now.
    pub(super) fn read(tgid: u32, files: &Files, command_line: bool) -> Option<Self> {
        let exe = procfs::exe(tgid)?.into();
        let file = fs::metadata(link(tgid)).ok();
        let hash = OnceLock::new();
        if file.as_ref().is_some_and(|file| file.nlink() == 0)
            && let Ok(open) = File::open(link(tgid))
        {
            // It has no name any more: it can be read only while the process is there.
            hash.get_or_init(|| files.hash(open));
        }
        let command_line = if command_line {
            procfs::command_line(tgid)
        } else {
            None
        };
        Some(Self {
            exe,
            command_line: command_line.map(Arc::from),
            file: file.as_ref().map(FileKey::of),
            hash,
        })
    }

    /// The digest of the executable, now or later. The file is that of the process while `is_running`, whatever is at its path
    /// now; after that the one at its path, if it is still the same.
    pub(super) fn hash(&self, files: &Files, tgid: u32, is_running: impl FnOnce() -> bool) -> ExeHash {
        if let Some(hash) = self.hash.get() {
            return hash.clone();
        }
        let open = File::open(link(tgid)).ok().filter(|_| is_running());
        match open.or_else(|| self.open_by_path()) {
            Some(file) => self.hash.get_or_init(|| files.hash(file)).clone(),
            None => ExeHash::default(),
        }
    }

    fn open_by_path(&self) -> Option<File> {
        let is_same = |found: &Metadata| self.file == Some(FileKey::of(found));
        // Looked at before it is opened, because opening a device can have effects, and a pipe can wait.
        fs::metadata(&*self.exe).ok().filter(is_same)?;
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(&*self.exe)
            .ok()?;
        let found = file.metadata().ok()?;
        is_same(&found).then_some(file)
    }
}

/// The link that leads to the file itself and not to its path.
fn link(tgid: u32) -> String {
    format!("/proc/{tgid}/exe")
}
