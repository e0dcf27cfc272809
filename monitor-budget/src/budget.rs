//! What a caller says and hears: budgets, refusals, settlements, account states.

use std::sync::Arc;

/// Largest token count the ledger works with, 2^48: far above any real limit or usage, and low enough that sums fit the
/// signed 64-bit integers of SQLite. Larger limits and usages are taken as this.
pub const MAX_TOKENS: u64 = 1 << 48;

/// Longest window the ledger works with, 366 days in milliseconds. Longer ones are taken as this.
pub const MAX_WINDOW_MS: u64 = 366 * 24 * 60 * 60 * 1_000;

/// A limit of tokens in a rolling window, and the account it is kept under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Identity of the account, chosen by the caller and stable across restarts, for example
    /// `billing-bots/0/workload:/system.slice/x` (policy, index of the budget in it, grouping value).
    pub key: Arc<str>,
    /// Tokens, total, that may be settled or reserved at any moment.
    pub limit: u64,
    /// Length of the rolling window in milliseconds.
    pub window_ms: u64,
}

impl Budget {
    /// A budget of `limit` tokens in any `window_ms` milliseconds.
    pub fn new(key: impl Into<Arc<str>>, limit: u64, window_ms: u64) -> Self {
        Self {
            key: key.into(),
            limit,
            window_ms,
        }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit.min(MAX_TOKENS)
    }

    pub(crate) fn window_ms(&self) -> u64 {
        self.window_ms.clamp(1, MAX_WINDOW_MS)
    }
}

/// Why a reservation was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenyReason {
    /// The budget has not this many tokens left now.
    Exhausted,
    /// The request alone is larger than the whole limit: it fits at no time.
    LargerThanLimit,
    /// The budget would need a new account and the ledger holds as many as it may ([`crate::MAX_ACCOUNTS`]), all in use.
    AccountsFull,
    /// The budget's key is longer than [`crate::MAX_KEY_BYTES`].
    KeyTooLong,
    /// The accounts are another agent's now ([`crate::Successor`]), and it does not answer.
    Unreachable,
}

/// A reservation or extension that was refused; nothing was taken from any budget.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "budget {key}: {requested} tokens asked, {used} used, {reserved} reserved and {debt} owed of a limit of {limit}"
)]
pub struct Denied {
    /// Key of the budget that refused: the one with the longest wait if several did.
    pub key: Arc<str>,
    /// Why.
    pub reason: DenyReason,
    /// Tokens asked for.
    pub requested: u64,
    /// The budget's limit in tokens.
    pub limit: u64,
    /// Tokens settled in the window.
    pub used: u64,
    /// Tokens held by open reservations.
    pub reserved: u64,
    /// Tokens spent beyond earlier reservations that still have to fit.
    pub debt: u64,
    /// Milliseconds until the request would fit if nobody else spends; at least 1. `None` if it can never fit. While open
    /// reservations hold the room, a hint: [`crate::RETRY_WHILE_RESERVED_MS`].
    pub retry_after_ms: Option<u64>,
}

/// How well the caller knows what was spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// The provider said so: the charge is `spent`, the rest of the reservation is refunded.
    Exact,
    /// The exchange completed, so nothing more can come, but the figure is our own count (its upper end): the charge is
    /// `spent` or what was metered, whichever is more; the rest is refunded.
    Estimated,
    /// The exchange was aborted or its usage was not seen, so that the provider may have produced more than was counted:
    /// the charge is at least the whole reservation; nothing is refunded.
    UnderEstimate,
}

/// What settling did. `settled + debt` is the charge, the same for every budget of the reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settlement {
    /// Tokens of the charge that found room in the window (of the tightest budget).
    pub settled: u64,
    /// Tokens of the charge that the tightest budget carries on as debt.
    pub debt: u64,
}

impl Settlement {
    /// Tokens charged to each budget.
    #[must_use]
    pub fn charged(&self) -> u64 {
        self.settled.saturating_add(self.debt)
    }
}

/// One account as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountState {
    /// The budget's key.
    pub key: Arc<str>,
    /// Limit in tokens.
    pub limit: u64,
    /// Length of the rolling window in milliseconds.
    pub window_ms: u64,
    /// Tokens settled in the window.
    pub settled: u64,
    /// Tokens held by open reservations.
    pub reserved: u64,
    /// Tokens spent beyond reservations that still have to fit.
    pub debt: u64,
    /// Largest `settled + reserved` since the account was opened.
    pub peak_outstanding: u64,
    /// Open reservations on this account.
    pub open_reservations: u32,
    /// Unix milliseconds at which the oldest settled tokens leave the window. `None` if nothing is settled.
    pub next_free_ms: Option<u64>,
    /// Unix milliseconds at which all that is settled and owed now has left the window, if nothing more is spent. `None` if
    /// nothing is settled, or if open reservations keep the debt from draining.
    pub resets_at_ms: Option<u64>,
}
