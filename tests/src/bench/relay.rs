//! The floor: TLS from the client, TLS to the upstream, bytes in between. One thread, one upstream connection for each
//! client connection.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The relay's own process.
#[derive(Debug, Args)]
pub(crate) struct Relay {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    upstream: SocketAddr,
    #[arg(long)]
    name: String,
    /// PEM of certificate and key.
    #[arg(long)]
    identity: PathBuf,
    /// PEM of the roots of the upstream.
    #[arg(long)]
    roots: PathBuf,
}

impl Relay {
    /// Relays until the process is ended.
    pub(crate) fn run(self) -> Result<()> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(self.accept())
    }

    async fn accept(self) -> Result<()> {
        let certificates = CertificateDer::pem_file_iter(&self.identity)?.collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_file(&self.identity)?;
        let provider = Arc::new(default_provider());
        let mut inbound = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        inbound.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&self.roots)? {
            roots.add(certificate?)?;
        }
        let mut outbound = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        outbound.alpn_protocols = vec![b"http/1.1".to_vec()];
        let (acceptor, connector) = (
            TlsAcceptor::from(Arc::new(inbound)),
            TlsConnector::from(Arc::new(outbound)),
        );
        let name = ServerName::try_from(self.name.clone()).context("server name")?;
        let listener = TcpListener::bind(self.listen).await?;
        loop {
            let (client, _) = listener.accept().await?;
            let (acceptor, connector, name, upstream) =
                (acceptor.clone(), connector.clone(), name.clone(), self.upstream);
            tokio::spawn(async move {
                client.set_nodelay(true)?;
                let mut client = acceptor.accept(client).await?;
                let upstream = TcpStream::connect(upstream).await?;
                upstream.set_nodelay(true)?;
                let mut upstream = connector.connect(name, upstream).await?;
                tokio::io::copy_bidirectional(&mut client, &mut upstream).await
            });
        }
    }
}
