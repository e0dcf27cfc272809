//! The digests of files, worked out on a thread of their own.
//!
//! A file is known by what changes when its content does, not by its path. Asking for a digest costs a look into a table; one
//! that is not there yet is queued, and the cell that was handed out is filled when it is.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use aws_lc_rs::digest::{Context, SHA256};
use lru::LruCache;
use parking_lot::Mutex;

use super::{ExeHash, Sha256};

/// Files whose digests are remembered: a node runs some hundred different executables. The one not asked for longest makes
/// room.
const MAX_KNOWN: NonZeroUsize = match NonZeroUsize::new(4_096) {
    Some(bound) => bound,
    None => NonZeroUsize::MIN,
};
/// Files that wait for the thread, each of them open. One that finds no room is queued by the next connection that asks.
const MAX_QUEUED: usize = 256;
/// Bytes that are read at once: large enough that the calls cost nothing beside the digest.
const READ_BYTES: usize = 256 * 1024;

/// What tells one content of a file from another: the last two times change with every write, and the second cannot be set
/// back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::identity) struct FileKey {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileKey {
    pub(in crate::identity) fn of(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            bytes: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

/// The files that were asked for.
#[derive(Debug)]
pub(in crate::identity) struct Files {
    limit_bytes: u64,
    known: Arc<Mutex<LruCache<FileKey, Known>>>,
    queue: Option<SyncSender<Job>>,
}

#[derive(Debug)]
struct Known {
    hash: ExeHash,
    /// It waits for the thread, or the thread is at it.
    queued: bool,
}

#[derive(Debug)]
struct Job {
    file: File,
    key: FileKey,
    hash: ExeHash,
}

impl Files {
    /// Starts the thread; it ends when this is dropped. Files over `limit_bytes` get no digest.
    pub(in crate::identity) fn new(limit_bytes: u64) -> Self {
        let known = Arc::new(Mutex::new(LruCache::new(MAX_KNOWN)));
        let (queue, jobs) = sync_channel(MAX_QUEUED);
        let thread = {
            let known = Arc::clone(&known);
            std::thread::Builder::new()
                .name("hash".into())
                .spawn(move || work(&jobs, &known))
        };
        let queue = match thread {
            Ok(_) => Some(queue),
            Err(error) => {
                tracing::error!(%error, "no thread for the digests of executables; records will have none");
                None
            }
        };
        Self {
            limit_bytes,
            known,
            queue,
        }
    }

    /// The digest of an open file, now or later.
    pub(in crate::identity) fn hash(&self, file: File) -> ExeHash {
        let Ok(metadata) = file.metadata() else {
            return ExeHash::default();
        };
        if !metadata.is_file() || metadata.len() > self.limit_bytes {
            return ExeHash::default();
        }
        let key = FileKey::of(&metadata);
        let mut table = self.known.lock();
        let known = table.get_or_insert_mut(key, || Known {
            hash: ExeHash::default(),
            queued: false,
        });
        let hash = known.hash.clone();
        if !known.queued
            && hash.get().is_none()
            && let Some(queue) = &self.queue
        {
            let job = Job {
                file,
                key,
                hash: hash.clone(),
            };
            // A full queue leaves it for the next one who asks.
            known.queued = queue.try_send(job).is_ok();
        }
        hash
    }
}

fn work(jobs: &Receiver<Job>, known: &Mutex<LruCache<FileKey, Known>>) {
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(Job { mut file, key, hash }) = jobs.recv() {
        let digest = match digest(&mut file, &key, &mut buffer) {
            Ok(digest) => digest,
            Err(error) => {
                tracing::debug!(%error, "an executable cannot be read for its digest");
                None
            }
        };
        if let Some(digest) = digest {
            hash.fill(digest);
        }
        if let Some(known) = known.lock().peek_mut(&key) {
            known.queued = false;
        }
    }
}

/// `None` when the file was changed meanwhile: then its digest is of no content it ever had.
fn digest(file: &mut File, key: &FileKey, buffer: &mut [u8]) -> io::Result<Option<Sha256>> {
    let mut context = Context::new(&SHA256);
    loop {
        let read = file.read(buffer)?;
        if read == 0 {
            break;
        }
        context.update(buffer.get(..read).unwrap_or_default());
    }
    let unchanged = FileKey::of(&file.metadata()?) == *key;
    let bytes = context.finish().as_ref().try_into().ok();
    Ok(bytes.filter(|_| unchanged).map(Sha256::from_bytes))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};
    use std::{fs, thread};

    use super::*;

    fn wait(hash: &ExeHash) -> Sha256 {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(digest) = hash.get() {
                return digest;
            }
            assert!(Instant::now() < deadline, "the digest is worked out");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_content_is_digested_once_and_a_new_content_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::write(&path, "").unwrap();
        let files = Files::new(1 << 20);
        let empty = files.hash(File::open(&path).unwrap());
        assert_eq!(
            wait(&empty).to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        // At once, from the table.
        assert_eq!(files.hash(File::open(&path).unwrap()).get(), empty.get());
        fs::write(&path, "abc").unwrap();
        let abc = files.hash(File::open(&path).unwrap());
        assert_eq!(
            wait(&abc).to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_ne!(abc, empty);
    }

    #[test]
    fn what_is_no_file_or_over_the_limit_has_no_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::write(&path, "four").unwrap();
        let files = Files::new(3);
        files.hash(File::open(&path).unwrap());
        files.hash(File::open(folder.path()).unwrap());
        assert!(files.known.lock().is_empty());
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_has_no_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::write(&path, "before").unwrap();
        let mut file = File::open(&path).unwrap();
        let key = FileKey::of(&file.metadata().unwrap());
        fs::write(&path, "after, and longer").unwrap();
        assert_eq!(digest(&mut file, &key, &mut [0; 64]).unwrap(), None);
    }
}
