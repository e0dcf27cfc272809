//! Debian's kernels: the newest of each series that its archive has, downloaded and unpacked once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::{Failure, capture, say};

/// The series that are tried: Debian 12's own, and the one of Debian 13 that 12 has as well.
const SERIES: [&str; 2] = ["6.1.", "6.12."];

/// A kernel that can be booted.
#[derive(Debug)]
pub(super) struct DebianKernel {
    /// What `uname -r` says.
    pub(super) release: String,
    /// The compressed image.
    pub(super) image: PathBuf,
}

/// The newest kernel of each series. A series that the archive has not is said and left out.
pub(super) fn ready(folder: &Path) -> Result<Vec<DebianKernel>, Failure> {
    let mut kernels = Vec::new();
    for series in SERIES {
        match newest(series)? {
            Some(package) => kernels.push(unpacked(folder, &package)?),
            None => say(&format!("the archive has no kernel {series}*, it is left out")),
        }
    }
    if kernels.is_empty() {
        return Err(Failure::new(
            "the archive has none of the kernels; on Debian 12, run apt-get update first",
        ));
    }
    Ok(kernels)
}

fn newest(series: &str) -> Result<Option<String>, Failure> {
    let pattern = format!(
        "^linux-image-{}.*-cloud-amd64-unsigned$",
        series.replace('.', "\\.")
    );
    let found = capture(Command::new("apt-cache").args(["search", "--names-only", &pattern]))?;
    let names = found.lines().filter_map(|line| line.split(' ').next());
    Ok(names.max_by_key(|name| numbers(name)).map(str::to_owned))
}

/// The numbers in a name, which order versions: 6.12.9 before 6.12.10.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

fn unpacked(folder: &Path, package: &str) -> Result<DebianKernel, Failure> {
    let release = package
        .trim_start_matches("linux-image-")
        .trim_end_matches("-unsigned")
        .to_owned();
    let image = folder
        .join(&release)
        .join("boot")
        .join(format!("vmlinuz-{release}"));
    if !image.exists() {
        say(&format!("downloading Debian's kernel {release}"));
        let downloads = folder.join("downloads");
        // Anew, so that the one file in it is the package.
        if downloads.exists() {
            fs::remove_dir_all(&downloads).map_err(|error| cannot(&downloads, &error))?;
        }
        fs::create_dir_all(&downloads).map_err(|error| cannot(&downloads, &error))?;
        capture(
            Command::new("apt-get")
                .args(["download", package])
                .current_dir(&downloads),
        )?;
        let mut files = fs::read_dir(&downloads).map_err(|error| cannot(&downloads, &error))?;
        let file = files
            .next()
            .and_then(Result::ok)
            .ok_or_else(|| Failure::new(format!("apt-get downloaded nothing for {package}")))?;
        capture(
            Command::new("dpkg")
                .arg("-x")
                .arg(file.path())
                .arg(folder.join(&release)),
        )?;
    }
    Ok(DebianKernel { release, image })
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let older = numbers("linux-image-6.12.9+deb12-cloud-amd64-unsigned");
        let newer = numbers("linux-image-6.12.117+deb12-cloud-amd64-unsigned");
        assert!(older < newer);
    }
}
