//! Which way a steered connection goes, by its first bytes: intercepted, spliced, or refused.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use monitor_common::FlowRecord;
use rustls::AlertDescription;
use tokio::net::TcpStream;

use super::alert;
use super::client_hello::{self, Hello};
use super::connection::Interceptor;
use super::dial::{self, DialError};
use super::live::{Place, Traffic};
use super::plain;
use super::splice::{Carried, splice};
use crate::event::{Bypass, BypassReason, Connection, Event, Outcome, SpliceReason, Transport};
use crate::identity::{Claim, Ends, Netns};
use crate::policy::Applied;

/// Room for a ClientHello of the usual size.
const HELLO_BYTES: usize = 2_048;

/// A connection whose sides are not open yet.
pub(super) struct Steered<'i> {
    pub(super) interceptor: &'i Interceptor,
    pub(super) netns: Arc<Netns>,
    pub(super) destination: SocketAddr,
    pub(super) flow: FlowRecord,
    /// The destination's address is marked as an LLM host's; otherwise the connection is here because all of its workload's
    /// are.
    pub(super) marked: bool,
    pub(super) record: Connection,
    pub(super) place: Place,
}

impl Steered<'_> {
    pub(super) async fn run(mut self, mut stream: TcpStream) -> Connection {
        let mut first = BytesMut::with_capacity(HELLO_BYTES);
        let hello = match client_hello::read(&mut stream, &mut first).await {
            Ok(hello) => hello,
            Err(_) => return self.end(Outcome::ClientGone),
        };
        let (sni, alpn, foreign_alpn) = match hello {
            Hello::Closed => return self.end(Outcome::ClientGone),
            Hello::NotTls | Hello::Incomplete => return self.not_tls(stream, first).await,
            Hello::Tls {
                sni,
                alpn,
                foreign_alpn,
            } => (sni, alpn, foreign_alpn),
        };
        let Some(name) = sni else {
            return self.uncovered(stream, first, SpliceReason::NoServerName).await;
        };
        self.record.server_name = Some(name.as_ref().into());
        let provider = self.interceptor.catalog.load().lookup(&name).cloned();
        let Some(provider) = provider else {
            // At an address that no LLM host shares, a hidden name is none of ours.
            if !self.marked || !client_hello::has_ech(&first) {
                return self.splice(stream, first, SpliceReason::NotListed).await;
            }
            if !self.applied().denies_bypass() {
                return self.bypass(stream, first, SpliceReason::Ech).await;
            }
            return Box::pin(self.reveal(stream, first, name, alpn)).await;
        };
        if foreign_alpn {
            // The name says that it is LLM-bound, whatever the address does.
            return self.bypass(stream, first, SpliceReason::Protocol).await;
        }
        if self.is_distrusted(&name) {
            self.report(BypassReason::UntrustedCa, false);
            return self.splice(stream, first, SpliceReason::UntrustedCa).await;
        }
        // Boxed, so that a connection that is spliced does not carry the size of both TLS handshakes.
        Box::pin(self.intercept(stream, first, name, alpn, provider)).await
    }

    /// At an endpoint that is configured so, HTTP; elsewhere nothing that can be read.
    async fn not_tls(mut self, mut stream: TcpStream, mut first: BytesMut) -> Connection {
        let port = self.destination.port();
        if !self.interceptor.plain.load().has(port) {
            return self.uncovered(stream, first, SpliceReason::NotTls).await;
        }
        let opening = match plain::read(&mut stream, &mut first).await {
            Ok(Some(opening)) => opening,
            Ok(None) | Err(_) => return self.end(Outcome::ClientGone),
        };
        let endpoints = self.interceptor.plain.load_full();
        match endpoints.at(port, opening.host.as_deref(), self.marked) {
            Some(endpoint) => {
                self.record.server_name = Some(endpoint.host.as_ref().into());
                Box::pin(self.intercept_plain(stream, first, opening.version, endpoint)).await
            }
            None => self.splice(stream, first, SpliceReason::NotListed).await,
        }
    }

    /// The client has refused the certificate for this name before, and policy passes that. Asked before anything is
    /// dialled, so that the upstream sees the client's own ClientHello and no other.
    fn is_distrusted(&self, name: &str) -> bool {
        let Some(workload) = &self.record.workload else {
            return false;
        };
        self.interceptor.distrust.has(workload, name, Instant::now()) && !self.applied().denies_untrusted_ca()
    }

    /// What does not say where it is bound: for an LLM host if its address is one's, else ordinary traffic.
    async fn uncovered(self, stream: TcpStream, first: BytesMut, reason: SpliceReason) -> Connection {
        if self.marked {
            self.bypass(stream, first, reason).await
        } else {
            self.splice(stream, first, reason).await
        }
    }

    /// What is LLM-bound and cannot be intercepted: it passes or is refused, on record.
    async fn bypass(self, stream: TcpStream, first: BytesMut, reason: SpliceReason) -> Connection {
        let denied = self.applied().denies_bypass();
        if let Some(bypass) = reason.bypass() {
            self.report(bypass, denied);
        }
        if denied {
            self.deny(stream, reason).await
        } else {
            self.splice(stream, first, reason).await
        }
    }

    async fn deny(self, mut stream: TcpStream, reason: SpliceReason) -> Connection {
        // The client may be gone; the record says what happened either way.
        if reason == SpliceReason::NotTls {
            let _gone = stream.set_zero_linger();
        } else {
            let _gone = alert::send(&mut stream, AlertDescription::AccessDenied).await;
        }
        self.end(Outcome::Refused(reason))
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

    /// There is no upstream: the client is told what it would have found out for itself.
    pub(super) async fn refuse(self, mut stream: TcpStream, error: &DialError) -> Connection {
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

    /// Watches whose the connection is.
    pub(super) fn claim(&self, stream: &TcpStream) -> Option<Claim> {
        let ends = Ends {
            client: self.record.client,
            listener: stream.local_addr().ok()?,
            netns: self.netns.clone(),
        };
        let workload = self.record.workload.clone()?;
        let identity = &self.interceptor.identity;
        Some(identity.claim(&self.flow, ends, workload, self.record.attribution))
    }

    /// What policy says of the workload.
    pub(super) fn applied(&self) -> Applied {
        let policies = self.interceptor.node.policies.load();
        policies.select(self.record.workload.as_deref())
    }

    /// Puts a bypass on record.
    pub(super) fn report(&self, reason: BypassReason, denied: bool) {
        let node = &self.interceptor.node;
        let workload = self.record.workload.clone();
        let bypass = Bypass {
            at_ms: node.clock.now_ms(),
            placement: workload.as_ref().map(|workload| workload.placement.clone()),
            workload,
            attribution: self.record.attribution,
            reason,
            denied,
            transport: Transport::Tcp,
            destination: Some(self.destination),
            server_name: self.record.server_name.clone(),
            unreported: 0,
        };
        node.recorder.send(Event::Bypass(Arc::new(bypass)));
    }

    pub(super) fn end(self, outcome: Outcome) -> Connection {
        Connection {
            outcome,
            ..self.record
        }
    }
}
