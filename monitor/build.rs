//! Puts the kernel object, when it has been built, where the library can embed it; an empty file otherwise, so that
//! `cargo build` of the agent needs nothing but stable Rust.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Where `cargo xtask build` leaves the object, below the target directory.
const OBJECT: &str = "bpf/weir.bpf.o";

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets no OUT_DIR"))?);
    let embedded = out.join("weir.bpf.o");
    let Some(object) = target_directory(&out).map(|target| target.join(OBJECT)) else {
        return fs::write(embedded, []);
    };
    // The folder is made and watched even when it is empty: cargo takes a missing path for a change in every build.
    if let Some(folder) = object.parent() {
        fs::create_dir_all(folder)?;
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    if object.exists() {
        fs::copy(&object, embedded).map(|_| ())
    } else {
        fs::write(embedded, [])
    }
}

/// The target directory above `OUT_DIR`, which is `TARGET_DIR/[TRIPLE/]PROFILE/build/PACKAGE/out`.
fn target_directory(out: &Path) -> Option<PathBuf> {
    let folder = out.ancestors().nth(4)?;
    let for_a_target = folder.file_name() == env::var_os("TARGET").as_deref();
    if for_a_target {
        folder.parent()
    } else {
        Some(folder)
    }
    .map(Path::to_path_buf)
}
