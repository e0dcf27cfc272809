//! The first bytes of a steered connection: is it TLS, for which name, offering which protocols?

mod extensions;

use std::time::Duration;

use bytes::BytesMut;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::Alpn;
pub(super) use extensions::has_ech;

/// How long a client may take to send its ClientHello. A TLS client sends it at once; one that waits longer for the
/// server to speak does not speak TLS and is spliced.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes read before giving up: a ClientHello with post-quantum shares and many extensions stays under 4 KiB; RFC 8446
/// would allow 16 MiB, and no client sends that.
const HELLO_LIMIT_BYTES: usize = 64 * 1024;
/// The content type of a TLS handshake record (RFC 8446, section 5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// What the client opened with. The bytes read stay in the buffer given to [`read`], to be replayed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hello {
    /// A whole ClientHello.
    Tls {
        /// The server name it asks for, lower case, if it names one.
        sni: Option<Box<str>>,
        /// The protocols it offers that can be inspected, in its order.
        alpn: Vec<Alpn>,
        /// It offers protocols, and none of them can be inspected.
        foreign_alpn: bool,
    },
    /// Not TLS, or not a ClientHello that rustls can read.
    NotTls,
    /// Nothing, or not all of it, within the time or the size allowed.
    Incomplete,
    /// The client closed before its ClientHello was whole.
    Closed,
}

/// Reads from `client` until the ClientHello is whole, keeping every byte in `buffer`.
///
/// # Errors
/// The socket failed.
pub(super) async fn read<S: AsyncRead + Unpin>(
    client: &mut S,
    buffer: &mut BytesMut,
) -> std::io::Result<Hello> {
    match timeout(HELLO_TIMEOUT, read_whole(client, buffer)).await {
        Ok(hello) => hello,
        Err(_) => Ok(Hello::Incomplete),
    }
}

async fn read_whole<S: AsyncRead + Unpin>(client: &mut S, buffer: &mut BytesMut) -> std::io::Result<Hello> {
    let mut acceptor = Acceptor::default();
    loop {
        let before = buffer.len();
        if client.read_buf(buffer).await? == 0 {
            return Ok(Hello::Closed);
        }
        if buffer[0] != HANDSHAKE_RECORD {
            return Ok(Hello::NotTls);
        }
        let mut fresh = &buffer[before..];
        while !fresh.is_empty() {
            if acceptor.read_tls(&mut fresh).is_err() {
                return Ok(Hello::NotTls);
            }
            match acceptor.accept() {
                Ok(Some(accepted)) => return Ok(describe(&accepted.client_hello())),
                Ok(None) => {}
                Err(_) => return Ok(Hello::NotTls),
            }
        }
        if buffer.len() >= HELLO_LIMIT_BYTES {
            return Ok(Hello::Incomplete);
        }
    }
}

fn describe(hello: &rustls::server::ClientHello<'_>) -> Hello {
    let mut alpn = Vec::new();
    let mut offered = false;
    for protocol in hello.alpn().into_iter().flatten() {
        offered = true;
        alpn.extend(Alpn::from_wire(protocol));
    }
    Hello::Tls {
        sni: hello
            .server_name()
            .map(|name| name.to_ascii_lowercase().into_boxed_str()),
        foreign_alpn: offered && alpn.is_empty(),
        alpn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::io::AsyncWriteExt;

    fn client_hello(name: &str, alpn: &[&[u8]]) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
        let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut out = Vec::new();
        client.write_tls(&mut out).unwrap();
        out
    }

    async fn read_pieces(bytes: &[u8], piece: usize) -> (Hello, BytesMut) {
        let (mut ours, mut theirs) = tokio::io::duplex(1 << 20);
        let mut buffer = BytesMut::new();
        for chunk in bytes.chunks(piece) {
            theirs.write_all(chunk).await.unwrap();
        }
        drop(theirs);
        (read(&mut ours, &mut buffer).await.unwrap(), buffer)
    }

    #[tokio::test]
    async fn the_name_and_protocols_are_read_whatever_the_pieces() {
        let bytes = client_hello("API.OpenAI.com", &[b"h2", b"http/1.1"]);
        for piece in [1, 7, 100, bytes.len()] {
            let (hello, buffer) = read_pieces(&bytes, piece).await;
            let expected = Hello::Tls {
                sni: Some("api.openai.com".into()),
                alpn: vec![Alpn::Http2, Alpn::Http1],
                foreign_alpn: false,
            };
            assert_eq!(hello, expected);
            assert_eq!(
                &buffer[..],
                &bytes[..buffer.len()],
                "the bytes read are kept for replay"
            );
        }
    }

    /// The first flight of a client that has nothing to hide and says that it has.
    fn greased(name: &str) -> Vec<u8> {
        use rustls::client::{EchGreaseConfig, EchMode};
        use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_128 as SUITE;
        use rustls::crypto::hpke::Hpke;
        let (key, _) = SUITE.generate_key_pair().unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_ech(EchMode::from(EchGreaseConfig::new(SUITE, key)))
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut out = Vec::new();
        client.write_tls(&mut out).unwrap();
        out
    }

    #[tokio::test]
    async fn encrypted_client_hello_is_noticed_whatever_the_records() {
        let bytes = greased("api.openai.com");
        // The same message in records of a hundred bytes.
        let mut split = Vec::new();
        for piece in bytes[5..].chunks(100) {
            split.extend([22, 3, 1, 0, piece.len() as u8]);
            split.extend(piece);
        }
        for bytes in [bytes, split] {
            let (hello, buffer) = read_pieces(&bytes, 64).await;
            let Hello::Tls { sni, .. } = hello else {
                panic!("{hello:?}");
            };
            assert_eq!(sni.as_deref(), Some("api.openai.com"));
            assert!(has_ech(&buffer));
        }
        assert!(!has_ech(&client_hello("api.openai.com", &[b"h2"])));
        for cut in 0..60 {
            assert!(!has_ech(&greased("api.openai.com")[..cut]), "{cut}");
        }
    }

    #[tokio::test]
    async fn an_address_names_nothing() {
        let (hello, _) = read_pieces(&client_hello("192.0.2.1", &[]), 64).await;
        assert_eq!(
            hello,
            Hello::Tls {
                sni: None,
                alpn: vec![],
                foreign_alpn: false,
            }
        );
    }

    #[tokio::test]
    async fn protocols_that_cannot_be_inspected_are_told_apart() {
        let (hello, _) = read_pieces(&client_hello("api.openai.com", &[b"dot"]), 64).await;
        assert_eq!(
            hello,
            Hello::Tls {
                sni: Some("api.openai.com".into()),
                alpn: vec![],
                foreign_alpn: true,
            }
        );
    }

    #[tokio::test]
    async fn garbage_is_not_tls() {
        assert_eq!(read_pieces(b"GET / HTTP/1.1\r\n\r\n", 64).await.0, Hello::NotTls);
        assert_eq!(
            read_pieces(&[22, 3, 1, 0, 4, 1, 0, 0, 0], 64).await.0,
            Hello::NotTls
        );
        assert_eq!(read_pieces(&[22, 3, 1], 64).await.0, Hello::Closed);
        assert_eq!(read_pieces(b"", 64).await.0, Hello::Closed);
    }
}
