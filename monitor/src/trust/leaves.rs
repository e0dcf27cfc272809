//! Leaf certificates by server name: minted on first use, cached, renewed before they end.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lru::LruCache;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;

use super::authority::LEAF_VALID;
use super::{Authority, TrustError};
use crate::intercept::Alpn;

/// Names kept. Catalogued hosts are minted for, and what may hide one where policy refuses that; but `*.suffix` patterns are open-ended: a workload that walks
/// through names evicts the oldest and costs itself a key generation each.
const MAX_LEAVES: NonZeroUsize = NonZeroUsize::new(1_024).expect("not zero");
/// A leaf is replaced when this much of its validity has passed.
const RENEW_AFTER: Duration = Duration::from_secs(LEAF_VALID.as_secs() / 2);

/// The server side of TLS per name and protocol, ready for a handshake.
pub struct Leaves {
    authority: Authority,
    cache: Mutex<LruCache<Box<str>, Leaf>>,
}

struct Leaf {
    minted: SystemTime,
    http1: Arc<ServerConfig>,
    http2: Arc<ServerConfig>,
}

#[derive(Debug)]
struct OneCertificate(Arc<CertifiedKey>);

impl ResolvesServerCert for OneCertificate {
    fn resolve(&self, _hello: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

impl Leaves {
    /// An empty cache over `authority`.
    pub fn new(authority: Authority) -> Self {
        Self {
            authority,
            cache: Mutex::new(LruCache::new(MAX_LEAVES)),
        }
    }

    /// The node CA's certificate, PEM.
    pub fn ca_pem(&self) -> &str {
        self.authority.certificate_pem()
    }

    /// The TLS configuration that presents `name` and speaks `alpn`.
    ///
    /// # Errors
    /// The name cannot stand in a certificate.
    pub fn server_config(&self, name: &str, alpn: Alpn) -> Result<Arc<ServerConfig>, TrustError> {
        let mut cache = self.cache.lock();
        if let Some(leaf) = cache.get(name)
            && leaf.is_fresh()
        {
            return Ok(leaf.config(alpn));
        }
        // Minting under the lock (0.1 ms, P-256) keeps a burst of first connections from minting one name many times.
        let leaf = Leaf::new(self.authority.mint(name)?)?;
        let config = leaf.config(alpn);
        cache.put(name.into(), leaf);
        Ok(config)
    }
}

impl Leaf {
    fn new(key: Arc<CertifiedKey>) -> Result<Self, TrustError> {
        Ok(Self {
            minted: SystemTime::now(),
            http1: config(key.clone(), &[b"http/1.1"])?,
            http2: config(key, &[b"h2"])?,
        })
    }

    /// By the wall clock, as clients see it: it goes on while the machine sleeps, and a step of it moves validity for them. A leaf
    /// from the future may not be valid yet.
    fn is_fresh(&self) -> bool {
        self.minted.elapsed().is_ok_and(|age| age < RENEW_AFTER)
    }

    fn config(&self, alpn: Alpn) -> Arc<ServerConfig> {
        match alpn {
            Alpn::Http1 => self.http1.clone(),
            Alpn::Http2 => self.http2.clone(),
        }
    }
}

fn config(key: Arc<CertifiedKey>, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, TrustError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(OneCertificate(key)));
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_minted_once() {
        let dir = tempfile::tempdir().unwrap();
        let leaves = Leaves::new(Authority::open(dir.path()).unwrap());
        let first = leaves.server_config("api.openai.com", Alpn::Http1).unwrap();
        let again = leaves.server_config("api.openai.com", Alpn::Http1).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let h2 = leaves.server_config("api.openai.com", Alpn::Http2).unwrap();
        assert_eq!(h2.alpn_protocols, vec![b"h2".to_vec()]);
    }

    #[test]
    fn a_leaf_of_another_time_is_minted_anew() {
        let dir = tempfile::tempdir().unwrap();
        let leaves = Leaves::new(Authority::open(dir.path()).unwrap());
        let config = || leaves.server_config("api.openai.com", Alpn::Http1).unwrap();
        let minted_at = |minted| leaves.cache.lock().get_mut("api.openai.com").unwrap().minted = minted;
        let first = config();
        // The machine slept for a week, or its clock was set.
        minted_at(SystemTime::now() - RENEW_AFTER);
        let second = config();
        assert!(!Arc::ptr_eq(&first, &second));
        minted_at(SystemTime::now() + Duration::from_secs(7_200));
        assert!(!Arc::ptr_eq(&second, &config()));
    }

    #[test]
    fn a_name_that_no_certificate_can_hold_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let leaves = Leaves::new(Authority::open(dir.path()).unwrap());
        assert!(matches!(
            leaves.server_config("bücher.example", Alpn::Http1),
            Err(TrustError::Mint { .. })
        ));
    }
}
