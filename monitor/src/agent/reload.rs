//! SIGHUP: the configuration is read again and takes effect for the next exchange; open connections go on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::AgentError;
use super::endpoints::Endpoints;
use super::policies::policies_of;
use crate::config::{Cluster, Config, Identity, Node};
use crate::intercept::Interceptor;

/// Where the configuration comes from, and the part of it that cannot change while the agent runs.
pub(super) struct Reload {
    path: PathBuf,
    node: Node,
    identity: Identity,
    cluster: Option<Cluster>,
    request_limit_bytes: u64,
}

impl Reload {
    pub(super) fn new(path: PathBuf, config: &Config) -> Self {
        Self {
            path,
            node: config.node.clone(),
            identity: config.identity.clone(),
            cluster: config.cluster.clone(),
            request_limit_bytes: config.intercept.request_limit_bytes,
        }
    }

    /// The configuration's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the configuration, puts it in force whole and returns it, or says what is wrong with it and changes nothing.
    pub(super) fn run(&self, interceptor: &Arc<Interceptor>) -> Option<Config> {
        match self.apply(interceptor) {
            Ok(config) => {
                tracing::info!(config = %self.path.display(), "reloaded");
                Some(config)
            }
            Err(error) => {
                tracing::error!(%error, "not reloaded; the configuration in force stays");
                None
            }
        }
    }

    fn apply(&self, interceptor: &Interceptor) -> Result<Config, AgentError> {
        let config = Config::load(&self.path).map_err(|e| AgentError::Configuration(e.to_string()))?;
        if config.node != self.node
            || config.identity != self.identity
            || config.cluster != self.cluster
            || config.intercept.request_limit_bytes != self.request_limit_bytes
        {
            tracing::warn!(
                "changes under `node`, `identity` and `cluster` and of `intercept.request_limit` take effect after a restart"
            );
        }
        let endpoints = Endpoints::of(&config)?;
        let policies = policies_of(&config)?;
        if let (true, Err(why)) = (policies.any_closed(), interceptor.kernel.stays()) {
            return Err(AgentError::Configuration(format!(
                "on_agent_down: closed takes programs that stay when the agent ends, and they are not pinned ({why}): mount a bpf file \
                 system at /sys/fs/bpf or set node.pin_dir to a directory on one, and restart the agent"
            )));
        }
        interceptor.kernel.set_names(&endpoints.catalog.hosts())?;
        interceptor.kernel.set_ports(&endpoints.ports)?;
        interceptor.catalog.store(Arc::new(endpoints.catalog));
        interceptor.plain.store(Arc::new(endpoints.plain));
        interceptor.upstreams.store(Arc::new(endpoints.upstreams));
        interceptor.node.prices.store(Arc::new(config.prices.table()));
        interceptor.node.ledger.redefine(|key| policies.budget_of(key));
        interceptor.node.policies.store(Arc::new(policies));
        interceptor.distrust.clear();
        interceptor.node.recorder.replace_sinks(&config.events.sinks);
        Ok(config)
    }
}
