//! One HTTPS server that takes a bearer token: the API server, or the kubelet. Each request has a connection of its own,
//! and reads token and roots anew, because both are replaced while the agent runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, HeaderValue};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::{ApiServer, HttpsAddress};

/// How long a connection may take, its TLS handshake included.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long an answer may take to begin.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How long a connection is silent until the kernel asks whether the other side is there, and between its questions. A
/// watch is silent while nothing happens.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Questions without an answer until the connection counts as lost.
const KEEPALIVE_RETRIES: u32 = 3;

/// Longest answer to one request: a page of pods, each within etcd's own limit of 1.5 MiB.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// Longest line of a watch: one pod. In JSON it can be twice as long as it is in etcd.
const MAX_EVENT_BYTES: usize = 4 << 20;

/// Largest file with a token or roots.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Why a server gave no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::identity) enum ServerError {
    /// The token or the roots cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The token or the roots are not what they should be.
    #[error("{path}: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// No connection.
    #[error("cannot connect to {server}: {source}")]
    Connect {
        /// Host and port.
        server: String,
        /// The system's answer, or that of the TLS handshake.
        source: io::Error,
    },
    /// The TLS library refuses its configuration.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// It took too long.
    #[error("{server} does not {what} within {} s", limit.as_secs())]
    TimedOut {
        /// Host and port.
        server: String,
        /// What it should have done.
        what: &'static str,
        /// How long it had.
        limit: Duration,
    },
    /// The exchange broke.
    #[error("{server}: {source}")]
    Http {
        /// Host and port.
        server: String,
        /// What broke.
        source: hyper::Error,
    },
    /// The answer broke off.
    #[error("the answer broke off: {0}")]
    BrokeOff(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An answer is longer than any real one.
    #[error("an answer exceeds {0} bytes")]
    TooLong(usize),
    /// The server says no.
    #[error("{server} answers {status}")]
    Refused {
        /// Host and port.
        server: String,
        /// What it says.
        status: http::StatusCode,
    },
    /// The answer is not what was asked for.
    #[error("{server} sends no list of pods: {source}")]
    Answer {
        /// Host and port.
        server: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// A server, and what it is asked with.
#[derive(Debug)]
pub(in crate::identity) struct Server {
    api: ApiServer,
    authority: String,
}

impl Server {
    pub(in crate::identity) fn new(api: ApiServer) -> Self {
        let authority = api.api.authority();
        Self { api, authority }
    }

    pub(in crate::identity) const fn address(&self) -> &HttpsAddress {
        &self.api.api
    }

    /// Sends a request, whose URI is a path, and returns when the answer begins.
    pub(in crate::identity) async fn send<B>(
        &self,
        mut request: Request<B>,
    ) -> Result<Response<Bounded>, ServerError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let is_watch = request.uri().query().is_some_and(|query| {
            query
                .split('&')
                .any(|parameter| matches!(parameter, "watch=true" | "watch=1"))
        });
        let host = HeaderValue::try_from(&self.authority).map_err(|_| ServerError::Content {
            path: PathBuf::from(&self.authority),
            problem: "is no host name",
        })?;
        request.headers_mut().insert(HOST, host);
        request.headers_mut().insert(AUTHORIZATION, self.token()?);
        let stream = self
            .in_time("accept a connection", CONNECT_WITHIN, self.connect())
            .await??;
        let answer = async {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            // Ends when the answer has been read or dropped.
            tokio::spawn(connection);
            sender.send_request(request).await
        };
        let response = self
            .in_time("answer", ANSWER_WITHIN, answer)
            .await?
            .map_err(|source| ServerError::Http {
                server: self.authority.clone(),
                source,
            })?;
        Ok(response.map(|inner| Bounded {
            inner,
            limit: if is_watch {
                MAX_EVENT_BYTES
            } else {
                MAX_ANSWER_BYTES
            },
            by_line: is_watch,
            seen: 0,
        }))
    }

    /// The whole answer to a GET.
    pub(in crate::identity) async fn get(&self, path: &'static str) -> Result<Bytes, ServerError> {
        let mut request = Request::new(http_body_util::Empty::new());
        *request.uri_mut() = http::Uri::from_static(path);
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Err(ServerError::Refused {
                server: self.authority.clone(),
                status: response.status(),
            });
        }
        let body = self.in_time("end its answer", ANSWER_WITHIN, response.into_body().collect());
        Ok(body.await??.to_bytes())
    }

    fn token(&self) -> Result<HeaderValue, ServerError> {
        let path = &self.api.token_file;
        let token = read(path)?;
        let mut header = HeaderValue::try_from([b"Bearer ", token.trim_ascii()].concat())
            .ok()
            .filter(|_| !token.trim_ascii().is_empty())
            .ok_or_else(|| ServerError::Content {
                path: path.clone(),
                problem: "holds no bearer token",
            })?;
        header.set_sensitive(true);
        Ok(header)
    }

    async fn connect(&self) -> Result<tokio_rustls::client::TlsStream<TcpStream>, ServerError> {
        let connect = |source| ServerError::Connect {
            server: self.authority.clone(),
            source,
        };
        let HttpsAddress { host, port } = &self.api.api;
        let name = ServerName::try_from(host.clone()).map_err(|error| connect(io::Error::other(error)))?;
        let tls = TlsConnector::from(Arc::new(self.tls()?));
        let stream = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(connect)?;
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE)
            .with_retries(KEEPALIVE_RETRIES);
        SockRef::from(&stream)
            .set_tcp_keepalive(&keepalive)
            .and_then(|()| stream.set_nodelay(true))
            .map_err(connect)?;
        tls.connect(name, stream).await.map_err(connect)
    }

    fn tls(&self) -> Result<ClientConfig, ServerError> {
        let path = &self.api.ca_file;
        let pem = read(path)?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let added = certificate.is_ok_and(|certificate| roots.add(certificate).is_ok());
            if !added {
                return Err(ServerError::Content {
                    path: path.clone(),
                    problem: "has a certificate that cannot be used",
                });
            }
        }
        if roots.is_empty() {
            return Err(ServerError::Content {
                path: path.clone(),
                problem: "holds no certificate",
            });
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }

    async fn in_time<T>(
        &self,
        what: &'static str,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, ServerError> {
        tokio::time::timeout(limit, work)
            .await
            .map_err(|_| ServerError::TimedOut {
                server: self.authority.clone(),
                what,
                limit,
            })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ServerError> {
    let failed = |source| ServerError::File {
        path: path.to_path_buf(),
        source,
    };
    if fs::metadata(path).map_err(failed)?.len() > MAX_FILE_BYTES {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    fs::read(path).map_err(failed)
}

/// The body of an answer, which fails when it, or one line of it, is too long.
#[derive(Debug)]
pub(in crate::identity) struct Bounded<B = Incoming> {
    inner: B,
    limit: usize,
    /// The limit is that of a line.
    by_line: bool,
    /// Bytes since the beginning, or since the last line feed.
    seen: usize,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Bounded<B>
where
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = ServerError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let frame = std::task::ready!(Pin::new(&mut this.inner).poll_frame(cx));
        let Some(frame) = frame else {
            return Poll::Ready(None);
        };
        let frame = frame.map_err(|error| ServerError::BrokeOff(error.into()))?;
        if let Some(data) = frame.data_ref() {
            let first_end = memchr::memchr(b'\n', data).filter(|_| this.by_line);
            this.seen += first_end.unwrap_or(data.len());
            if this.seen > this.limit {
                return Poll::Ready(Some(Err(ServerError::TooLong(this.limit))));
            }
            if let Some(end) = first_end {
                // No line within a frame is longer than a frame, which the transport bounds.
                let last_end = memchr::memrchr(b'\n', data).unwrap_or(end);
                this.seen = data.len() - last_end - 1;
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

#[cfg(test)]
mod tests;
