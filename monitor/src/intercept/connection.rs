//! One steered connection, from `accept` to its record.
//!
//! 1. The kernel's flow record on the accepted socket says who connected, and where to.
//! 2. The ClientHello says which server is meant. What is not in the catalog is spliced to where it was going.
//! 3. The upstream is dialled from the same namespace and verified for that name, offering what the client offered.
//! 4. The client is shown a leaf certificate for the name, with the protocol that the upstream chose.
//! 5. The exchanges of the connection run until it ends.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::BytesMut;
use monitor_common::FlowRecord;
use monitor_common::flow::FLAG_MARKED;
use monitor_protocol::{Catalog, Provider};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::client_hello::{self, Hello};
use super::dial::{self, DialError};
use super::live::{Live, Place, Traffic};
use super::replay::Replay;
use super::splice::{Carried, splice};
use super::{Alpn, alert};
use crate::event::{Connection, Event, Outcome, SpliceReason};
use crate::exchange::{Node, Opened, Origin, http1, http2};
use crate::identity::{Attribution, AttributionReason, Identity, Netns};
use crate::kernel::Kernel;
use crate::selftest::SelfTest;
use crate::trust::{Leaves, Upstreams};

/// How long the client may take to finish its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);
/// Room for a ClientHello of the usual size.
const HELLO_BYTES: usize = 2_048;

/// What handling a connection takes.
pub struct Interceptor {
    /// The node's services.
    pub node: Arc<Node>,
    /// The loaded kernel programs.
    pub kernel: Arc<Kernel>,
    /// Flow records → workloads.
    pub identity: Arc<Identity>,
    /// Server names → providers.
    pub catalog: ArcSwap<Catalog>,
    /// Certificates shown to clients.
    pub leaves: Leaves,
    /// Verification of upstreams.
    pub upstreams: ArcSwap<Upstreams>,
    /// The connections that are open.
    pub live: Arc<Live>,
    /// Told when one of its own connections arrives.
    pub self_test: Arc<SelfTest>,
}

/// A connection whose sides are not open yet.
struct Steered<'i> {
    interceptor: &'i Interceptor,
    netns: Arc<Netns>,
    destination: SocketAddr,
    /// The destination's address was marked as an LLM host's.
    marked: bool,
    record: Connection,
    place: Place,
}

impl Interceptor {
    /// Handles one accepted connection to its end, and puts it on record.
    pub async fn handle(self: Arc<Self>, stream: TcpStream, netns: Arc<Netns>) {
        let flow = match self.kernel.flow_of(stream.as_fd()) {
            Ok(flow) => flow,
            Err(error) => {
                tracing::error!(%error, "cannot read the flow record of a connection");
                None
            }
        };
        if let Some(flow) = &flow
            && self.self_test.arrived(flow)
        {
            return;
        }
        self.node.recorder.ready().await;
        let mut record = self.opened(&stream, flow.as_ref());
        let Some(place) = self.live.enter(record.clone()) else {
            record.outcome = Outcome::Overloaded;
            return self.record(record);
        };
        let record = match record.original_destination {
            Some(destination) => {
                let steered = Steered {
                    interceptor: &self,
                    netns,
                    destination,
                    marked: flow.is_some_and(|flow| flow.flags & FLAG_MARKED != 0),
                    record,
                    place,
                };
                steered.run(stream).await
            }
            // Nobody was sent here by the kernel: a stray connection to the listener's own port.
            None => Connection {
                outcome: Outcome::Unattributed,
                ..record
            },
        };
        self.record(record);
    }

    fn opened(&self, stream: &TcpStream, flow: Option<&FlowRecord>) -> Connection {
        let (workload, attribution) = match flow {
            Some(flow) => {
                let (workload, attribution) = self.identity.resolve(flow);
                (Some(workload), attribution)
            }
            None => (None, Attribution::Unknown(AttributionReason::NoRecord)),
        };
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        let client = stream.peer_addr().unwrap_or(unspecified);
        Connection {
            opened_ms: self.node.clock.now_ms(),
            closed_ms: None,
            workload,
            attribution,
            client,
            original_destination: flow.map(original_destination),
            server_name: None,
            outcome: Outcome::Failed,
            alpn: None,
            bytes_up: 0,
            bytes_down: 0,
            exchanges: 0,
        }
    }

    /// Marks the address of an LLM host that has shown the host's certificate: a client's word for it is not enough, or
    /// one could fill the table with any address.
    fn learn(&self, destination: SocketAddr) {
        match self.kernel.learn_address(destination.ip()) {
            Ok(_) => tracing::debug!(%destination, "an LLM host's address is marked"),
            Err(error) => tracing::error!(%error, %destination, "an LLM host's address cannot be marked"),
        }
    }

    fn record(&self, mut record: Connection) {
        record.closed_ms = Some(self.node.clock.now_ms());
        self.node.recorder.send(Event::Connection(Arc::new(record)));
    }
}

fn original_destination(flow: &FlowRecord) -> SocketAddr {
    SocketAddr::new(flow.orig_addr.into(), flow.orig_port)
}

impl Steered<'_> {
    async fn run(mut self, mut stream: TcpStream) -> Connection {
        let mut first = BytesMut::with_capacity(HELLO_BYTES);
        let hello = match client_hello::read(&mut stream, &mut first).await {
            Ok(hello) => hello,
            Err(_) => return self.end(Outcome::ClientGone),
        };
        let (name, alpn) = match hello {
            Hello::Closed => return self.end(Outcome::ClientGone),
            Hello::NotTls | Hello::Incomplete => {
                return self.splice(stream, first, SpliceReason::NotTls).await;
            }
            Hello::Tls { sni: None, .. } => {
                return self.splice(stream, first, SpliceReason::NoServerName).await;
            }
            Hello::Tls {
                sni: Some(name),
                foreign_alpn,
                alpn,
            } => {
                self.record.server_name = Some(name.as_ref().into());
                if foreign_alpn {
                    return self.splice(stream, first, SpliceReason::Protocol).await;
                }
                (name, alpn)
            }
        };
        let Some(provider) = self.interceptor.catalog.load().lookup(&name).cloned() else {
            return self.splice(stream, first, SpliceReason::NotListed).await;
        };
        // Boxed, so that a connection that is spliced does not carry the size of both TLS handshakes.
        Box::pin(self.intercept(stream, first, name, alpn, provider)).await
    }

    async fn splice(mut self, mut stream: TcpStream, first: BytesMut, reason: SpliceReason) -> Connection {
        let mut upstream = match dial::tcp(&self.netns, self.destination).await {
            Ok(upstream) => upstream,
            Err(error) => return self.refuse(stream, &error).await,
        };
        self.record.outcome = Outcome::Spliced(reason);
        let carried = Arc::<Carried>::default();
        self.place.update(&self.record, Traffic::Bytes(carried.clone()));
        // A failed socket ends a spliced connection as it would have ended the direct one.
        if let Err(error) = splice(first, &mut stream, &mut upstream, &carried).await {
            tracing::debug!(%error, "a spliced connection failed");
        }
        (self.record.bytes_up, self.record.bytes_down) = (carried.up(), carried.down());
        self.record
    }

    async fn intercept(
        mut self,
        stream: TcpStream,
        first: BytesMut,
        name: Box<str>,
        offered: Vec<Alpn>,
        provider: Provider,
    ) -> Connection {
        let tls = self
            .interceptor
            .upstreams
            .load()
            .offering(&provider.name, &offered);
        let dialled = match dial::tcp(&self.netns, self.destination).await {
            Ok(upstream) => dial::tls(upstream, self.destination, &name, tls).await,
            Err(error) => Err(error),
        };
        let upstream = match dialled {
            Ok(upstream) => upstream,
            Err(error) => return self.refuse(stream, &error).await,
        };
        if !self.marked {
            self.interceptor.learn(self.destination);
        }
        let alpn = upstream
            .get_ref()
            .1
            .alpn_protocol()
            .and_then(Alpn::from_wire)
            .unwrap_or(Alpn::Http1);
        let config = match self.interceptor.leaves.server_config(&name, alpn) {
            Ok(config) => config,
            Err(error) => {
                tracing::error!(%error, "no certificate for a client");
                return self.end(Outcome::Failed);
            }
        };
        if stream.set_nodelay(true).is_err() {
            return self.end(Outcome::ClientGone);
        }
        let accepted = TlsAcceptor::from(config).accept(Replay::new(first, stream));
        let client = match timeout(HANDSHAKE_TIMEOUT, accepted).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) if alert::says_untrusted(&error) => return self.end(Outcome::ClientDistrustsCa),
            Ok(Err(_)) | Err(_) => return self.end(Outcome::ClientHandshakeFailed),
        };
        self.record.outcome = Outcome::Intercepted;
        self.record.alpn = Some(alpn.name());
        let origin = Arc::new(Origin::new(
            self.interceptor.node.clone(),
            Opened {
                workload: self.record.workload.clone(),
                attribution: self.record.attribution,
                client: self.record.client,
                original_destination: self.destination,
                provider: provider.name.into(),
                host: name.into(),
                api: provider.api,
            },
        ));
        self.place
            .update(&self.record, Traffic::Exchanges(origin.clone()));
        // Boxed, so that connections that are spliced or refused do not carry the size of both.
        let served = match alpn {
            Alpn::Http1 => Box::pin(http1::serve(origin.clone(), client, upstream)).await,
            Alpn::Http2 => Box::pin(http2::serve(origin.clone(), client, upstream)).await,
        };
        if let Err(error) = served {
            tracing::debug!(%error, "an intercepted connection failed");
        }
        origin.add_traffic(&mut self.record);
        self.record
    }

    /// There is no upstream: the client is told what it would have found out for itself.
    async fn refuse(self, mut stream: TcpStream, error: &DialError) -> Connection {
        tracing::warn!(%error, "no upstream for a connection");
        let outcome = match error {
            DialError::Unreachable { .. } => Outcome::UpstreamUnreachable,
            DialError::Untrusted { .. } => Outcome::UpstreamUntrusted,
            DialError::Handshake { .. } => Outcome::UpstreamHandshakeFailed,
        };
        if let Some(alert) = error.alert() {
            // The client may be gone; the record says what happened either way.
            let _gone = alert::send(&mut stream, alert).await;
        } else {
            // As a refused connection: reset, not an orderly end.
            let _gone = stream.set_zero_linger();
        }
        self.end(outcome)
    }

    fn end(self, outcome: Outcome) -> Connection {
        Connection {
            outcome,
            ..self.record
        }
    }
}
