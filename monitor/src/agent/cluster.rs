//! The node as one of a cluster that shares budgets.

use std::time::Duration;

use monitor_budget::{Breaker, Cluster, ClusterHealth, Ledger};

use super::AgentError;
use crate::config;

/// Lets the ledger lease from the cluster's store from now on. A store that does not answer keeps no agent from starting.
pub(super) fn join(ledger: &Ledger, cluster: &config::Cluster) -> Result<(), AgentError> {
    let joined = ledger.join(Cluster {
        name: cluster.name.clone(),
        url: cluster.redis.url.clone(),
        password_file: cluster.redis.password_file.clone(),
        ca_file: cluster.redis.ca.clone(),
        timeout: Duration::from_millis(cluster.redis.timeout_ms),
        lease_ttl: Duration::from_millis(cluster.lease_ttl_ms),
    });
    joined.map_err(|e| AgentError::Configuration(format!("cluster: {e}")))
}

/// How the cluster's store is reached, in words.
pub(super) fn state(health: Option<&ClusterHealth>) -> String {
    let Some(health) = health else {
        return "none".to_owned();
    };
    let ClusterHealth {
        cluster,
        reachable,
        for_ms,
        seeding,
        leases,
        unreported,
        ..
    } = health;
    let seconds = for_ms / 1_000;
    match (&health.last_error, reachable, seeding) {
        (_, true, true) => {
            format!("{cluster}: the store gathers what its nodes know, nothing is granted meanwhile")
        }
        (_, true, false) => format!(
            "{cluster}: store reachable for {seconds} s, {leases} leases, {unreported} budgets unreported"
        ),
        (Some(error), false, _) => {
            let left_alone = if health.breaker == Breaker::Open {
                ", left alone for a moment"
            } else {
                ""
            };
            format!("{cluster}: store away for {seconds} s{left_alone}: {error}")
        }
        (None, false, _) => format!("{cluster}: the store has not answered yet"),
    }
}
