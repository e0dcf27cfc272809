//! Who may use the local API: root, the agent's own user, and the users that the configuration names.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::UCred;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::MAX_API_CONNECTIONS;
use super::io::{ACCEPT_PAUSE, Limited, place};
use crate::config::Uid;
use crate::metrics::Metrics;

/// Refusals being answered at once; a user who causes more is cut off without an answer.
const MAX_REFUSALS: usize = 16;
/// How long a refused peer may take to send its request before it is answered anyway.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(1);
/// Bytes of a refused request that are read, and thrown away, before it is answered.
const REFUSED_REQUEST_BYTES: usize = 8 << 10;

/// Who may ask.
pub(super) struct Allowed {
    uids: Vec<u32>,
    metrics: Arc<Metrics>,
}

impl Allowed {
    pub(super) fn new(users: &[Uid], metrics: Arc<Metrics>) -> Self {
        let own = own_uid();
        let uids = users.iter().map(|user| user.0).chain([0]).chain(own).collect();
        Self { uids, metrics }
    }
}

/// Who asks: the kernel's word on the process that connected (unix(7), SO_PEERCRED).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) uid: u32,
    /// `None` where the process is in a pid namespace that this one does not see.
    pub(super) pid: Option<u32>,
}

impl Peer {
    fn of(credentials: &UCred) -> Self {
        let pid = credentials.pid().and_then(|pid| u32::try_from(pid).ok());
        Self {
            uid: credentials.uid(),
            pid: pid.filter(|&pid| pid != 0),
        }
    }

    /// Whether it may change budgets: root and the agent's own user may. The users of `node.api_users` are given the API to look. Groups
    /// do not count: containers run under any user with group 0.
    pub(super) fn may_change(self) -> bool {
        self.uid == 0 || own_uid() == Some(self.uid)
    }
}

impl Connected<IncomingStream<'_, PeerListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, PeerListener>) -> Self {
        *stream.remote_addr()
    }
}

/// A Unix listener that only yields connections of those who may ask.
pub(super) struct PeerListener {
    listener: UnixListener,
    allowed: Allowed,
    places: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
}

impl PeerListener {
    pub(super) fn new(listener: UnixListener, allowed: Allowed) -> Self {
        Self {
            listener,
            allowed,
            places: Arc::new(Semaphore::new(MAX_API_CONNECTIONS)),
            refusals: Arc::new(Semaphore::new(MAX_REFUSALS)),
        }
    }

    /// Answers a peer that may not ask, beside the listener, so that it holds up nobody.
    fn refuse(&self, stream: UnixStream, uid: u32) {
        self.allowed.metrics.api_refused.inc();
        tracing::warn!(uid, "local API: refused a user who is not in node.api_users");
        let Ok(refusal) = self.refusals.clone().try_acquire_owned() else {
            return;
        };
        tokio::spawn(async move {
            let _refusal = refusal;
            // However it ends, the peer is not served; a failed write only means that it did not wait for the answer.
            let _answered = tokio::time::timeout(REFUSAL_PATIENCE * 2, answer(stream, uid)).await;
        });
    }
}

impl Listener for PeerListener {
    type Io = Limited<UnixStream>;
    type Addr = Peer;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // Taken only by those who may ask: others cannot use the places up.
        let place = place(&self.places).await;
        loop {
            match self.listener.accept().await {
                // The credentials are those of the process that called `connect` (unix(7), SO_PEERCRED).
                Ok((stream, _)) => match stream.peer_cred() {
                    Ok(peer) if self.allowed.uids.contains(&peer.uid()) => {
                        return (Limited::new(stream, place, None), Peer::of(&peer));
                    }
                    Ok(peer) => self.refuse(stream, peer.uid()),
                    Err(error) => tracing::warn!(%error, "local API: a peer's user is not known; closed"),
                },
                Err(error) => {
                    tracing::warn!(%error, "local API: cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// Takes the request, as far as it is short and comes soon, and answers 403. Answered at once, the peer could fail on writing
/// its request and never read why.
async fn answer(mut stream: UnixStream, uid: u32) -> std::io::Result<()> {
    let mut request = Vec::with_capacity(1 << 10);
    let whole = async {
        while request.len() < REFUSED_REQUEST_BYTES && !request.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut request).await? == 0 {
                break;
            }
        }
        std::io::Result::Ok(())
    };
    if let Ok(read) = tokio::time::timeout(REFUSAL_PATIENCE, whole).await {
        read?;
    }
    let body = serde_json::json!({
        "error": format!("user {uid} may not use the local API: add the user to node.api_users, or ask as root"),
    })
    .to_string();
    let head = format!(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await?;
    stream.shutdown().await
}

/// The agent's effective user: the owner of its own directory under /proc (proc(5)).
fn own_uid() -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").ok().map(|own| own.uid())
}
