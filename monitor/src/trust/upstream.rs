//! Verification of upstreams: the system's roots and those that the operator added, never less than a workload's own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::TrustError;
use crate::intercept::Alpn;

/// TLS client configurations for upstream connections.
pub struct Upstreams {
    common: Offers,
    /// By provider, where an endpoint has roots of its own.
    own: HashMap<String, Offers>,
}

/// One set of roots, by the protocols that the workload itself offered.
struct Offers {
    none: Arc<ClientConfig>,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    both: Arc<ClientConfig>,
}

impl Upstreams {
    /// Loads the system's roots, the PEM files of `extra`, and for the providers in `own` the files that count for them
    /// alone.
    ///
    /// # Errors
    /// A configured file without a usable certificate, or no root at all.
    pub fn load(extra: &[PathBuf], own: &[(String, PathBuf)]) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(native.certs);
        for path in extra {
            add_file(&mut roots, path)?;
        }
        if roots.is_empty() && own.is_empty() {
            let reason = native
                .errors
                .first()
                .map_or_else(|| "it is empty".to_owned(), ToString::to_string);
            return Err(TrustError::NoRoots { reason });
        }
        let mut stores: HashMap<String, RootCertStore> = HashMap::new();
        for (provider, path) in own {
            add_file(
                stores.entry(provider.clone()).or_insert_with(|| roots.clone()),
                path,
            )?;
        }
        let own = stores
            .into_iter()
            .map(|(provider, roots)| Ok((provider, Offers::new(roots)?)));
        Ok(Self {
            own: own.collect::<Result<_, TrustError>>()?,
            common: Offers::new(roots)?,
        })
    }

    /// The configuration for a provider that offers what the workload's ClientHello offered, of the protocols that can be
    /// inspected.
    pub fn offering(&self, provider: &str, offered: &[Alpn]) -> Arc<ClientConfig> {
        let offers = self.own.get(provider).unwrap_or(&self.common);
        match (offered.contains(&Alpn::Http2), offered.contains(&Alpn::Http1)) {
            (true, true) => offers.both.clone(),
            (true, false) => offers.http2.clone(),
            (false, true) => offers.http1.clone(),
            (false, false) => offers.none.clone(),
        }
    }
}

impl Offers {
    fn new(roots: RootCertStore) -> Result<Self, TrustError> {
        let roots = Arc::new(roots);
        Ok(Self {
            none: config(&roots, &[])?,
            http1: config(&roots, &[b"http/1.1"])?,
            http2: config(&roots, &[b"h2"])?,
            both: config(&roots, &[b"h2", b"http/1.1"])?,
        })
    }
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), TrustError> {
    let failed = |reason: String| TrustError::Roots {
        path: path.to_path_buf(),
        reason,
    };
    let mut found = 0;
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| failed(e.to_string()))? {
        let certificate = certificate.map_err(|e| failed(e.to_string()))?;
        roots.add(certificate).map_err(|e| failed(e.to_string()))?;
        found += 1;
    }
    if found == 0 {
        Err(failed("it holds no certificate".into()))
    } else {
        Ok(())
    }
}

fn config(roots: &Arc<RootCertStore>, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("empty.pem");
        std::fs::write(&path, "no certificate here").unwrap();
        assert!(matches!(
            Upstreams::load(&[path], &[]),
            Err(TrustError::Roots { .. })
        ));
    }

    #[test]
    fn a_missing_file_is_refused() {
        let missing = PathBuf::from("/nonexistent/corp.pem");
        assert!(matches!(
            Upstreams::load(&[missing], &[]),
            Err(TrustError::Roots { .. })
        ));
    }

    #[test]
    fn only_what_the_workload_offered_is_offered() {
        let dir = tempfile::tempdir().unwrap();
        let ca = super::super::Authority::open(dir.path()).unwrap();
        let path = dir.path().join("root.pem");
        std::fs::write(&path, ca.certificate_pem()).unwrap();
        let upstreams = Upstreams::load(&[path], &[]).unwrap();
        assert!(upstreams.offering("openai", &[]).alpn_protocols.is_empty());
        assert_eq!(
            upstreams.offering("openai", &[Alpn::Http1]).alpn_protocols,
            vec![b"http/1.1".to_vec()]
        );
        assert_eq!(
            upstreams
                .offering("openai", &[Alpn::Http1, Alpn::Http2])
                .alpn_protocols
                .len(),
            2
        );
    }
}
