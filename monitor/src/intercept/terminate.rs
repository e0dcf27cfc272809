//! Both sides of TLS: to the upstream, verified for the client's own server name, and to the client, with a leaf for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use monitor_protocol::Provider;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::{client, server};

use super::dial::{self, DialError};
use super::live::Traffic;
use super::plain::PlainEndpoint;
use super::replay::Replay;
use super::steered::Steered;
use super::{Alpn, alert};
use crate::event::{BypassReason, Connection, Outcome};
use crate::exchange::{Opened, Origin, http1, http2};
use crate::identity::Claim;

/// How long the client may take to finish its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);
/// What is read of a client's first flight over a handshake that should make it leave: a request of the usual size.
const FIRST_BYTES: usize = 8 * 1024;

type ClientSide = server::TlsStream<Replay<TcpStream>>;
type UpstreamSide = client::TlsStream<TcpStream>;

impl Steered<'_> {
    /// Terminates both sides and carries the exchanges between them.
    pub(super) async fn intercept(
        self,
        stream: TcpStream,
        first: BytesMut,
        name: Box<str>,
        offered: Vec<Alpn>,
        provider: Provider,
    ) -> Connection {
        // From the beginning: the process may fork during the handshake.
        let claim = self.claim(&stream);
        let upstream = match self.dial(&name, &provider.name, &offered).await {
            Ok(upstream) => upstream,
            Err(error) => return self.refuse(stream, &error).await,
        };
        if !self.marked {
            self.interceptor.learn(self.destination);
        }
        let alpn = agreed(&upstream);
        let client = match self.accept(stream, first, &name, alpn).await {
            Ok(client) => client,
            Err(outcome) => return self.end(outcome),
        };
        self.carry(client, upstream, alpn, name, provider, claim).await
    }

    /// Carries the exchanges of a connection without TLS.
    pub(super) async fn intercept_plain(
        self,
        stream: TcpStream,
        first: BytesMut,
        version: Alpn,
        endpoint: PlainEndpoint,
    ) -> Connection {
        let claim = self.claim(&stream);
        if stream.set_nodelay(true).is_err() {
            return self.end(Outcome::ClientGone);
        }
        let upstream = match dial::tcp(&self.netns, self.destination).await {
            Ok(upstream) => upstream,
            Err(error) => return self.refuse(stream, &error).await,
        };
        let PlainEndpoint { host, provider } = endpoint;
        let client = Replay::new(first, stream);
        self.carry(client, upstream, version, host, provider, claim).await
    }

    /// Carries the exchanges between two sides that are open.
    async fn carry<C, U>(
        mut self,
        client: C,
        upstream: U,
        alpn: Alpn,
        name: Box<str>,
        provider: Provider,
        claim: Option<Claim>,
    ) -> Connection
    where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        U: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.record.outcome = Outcome::Intercepted;
        self.record.alpn = Some(alpn.name());
        let origin = Arc::new(Origin::new(
            self.interceptor.node.clone(),
            Opened {
                workload: self.record.workload.clone(),
                attribution: self.record.attribution,
                claim,
                client: self.record.client,
                original_destination: self.destination,
                provider: provider.name.into(),
                host: name.into(),
                api: provider.api,
                catalog: self.interceptor.catalog.load_full(),
            },
        ));
        self.place
            .update(&self.record, Traffic::Exchanges(origin.clone()));
        // Boxed, so that connections that are refused do not carry the size of both.
        let served = match alpn {
            Alpn::Http1 => Box::pin(http1::serve(origin.clone(), client, upstream)).await,
            Alpn::Http2 => Box::pin(http2::serve(origin.clone(), client, upstream)).await,
        };
        if let Err(error) = served {
            tracing::debug!(%error, "an intercepted connection failed");
        }
        origin.add_traffic(&mut self.record);
        if self.record.exchanges == 0 {
            self.record.outcome = Outcome::Unused;
        }
        self.record
    }

    /// A ClientHello that may hide a name, where nothing hidden may pass: it is answered as by a server that does not know
    /// Encrypted Client Hello, with a certificate for the name that can be read. A client that hid another one leaves (RFC 9849,
    /// section 6.1.6) and, trusting that certificate, may come back with the name in clear. One whose extension meant nothing
    /// goes on, and is carried to the server of the name that was read, which is not asked for any other.
    pub(super) async fn reveal(
        mut self,
        stream: TcpStream,
        first: BytesMut,
        name: Box<str>,
        offered: Vec<Alpn>,
    ) -> Connection {
        let dialled = self.dial(&name, "", &offered).await;
        // A hidden name's outer one may have no server at all; the client is to find out that it is not hidden even then.
        let alpn = match &dialled {
            Ok(upstream) => agreed(upstream),
            Err(_) => offered.first().copied().unwrap_or(Alpn::Http1),
        };
        let mut client = match self.accept(stream, first, &name, alpn).await {
            Ok(client) => client,
            Err(outcome) => {
                self.report(BypassReason::Ech, true);
                return self.end(outcome);
            }
        };
        let mut said = BytesMut::with_capacity(FIRST_BYTES);
        let read = timeout(HANDSHAKE_TIMEOUT, client.read_buf(&mut said)).await;
        if !matches!(read, Ok(Ok(1..))) {
            self.report(BypassReason::Ech, true);
            return self.end(Outcome::EchRejected);
        }
        let mut upstream = match dialled {
            Ok(upstream) => upstream,
            Err(error) => return self.refuse(client.into_inner().0.into_inner(), &error).await,
        };
        self.record.outcome = Outcome::Relayed;
        self.record.alpn = Some(alpn.name());
        self.place.update(&self.record, Traffic::None);
        let sent = said.len() as u64;
        let carried = match upstream.write_all(&said).await {
            Ok(()) => copy_bidirectional(&mut client, &mut upstream).await,
            Err(error) => Err(error),
        };
        match carried {
            Ok((up, down)) => (self.record.bytes_up, self.record.bytes_down) = (up + sent, down),
            Err(error) => tracing::debug!(%error, "a relayed connection failed"),
        }
        self.record
    }

    async fn dial(&self, name: &str, provider: &str, offered: &[Alpn]) -> Result<UpstreamSide, DialError> {
        let tls = self.interceptor.upstreams.load().offering(provider, offered);
        let upstream = dial::tcp(&self.netns, self.destination).await?;
        dial::tls(upstream, self.destination, name, tls).await
    }

    /// Finishes the client's handshake, or says what became of the connection instead.
    async fn accept(
        &self,
        stream: TcpStream,
        first: BytesMut,
        name: &str,
        alpn: Alpn,
    ) -> Result<ClientSide, Outcome> {
        let config = match self.interceptor.leaves.server_config(name, alpn) {
            Ok(config) => config,
            Err(error) => {
                tracing::error!(%error, "no certificate for a client");
                return Err(Outcome::Failed);
            }
        };
        if stream.set_nodelay(true).is_err() {
            return Err(Outcome::ClientGone);
        }
        let accepted = TlsAcceptor::from(config).accept(Replay::new(first, stream));
        match timeout(HANDSHAKE_TIMEOUT, accepted).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(error)) if alert::says_untrusted(&error) => {
                self.report(BypassReason::UntrustedCa, true);
                if let Some(workload) = &self.record.workload {
                    self.interceptor.distrust.remember(workload, name, Instant::now());
                }
                Err(Outcome::ClientDistrustsCa)
            }
            Ok(Err(error)) if alert::says_hidden(&error) => Err(Outcome::EchRejected),
            Ok(Err(error)) if alert::says_nothing(&error) => Err(Outcome::ClientLeftHandshake),
            Ok(Err(_)) | Err(_) => Err(Outcome::ClientHandshakeFailed),
        }
    }
}

/// The protocol that the upstream chose.
fn agreed(upstream: &UpstreamSide) -> Alpn {
    let chosen = upstream.get_ref().1.alpn_protocol();
    chosen.and_then(Alpn::from_wire).unwrap_or(Alpn::Http1)
}
