//! One steered connection, from `accept` to its record.
//!
//! 1. The kernel's flow record on the accepted socket says who connected, and where to.
//! 2. The ClientHello says which server is meant. What is not in the catalog is spliced to where it was going; what may be
//!    LLM-bound and cannot be intercepted is spliced or refused, on record.
//!    Without TLS, at an endpoint that is configured so, the first request's head says it.
//! 3. The upstream is dialled from the same namespace and verified for that name, offering what the client offered.
//! 4. The client is shown a leaf certificate for the name, with the protocol that the upstream chose.
//! 5. The exchanges of the connection run until it ends.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;

use arc_swap::ArcSwap;
use monitor_common::FlowRecord;
use monitor_common::flow::FLAG_MARKED;
use monitor_protocol::Catalog;
use tokio::net::TcpStream;

use super::distrust::Distrust;
use super::live::Live;
use super::plain::PlainEndpoints;
use super::steered::Steered;
use crate::event::{Connection, Event, Outcome};
use crate::exchange::Node;
use crate::identity::{Attribution, AttributionReason, Identity, Netns, PodNames};
use crate::kernel::Kernel;
use crate::selftest::SelfTest;
use crate::trust::{Leaves, Upstreams};

/// What handling a connection takes.
pub struct Interceptor {
    /// The node's services.
    pub node: Arc<Node>,
    /// The loaded kernel programs.
    pub kernel: Arc<Kernel>,
    /// Flow records → workloads.
    pub identity: Arc<Identity>,
    /// The names of pods, which placements have as soon as they are known.
    pub pod_names: PodNames,
    /// Server names → providers.
    pub catalog: ArcSwap<Catalog>,
    /// The endpoints without TLS.
    pub plain: ArcSwap<PlainEndpoints>,
    /// Certificates shown to clients.
    pub leaves: Leaves,
    /// Verification of upstreams.
    pub upstreams: ArcSwap<Upstreams>,
    /// Clients that have refused the node CA's certificate.
    pub distrust: Distrust,
    /// The connections that are open.
    pub live: Arc<Live>,
    /// Told when one of its own connections arrives.
    pub self_test: Arc<SelfTest>,
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
        let mut record = self.opened(&stream, flow.as_ref()).await;
        let Some(place) = self.live.enter(record.clone()) else {
            record.outcome = Outcome::Overloaded;
            return self.record(record);
        };
        let record = match flow {
            Some(flow) => {
                let steered = Steered {
                    interceptor: &self,
                    netns,
                    destination: original_destination(&flow),
                    flow,
                    marked: flow.flags & FLAG_MARKED != 0,
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

    async fn opened(&self, stream: &TcpStream, flow: Option<&FlowRecord>) -> Connection {
        let (workload, attribution) = match flow {
            Some(flow) => {
                let (mut workload, mut attribution) = self.identity.resolve(flow);
                // What tells of a process that lived only for a moment may not have been read yet.
                if attribution != Attribution::Exact && self.identity.caught_up().await {
                    (workload, attribution) = self.identity.resolve(flow);
                }
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
    pub(super) fn learn(&self, destination: SocketAddr) {
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
