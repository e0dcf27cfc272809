//! The kernel object: embedded by the build script, or beside the binary.

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;

use super::KernelError;

/// Empty when the object had not been built yet.
static EMBEDDED: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/weir.bpf.o"));

/// The name of the object beside the binary.
const BESIDE: &str = "weir.bpf.o";

pub(super) fn find() -> Result<Cow<'static, [u8]>, KernelError> {
    if !EMBEDDED.is_empty() {
        return Ok(Cow::Borrowed(EMBEDDED));
    }
    let path = std::env::current_exe()
        .ok()
        .and_then(|binary| binary.parent().map(|folder| folder.join(BESIDE)))
        .unwrap_or_else(|| PathBuf::from(BESIDE));
    match fs::read(&path) {
        Ok(object) => Ok(Cow::Owned(object)),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Err(KernelError::NoObject { path }),
        Err(source) => Err(KernelError::ReadObject { path, source }),
    }
}
