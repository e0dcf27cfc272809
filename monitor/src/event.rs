//! What happened, on record: one [`Exchange`] per request, one [`Connection`] per connection, a [`Bypass`] for what was
//! LLM-bound and not intercepted, an [`Audit`] for a budget changed by hand, and a [`BudgetThreshold`] for one whose spending has
//! passed a threshold.
//!
//! No type here can hold a prompt or a response: there are numbers, closed enums, names of the configuration, and
//! [`ShortText`] for the few texts that come from a workload (method, path, model).

mod audit;
mod budget_threshold;
mod bypass;
mod connection;
mod counts;
mod exchange;
mod id;
mod label;
pub mod native;
pub mod ocsf;
mod outcome;
mod part;
mod recorder;
#[cfg(test)]
pub(crate) mod samples;
mod sink;
mod store;
mod text;
mod verdict;
mod workload;

use std::sync::Arc;

pub use self::audit::{Audit, AuditActor, AuditOutcome};
pub use self::budget_threshold::BudgetThreshold;
pub use self::bypass::{Bypass, BypassReason, Transport};
pub use self::connection::Connection;
pub use self::counts::Counts;
pub use self::exchange::{
    BudgetUse, Certainty, Cost, Exchange, FindingCount, Http, MAX_FINDING_HASHES, ModalityTokens, OwnCount,
    TokenUsage,
};
pub use self::id::{ExchangeId, ExchangeIds};
pub use self::outcome::{Outcome, SpliceReason};
pub use self::part::Part;
pub use self::recorder::{LINGER, MAX_QUEUED, MAX_WAITING, PATIENCE, Recorder, RecorderThread};
pub use self::sink::MAX_HELD_BYTES;
pub use self::store::{MAX_FOLLOWER_LAG, MAX_RECENT, MAX_WORKLOADS, RecordKind, Store, WorkloadTotal};
pub use self::text::{MAX_SHORT_TEXT_BYTES, ShortText};
pub use self::verdict::{ErrorClass, Fault, FindingAction, LimitAction, Owasp, Reason, Verdict};

/// One thing to put on record.
#[derive(Debug, Clone)]
pub enum Event {
    /// A request was answered, refused or given up.
    Exchange(Arc<Exchange>),
    /// A connection was closed.
    Connection(Arc<Connection>),
    /// Something LLM-bound was not intercepted.
    Bypass(Arc<Bypass>),
    /// A budget was changed by hand, or somebody tried to.
    Audit(Arc<Audit>),
    /// A budget's spending has passed one of its thresholds.
    BudgetThreshold(Arc<BudgetThreshold>),
}
