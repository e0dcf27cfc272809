//! The configuration: YAML → specification → [`Config`]. A `Config` that breaks a rule cannot be made, and each rule
//! that a file breaks is reported with its line and column.

mod budget;
mod cluster;
mod condition;
mod content;
mod detectors;
mod error;
mod guardrail;
mod identity;
mod percent;
mod policy;
mod prices;
mod quantity;
mod spec;
mod usage;
mod users;
mod validate;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use monitor_protocol::Api;
use serde::{Deserialize, Serialize, Serializer};

pub use self::budget::{
    AtLimit, BudgetRule, Dimension, ExchangeFilter, Grouping, MAX_LABEL_BYTES, Reserve, SlowDown,
    counts_output,
};
pub use self::cluster::{
    Cluster, DEFAULT_LEASE_TTL_MS, DEFAULT_STORE_TIMEOUT_MS, MAX_LEASE_TTL_MS, MAX_STORE_TIMEOUT_MS,
    MIN_LEASE_TTL_MS, Redis,
};
pub use self::condition::{DenyRule, PromptLimit};
pub use self::content::{Action, ContentRule, PartSet, Redaction};
pub use self::detectors::{DetectorRule, OwnDetectors};
pub(crate) use self::error::from_parser as parse_problem;
pub use self::error::{ConfigError, Problem};
pub use self::guardrail::{
    DEFAULT_GUARDRAIL_TIMEOUT_MS, Guardrail, GuardrailRule, MAX_GUARDRAIL_TIMEOUT_MS, OnError,
};
pub use self::identity::{
    ApiServer, Cri, DEFAULT_HASH_LIMIT_BYTES, HttpsAddress, Identity, Kubernetes, KubernetesNode,
    MAX_HASH_LIMIT_BYTES, MIN_HASH_LIMIT_BYTES, SERVICE_ACCOUNT_CA, SERVICE_ACCOUNT_TOKEN, Spiffe,
};
pub use self::policy::{
    Coverage, Match, Meter, Mode, NameRule, OnAgentDown, OnBypass, OnDetectorLimit, OnUnknown, OnUntrustedCa,
    Policy, Quic, Selector,
};
pub use self::prices::Prices;
pub use self::quantity::QuantityError;
pub(crate) use self::quantity::{duration_ms, limit};
pub use self::usage::{DEFAULT_DAYS_MS, DEFAULT_HOURS_MS, DEFAULT_MINUTES_MS, Usage};
pub use self::users::Uid;
pub use monitor_budget::{Glob, GlobError, MAX_PATTERN_BYTES};

/// Where `weir` looks for its configuration when `-c` is not given.
pub const DEFAULT_CONFIG: &str = "/etc/weir/weir.yaml";
/// Default of `node.state_dir`: what must survive a restart (CA, ledger).
pub const DEFAULT_STATE_DIR: &str = "/var/lib/weir";
/// Default of `node.run_dir`: what need not (the local API's socket).
pub const DEFAULT_RUN_DIR: &str = "/run/weir";
/// Default of `node.listen`: metrics and health checks.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:9469";
/// Default of `node.pin_dir`: where the programs stay when the agent has ended.
pub const DEFAULT_PIN_DIR: &str = "/sys/fs/bpf/weir";
/// Default of `node.drain`: an answer of the largest models may take this long.
pub const DEFAULT_DRAIN_MS: u64 = 600_000;
/// Greatest `node.drain`.
pub const MAX_DRAIN_MS: u64 = 86_400_000;
/// Default of `intercept.endpoints[].ports` where `tls` is false.
pub const DEFAULT_PLAIN_PORTS: [u16; 1] = [80];
/// Default of `intercept.endpoints[].ports`.
pub const DEFAULT_PORTS: [u16; 1] = [443];
/// Default of `intercept.request_limit`: the largest bodies that providers accept are of this order.
pub const DEFAULT_REQUEST_LIMIT_BYTES: u64 = 32 << 20;
/// Least `intercept.request_limit`: below it ordinary chat requests would be refused.
pub const MIN_REQUEST_LIMIT_BYTES: u64 = 64 << 10;
/// Greatest `intercept.request_limit`: a body is held in memory while it is inspected.
pub const MAX_REQUEST_LIMIT_BYTES: u64 = 1 << 30;
/// Shortest budget window.
pub const MIN_WINDOW_MS: u64 = 60_000;
/// Longest budget window.
pub const MAX_WINDOW_MS: u64 = 30 * 86_400_000;
/// Largest configuration file that is read.
pub const MAX_CONFIG_BYTES: u64 = 1 << 20;
/// Name of the local API's socket in `node.run_dir`.
pub const SOCKET_NAME: &str = "weir.sock";

/// A validated configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Config {
    /// The agent on this node.
    pub node: Node,
    /// What is intercepted, and how.
    pub intercept: Intercept,
    /// Where names come from, and which evidence of processes is taken.
    pub identity: Identity,
    /// The cluster that budgets may be shared in.
    pub cluster: Option<Cluster>,
    /// What models cost.
    pub prices: Prices,
    /// Detectors of the operator's own.
    pub detectors: OwnDetectors,
    /// Services that are asked about prompts.
    pub guardrails: Vec<Guardrail>,
    /// Policies in the order of the file; their names are unique.
    pub policies: Vec<Policy>,
    /// For how long the usage history is kept.
    pub usage: Usage,
    /// Where records go.
    pub events: Events,
}

/// The agent on this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its name, in keys of budgets and for a cluster's store; the host's by default.
    pub name: String,
    /// The cgroup2 directory under which connections are seen, or `None` for the root of the hierarchy, wherever it is
    /// mounted.
    pub cgroup: Option<PathBuf>,
    /// Absolute directory of what must survive a restart.
    pub state_dir: PathBuf,
    /// Absolute directory of the local API's socket.
    pub run_dir: PathBuf,
    /// Loopback address of metrics and health checks.
    pub listen: SocketAddr,
    /// Users who may use the local API beside root and the agent's own user.
    pub api_users: Vec<Uid>,
    /// Absolute directory on a bpf file system, where programs and maps are pinned.
    pub pin_dir: PathBuf,
    /// How long open connections may take to finish after another agent has taken over.
    pub drain_ms: u64,
}

impl Node {
    /// The local API's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.run_dir.join(SOCKET_NAME)
    }
}

/// What is intercepted, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Intercept {
    /// Which connections are sent to the agent, where no policy of their workload says.
    #[serde(rename = "match")]
    pub matches: Match,
    /// What is done about LLM-bound connections that are older than the agent.
    pub older_connections: OlderConnections,
    /// LLM endpoints beside the built-in catalog.
    pub endpoints: Vec<Endpoint>,
    /// PEM files of roots trusted beside the system's; each held a usable certificate when it was checked.
    pub upstream_ca: Vec<PathBuf>,
    /// Largest request body that is inspected; what exceeds it is refused.
    pub request_limit_bytes: u64,
}

/// What is done about LLM-bound connections that are older than the agent, and so not intercepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OlderConnections {
    /// They are put on record and go on.
    #[default]
    Report,
    /// They are put on record and closed; clients connect again.
    Close,
}

/// An LLM endpoint that the catalog does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// Lower-case host name, or `*.` and a suffix.
    pub host: String,
    /// Ports, at least one.
    pub ports: Vec<u16>,
    /// Whether it speaks TLS; without it, HTTP in clear.
    pub tls: bool,
    /// The protocol it speaks.
    #[serde(serialize_with = "api_name")]
    pub api: Api,
    /// A PEM file of roots trusted for it as well.
    pub upstream_ca: Option<PathBuf>,
    /// The provider's name in records; the host when not given.
    pub name: Option<String>,
}

/// Where records go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Events {
    /// Sinks; records are kept for the local API in any case.
    pub sinks: Vec<Sink>,
}

/// One place to which each record is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sink {
    /// JSON lines appended to a file.
    File(FileSink),
}

/// JSON lines appended to a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileSink {
    /// Absolute path; no two sinks have the same.
    pub path: PathBuf,
    /// Shape of a line.
    pub format: Format,
}

/// Shape of a record in a sink.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Weir's own record, with everything it knows.
    #[default]
    Native,
    /// OCSF 1.8.0.
    Ocsf,
}

fn api_name<S: Serializer>(api: &Api, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(api.name())
}

impl Config {
    /// Reads and validates a file. Files that it names (certificates) are read too.
    ///
    /// # Errors
    ///
    /// The file cannot be read or exceeds [`MAX_CONFIG_BYTES`]; or everything that is wrong in it, with line and column.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read {
            path: path.to_owned(),
            source,
        };
        let bytes = std::fs::metadata(path).map_err(read)?.len();
        if bytes > MAX_CONFIG_BYTES {
            return Err(ConfigError::TooLarge {
                path: path.to_owned(),
                bytes,
                limit: MAX_CONFIG_BYTES,
            });
        }
        Self::parse(&std::fs::read_to_string(path).map_err(read)?, path)
    }

    /// Validates a text; `path` is its name in errors. An empty text is a valid configuration.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in it, with line and column.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let options = serde_saphyr::options! { with_snippet: false };
        let spec = serde_saphyr::from_str_with_options::<spec::ConfigSpec>(text, options)
            .map_err(|error| error::from_parser(path, &error))?;
        validate::config(spec, path)
    }
}

#[cfg(test)]
mod tests;
