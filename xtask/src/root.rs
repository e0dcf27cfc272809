//! What only root can do, said before anything else is done.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::step::Failure;

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Fails with the way to do it right when this is not root.
pub(crate) fn require(command: &str) -> Result<(), Failure> {
    if is_root() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "`cargo xtask {command}` loads kernel programs and makes network namespaces, which needs root: sudo -E env PATH=\"$PATH\" cargo xtask {command}"
    )))
}
