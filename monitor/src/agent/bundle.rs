//! What workloads are given to trust the node CA: its certificate alone, for variables that add to the system's roots
//! (`NODE_EXTRA_CA_CERTS`), and in one file with the system's roots, for those that replace them (`SSL_CERT_FILE`,
//! `REQUESTS_CA_BUNDLE`).

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The certificate alone.
pub const CA_FILE: &str = "ca.pem";
/// The system's roots and the certificate.
pub const BUNDLE_FILE: &str = "bundle.pem";

/// Writes both files into `run_dir`, readable by everyone.
///
/// # Errors
/// A file cannot be written.
pub(super) fn write(run_dir: &Path, ca_pem: &str) -> io::Result<()> {
    replace(&run_dir.join(CA_FILE), ca_pem.as_bytes())?;
    let pem = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    let mut bundle = String::new();
    for root in rustls_native_certs::load_native_certs().certs {
        bundle.push_str(&pem::encode_config(
            &pem::Pem::new("CERTIFICATE", root.to_vec()),
            pem,
        ));
    }
    bundle.push_str(ca_pem);
    replace(&run_dir.join(BUNDLE_FILE), bundle.as_bytes())
}

/// By a rename, so that a client that starts meanwhile reads the old file or the new one, never half of one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&draft)?
        .write_all(bytes)?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::Authority;

    #[test]
    fn the_bundle_ends_with_the_ca_and_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Authority::open(dir.path()).unwrap();
        for _ in 0..2 {
            write(dir.path(), ca.certificate_pem()).unwrap();
        }
        let bundle = fs::read_to_string(dir.path().join(BUNDLE_FILE)).unwrap();
        assert!(bundle.ends_with(ca.certificate_pem()));
        assert_eq!(
            fs::read_to_string(dir.path().join(CA_FILE)).unwrap(),
            ca.certificate_pem()
        );
    }
}
