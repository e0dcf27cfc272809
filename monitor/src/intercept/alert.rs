//! TLS alerts at the edge of the client handshake: the one sent when there is no upstream to present, and the ones
//! received when a client does not trust the node CA.

use std::io;

use rustls::AlertDescription;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Sends a fatal alert before any handshake message of ours: a plaintext record (RFC 8446, sections 5.1 and 6).
///
/// # Errors
/// The socket failed.
pub(super) async fn send<S: AsyncWrite + Unpin>(client: &mut S, alert: AlertDescription) -> io::Result<()> {
    const ALERT_RECORD: u8 = 21;
    const FATAL: u8 = 2;
    client
        .write_all(&[ALERT_RECORD, 3, 3, 0, 2, FATAL, alert.into()])
        .await?;
    client.shutdown().await
}

/// Whether a failed client handshake says that the client does not trust the certificate it was shown.
pub(super) fn says_untrusted(e: &io::Error) -> bool {
    matches!(
        received(e),
        Some(
            AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnsupportedCertificate
        )
    )
}

/// Whether a failed client handshake, or what followed it, says that the client had hidden its server's name (RFC 9849,
/// section 6.1.6).
pub(super) fn says_hidden(e: &io::Error) -> bool {
    received(e) == Some(AlertDescription::EncryptedClientHelloRequired)
}

/// The alert that the client sent.
fn received(e: &io::Error) -> Option<AlertDescription> {
    match e.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

/// Whether a failed client handshake only says that the client has gone.
pub(super) fn says_nothing(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_reads_the_alert_that_was_sent() {
        let mut wire = Vec::new();
        send(&mut wire, AlertDescription::UnknownCA).await.unwrap();
        assert_eq!(wire, [21, 3, 3, 0, 2, 2, 48]);
    }

    #[test]
    fn only_certificate_alerts_mean_distrust() {
        let wrap = |e: rustls::Error| io::Error::new(io::ErrorKind::InvalidData, e);
        assert!(says_untrusted(&wrap(rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
        ))));
        assert!(!says_untrusted(&wrap(rustls::Error::AlertReceived(
            AlertDescription::HandshakeFailure
        ))));
        assert!(says_hidden(&wrap(rustls::Error::AlertReceived(
            AlertDescription::EncryptedClientHelloRequired
        ))));
        assert!(!says_untrusted(&io::ErrorKind::UnexpectedEof.into()));
        assert!(says_nothing(&io::ErrorKind::UnexpectedEof.into()));
        assert!(!says_nothing(&wrap(rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
        ))));
    }
}
