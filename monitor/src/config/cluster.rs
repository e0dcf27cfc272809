//! `cluster`: the store that the nodes of a cluster share budgets by.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::error::Problems;
use super::quantity;
use super::validate::{absolute, ca_file, name};

/// Default of `cluster.redis.timeout`.
pub const DEFAULT_STORE_TIMEOUT_MS: u64 = 50;
/// Greatest `cluster.redis.timeout`: leases are asked for again long before they end.
pub const MAX_STORE_TIMEOUT_MS: u64 = 5_000;
/// Default of `cluster.lease_ttl`.
pub const DEFAULT_LEASE_TTL_MS: u64 = 30_000;
/// Least `cluster.lease_ttl`: several attempts to renew a lease fit into it.
pub const MIN_LEASE_TTL_MS: u64 = 5_000;
/// Greatest `cluster.lease_ttl`: what a dead node had leased is not to be had for as long.
pub const MAX_LEASE_TTL_MS: u64 = 600_000;

/// The cluster that this node is one of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cluster {
    /// The beginning of the store's keys; 1–63 letters, digits, `-`, `_` or `.`.
    pub name: String,
    /// The store.
    pub redis: Redis,
    /// How long a node may spend what it leased without word from the store.
    pub lease_ttl_ms: u64,
    /// Absolute path of the key that API keys are fingerprinted with, the same on all nodes; without it each node has its own.
    pub fingerprint_key_file: Option<PathBuf>,
}

/// A Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Redis {
    /// `redis://` or `rediss://` (TLS), perhaps a user, a host, perhaps a port and the number of a database. No password.
    pub url: String,
    /// Absolute path of a file with the password.
    pub password_file: Option<PathBuf>,
    /// A PEM file of roots trusted for its certificate, instead of the system's; it held a usable one when it was checked.
    pub ca: Option<PathBuf>,
    /// How long an answer may take.
    pub timeout_ms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClusterSpec {
    name: Spanned<String>,
    redis: RedisSpec,
    #[serde(default)]
    lease_ttl: Option<Spanned<String>>,
    #[serde(default)]
    fingerprint_key_file: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RedisSpec {
    url: Spanned<String>,
    #[serde(default)]
    password_file: Option<Spanned<String>>,
    #[serde(default)]
    ca: Option<Spanned<String>>,
    #[serde(default)]
    timeout: Option<Spanned<String>>,
}

pub(super) fn cluster(spec: ClusterSpec, problems: &mut Problems<'_>) -> Option<Cluster> {
    let lease_ttl_ms = milliseconds(
        spec.lease_ttl,
        DEFAULT_LEASE_TTL_MS,
        MIN_LEASE_TTL_MS..=MAX_LEASE_TTL_MS,
        "5s to 10m",
        problems,
    );
    let fingerprint_key_file = spec
        .fingerprint_key_file
        .and_then(|file| absolute(file, problems));
    let name = name(spec.name, "cluster", problems);
    let redis = redis(spec.redis, problems);
    Some(Cluster {
        name: name?,
        redis: redis?,
        lease_ttl_ms,
        fingerprint_key_file,
    })
}

fn redis(spec: RedisSpec, problems: &mut Problems<'_>) -> Option<Redis> {
    let url = url(spec.url, problems);
    if let (Some(url), Some(ca)) = (&url, &spec.ca)
        && !url.starts_with("rediss://")
    {
        problems.add(
            ca.referenced,
            "there is no certificate to verify without TLS; write the URL with `rediss://`, or remove `ca`",
        );
    }
    let password_file = spec.password_file.and_then(|file| absolute(file, problems));
    let ca = spec.ca.and_then(|file| ca_file(file, problems));
    let timeout_ms = milliseconds(
        spec.timeout,
        DEFAULT_STORE_TIMEOUT_MS,
        1..=MAX_STORE_TIMEOUT_MS,
        "1ms to 5s",
        problems,
    );
    Some(Redis {
        url: url?,
        password_file,
        ca,
        timeout_ms,
    })
}

/// A password never stands in the configuration, which is shown and logged.
fn url(spec: Spanned<String>, problems: &mut Problems<'_>) -> Option<String> {
    let parsed = spec.value.parse::<http::Uri>().ok().filter(|uri| {
        let database = uri.path().strip_prefix('/').unwrap_or(uri.path());
        matches!(uri.scheme_str(), Some("redis" | "rediss"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.query().is_none()
            && database.bytes().all(|byte| byte.is_ascii_digit())
    });
    let user = parsed
        .as_ref()
        .and_then(|uri| uri.authority()?.as_str().rsplit_once('@').map(|(user, _)| user));
    if user.is_some_and(|user| user.contains(':')) {
        problems.add(
            spec.referenced,
            "the URL holds a password, which everyone would see who sees the configuration; put it into a file and name that with `password_file`",
        );
        return None;
    }
    if parsed.is_none() {
        problems.add(
            spec.referenced,
            "this is no address of a Redis; write for example `rediss://weir@redis.svc:6379/0`",
        );
        return None;
    }
    Some(spec.value)
}

fn milliseconds(
    spec: Option<Spanned<String>>,
    default: u64,
    range: std::ops::RangeInclusive<u64>,
    range_text: &str,
    problems: &mut Problems<'_>,
) -> u64 {
    let Some(spec) = spec else { return default };
    let Some(ms) = problems.take(spec.referenced, quantity::duration_ms(&spec.value)) else {
        return default;
    };
    if !range.contains(&ms) {
        problems.add(
            spec.referenced,
            format_args!("`{}` is out of range; give {range_text}", spec.value),
        );
    }
    ms
}
