//! The configuration's policies, ready to be followed.

use std::sync::Arc;

use super::AgentError;
use crate::config::Config;
use crate::guardrail::Guardrail;
use crate::policy::{Known, Policies};

/// Compiles them.
///
/// # Errors
/// [`AgentError::Configuration`] if a file of a guardrail cannot be read.
pub(super) fn policies_of(config: &Config) -> Result<Policies, AgentError> {
    let guardrails = config
        .guardrails
        .iter()
        .map(|guardrail| Guardrail::new(guardrail).map(Arc::new));
    let guardrails: Vec<_> = guardrails
        .collect::<Result<_, _>>()
        .map_err(|error| AgentError::Configuration(error.to_string()))?;
    let known = Known {
        detectors: &config.detectors.catalog,
        guardrails: &guardrails,
    };
    Policies::compile(&config.policies, &known, &config.node.name)
        .map_err(|error| AgentError::Configuration(error.to_string()))
}
