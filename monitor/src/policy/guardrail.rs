//! Guardrails as policies ask them.

use std::sync::Arc;

use crate::config::PartSet;
use crate::event::{FindingAction, Owasp};
use crate::guardrail::Guardrail;

/// A guardrail that a policy asks.
#[derive(Debug, Clone)]
pub struct AppliedGuardrail {
    /// The policy.
    pub policy: Arc<str>,
    /// Whether what it says is carried out.
    pub enforce: bool,
    /// What it is shown.
    pub parts: PartSet,
    /// What follows where it says `block`.
    pub action: FindingAction,
    /// The risk that it is against.
    pub owasp: Option<Owasp>,
    /// Whom to ask.
    pub guardrail: Arc<Guardrail>,
}
