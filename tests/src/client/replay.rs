//! Sends laid-down bytes in laid-down pieces, over TLS or bare TCP, and keeps what comes back byte for byte.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::client::{EchConfig, EchGreaseConfig, EchMode};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_128 as SUITE;
use rustls::crypto::hpke::Hpke;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, EchConfigListBytes, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::chunked;

/// Pause between two pieces, so that they arrive as two.
const PIECE_PAUSE: Duration = Duration::from_micros(200);

/// The plan to carry out.
#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// JSON file with the talks.
    #[arg(long)]
    pub(crate) plan: PathBuf,
    /// Where to write what came back.
    #[arg(long)]
    pub(crate) result: PathBuf,
}

/// One connection and what to say on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Talk {
    /// Name and port.
    pub(crate) target: String,
    /// Roots to trust; bare TCP without.
    pub(crate) trust: Option<PathBuf>,
    /// The server name; that of the target without.
    pub(crate) name: Option<String>,
    /// Encrypted Client Hello.
    pub(crate) ech: Option<Ech>,
    /// Protocols to offer.
    pub(crate) alpn: Vec<String>,
    /// What to say and hear, in turn.
    pub(crate) turns: Vec<Turn>,
}

/// How a client uses Encrypted Client Hello (RFC 9849).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Ech {
    /// An extension that hides nothing.
    Grease,
    /// The server name is hidden behind this one.
    Behind(String),
}

/// Say something, then hear the answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Turn {
    /// The pieces to send, one write each.
    pub(crate) pieces: Vec<Vec<u8>>,
    /// Close the sending side afterwards.
    pub(crate) finish: bool,
    /// How far to read.
    pub(crate) until: Until,
    /// Give up after so long.
    pub(crate) within_ms: u64,
}

/// Where an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Until {
    /// After so many bytes.
    Bytes(usize),
    /// At the end of the chunked body that follows a head.
    Chunked,
    /// When the other side closes.
    Close,
}

/// What came of a talk.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// The bytes of each turn.
    pub(crate) turns: Vec<Vec<u8>>,
    /// Whether the other side closed the connection.
    pub(crate) closed: bool,
    /// What went wrong.
    pub(crate) error: Option<String>,
    /// The certificate the server showed.
    pub(crate) certificate: Option<Vec<u8>>,
}

impl Talk {
    /// A TLS connection to port 443 of `host` that offers HTTP/1.1.
    pub(crate) fn tls(host: &str, trust: PathBuf, turns: Vec<Turn>) -> Self {
        Self {
            target: format!("{host}:443"),
            trust: Some(trust),
            name: None,
            ech: None,
            alpn: vec!["http/1.1".to_owned()],
            turns,
        }
    }

    /// Bytes on a bare TCP connection to port 443 of `host`.
    pub(crate) fn bare(host: &str, turns: Vec<Turn>) -> Self {
        Self {
            target: format!("{host}:443"),
            trust: None,
            name: None,
            ech: None,
            alpn: Vec::new(),
            turns,
        }
    }

    /// To this address and port, whatever the server's name.
    pub(crate) fn at(mut self, target: impl ToString) -> Self {
        let name = self.target.split(':').next().unwrap_or_default().to_owned();
        self.name.get_or_insert(name);
        self.target = target.to_string();
        self
    }

    /// With Encrypted Client Hello.
    pub(crate) fn ech(mut self, ech: Ech) -> Self {
        self.ech = Some(ech);
        self
    }
}

impl Turn {
    /// Sends `bytes` at once and reads the answer.
    pub(crate) fn new(bytes: &[u8], until: Until) -> Self {
        Self {
            pieces: vec![bytes.to_vec()],
            finish: false,
            until,
            within_ms: 10_000,
        }
    }

    /// The same in pieces of `size`.
    pub(crate) fn in_pieces_of(mut self, size: usize) -> Self {
        self.pieces = self.pieces.concat().chunks(size).map(<[u8]>::to_vec).collect();
        self
    }

    /// The same in two pieces.
    pub(crate) fn split_at(mut self, at: usize) -> Self {
        let whole = self.pieces.concat();
        let (head, tail) = whole.split_at(at.min(whole.len()));
        self.pieces = vec![head.to_vec(), tail.to_vec()];
        self
    }

    /// Gives up sooner or later than usual.
    pub(crate) fn within_ms(mut self, within_ms: u64) -> Self {
        self.within_ms = within_ms;
        self
    }
}

impl Replay {
    /// Carries out the plan, one talk after the other.
    pub(crate) async fn run(self) -> Result<()> {
        let talks: Vec<Talk> = serde_json::from_slice(&fs::read(&self.plan)?)?;
        let mut all = Vec::with_capacity(talks.len());
        for talk in talks {
            let mut heard = Heard::default();
            if let Err(error) = talk.hold(&mut heard).await {
                heard.error = Some(format!("{error:#}"));
            }
            all.push(heard);
        }
        fs::write(&self.result, serde_json::to_vec(&all)?)?;
        Ok(())
    }
}

impl Talk {
    async fn hold(&self, heard: &mut Heard) -> Result<()> {
        let stream = TcpStream::connect(&self.target).await.context("connect")?;
        stream.set_nodelay(true)?;
        let Some(trust) = &self.trust else {
            return self.exchange(stream, heard).await;
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(trust)? {
            roots.add(certificate?)?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = match &self.ech {
            None => builder.with_safe_default_protocol_versions()?,
            Some(ech) => builder.with_ech(ech.mode()?)?,
        };
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = self.alpn.iter().map(|name| name.clone().into_bytes()).collect();
        let host = match &self.name {
            Some(name) => name.clone(),
            None => self.target.split(':').next().unwrap_or_default().to_owned(),
        };
        let tls = TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from(host)?, stream)
            .await
            .context("TLS")?;
        let certificates = tls.get_ref().1.peer_certificates();
        heard.certificate = certificates
            .and_then(|chain| chain.first())
            .map(|leaf| leaf.to_vec());
        self.exchange(tls, heard).await
    }

    async fn exchange(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        heard: &mut Heard,
    ) -> Result<()> {
        for turn in &self.turns {
            let mut bytes = Vec::new();
            let time = Duration::from_millis(turn.within_ms);
            let outcome = tokio::time::timeout(time, turn.take(&mut stream, &mut bytes)).await;
            heard.turns.push(bytes);
            heard.closed = match outcome {
                Err(_) => anyhow::bail!("nothing more within {} ms", turn.within_ms),
                Ok(outcome) => outcome?,
            };
            if heard.closed {
                break;
            }
        }
        Ok(())
    }
}

impl Ech {
    fn mode(&self) -> Result<EchMode> {
        let (key, _) = SUITE.generate_key_pair()?;
        Ok(match self {
            Self::Grease => EchGreaseConfig::new(SUITE, key).into(),
            Self::Behind(public_name) => {
                let config = EchConfigListBytes::from(config_list(public_name, &key.0)?);
                EchConfig::new(config, &[SUITE])?.into()
            }
        })
    }
}

/// A list of one configuration (RFC 9849, section 4), for a key that no server has.
fn config_list(public_name: &str, key: &[u8]) -> Result<Vec<u8>> {
    let mut contents = vec![7]; // config_id
    contents.extend(0x0020_u16.to_be_bytes()); // DHKEM(X25519, HKDF-SHA256)
    contents.extend(u16::try_from(key.len())?.to_be_bytes());
    contents.extend(key);
    contents.extend([0, 4, 0, 1, 0, 1]); // one suite: HKDF-SHA256, AES-128-GCM
    contents.push(64); // maximum_name_length
    contents.push(u8::try_from(public_name.len())?);
    contents.extend(public_name.bytes());
    contents.extend([0, 0]); // no extensions
    let mut config = 0xfe0d_u16.to_be_bytes().to_vec();
    config.extend(u16::try_from(contents.len())?.to_be_bytes());
    config.extend(contents);
    let mut list = u16::try_from(config.len())?.to_be_bytes().to_vec();
    list.extend(config);
    Ok(list)
}

impl Turn {
    /// True when the other side closed.
    async fn take(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        bytes: &mut Vec<u8>,
    ) -> Result<bool> {
        let (mut reading, mut writing) = tokio::io::split(stream);
        let say = async {
            for (index, piece) in self.pieces.iter().enumerate() {
                if index > 0 {
                    tokio::time::sleep(PIECE_PAUSE).await;
                }
                writing.write_all(piece).await?;
                writing.flush().await?;
            }
            if self.finish {
                writing.shutdown().await?;
            }
            std::io::Result::Ok(())
        };
        let hear = async {
            let mut buffer = vec![0; 64 * 1024];
            while !self.until.reached(bytes)? {
                let read = reading.read(&mut buffer).await.context("reading")?;
                if read == 0 {
                    return Ok(true);
                }
                bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
            }
            anyhow::Ok(false)
        };
        // Both at once: an answer may come, and the connection end, before all is said.
        let (said, heard) = tokio::join!(say, hear);
        let closed = heard?;
        if !closed {
            said.context("writing")?;
        }
        Ok(closed)
    }
}

impl Until {
    fn reached(self, bytes: &[u8]) -> Result<bool> {
        Ok(match self {
            Self::Bytes(wanted) => bytes.len() >= wanted,
            Self::Close => false,
            Self::Chunked => match bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => chunked::read(bytes.get(end + 4..).unwrap_or_default())?.is_some(),
                None => false,
            },
        })
    }
}
