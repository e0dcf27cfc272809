//! The node CA: one key and certificate per node, made at first start, kept under the state directory.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use super::TrustError;

/// Validity of the CA. Long, because every workload must be given it again when it ends.
const CA_VALID: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Validity of a leaf: short enough that a leaf taken from memory is soon worthless.
pub(super) const LEAF_VALID: Duration = Duration::from_secs(7 * 86_400);
/// Start of validity before now, for workloads whose clock is behind.
const BACKDATE: Duration = Duration::from_secs(3_600);

/// The node CA, able to mint leaf certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
}

impl Authority {
    /// Reads the CA below `state_dir`, or makes one there (`ca/ca.pem` 0644, `ca/ca.key` 0600).
    ///
    /// # Errors
    /// A file that cannot be read or written, or a CA that is there but not usable: it is never replaced silently,
    /// because workloads trust the old one.
    pub fn open(state_dir: &Path) -> Result<Self, TrustError> {
        let dir = state_dir.join("ca");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&dir)
            .map_err(|source| TrustError::File {
                action: "create",
                path: dir.clone(),
                source,
            })?;
        let (cert_path, key_path) = (dir.join("ca.pem"), dir.join("ca.key"));
        match (cert_path.exists(), key_path.exists()) {
            (true, true) => Self::read(&cert_path, &key_path),
            (false, false) => Self::make(&cert_path, &key_path),
            (true, false) => Err(TrustError::Half {
                present: cert_path,
                missing: key_path,
            }),
            (false, true) => Err(TrustError::Half {
                present: key_path,
                missing: cert_path,
            }),
        }
    }

    fn read(cert_path: &Path, key_path: &Path) -> Result<Self, TrustError> {
        let read = |path: &Path| {
            fs::read_to_string(path).map_err(|source| TrustError::File {
                action: "read",
                path: path.to_path_buf(),
                source,
            })
        };
        let unusable = |path: &Path, reason: rcgen::Error| TrustError::Unusable {
            path: path.to_path_buf(),
            reason: reason.to_string(),
        };
        let certificate_pem = read(cert_path)?;
        let key = KeyPair::from_pem(&read(key_path)?).map_err(|e| unusable(key_path, e))?;
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key).map_err(|e| unusable(cert_path, e))?;
        Ok(Self {
            issuer,
            certificate_pem,
        })
    }

    fn make(cert_path: &Path, key_path: &Path) -> Result<Self, TrustError> {
        let mint = |e: rcgen::Error| TrustError::Mint {
            name: "the node CA".into(),
            reason: e.to_string(),
        };
        let key = KeyPair::generate().map_err(mint)?;
        let mut params = CertificateParams::new(Vec::new()).map_err(mint)?;
        let mut name = DistinguishedName::new();
        name.push(DnType::OrganizationName, "Weir");
        // Node and time make two CAs of one fleet distinguishable in a trust store.
        name.push(
            DnType::CommonName,
            format!("Weir node CA {} {}", node_name(), unix_seconds()),
        );
        params.distinguished_name = name;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let now = SystemTime::now();
        params.not_before = (now - BACKDATE).into();
        params.not_after = (now + CA_VALID).into();
        let certificate_pem = params.self_signed(&key).map_err(mint)?.pem();
        // The key first: a crash between the two leaves a half that `open` names, never a certificate without its key.
        write_private(key_path, key.serialize_pem().as_bytes(), 0o600)?;
        write_private(cert_path, certificate_pem.as_bytes(), 0o644)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key).map_err(mint)?;
        Ok(Self {
            issuer,
            certificate_pem,
        })
    }

    /// The CA's certificate, PEM: what workloads are given to trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A fresh key and certificate for one server name (DNS name or IP literal).
    ///
    /// # Errors
    /// The name is not a valid subject alternative name.
    pub(super) fn mint(&self, name: &str) -> Result<Arc<CertifiedKey>, TrustError> {
        let failed = |reason: String| TrustError::Mint {
            name: name.to_owned(),
            reason,
        };
        let key = KeyPair::generate().map_err(|e| failed(e.to_string()))?;
        let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(|e| failed(e.to_string()))?;
        // The name stands in the SAN; a common name is limited to 64 characters (RFC 5280, ub-common-name) and obsolete.
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Weir");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Python 3.13 verifies with VERIFY_X509_STRICT, which wants the authority key identifier.
        params.use_authority_key_identifier_extension = true;
        let now = SystemTime::now();
        params.not_before = (now - BACKDATE).into();
        params.not_after = (now + LEAF_VALID).into();
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(|e| failed(e.to_string()))?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&private)?;
        Ok(Arc::new(CertifiedKey::new(
            vec![certificate.der().clone()],
            signing,
        )))
    }
}

fn write_private(path: &Path, bytes: &[u8], mode: u32) -> Result<(), TrustError> {
    let failed = |source| TrustError::File {
        action: "write",
        path: PathBuf::from(path),
        source,
    };
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(failed)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

fn node_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "node".to_owned(), |s| s.trim().to_owned())
}

fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_ca_is_made_once_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = Authority::open(dir.path()).unwrap();
        let second = Authority::open(dir.path()).unwrap();
        assert_eq!(first.certificate_pem(), second.certificate_pem());
        let mode = fs::metadata(dir.path().join("ca/ca.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn half_a_ca_is_refused_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        Authority::open(dir.path()).unwrap();
        fs::remove_file(dir.path().join("ca/ca.key")).unwrap();
        assert!(matches!(
            Authority::open(dir.path()),
            Err(TrustError::Half { .. })
        ));
    }

    #[test]
    fn a_damaged_ca_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        Authority::open(dir.path()).unwrap();
        fs::write(dir.path().join("ca/ca.pem"), "not a certificate").unwrap();
        assert!(matches!(
            Authority::open(dir.path()),
            Err(TrustError::Unusable { .. })
        ));
    }

    #[test]
    fn each_leaf_has_its_own_key() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Authority::open(dir.path()).unwrap();
        let a = ca.mint("api.openai.com").unwrap();
        let b = ca.mint("api.anthropic.com").unwrap();
        assert_ne!(
            a.key.public_key().map(|k| k.as_ref().to_vec()),
            b.key.public_key().map(|k| k.as_ref().to_vec())
        );
    }
}
