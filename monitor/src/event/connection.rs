//! The record of one connection.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Outcome;
use crate::identity::{Attribution, Workload};

/// One connection that was sent to the agent.
#[derive(Debug, Clone)]
pub struct Connection {
    /// When it was accepted, Unix milliseconds.
    pub opened_ms: u64,
    /// When both sides were closed, Unix milliseconds; `None` while it is open.
    pub closed_ms: Option<u64>,
    /// Who opened it; `None` exactly when `attribution` is [`Attribution::Unknown`].
    pub workload: Option<Arc<Workload>>,
    /// How sure that is, and why not surer.
    pub attribution: Attribution,
    /// The client's end.
    pub client: SocketAddr,
    /// Where the client connected to; `None` when that is not known.
    pub original_destination: Option<SocketAddr>,
    /// The server name in its ClientHello.
    pub server_name: Option<Arc<str>>,
    /// What became of it.
    pub outcome: Outcome,
    /// The application protocol both sides agreed on: `h2`, `http/1.1`.
    pub alpn: Option<&'static str>,
    /// Bytes from the client, as carried (decrypted where intercepted).
    pub bytes_up: u64,
    /// Bytes to the client, as carried.
    pub bytes_down: u64,
    /// Requests that it carried.
    pub exchanges: u64,
}
