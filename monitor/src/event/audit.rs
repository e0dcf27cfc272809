//! The record of a budget that somebody changed by hand, or tried to.

use std::sync::Arc;

use monitor_budget::{Change, Figures, Unit};

use super::ShortText;
use super::label::labels;
use crate::identity::Workload;

labels! {
    /// What became of a change by hand.
    AuditOutcome {
        /// It is in force, and in the ledger's journal.
        Done => "done",
        /// Whoever asked may not change budgets.
        Denied => "denied",
        /// It was refused for another reason.
        Failed => "failed",
    }
}

/// A change of a budget by hand.
#[derive(Debug, Clone)]
pub struct Audit {
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// What was asked for.
    pub change: Change,
    /// What became of it.
    pub outcome: AuditOutcome,
    /// Why it was not carried out.
    pub reason: Option<ShortText>,
    /// Who asked.
    pub actor: AuditActor,
    /// The budget's key: as asked for, and so clipped, where nothing was changed.
    pub budget: Arc<str>,
    /// What the budget counts; `None` where nothing was changed.
    pub unit: Option<Unit>,
    /// The budget before.
    pub before: Option<Figures>,
    /// The budget after.
    pub after: Option<Figures>,
}

/// Who asked for a change: the process at the other end of the local API's socket.
#[derive(Debug, Clone)]
pub struct AuditActor {
    /// The user as whom it asked.
    pub uid: u32,
    /// The user who logged in (loginuid of audit(7)), whatever became of it by `sudo` or `su`; `None` outside a login.
    pub login_uid: Option<u32>,
    /// The process; `None` where the kernel does not say, as of another pid namespace.
    pub pid: Option<u32>,
    /// The process as far as it is known: evidence read when it asked, which a process of the same user could have prepared.
    pub workload: Option<Arc<Workload>>,
}
