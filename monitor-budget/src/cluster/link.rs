//! The connection to Redis.

use std::path::PathBuf;
use std::time::Duration;

use redis::{
    Client, Cmd, Connection, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, Script, TlsCertificates,
};

use super::leases::Asked;
use super::script::{Reply, Seen, TEXT, budget_key, command, store_key, touch};

/// Longest password taken from a file, in bytes: that of Redis has 512 at the most.
const MAX_PASSWORD_BYTES: u64 = 4_096;
/// Longest file of certificates, in bytes: all public authorities together have a quarter of it.
const MAX_CA_BYTES: u64 = 1 << 20;

/// The cluster a ledger joins, and how its store is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its name: the prefix of its keys in the store.
    pub name: String,
    /// `redis://` or `rediss://` (TLS), user, host, port and database. A password belongs into the file.
    pub url: String,
    /// A file with the password, read again at each connection.
    pub password_file: Option<PathBuf>,
    /// A file with the authorities that may certify the store, PEM, instead of the system's; read again at each connection.
    pub ca_file: Option<PathBuf>,
    /// How long a connection, and how long an answer, may take.
    pub timeout: Duration,
    /// How long a lease lives without being renewed; at least a second.
    pub lease_ttl: Duration,
}

/// Why a ledger cannot join a cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The address is none of Redis.
    #[error("the store's url is not one of Redis (redis://host:6379/0, or rediss:// for TLS)")]
    Url,
    /// A setting is out of its range.
    #[error("{what}")]
    Setting {
        /// Which, and its range.
        what: &'static str,
    },
    /// The node's identity could not be kept.
    #[error(transparent)]
    Ledger(#[from] crate::LedgerError),
    /// The thread was not started.
    #[error("cannot start the thread that leases from the cluster's store: {0}")]
    Thread(std::io::Error),
    /// The ledger is in a cluster already.
    #[error("the ledger is in a cluster already")]
    Joined,
}

/// Why an exchange with the store failed, for the operator: never with a credential.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("cannot read {path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("{path} is larger than {at_most} bytes")]
    TooLarge { path: String, at_most: u64 },
    #[error("the store gave no answer")]
    Silent,
    #[error("{0}")]
    Redis(#[from] RedisError),
}

/// Carries exchanges to the store.
pub(crate) trait Link {
    /// Whether the store is there; makes this node known to a store that is new.
    fn touch(&mut self, node: &str, seen: &Seen, ttl_ms: u64) -> Result<Reply, LinkError>;

    /// One reply for each.
    fn exchange(&mut self, node: &str, seen: &Seen, asks: &[Asked]) -> Result<Vec<Reply>, LinkError>;
}

/// A Redis.
pub(crate) struct Redis {
    cluster: Cluster,
    base: ConnectionInfo,
    script: Script,
    connection: Option<Connection>,
}

impl Cluster {
    /// Whether a ledger can join it, as far as that shows without asking the store.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn validate(&self) -> Result<(), ClusterError> {
        self.address().map(drop)
    }

    fn address(&self) -> Result<ConnectionInfo, ClusterError> {
        let setting = |what| Err(ClusterError::Setting { what });
        if self.name.is_empty() || self.name.contains(['{', '}']) {
            return setting("a cluster's name is not empty and has no braces");
        }
        if self.lease_ttl < Duration::from_secs(1) || self.lease_ttl > Duration::from_secs(3_600) {
            return setting("a lease lives for a second to an hour");
        }
        if self.timeout < Duration::from_millis(1) || self.timeout > Duration::from_secs(5) {
            return setting("the store's time-out is 1 ms to 5 s");
        }
        self.url
            .as_str()
            .into_connection_info()
            .map_err(|_| ClusterError::Url)
    }

    /// Milliseconds that a lease lives.
    pub(crate) fn ttl_ms(&self) -> u64 {
        u64::try_from(self.lease_ttl.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Redis {
    pub(crate) fn new(cluster: Cluster) -> Result<Self, ClusterError> {
        Ok(Self {
            base: cluster.address()?,
            cluster,
            script: Script::new(TEXT),
            connection: None,
        })
    }

    /// Connects with the password and the authorities that the files have now.
    fn connect(&self) -> Result<Connection, LinkError> {
        let mut redis: RedisConnectionInfo = self.base.redis_settings().clone().set_skip_set_lib_name();
        if let Some(path) = &self.cluster.password_file {
            let password = read(path, MAX_PASSWORD_BYTES)?;
            redis = redis.set_password(String::from_utf8_lossy(&password).trim_end_matches(['\r', '\n']));
        }
        let info = self.base.clone().set_redis_settings(redis);
        let client = match info.addr() {
            ConnectionAddr::TcpTls { .. } => {
                // Refused where the process has one already, which is then used.
                let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
                let root_cert = self
                    .cluster
                    .ca_file
                    .as_ref()
                    .map(|path| read(path, MAX_CA_BYTES))
                    .transpose()?;
                let certificates = TlsCertificates {
                    client_tls: None,
                    root_cert,
                };
                Client::build_with_tls(info, certificates)?
            }
            _ => Client::open(info)?,
        };
        let mut connection = client.get_connection_with_timeout(self.cluster.timeout)?;
        connection.set_read_timeout(Some(self.cluster.timeout))?;
        connection.set_write_timeout(Some(self.cluster.timeout))?;
        load(&mut connection)?;
        Ok(connection)
    }

    /// Sends commands in one go.
    fn query(&mut self, commands: Vec<Cmd>) -> Result<Vec<Reply>, LinkError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let mut pipe = redis::Pipeline::with_capacity(commands.len());
        for command in commands {
            pipe.add_command(command);
        }
        let mut replies = pipe.query(&mut connection);
        // Somebody has emptied the store's scripts. Exchanges that were carried out are known by their numbers.
        if replies
            .as_ref()
            .is_err_and(|error: &RedisError| error.code() == Some("NOSCRIPT"))
        {
            load(&mut connection)?;
            replies = pipe.query(&mut connection);
        }
        // After a failure an answer may still come: it must not be taken for that of another exchange.
        if replies.is_ok() {
            self.connection = Some(connection);
        }
        Ok(replies?)
    }
}

impl Link for Redis {
    fn touch(&mut self, node: &str, seen: &Seen, ttl_ms: u64) -> Result<Reply, LinkError> {
        let touch = touch(&self.script, &store_key(&self.cluster.name), node, seen, ttl_ms);
        let replies = self.query(vec![touch])?;
        replies.into_iter().next().ok_or(LinkError::Silent)
    }

    fn exchange(&mut self, node: &str, seen: &Seen, asks: &[Asked]) -> Result<Vec<Reply>, LinkError> {
        let store = store_key(&self.cluster.name);
        let exchange = |asked: &Asked| {
            let budget = budget_key(&self.cluster.name, asked.unit.name(), &asked.key);
            command(&self.script, [&store, &budget], node, seen, &asked.ask)
        };
        self.query(asks.iter().map(exchange).collect())
    }
}

fn load(connection: &mut Connection) -> Result<(), LinkError> {
    redis::cmd("SCRIPT")
        .arg("LOAD")
        .arg(TEXT)
        .query::<String>(connection)?;
    Ok(())
}

fn read(path: &std::path::Path, at_most: u64) -> Result<Vec<u8>, LinkError> {
    use std::io::Read;
    let shown = || path.display().to_string();
    let error = |source| LinkError::File {
        path: shown(),
        source,
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(error)?;
    file.take(at_most + 1).read_to_end(&mut bytes).map_err(error)?;
    if bytes.len() as u64 > at_most {
        return Err(LinkError::TooLarge {
            path: shown(),
            at_most,
        });
    }
    Ok(bytes)
}
