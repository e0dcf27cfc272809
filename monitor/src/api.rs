//! The local API: JSON over a Unix socket for the command line and for tools on the node, and metrics and health checks
//! over loopback TCP.
//!
//! Who may ask is decided by the kernel's word on the peer, before anything of the request is read. Handlers
//! read snapshots, and change budgets by way of the ledger; none of them touches the data path.

mod budgets;
mod feed;
mod health;
mod io;
mod peer;
mod policies;
mod routes;
mod socket;
mod usage;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use monitor_budget::{Budget, Clock, Ledger};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::peer::{Allowed, Peer, PeerListener};
use self::socket::BoundSocket;
use crate::config::Node;
use crate::event::{Connection, Recorder, Store};
use crate::history::History;
use crate::identity::Workload;
use crate::metrics::Metrics;
use crate::policy::Policies;

/// Connections to each of the two servers at once; more wait in the kernel's backlog.
pub const MAX_API_CONNECTIONS: usize = 64;
/// Records that a request gets when it does not say how many.
pub const DEFAULT_LIMIT: usize = 100;

/// Who answers for the policy of an account's key.
pub type OwnerOf = Box<dyn Fn(&str) -> Option<Arc<str>> + Send + Sync>;

/// The budget of an account's key.
pub type BudgetOf = Box<dyn Fn(&str) -> Option<Budget> + Send + Sync>;

/// Where the API's answers come from. The functions are called for each request and should not block.
pub struct Sources {
    /// Records and totals.
    pub store: Arc<Store>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Usage, on disk.
    pub history: Arc<History>,
    /// When the agent started, Unix milliseconds.
    pub started_ms: u64,
    /// The agent as it is now.
    pub node: Box<dyn Fn() -> NodeStatus + Send + Sync>,
    /// What keeps the agent from being ready, each in words for the operator; empty when it is ready.
    pub missing: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Connections that are open now.
    pub open_connections: Box<dyn Fn() -> Vec<Connection> + Send + Sync>,
    /// The accounts.
    pub ledger: Ledger,
    /// The budget of an account's key as the policies have it now.
    pub budget_of: BudgetOf,
    /// Who answers for the policy of an account's key.
    pub owner_of: OwnerOf,
    /// The policies in force.
    pub policies: Box<dyn Fn() -> Arc<Policies> + Send + Sync>,
    /// What is known of a process, by its id and user.
    pub identify: Box<dyn Fn(u32, u32) -> Arc<Workload> + Send + Sync>,
    /// Takes the records of what is changed.
    pub recorder: Recorder,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// The agent as it is now.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NodeStatus {
    /// The configuration's file.
    pub config: PathBuf,
    /// The cgroup under which connections are seen.
    pub cgroup: PathBuf,
    /// Kernel programs, each with its state in words.
    pub programs: BTreeMap<String, String>,
    /// Kernel counters by reason.
    pub kernel_events: BTreeMap<String, u64>,
    /// Where the names of pods come from, each with its state in words.
    pub names: BTreeMap<String, String>,
    /// Pods that are known by name.
    pub pods: usize,
    /// Network namespaces with a listener.
    pub namespaces: usize,
    /// Cgroups whose connections are treated in another way than those of the cgroup above them.
    pub scopes: usize,
    /// Open connections.
    pub open_connections: usize,
    /// Policies in force.
    pub policies: usize,
    /// The node CA's certificate, which workloads must trust.
    pub ca_certificate: PathBuf,
    /// Whether the programs stay when the agent ends: `yes`, or `no` and why.
    pub stays: String,
    /// Whether usage reaches the disk, in words.
    pub usage_history: String,
    /// How the store of the cluster is reached that budgets are shared in, in words; `none` without one.
    pub cluster: String,
}

/// The API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Another agent holds the lock beside the socket.
    #[error("another agent is running: it holds {lock}; stop it, or give this one another node.run_dir")]
    AlreadyRunning {
        /// The lock file.
        lock: PathBuf,
    },
    /// The socket's name is taken by something that is no socket.
    #[error(
        "{path} is in the way of the local API's socket and is no socket; remove it, or set another node.run_dir"
    )]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
    /// A file operation for the socket failed.
    #[error(
        "local API: cannot {action} {path}: {source}; check that node.run_dir can be written by the agent"
    )]
    Socket {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The loopback address cannot be listened on.
    #[error(
        "metrics and health: cannot listen on {address}: {source}; set node.listen to a free loopback address"
    )]
    Listen {
        /// `node.listen`.
        address: SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// The running servers. Dropping it ends them at once and removes the socket.
#[derive(Debug)]
pub struct ApiServer {
    listen: SocketAddr,
    socket: BoundSocket,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl ApiServer {
    /// Binds both servers and serves until [`stop`](Self::stop).
    ///
    /// # Errors
    ///
    /// Another agent runs with this run directory, or a socket cannot be bound.
    pub async fn start(node: &Node, sources: Arc<Sources>) -> Result<Self, ApiError> {
        let (socket, unix) = socket::bind(&node.socket(), !node.api_users.is_empty())?;
        let address = node.listen;
        let listen = |source| ApiError::Listen { address, source };
        let tcp = TcpListener::bind(address).await.map_err(listen)?;
        let bound = tcp.local_addr().map_err(listen)?;
        let (stop, stopped) = watch::channel(false);
        let allowed = Allowed::new(&node.api_users, sources.metrics.clone());
        let routes = routes::router(sources.clone()).into_make_service_with_connect_info::<Peer>();
        let unix = axum::serve(PeerListener::new(unix, allowed), routes)
            .with_graceful_shutdown(until(stopped.clone()));
        let tcp = axum::serve(io::LimitedTcp::new(tcp), health::router(sources))
            .with_graceful_shutdown(until(stopped));
        let tasks = vec![
            tokio::spawn(async move { log_end("local API", unix.await) }),
            tokio::spawn(async move { log_end("metrics and health", tcp.await) }),
        ];
        Ok(Self {
            listen: bound,
            socket,
            stop,
            tasks,
        })
    }

    /// Where metrics and health checks are served: `node.listen`, with the port that was given for port 0.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// The local API's socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.socket.path()
    }

    /// Takes no more connections, lets requests being answered finish for at most `patience`, and removes the socket.
    pub async fn stop(mut self, patience: std::time::Duration) {
        self.stop.send_replace(true);
        let deadline = tokio::time::Instant::now() + patience;
        for task in &mut self.tasks {
            // Followers never finish by themselves: dropping `self` ends them.
            let _in_time = tokio::time::timeout_at(deadline, task).await;
        }
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the server was dropped, which is a stop as well.
    let _dropped = stopped.wait_for(|stopped| *stopped).await;
}

fn log_end(server: &str, result: std::io::Result<()>) {
    if let Err(error) = result {
        tracing::error!(server, %error, "server ended");
    }
}

#[cfg(test)]
pub(crate) mod tests;
