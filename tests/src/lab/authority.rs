//! The lab's certificate authority and the leaves of its servers, the wrong ones included.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::address::{EXPIRED, OPENAI, UNKNOWN_CA, WRONG_NAME, every_host};

/// The CA of one lab, and a leaf for every host.
#[derive(Debug)]
pub(crate) struct Authority {
    pem: String,
    leaves: Arc<Leaves>,
}

#[derive(Debug)]
struct Leaves(HashMap<&'static str, Leaf>);

#[derive(Debug)]
struct Leaf {
    certified: Arc<CertifiedKey>,
    pem: String,
}

impl Authority {
    /// A new CA with new keys.
    pub(crate) fn new() -> Result<Self> {
        let (pem, issuer) = authority("Weir lab CA")?;
        let (_, stranger) = authority("Nobody's CA")?;
        let mut leaves = HashMap::new();
        for host in every_host() {
            let issuer = if host == UNKNOWN_CA { &stranger } else { &issuer };
            let name = if host == WRONG_NAME {
                "another.scripted.test"
            } else {
                host.name
            };
            leaves.insert(host.name, leaf(name, host == EXPIRED, issuer)?);
        }
        Ok(Self {
            pem,
            leaves: Arc::new(Leaves(leaves)),
        })
    }

    /// The CA's certificate as PEM.
    pub(crate) fn ca_pem(&self) -> &str {
        &self.pem
    }

    /// The leaf of a host, as its server sends it.
    pub(crate) fn leaf(&self, host: &str) -> Option<&CertificateDer<'static>> {
        self.leaves
            .0
            .get(host)
            .and_then(|leaf| leaf.certified.cert.first())
    }

    /// Certificate and key of a host as PEM, for a server in another process.
    pub(crate) fn identity_pem(&self, host: &str) -> Result<&str> {
        self.leaves
            .0
            .get(host)
            .map(|leaf| leaf.pem.as_str())
            .with_context(|| format!("no leaf for {host}"))
    }

    /// A server configuration that chooses the leaf by SNI and offers these protocols.
    pub(crate) fn server_config(&self, alpn: &[&[u8]]) -> Result<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.leaves) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(config)
    }
}

impl ResolvesServerCert for Leaves {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // A client that names no server is shown the largest provider's certificate.
        self.0
            .get(hello.server_name().unwrap_or(OPENAI.name))
            .map(|leaf| Arc::clone(&leaf.certified))
    }
}

fn authority(name: &str) -> Result<(String, Issuer<'static, KeyPair>)> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), Issuer::new(params, key)))
}

fn leaf(name: &str, expired: bool, issuer: &Issuer<'_, KeyPair>) -> Result<Leaf> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Python's default verification since 3.13 is strict: a leaf must name its authority's key.
    params.use_authority_key_identifier_extension = true;
    if expired {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 12, 31);
    }
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| anyhow::anyhow!(error))?;
    let signing = any_supported_type(&private).context("loading a leaf's key")?;
    let certified = Arc::new(CertifiedKey::new(vec![certificate.der().clone()], signing));
    Ok(Leaf {
        certified,
        pem: format!("{}{}", certificate.pem(), key.serialize_pem()),
    })
}
