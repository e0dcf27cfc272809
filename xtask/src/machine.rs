//! The tree that the lab boots as a machine with a real systemd: this distribution's own, made once with debootstrap.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::paths::Paths;
use crate::step::{Failure, capture, say};

/// What the machine runs beside the distribution's minimum: the manager, its bus and the client.
const PACKAGES: &str = "systemd,dbus,curl";
/// How often making it is tried: a mirror may fail in between.
const TRIES: u32 = 3;

/// Makes the tree if it is missing, and returns its directory.
pub(crate) fn ready(paths: &Paths) -> Result<PathBuf, Failure> {
    let tree = paths.target.join("machine");
    if tree.exists() {
        return Ok(tree);
    }
    let (suite, mirror) = distribution()?;
    say(&format!("making a {suite} tree to boot (half a minute)"));
    // The name is given last, so that a half-made tree never counts.
    let making = paths.target.join("machine.making");
    let mut outcome = Ok(String::new());
    for _ in 0..TRIES {
        if making.exists() {
            fs::remove_dir_all(&making)
                .map_err(|error| Failure::new(format!("cannot remove {}: {error}", making.display())))?;
        }
        outcome = capture(
            Command::new("debootstrap")
                .args(["--variant=minbase", &format!("--include={PACKAGES}"), &suite])
                .arg(&making)
                .arg(mirror),
        );
        if outcome.is_ok() {
            break;
        }
    }
    outcome?;
    fs::rename(&making, &tree)
        .map_err(|error| Failure::new(format!("cannot rename {}: {error}", making.display())))?;
    Ok(tree)
}

/// This machine's release and where its packages are.
fn distribution() -> Result<(String, &'static str), Failure> {
    let release = fs::read_to_string("/etc/os-release")
        .map_err(|error| Failure::new(format!("cannot read /etc/os-release: {error}")))?;
    let value = |key: &str| {
        let line = release
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim_matches('"').to_owned())
    };
    let mirror = match value("ID").as_deref() {
        Some("debian") => "http://deb.debian.org/debian",
        Some("ubuntu") => "http://archive.ubuntu.com/ubuntu",
        other => {
            return Err(Failure::new(format!(
                "the machine of the suite identity is made on Debian and Ubuntu; this is {}",
                other.unwrap_or("unknown")
            )));
        }
    };
    let suite =
        value("VERSION_CODENAME").ok_or_else(|| Failure::new("/etc/os-release names no VERSION_CODENAME"))?;
    Ok((suite, mirror))
}
