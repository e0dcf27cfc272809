//! What the configuration says about LLM endpoints: the catalog, the ports, and the roots to verify them by.

use monitor_protocol::{Catalog, Provider};

use super::AgentError;
use crate::config::{Config, DEFAULT_PORTS};
use crate::intercept::PlainEndpoints;
use crate::trust::Upstreams;

/// Built-in and configured endpoints together.
pub(super) struct Endpoints {
    pub(super) catalog: Catalog,
    pub(super) plain: PlainEndpoints,
    pub(super) ports: Vec<u16>,
    pub(super) upstreams: Upstreams,
}

impl Endpoints {
    /// Reads them from a configuration, certificates included.
    ///
    /// # Errors
    /// A root file that cannot be used any more, or an endpoint that validation should have refused.
    pub(super) fn of(config: &Config) -> Result<Self, AgentError> {
        let invalid = |e: &dyn std::fmt::Display| AgentError::Configuration(e.to_string());
        let mut catalog = Catalog::builtin();
        let mut ports = DEFAULT_PORTS.to_vec();
        let mut plain = PlainEndpoints::default();
        let mut own_roots = Vec::new();
        for endpoint in &config.intercept.endpoints {
            let name = endpoint.name.as_deref().unwrap_or(&endpoint.host);
            catalog = catalog
                .with_endpoint(&endpoint.host, name, endpoint.api)
                .map_err(|e| invalid(&e))?;
            ports.extend(&endpoint.ports);
            if !endpoint.tls {
                let provider = Provider {
                    name: name.to_owned(),
                    api: endpoint.api,
                };
                plain
                    .add(&endpoint.ports, &endpoint.host, &provider)
                    .map_err(|e| invalid(&e))?;
            }
            own_roots.extend(endpoint.upstream_ca.clone().map(|path| (name.to_owned(), path)));
        }
        ports.sort_unstable();
        ports.dedup();
        let upstreams = Upstreams::load(&config.intercept.upstream_ca, &own_roots)?;
        Ok(Self {
            catalog,
            plain,
            ports,
            upstreams,
        })
    }
}
