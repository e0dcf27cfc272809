//! A file of JSON lines, written in batches, that outlives a full disk, a removed directory and log rotation.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use prometheus::IntCounter;

use super::{Event, native, ocsf};
use crate::config::{FileSink as Target, Format};
use crate::metrics::Metrics;

/// Bytes of records held while a sink fails: some ten thousand records. Beyond it new records are lost to this sink, and
/// counted; the older ones tell how the trouble began.
pub const MAX_HELD_BYTES: usize = 16 << 20;
/// Time between attempts while a sink fails.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Buffer kept between batches; a larger one, left from a failure, is given back.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// One file and the records that are not in it yet.
#[derive(Debug)]
pub(super) struct FileSink {
    target: Target,
    open: Option<OpenFile>,
    /// Whole lines; the first `written` bytes of the first are in the open file already.
    held: Vec<u8>,
    written: usize,
    failure: Option<Failure>,
    errors: IntCounter,
    dropped: IntCounter,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    /// Device and inode.
    identity: (u64, u64),
}

#[derive(Debug)]
struct Failure {
    retry_at: Instant,
    lost_records: u64,
}

impl FileSink {
    pub(super) fn new(target: Target, metrics: &Metrics) -> Self {
        let label = target.path.display().to_string();
        let (errors, dropped) = (
            metrics.sink_errors.with_label_values(&[&label]),
            metrics.sink_dropped.with_label_values(&[&label]),
        );
        Self {
            target,
            open: None,
            held: Vec::new(),
            written: 0,
            failure: None,
            errors,
            dropped,
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Bytes that [`flush`](Self::flush) has to write.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.len() - self.written
    }

    /// Adds the record of an event to what is held.
    pub(super) fn append(&mut self, event: &Event) {
        let before = self.held.len();
        let encoded = match self.target.format {
            Format::Native => native::encode(event, &mut self.held),
            Format::Ocsf => ocsf::encode(event, &mut self.held),
        };
        if let Err(error) = encoded {
            self.held.truncate(before);
            self.dropped.inc();
            tracing::error!(sink = %self.target.path.display(), %error, "a record could not be encoded and is lost");
        } else if self.held.len() > MAX_HELD_BYTES {
            self.held.truncate(before);
            self.dropped.inc();
            if let Some(failure) = &mut self.failure {
                failure.lost_records += 1;
            }
        }
    }

    /// Writes what is held, unless the sink failed a moment ago.
    pub(super) fn flush(&mut self, now: Instant) {
        if self.held.is_empty()
            || self
                .failure
                .as_ref()
                .is_some_and(|failure| now < failure.retry_at)
        {
            return;
        }
        match self.write_held() {
            Ok(()) => {
                if let Some(Failure { lost_records, .. }) = self.failure.take() {
                    tracing::warn!(sink = %self.target.path.display(), lost_records, "event sink works again");
                }
            }
            Err(error) => {
                self.errors.inc();
                let retry_at = now + RETRY_AFTER;
                match &mut self.failure {
                    Some(failure) => failure.retry_at = retry_at,
                    None => {
                        tracing::error!(
                            sink = %self.target.path.display(), %error, held_bytes = self.held.len(),
                            "cannot write events; they are held up to {MAX_HELD_BYTES} bytes and tried again every second: \
                             free space or restore the directory"
                        );
                        self.failure = Some(Failure {
                            retry_at,
                            lost_records: 0,
                        });
                    }
                }
            }
        }
    }

    /// Writes once more whatever the last attempt said, for the end of the agent; what cannot be written is counted as lost.
    pub(super) fn finish(&mut self, now: Instant) {
        if let Some(failure) = &mut self.failure {
            failure.retry_at = now;
        }
        self.flush(now);
        let lost = self.held.iter().filter(|&&byte| byte == b'\n').count() as u64;
        if lost > 0 {
            self.dropped.inc_by(lost);
            tracing::error!(sink = %self.target.path.display(), lost_records = lost, "records are lost with the agent's end");
            self.held.clear();
            self.written = 0;
        }
    }

    fn write_held(&mut self) -> io::Result<()> {
        self.reopen_if_moved()?;
        let Some(OpenFile { file, .. }) = &mut self.open else {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        };
        while let Some(rest) = self.held.get(self.written..).filter(|rest| !rest.is_empty()) {
            match file.write(rest) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                Ok(bytes) => {
                    self.written += bytes;
                    forget_whole_lines(&mut self.held, &mut self.written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.held.capacity() > KEPT_BUFFER_BYTES {
            self.held = Vec::new();
        }
        Ok(())
    }

    /// Opens the file where it is not open, or where another file (or none) now has its name.
    fn reopen_if_moved(&mut self) -> io::Result<()> {
        let path = &self.target.path;
        if let (Some(open), Ok(found)) = (&self.open, std::fs::metadata(path))
            && open.identity == (found.dev(), found.ino())
        {
            return Ok(());
        }
        self.open = None;
        // What was written of a line went into the other file: this one gets the line whole.
        self.written = 0;
        let file = match open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                open(path)?
            }
            other => other?,
        };
        let found = file.metadata()?;
        let mut open = OpenFile {
            file,
            identity: (found.dev(), found.ino()),
        };
        if found.is_file() {
            end_torn_line(&mut open.file)?;
        }
        self.open = Some(open);
        Ok(())
    }
}

/// Opens for appending. Records tell who did what: only the agent's user may read them.
fn open(path: &Path) -> io::Result<File> {
    // Without O_NONBLOCK, opening a FIFO that nobody reads would hang the recorder.
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
}

/// Ends the line that an agent killed in mid-write left at the end of the file, so that only that line is unreadable.
fn end_torn_line(file: &mut File) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last != [b'\n'] {
        file.write_all(b"\n")
    } else {
        Ok(())
    }
}

/// Drops the lines that are wholly written.
fn forget_whole_lines(held: &mut Vec<u8>, written: &mut usize) {
    if *written == held.len() {
        held.clear();
        *written = 0;
    } else if let Some(end) = memchr::memrchr(b'\n', held.get(..*written).unwrap_or_default()) {
        held.drain(..=end);
        *written -= end + 1;
    }
}

#[cfg(test)]
mod tests;
