//! The archive that the kernel unpacks into memory as its first file system: cpio in the `newc` format
//! (Documentation/driver-api/early-userspace/buffer-format.rst).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::Command;

use crate::step::{Failure, capture};

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
/// The name of the entry that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// Files by their paths, directories before what is in them.
#[derive(Debug, Default)]
pub(super) struct Archive {
    entries: BTreeMap<String, (u32, Vec<u8>)>,
}

impl Archive {
    /// An empty directory, and those it is in.
    pub(super) fn directory(&mut self, path: &str) {
        let mut whole = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if !whole.is_empty() {
                whole.push('/');
            }
            whole.push_str(part);
            self.entries
                .entry(whole.clone())
                .or_insert((DIRECTORY | 0o755, Vec::new()));
        }
    }

    /// A file, and the directories it is in.
    pub(super) fn file(&mut self, path: &str, bytes: &[u8], mode: u32) {
        let path = path.trim_start_matches('/');
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.directory(parent);
        }
        self.entries
            .insert(path.to_owned(), (REGULAR | mode, bytes.to_vec()));
    }

    /// A program of this machine, with the libraries that it is linked to.
    pub(super) fn program(&mut self, path: &str, program: &Path) -> Result<(), Failure> {
        self.copy(path, program)?;
        // Fails for a program that is linked to none.
        let Ok(libraries) = capture(Command::new("ldd").arg(program)) else {
            return Ok(());
        };
        for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
            if !self.entries.contains_key(library.trim_start_matches('/')) {
                self.copy(library, Path::new(library))?;
            }
        }
        Ok(())
    }

    fn copy(&mut self, path: &str, from: &Path) -> Result<(), Failure> {
        let bytes = fs::read(from).map_err(|error| Failure::new(format!("{}: {error}", from.display())))?;
        self.file(path, &bytes, 0o755);
        Ok(())
    }

    /// Writes the archive.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        for (index, (name, (mode, bytes))) in (1_u32..).zip(&self.entries) {
            entry(&mut out, index, name, *mode, bytes)?;
        }
        entry(&mut out, 0, TRAILER, 0, &[])?;
        out.flush()
    }
}

/// One entry: a head of thirteen hexadecimal numbers, the name, the bytes, the last two padded to four bytes.
fn entry(out: &mut impl Write, inode: u32, name: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
    const HEAD_BYTES: usize = 110;
    let too_large = |_| io::Error::new(io::ErrorKind::InvalidInput, format!("{name} is too large"));
    let size = u32::try_from(bytes.len()).map_err(too_large)?;
    let name_size = u32::try_from(name.len() + 1).map_err(too_large)?;
    write!(
        out,
        "070701{inode:08x}{mode:08x}{:08x}{:08x}{:08x}{:08x}{size:08x}",
        0, 0, 1, 0
    )?;
    write!(
        out,
        "{:08x}{:08x}{:08x}{:08x}{name_size:08x}{:08x}{name}\0",
        0, 0, 0, 0, 0
    )?;
    pad(out, HEAD_BYTES + name.len() + 1)?;
    out.write_all(bytes)?;
    pad(out, bytes.len())
}

fn pad(out: &mut impl Write, written: usize) -> io::Result<()> {
    out.write_all(&[0; 3][..written.next_multiple_of(4) - written])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_the_published_layout() {
        let mut out = Vec::new();
        entry(&mut out, 1, "a", REGULAR | 0o644, b"hello").unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.len(), 112 + 8);
        assert!(text.starts_with("07070100000001000081a4"));
        assert_eq!(&text[54..62], "00000005");
        assert_eq!(&text[94..102], "00000002");
        assert_eq!(&text[110..], "a\0hello\0\0\0");
    }

    #[test]
    fn directories_come_before_what_is_in_them() {
        let mut archive = Archive::default();
        archive.file("/usr/bin/x", b"", 0o755);
        let names: Vec<_> = archive.entries.keys().map(String::as_str).collect();
        assert_eq!(names, ["usr", "usr/bin", "usr/bin/x"]);
    }
}
