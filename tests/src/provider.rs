//! Stand-in providers as their SDKs' typed models describe them, an ordinary site beside them, and a host whose answers a test scripts byte by byte. Each keeps what it received and counts tokens by itself.

mod anthropic;
mod bedrock;
mod cohere;
mod count;
mod encoding;
mod golden;
mod google;
mod log;
mod ollama;
mod openai;
mod ordinary;
mod reply;
mod script;
mod sink;
mod tgi;
mod websocket;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub(crate) use count::text as tokens;
pub(crate) use golden::{Golden, Step};
pub(crate) use log::{Bill, Ended, Log, Served, contains as log_contains};
pub(crate) use ordinary::page;

use crate::lab::address::{
    ANTHROPIC, AddressPlan, BEDROCK, BENCH, BULK, COHERE, DEAD, GEMINI, Host, LLAMA, MCP, OLLAMA, ORDINARY,
    ORDINARY_ALONE, SCRIPTED, TGI, VERTEX, every_host,
};
use crate::lab::authority::Authority;
use crate::lab::netns::Netns;

/// Connections that may wait to be accepted: the tests open hundreds at once.
const BACKLOG: i32 = 4096;

/// The servers of one lab.
#[derive(Clone)]
pub(crate) struct Providers {
    log: Arc<Log>,
    golden: Arc<Golden>,
}

/// One connection as a server sees it.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// The client's address.
    pub(crate) peer: SocketAddr,
    /// The name the client asked for in its ClientHello.
    pub(crate) host: String,
    /// The protocol agreed on.
    pub(crate) alpn: String,
}

impl Providers {
    /// Listens on port 443 of every host's addresses inside the internet netns.
    pub(crate) fn serve(
        internet: &Netns,
        plan: &AddressPlan,
        authority: &Authority,
        log: &Arc<Log>,
        golden: &Arc<Golden>,
    ) -> Result<()> {
        let providers = Self {
            log: Arc::clone(log),
            golden: Arc::clone(golden),
        };
        let either = TlsAcceptor::from(Arc::new(authority.server_config(&[b"h2", b"http/1.1"])?));
        // Raw bytes are scripted as HTTP/1.1.
        let http1 = TlsAcceptor::from(Arc::new(authority.server_config(&[b"http/1.1"])?));
        for host in served() {
            let acceptor = if host == SCRIPTED { &http1 } else { &either };
            for address in [IpAddr::V4(plan.v4(host)), IpAddr::V6(plan.v6(host))] {
                let listener = listen(internet, SocketAddr::new(address, 443))?;
                tokio::spawn(providers.clone().accept(listener, acceptor.clone()));
                sink::serve(internet, address)?;
            }
        }
        Ok(())
    }

    async fn accept(self, listener: TcpListener, acceptor: TlsAcceptor) {
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                // Out of descriptors for a moment; others are being closed.
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                continue;
            };
            self.log.accepted();
            let (providers, acceptor) = (self.clone(), acceptor.clone());
            tokio::spawn(async move {
                // A client that goes away in the middle is a client's right; what it sent is on record.
                let _ended = providers.connection(stream, peer, acceptor).await;
            });
        }
    }

    async fn connection(&self, stream: TcpStream, peer: SocketAddr, acceptor: TlsAcceptor) -> Result<()> {
        stream.set_nodelay(true)?;
        let tls = acceptor.accept(stream).await.context("TLS handshake")?;
        let session = tls.get_ref().1;
        let arrival = Arrival {
            peer,
            host: session.server_name().unwrap_or_default().to_owned(),
            alpn: String::from_utf8_lossy(session.alpn_protocol().unwrap_or_default()).into_owned(),
        };
        if arrival.host == SCRIPTED.name {
            return self.golden.connection(tls).await;
        }
        let http2 = arrival.alpn == "h2";
        let providers = self.clone();
        let service = service_fn(move |request| {
            let (providers, arrival) = (providers.clone(), arrival.clone());
            async move {
                match arrival.host.as_str() {
                    host if [ORDINARY.name, ORDINARY_ALONE.name].contains(&host) => {
                        ordinary::answer(request).await
                    }
                    host if host == ANTHROPIC.name => {
                        anthropic::answer(request, arrival, providers.log).await
                    }
                    host if [GEMINI.name, VERTEX.name].contains(&host) => {
                        google::answer(request, arrival, providers.log).await
                    }
                    host if host == BEDROCK.name => bedrock::answer(request, arrival, providers.log).await,
                    host if host == COHERE.name => cohere::answer(request, arrival, providers.log).await,
                    host if host == OLLAMA.name => ollama::answer(request, arrival, providers.log).await,
                    host if host == TGI.name => tgi::answer(request, arrival, providers.log).await,
                    _ => openai::answer(request, arrival, providers.log).await,
                }
            }
        });
        let io = TokioIo::new(tls);
        if http2 {
            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(1000)
                .enable_connect_protocol()
                .serve_connection(io, service)
                .await?;
        } else {
            hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(io, service)
                .with_upgrades()
                .await?;
        }
        Ok(())
    }
}

/// One host for every address that these servers listen on: the dead one's, the bench's and the MCP server's are not theirs.
fn served() -> Vec<Host> {
    let mut hosts: Vec<Host> = every_host()
        .filter(|host| ![DEAD, BENCH, BULK, LLAMA, MCP].contains(host))
        .collect();
    hosts.sort_by_key(|host| host.number);
    hosts.dedup_by_key(|host| host.number);
    hosts
}

fn listen(netns: &Netns, address: SocketAddr) -> Result<TcpListener> {
    let listener = netns.inside(|| {
        let socket =
            socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket
            .bind(&address.into())
            .with_context(|| format!("binding {address}"))?;
        socket.listen(BACKLOG)?;
        Ok(std::net::TcpListener::from(socket))
    })?;
    Ok(TcpListener::from_std(listener)?)
}
