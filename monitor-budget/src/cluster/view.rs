//! What a node last heard of a budget, and how much of that still counts.

use super::script::{Reply, Span, epoch_of};
use crate::clock::Moment;

/// A budget over all nodes, as of the last reply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// The life of the budget in the store; empty before the first reply.
    pub(crate) life: String,
    pub(crate) used: u64,
    pub(crate) leased: u64,
    pub(crate) debt: u64,
    pub(crate) nodes: u64,
    /// Ledger time before the exchange.
    pub(crate) at_ms: u64,
    /// Calendar time at which its period ends; zero for a window that is none.
    pub(crate) until_ms: u64,
    /// Length of the window, of a period roughly.
    pub(crate) window_ms: u64,
    /// How long a lease granted then may have lived on.
    pub(crate) ttl_ms: u64,
}

impl View {
    pub(crate) fn of(reply: &Reply, span: Span, sent: Moment, ttl_ms: u64) -> Self {
        let (until_ms, window_ms) = match span {
            Span::Rolling { hold_ms, .. } => (0, hold_ms),
            Span::Calendar {
                end_ms, next_end_ms, ..
            } => (end_ms, next_end_ms.saturating_sub(end_ms)),
            Span::Open => (0, 0),
        };
        Self {
            life: reply.life.clone(),
            used: reply.used,
            leased: reply.leased,
            debt: reply.debt,
            nodes: reply.nodes,
            at_ms: sent.ledger_ms,
            until_ms,
            window_ms,
            ttl_ms,
        }
    }

    /// The store's epoch then; empty before the first reply.
    pub(crate) fn epoch(&self) -> &str {
        epoch_of(&self.life)
    }

    /// Used, leased and owed over all nodes, less what has certainly left the window since. `None` before the first reply, and
    /// when all of it has left.
    pub(crate) fn total(&self, limit: u64, now: Moment) -> Option<u64> {
        if self.life.is_empty() {
            return None;
        }
        // What was leased may have been used until the lease ended, and then lies in the window that long again. A window has
        // sub-windows of a sixtieth at the most.
        let turns = if self.until_ms == 0 {
            let turn_ms = self.window_ms + self.window_ms / 60 + self.ttl_ms + 1;
            now.ledger_ms.saturating_sub(self.at_ms) / turn_ms
        } else {
            let since_ms = now.calendar_ms.checked_sub(self.until_ms + self.ttl_ms);
            since_ms.map_or(0, |ms| 1 + ms / self.window_ms.max(1))
        };
        let total = self.used.saturating_add(self.leased).saturating_add(self.debt);
        let left = total.saturating_sub(limit.saturating_mul(turns));
        (turns == 0 || left > 0).then_some(left)
    }

    /// Whether a lease of then, charged in full when it ended, is in the window still, whatever the store did with it.
    pub(crate) fn is_recent(&self, now: Moment) -> bool {
        !self.life.is_empty()
            && if self.until_ms == 0 {
                now.ledger_ms < self.at_ms.saturating_add(self.window_ms.max(self.ttl_ms))
            } else {
                now.calendar_ms < self.until_ms
            }
    }
}
