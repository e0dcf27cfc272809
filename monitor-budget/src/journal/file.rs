//! Journal files: creating, appending, reading, removing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::LedgerError;
use crate::journal::first;
use crate::journal::record::{self, Frame};

/// Length at which a checkpoint starts a new file: some 100,000 records, replayed in a few hundredths of a second.
pub(crate) const ROTATE_BYTES: u64 = 4 << 20;

/// Longest journal: reached only while the store cannot be written for long. Replaying it stays well below a second.
/// Beyond it the journal stops, as on a full disk, and the store catches up from memory when it can be written again.
const MAX_BYTES: u64 = 64 << 20;

const PREFIX: &str = "ledger.journal.";
const MAGIC: [u8; 8] = *b"weirled2";
/// Of the first format, which is still read.
const FIRST_MAGIC: [u8; 8] = *b"weirled1";
const HEADER_BYTES: usize = 64;

/// A journal file open for appending.
#[derive(Debug)]
pub(crate) struct JournalFile {
    file: File,
    path: PathBuf,
    /// Bytes of records in it.
    length: u64,
}

impl JournalFile {
    /// Makes the empty file of a generation.
    pub(crate) fn create(dir: &Path, generation: u64) -> Result<Self, LedgerError> {
        let path = path_of(dir, generation);
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path);
        let file = file.map_err(LedgerError::file("create", &path))?;
        Ok(Self {
            file,
            path,
            length: 0,
        })
    }

    /// Writes the header; records may follow. Returns what makes file and header durable, to be used before the store refers
    /// to them.
    pub(crate) fn begin(&mut self, header: &Header) -> Result<Unsynced, LedgerError> {
        let begun = self
            .file
            .write_all(&header.to_bytes())
            .and_then(|()| self.file.try_clone());
        let file = begun.map_err(LedgerError::file("write to", &self.path))?;
        Ok(Unsynced {
            file,
            path: self.path.clone(),
        })
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole frames with one write. After an error nothing must be appended any more: what was written in part
    /// is cut off, or ignored by recovery where even that fails.
    pub(crate) fn append(&mut self, frames: &[u8]) -> io::Result<()> {
        let length = self.length + frames.len() as u64;
        if length > MAX_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "the journal has reached its longest length",
            ));
        }
        if let Err(error) = self.file.write_all(frames) {
            // Best effort, see above.
            let _ = self.file.set_len(HEADER_BYTES as u64 + self.length);
            return Err(error);
        }
        self.length = length;
        Ok(())
    }
}

/// A journal file that is not on the disk yet.
#[derive(Debug)]
#[must_use = "the store must not refer to a file that a power cut may lose"]
pub(crate) struct Unsynced {
    file: File,
    path: PathBuf,
}

impl Unsynced {
    /// Waits until file, header and name are on the disk.
    pub(crate) fn sync(self, dir: &Path) -> Result<(), LedgerError> {
        self.file
            .sync_all()
            .map_err(LedgerError::file("sync", self.path))?;
        File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(LedgerError::file("sync", dir))
    }
}

/// What a journal file says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) generation: u64,
    /// Position of its first record.
    pub(crate) base_lsn: u64,
    /// The boot it was written in; zeros where the system does not tell.
    pub(crate) boot_id: [u8; 16],
    /// Follows the generation before without a gap. If not, it counts only once the store refers to it.
    pub(crate) continues: bool,
    /// Whether its records are those of the first format.
    pub(crate) first_format: bool,
}

impl Header {
    fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let magic = if self.first_format { FIRST_MAGIC } else { MAGIC };
        bytes[..8].copy_from_slice(&magic);
        bytes[8..16].copy_from_slice(&self.generation.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.base_lsn.to_le_bytes());
        bytes[24..40].copy_from_slice(&self.boot_id);
        bytes[40] = u8::from(self.continues);
        let sum = record::checksum(self.generation, &bytes[..56]);
        bytes[56..60].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn read<'a>(&self, bytes: &'a [u8]) -> Option<Frame<'a>> {
        if self.first_format {
            first::read(bytes, self.generation)
        } else {
            record::read(bytes, self.generation)
        }
    }

    fn from_bytes(bytes: &[u8], generation: u64) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let header = Self {
            generation: number(8)?,
            base_lsn: number(16)?,
            boot_id: bytes.get(24..40)?.try_into().ok()?,
            continues: *bytes.get(40)? == 1,
            first_format: bytes.starts_with(&FIRST_MAGIC),
        };
        (bytes.get(..HEADER_BYTES)? == header.to_bytes() && header.generation == generation).then_some(header)
    }
}

/// A journal file read for recovery.
#[derive(Debug)]
pub(crate) struct JournalReader {
    pub(crate) header: Header,
    path: PathBuf,
    bytes: Vec<u8>,
    at: usize,
}

impl JournalReader {
    /// Reads the file of a generation. `Ok(None)` if its header is not there: it never held a record.
    pub(crate) fn open(dir: &Path, generation: u64) -> Result<Option<Self>, LedgerError> {
        let path = path_of(dir, generation);
        let bytes = fs::read(&path).map_err(LedgerError::file("read", &path))?;
        if bytes
            .get(..HEADER_BYTES)
            .is_none_or(|header| header.iter().all(|&byte| byte == 0))
        {
            return Ok(None);
        }
        let Some(header) = Header::from_bytes(&bytes, generation) else {
            return Err(LedgerError::CorruptJournal {
                path,
                offset: 0,
                what: "its header is not one of ours",
            });
        };
        Ok(Some(Self {
            header,
            path,
            bytes,
            at: HEADER_BYTES,
        }))
    }

    /// Starts at a position instead of at the first record. A position beyond the end reads nothing: the store has more
    /// than a power cut left of the journal.
    pub(crate) fn seek(&mut self, lsn: u64) {
        let offset = usize::try_from(lsn.saturating_sub(self.header.base_lsn)).unwrap_or(usize::MAX);
        self.at = offset.saturating_add(HEADER_BYTES).min(self.bytes.len());
    }

    /// The next record and the position after it.
    pub(crate) fn next(&mut self) -> Option<(Frame<'_>, u64)> {
        let frame = self.header.read(self.bytes.get(self.at..)?)?;
        self.at += frame.frame_bytes;
        Some((frame, self.header.base_lsn + (self.at - HEADER_BYTES) as u64))
    }

    /// Position reached.
    pub(crate) fn lsn(&self) -> u64 {
        self.header.base_lsn + (self.at - HEADER_BYTES) as u64
    }

    /// Bytes beyond the last sound record, after it was read.
    ///
    /// # Errors
    /// [`LedgerError::CorruptJournal`] if sound records follow the break and the host has not gone down since they were written: a
    /// kill tears the last write only, while a power cut may lose any page not yet on disk.
    pub(crate) fn torn_bytes(&self, boot_id: [u8; 16]) -> Result<u64, LedgerError> {
        let tail = self.bytes.get(self.at..).unwrap_or_default();
        let same_boot = boot_id != [0; 16] && boot_id == self.header.boot_id;
        let sound_at = |skip: &usize| self.header.read(&tail[*skip..]).is_some();
        if same_boot && (8..tail.len()).step_by(8).any(|skip| sound_at(&skip)) {
            return Err(self.corrupt("a record is unreadable and sound ones follow it"));
        }
        Ok(tail.len() as u64)
    }

    /// The error for damage at the position reached.
    pub(crate) fn corrupt(&self, what: &'static str) -> LedgerError {
        LedgerError::CorruptJournal {
            path: self.path.clone(),
            offset: self.at as u64,
            what,
        }
    }
}

/// Where the journal of a generation is.
pub(crate) fn path_of(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("{PREFIX}{generation}"))
}

/// Generations of which there is a file, ascending.
pub(crate) fn generations(dir: &Path) -> Result<Vec<u64>, LedgerError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(LedgerError::file("list", dir))? {
        let name = entry.map_err(LedgerError::file("list", dir))?.file_name();
        found.extend(
            name.to_str()
                .and_then(|name| name.strip_prefix(PREFIX)?.parse::<u64>().ok()),
        );
    }
    found.sort_unstable();
    Ok(found)
}

/// Removes the journals of generations before `generation`, which the store contains.
pub(crate) fn remove_before(dir: &Path, generation: u64) -> Result<(), LedgerError> {
    for old in generations(dir)?.into_iter().filter(|&found| found < generation) {
        let path = path_of(dir, old);
        fs::remove_file(&path).map_err(LedgerError::file("remove", path))?;
    }
    Ok(())
}

/// This boot's id, zeros where the system does not tell.
pub(crate) fn boot_id() -> [u8; 16] {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits = text.trim().replace('-', "");
    u128::from_str_radix(&digits, 16).unwrap_or(0).to_be_bytes()
}
