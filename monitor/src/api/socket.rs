//! The Unix socket's file: bound by one agent at a time, replaced when stale, removed at the end.

use std::fs::{File, Permissions, TryLockError};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use super::ApiError;

/// Mode of a run directory that the agent makes: anyone may look, because users other than root may be given the API.
const DIRECTORY_MODE: u32 = 0o755;
/// Mode of the socket while only root and the agent's own user may use it.
const OWN_MODE: u32 = 0o600;
/// Mode of the socket when the configuration names other users: every user may connect, and the peer check decides.
const SHARED_MODE: u32 = 0o666;

/// A bound socket. Dropping it removes the file and gives up the lock.
#[derive(Debug)]
pub(super) struct BoundSocket {
    path: PathBuf,
    /// Held while the agent lives; the kernel gives it up however the agent ends.
    _lock: File,
}

impl BoundSocket {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for BoundSocket {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the local API's socket");
        }
    }
}

/// Binds the socket; `shared` when users other than root and the agent's own may use it.
pub(super) fn bind(path: &Path, shared: bool) -> Result<(BoundSocket, UnixListener), ApiError> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| ApiError::Socket { action, path, source }
    };
    let directory = path.parent().unwrap_or(Path::new("/"));
    if !directory.exists() {
        std::fs::create_dir_all(directory).map_err(failed("create", directory))?;
        std::fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE))
            .map_err(failed("set the mode of", directory))?;
    }
    let lock_path = path.with_extension("lock");
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(failed("open", &lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(ApiError::AlreadyRunning { lock: lock_path }),
        Err(TryLockError::Error(source)) => return Err(failed("lock", &lock_path)(source)),
    }
    // With the lock held, a socket that is there was left by an agent that is gone.
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(ApiError::InTheWay {
                path: path.to_owned(),
            });
        }
        Ok(_) | Err(_) => {}
    }
    // Bound under another name and renamed, so that the socket never has its name with a wider mode than it should.
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(failed("remove", &new)(error));
        }
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&new).map_err(failed("bind", &new))?;
    let mode = if shared { SHARED_MODE } else { OWN_MODE };
    std::fs::set_permissions(&new, Permissions::from_mode(mode)).map_err(failed("set the mode of", &new))?;
    std::fs::rename(&new, path).map_err(failed("put in place", path))?;
    Ok((
        BoundSocket {
            path: path.to_owned(),
            _lock: lock,
        },
        listener,
    ))
}
