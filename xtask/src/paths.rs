//! Where things are: the workspace, its target directory, the cargo that called us.

use std::path::{Path, PathBuf};

use crate::step::Failure;

/// The directories every step works in.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// The workspace root.
    pub(crate) root: PathBuf,
    /// Cargo's target directory: `CARGO_TARGET_DIR`, else `target` below the root.
    pub(crate) target: PathBuf,
}

impl Paths {
    pub(crate) fn find() -> Result<Self, Failure> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .map(Path::to_path_buf)
            .ok_or_else(|| Failure::new("xtask does not lie in a workspace"))?;
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(set) if !set.is_empty() => {
                let set = PathBuf::from(set);
                if set.is_absolute() {
                    set
                } else {
                    // Cargo reads a relative value from where it was called.
                    std::env::current_dir()
                        .map_err(|error| Failure::new(format!("cannot tell the current directory: {error}")))?
                        .join(set)
                }
            }
            _ => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// Programs xtask installs for itself (`bin/` below it, as `cargo install --root` has it).
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// The kernel object, at a path that never changes: the agent's build script looks here.
    pub(crate) fn kernel_object(&self) -> PathBuf {
        self.target.join("bpf/weir.bpf.o")
    }

    /// The kernel build's own target directory: it uses another compiler and must not share one.
    pub(crate) fn kernel_target(&self) -> PathBuf {
        self.target.join("bpf-build")
    }
}

/// The cargo that runs us, which is the one the workspace pins.
pub(crate) fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}
