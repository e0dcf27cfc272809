//! The upstream side: connect to the address the workload chose, from the workload's own network namespace.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::identity::Netns;

/// How long an upstream may take to accept the connection. The kernel gives up after about two minutes; a client's own
/// connect time-out cannot fire any more, because for the client the connection stands already.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the upstream's TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);

/// Why there is no usable upstream.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// No TCP connection.
    #[error("connect to {address}: {source}")]
    Unreachable {
        /// The original destination.
        address: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// Its certificate does not verify for the name that the workload asked for.
    #[error("certificate of {address} for {name}: {reason}")]
    Untrusted {
        /// The original destination.
        address: SocketAddr,
        /// The name that the workload asked for.
        name: Box<str>,
        /// What is wrong with it.
        reason: CertificateError,
    },
    /// The handshake failed for another reason.
    #[error("TLS handshake with {address} for {name}: {source}")]
    Handshake {
        /// The original destination.
        address: SocketAddr,
        /// The name that the workload asked for.
        name: Box<str>,
        /// What failed.
        source: io::Error,
    },
}

impl DialError {
    /// The TLS alert that tells the client what it would have found out for itself.
    pub(super) fn alert(&self) -> Option<AlertDescription> {
        match self {
            Self::Unreachable { .. } => None,
            Self::Handshake { .. } => Some(AlertDescription::HandshakeFailure),
            Self::Untrusted { reason, .. } => Some(match reason {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    AlertDescription::CertificateExpired
                }
                CertificateError::Revoked => AlertDescription::CertificateRevoked,
                CertificateError::UnknownIssuer => AlertDescription::UnknownCA,
                _ => AlertDescription::BadCertificate,
            }),
        }
    }
}

/// Connects to `address` inside `netns`.
///
/// # Errors
/// The address is unreachable, refuses, or does not answer in time.
pub(super) async fn tcp(netns: &Arc<Netns>, address: SocketAddr) -> Result<TcpStream, DialError> {
    let unreachable = |source| DialError::Unreachable { address, source };
    let socket = netns
        .run(|| {
            if address.is_ipv4() {
                TcpSocket::new_v4()
            } else {
                TcpSocket::new_v6()
            }
        })
        .and_then(|socket| socket)
        .map_err(unreachable)?;
    let stream = match timeout(CONNECT_TIMEOUT, socket.connect(address)).await {
        Ok(connected) => connected.map_err(unreachable)?,
        Err(_) => return Err(unreachable(io::ErrorKind::TimedOut.into())),
    };
    stream.set_nodelay(true).map_err(unreachable)?;
    Ok(stream)
}

/// Finishes TLS over `stream`, verifying the upstream for `name`.
///
/// # Errors
/// The certificate does not verify, or the handshake fails or takes too long.
pub(super) async fn tls(
    stream: TcpStream,
    address: SocketAddr,
    name: &str,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, DialError> {
    let handshake = |source| DialError::Handshake {
        address,
        name: name.into(),
        source,
    };
    let server_name = ServerName::try_from(name.to_owned()).map_err(|e| handshake(io::Error::other(e)))?;
    match timeout(
        HANDSHAKE_TIMEOUT,
        TlsConnector::from(config).connect(server_name, stream),
    )
    .await
    {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(source)) => Err(match certificate_error(&source) {
            Some(reason) => DialError::Untrusted {
                address,
                name: name.into(),
                reason,
            },
            None => handshake(source),
        }),
        Err(_) => Err(handshake(io::ErrorKind::TimedOut.into())),
    }
}

fn certificate_error(e: &io::Error) -> Option<CertificateError> {
    match e.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(reason) => Some(reason.clone()),
        _ => None,
    }
}
