//! The root file system of the lab's containers: a shell and curl with the libraries it needs, copied from this
//! machine. Nothing comes from a registry.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::GATE;
use crate::lab::Lab;

/// Applets that the containers' scripts use.
const APPLETS: [&str; 3] = ["sh", "sleep", "cat"];

/// Makes the file system once for each lab and returns its directory.
pub(super) fn rootfs(lab: &Lab) -> Result<PathBuf> {
    let root = lab.dir().join("rootfs");
    if root.exists() {
        return Ok(root);
    }
    for dir in [
        "bin",
        "etc",
        "proc",
        "sys",
        "dev",
        "tmp",
        "run",
        GATE.trim_start_matches('/'),
    ] {
        fs::create_dir_all(root.join(dir))?;
    }
    for program in ["busybox", "curl"] {
        let program = found(program)?;
        copy(
            &program,
            &root.join("bin").join(program.file_name().context("no name")?),
        )?;
        for library in libraries(&program)? {
            copy(&library, &root.join(library.strip_prefix("/")?))?;
        }
    }
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    fs::copy(lab.resolv_conf(), root.join("etc/resolv.conf"))?;
    Ok(root)
}

fn found(program: &str) -> Result<PathBuf> {
    ["/usr/bin", "/bin"]
        .map(|dir| Path::new(dir).join(program))
        .into_iter()
        .find(|path| path.is_file())
        .with_context(|| format!("{program} is not installed; `cargo xtask test` installs it"))
}

/// The shared libraries of a program, its loader included; none for a static one, of which `ldd` says so and fails.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("running ldd")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success()
            || String::from_utf8_lossy(&output.stderr).contains("not a dynamic executable"),
        "ldd {}: {}",
        program.display(),
        output.status
    );
    Ok(said
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(from, to).with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
    Ok(())
}
