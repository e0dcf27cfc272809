//! The compiler and the linker of the kernel programs: found, else installed, and checked against each other.
//!
//! The kernel programs are built with `-Z build-std=core`, which needs the sources of `core` beside the compiler, and
//! the bitcode the compiler writes can only be read by an LLVM that is not older. Stable toolchains come without
//! sources, and the newest nightly's LLVM is often newer than the one distributions package; so both are chosen
//! together, and both are pinned.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::paths::{Paths, cargo};
use crate::step::{Failure, capture, run, run_quiet_within, say};

/// The LLVM release line everything is pinned to: the one Debian's compiler and this nightly share.
const LLVM_MAJOR: u32 = 22;
/// A nightly of that line. A later one may write LLVM 23 bitcode, which LLVM 22 cannot read.
const NIGHTLY: &str = "nightly-2026-05-20";
/// How long rustup may take to fetch it before the next way is tried.
const NIGHTLY_LIMIT: Duration = Duration::from_secs(180);
/// What installs the compiler where rustup can fetch nothing.
const DEBIAN_COMPILER: [&str; 2] = ["rustc-web", "rust-web-src"];
/// What bpf-linker links against.
const DEBIAN_LLVM: [&str; 4] = ["llvm-22-dev", "libpolly-22-dev", "zlib1g-dev", "libzstd-dev"];
const LINKER_VERSION: &str = "0.13.0";

/// A compiler that has the sources of `core`.
#[derive(Debug)]
pub(crate) struct KernelCompiler {
    pub(crate) rustc: PathBuf,
    /// The cargo to call it with: a nightly's own, else the workspace's.
    pub(crate) cargo: PathBuf,
    llvm: LlvmVersion,
    name: String,
}

/// The version of an LLVM: major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct LlvmVersion(u32, u32, u32);

/// Finds the compiler and the linker, installing what is missing.
pub(crate) fn ready(paths: &Paths) -> Result<(KernelCompiler, PathBuf), Failure> {
    let compiler = compiler()?;
    let linker = linker(paths, &compiler)?;
    Ok((compiler, linker))
}

// === impl LlvmVersion ===

impl LlvmVersion {
    /// Reads the first `x.y.z` of a text such as `LLVM version: 22.1.8`.
    fn parse(text: &str) -> Option<Self> {
        text.split(|c: char| !(c.is_ascii_digit() || c == '.'))
            .find_map(|word| {
                let mut parts = word.split('.').map(str::parse);
                match (parts.next(), parts.next(), parts.next()) {
                    (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => Some(Self(major, minor, patch)),
                    _ => None,
                }
            })
    }
}

impl fmt::Display for LlvmVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

// === the compiler ===

fn compiler() -> Result<KernelCompiler, Failure> {
    if let Some(found) = installed_nightly().or_else(debian_compiler) {
        return Ok(found);
    }
    if rustup_exists() {
        say(&format!("fetching {NIGHTLY} with rust-src"));
        let mut rustup = Command::new("rustup");
        rustup.args([
            "toolchain",
            "install",
            NIGHTLY,
            "--profile",
            "minimal",
            "--component",
            "rust-src",
        ]);
        match run_quiet_within(&mut rustup, NIGHTLY_LIMIT) {
            Ok(()) => {
                if let Some(found) = installed_nightly() {
                    return Ok(found);
                }
            }
            Err(failure) => say(&format!(
                "rustup cannot fetch it ({failure}); trying the distribution's compiler"
            )),
        }
    }
    install_packages("the kernel compiler", &DEBIAN_COMPILER)?;
    debian_compiler().ok_or_else(|| {
        Failure::new(format!(
            "no compiler for the kernel programs. Install one of\n  rustup toolchain install {NIGHTLY} --component \
             rust-src\n  apt-get install {}",
            DEBIAN_COMPILER.join(" ")
        ))
    })
}

fn rustup_exists() -> bool {
    capture(Command::new("rustup").arg("--version")).is_ok()
}

/// A nightly that has `rust-src` and writes bitcode the pinned LLVM line can read.
fn installed_nightly() -> Option<KernelCompiler> {
    let listed = capture(Command::new("rustup").args(["toolchain", "list"])).ok()?;
    listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.starts_with("nightly"))
        .find_map(|name| {
            let rustc = capture(Command::new("rustup").args(["which", "--toolchain", name, "rustc"])).ok()?;
            let rustc = PathBuf::from(rustc.trim());
            let cargo = rustc.with_file_name("cargo");
            inspect(&rustc, cargo, name)
        })
}

/// Debian's `rustc-web` with `rust-web-src`, which lie in `/usr`.
fn debian_compiler() -> Option<KernelCompiler> {
    inspect(Path::new("/usr/bin/rustc"), cargo(), "the distribution's rustc")
}

fn inspect(rustc: &Path, cargo: PathBuf, name: &str) -> Option<KernelCompiler> {
    let sysroot = capture(
        Command::new(rustc)
            .env_remove("LD_LIBRARY_PATH")
            .args(["--print", "sysroot"]),
    )
    .ok()?;
    let core = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/Cargo.toml");
    if !core.exists() {
        return None;
    }
    let version = capture(Command::new(rustc).env_remove("LD_LIBRARY_PATH").arg("-vV")).ok()?;
    let llvm = LlvmVersion::parse(version.lines().find(|line| line.starts_with("LLVM version"))?)?;
    if llvm.0 > LLVM_MAJOR {
        return None;
    }
    Some(KernelCompiler {
        rustc: rustc.to_path_buf(),
        cargo,
        llvm,
        name: name.to_owned(),
    })
}

impl KernelCompiler {
    /// What a build made by it depends on.
    pub(crate) fn stamp(&self) -> String {
        format!(
            "{} LLVM {} linker {LINKER_VERSION}",
            self.rustc.display(),
            self.llvm
        )
    }
}

// === the linker ===

/// bpf-linker below the target directory, built against the pinned LLVM. A stamp beside it says which LLVM that was.
fn linker(paths: &Paths, compiler: &KernelCompiler) -> Result<PathBuf, Failure> {
    let root = paths.tools();
    let binary = root.join("bin/bpf-linker");
    let stamp = root.join("bpf-linker.stamp");
    if let Ok(recorded) = fs::read_to_string(&stamp)
        && recorded.starts_with(&format!("{LINKER_VERSION} "))
        && binary.exists()
        && let Some(llvm) = LlvmVersion::parse(recorded.trim_start_matches(LINKER_VERSION))
    {
        check_order(compiler, llvm)?;
        return Ok(binary);
    }
    let (prefix, llvm) = match llvm_for_linking() {
        Some(found) => found,
        None => {
            install_packages("LLVM 22", &DEBIAN_LLVM)?;
            llvm_for_linking().ok_or_else(|| {
                Failure::new(format!(
                    "no LLVM {LLVM_MAJOR} to build bpf-linker with. Install it, on Debian: apt-get install {}; or set \
                     LLVM_PREFIX to where it lies",
                    DEBIAN_LLVM.join(" ")
                ))
            })?
        }
    };
    check_order(compiler, llvm)?;
    say(&format!(
        "building bpf-linker {LINKER_VERSION} against LLVM {llvm} (about a minute)"
    ));
    let mut install = Command::new(cargo());
    install
        .env("LLVM_PREFIX", &prefix)
        .args([
            "install",
            "bpf-linker",
            "--version",
            LINKER_VERSION,
            "--locked",
            "--quiet",
            "--force",
        ])
        .args(["--no-default-features", "--features", "llvm-22", "--root"])
        .arg(&root);
    run(&mut install)?;
    fs::write(&stamp, format!("{LINKER_VERSION} LLVM {llvm}\n"))
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", stamp.display())))?;
    Ok(binary)
}

fn check_order(compiler: &KernelCompiler, linker: LlvmVersion) -> Result<(), Failure> {
    if linker >= compiler.llvm {
        return Ok(());
    }
    Err(Failure::new(format!(
        "bpf-linker's LLVM {linker} is older than the LLVM {} of {}, and cannot read what it writes. Update LLVM \
         (apt-get install {}), delete bpf-linker below the target directory's tools/, and build again",
        compiler.llvm,
        compiler.name,
        DEBIAN_LLVM.join(" ")
    )))
}

/// The development files of the pinned LLVM line: `LLVM_PREFIX`, else where Debian puts them.
fn llvm_for_linking() -> Option<(PathBuf, LlvmVersion)> {
    let prefix = std::env::var_os("LLVM_PREFIX").map_or_else(
        || PathBuf::from(format!("/usr/lib/llvm-{LLVM_MAJOR}")),
        PathBuf::from,
    );
    let version = capture(Command::new(prefix.join("bin/llvm-config")).arg("--version")).ok()?;
    let version = LlvmVersion::parse(&version)?;
    let complete = prefix.join("include/llvm").exists() && Path::new("/usr/include/zstd.h").exists();
    (version.0 == LLVM_MAJOR && complete).then_some((prefix, version))
}

// === packages ===

/// Installs Debian packages as root. Twice: a batch that upgrades others has failed half-way and succeeded when repeated.
fn install_packages(what: &str, packages: &[&str]) -> Result<(), Failure> {
    let by_hand = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if capture(Command::new("apt-get").arg("--version")).is_err() {
        return Err(Failure::new(format!(
            "{what} is missing and this system has no apt-get. Install what corresponds to: {}",
            packages.join(" ")
        )));
    }
    if !is_root() {
        return Err(Failure::new(format!(
            "{what} is missing and installing it needs root. Run: sudo {by_hand}"
        )));
    }
    say(&format!("installing {what}: {}", packages.join(" ")));
    // An index that cannot be refreshed may still hold the packages: the installation decides.
    if let Err(failure) = run_quiet_within(Command::new("apt-get").arg("update"), Duration::from_secs(180)) {
        say(&format!("the package index was not refreshed: {failure}"));
    }
    let mut failure = None;
    for _ in 0..2 {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "--yes", "--quiet", "--no-install-recommends"])
            .args(packages);
        match capture(&mut apt) {
            Ok(_) => return Ok(()),
            Err(found) => failure = Some(found),
        }
    }
    let reason = failure.map_or_else(String::new, |found| found.to_string());
    Err(Failure::new(format!(
        "cannot install {what}; try by hand: {by_hand}\n{reason}"
    )))
}

/// Whether this process may install packages: `/proc/self` belongs to the effective user.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llvm_versions_are_read_and_ordered() {
        assert_eq!(
            LlvmVersion::parse("LLVM version: 22.1.8"),
            Some(LlvmVersion(22, 1, 8))
        );
        assert_eq!(
            LlvmVersion::parse("22.1.4-rust-1.97.0-nightly\n"),
            Some(LlvmVersion(22, 1, 4))
        );
        assert_eq!(LlvmVersion::parse("LLVM version: unknown"), None);
        assert!(LlvmVersion(22, 1, 8) > LlvmVersion(22, 1, 4));
        assert!(LlvmVersion(23, 0, 0) > LlvmVersion(22, 9, 9));
    }
}
