//! `identity`: where the names of pods and containers come from, and which evidence of a process is taken.

mod spec;
mod validate;

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

pub(super) use spec::IdentitySpec;
pub(super) use validate::identity;

/// Default of `identity.hash_limit`: the executables of the largest runtimes are smaller.
pub const DEFAULT_HASH_LIMIT_BYTES: u64 = 1 << 30;
/// Least `identity.hash_limit`: below it common interpreters would have no hash.
pub const MIN_HASH_LIMIT_BYTES: u64 = 1 << 20;
/// Greatest `identity.hash_limit`: reading such a file takes about a minute of one processor.
pub const MAX_HASH_LIMIT_BYTES: u64 = 64 << 30;

/// Where a service account's token is in a pod.
pub const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// Where the CA of the API server is in a pod.
pub const SERVICE_ACCOUNT_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/// Where names come from, and which evidence is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Pods, from the API server.
    pub kubernetes: Kubernetes,
    /// Containers and their pods, from the container runtime: what the API server does not tell.
    pub cri: Cri,
    /// Pods, from this node's kubelet: what neither tells. `None` when it is not asked.
    pub kubelet: Option<ApiServer>,
    /// SPIFFE ids; `None` when records have none.
    pub spiffe: Option<Spiffe>,
    /// Whether records hold the command line of processes. It may hold secrets.
    pub command_line: bool,
    /// Largest executable whose SHA-256 is taken.
    pub hash_limit_bytes: u64,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            kubernetes: Kubernetes::default(),
            cri: Cri::default(),
            kubelet: None,
            spiffe: None,
            command_line: false,
            hash_limit_bytes: DEFAULT_HASH_LIMIT_BYTES,
        }
    }
}

/// Whether the API server is watched for the pods of this node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kubernetes {
    /// Where the agent runs in a pod whose environment has `KUBERNETES_SERVICE_HOST` and `NODE_NAME`.
    #[default]
    Auto,
    /// No.
    Off,
    /// Yes, with these settings.
    On(KubernetesNode),
}

/// How this node's pods are watched. What is not given comes from the pod that the agent runs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KubernetesNode {
    /// The node's name in the API; else `NODE_NAME` of the environment.
    pub node: Option<String>,
    /// The API server; else `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT` of the environment.
    pub api: Option<HttpsAddress>,
    /// A file with the bearer token, read again when it may have changed.
    pub token_file: PathBuf,
    /// A PEM file of the roots that the server's certificate is verified with.
    pub ca_file: PathBuf,
}

/// Whether the container runtime is asked for labels of containers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cri {
    /// Where one of the usual sockets exists.
    #[default]
    Auto,
    /// No.
    Off,
    /// Over the socket at this absolute path.
    Socket(PathBuf),
}

/// An HTTPS server that takes a bearer token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiServer {
    /// Where it is.
    pub api: HttpsAddress,
    /// A file with the bearer token, read again when it may have changed.
    pub token_file: PathBuf,
    /// A PEM file of the roots that the server's certificate is verified with.
    pub ca_file: PathBuf,
}

/// SPIFFE ids of pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spiffe {
    /// The trust domain of ids that are derived from namespace and service account.
    pub trust_domain: String,
}

/// Host and port of an HTTPS server. Displays as `https://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsAddress {
    /// A host name or an address; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl HttpsAddress {
    /// Host and port as a URL and the `Host` header write them.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for HttpsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

impl Serialize for HttpsAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
