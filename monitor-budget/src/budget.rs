//! What a caller says and hears: budgets, refusals, settlements, account states.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::unit::Unit;
use crate::window::Window;

/// Largest amount the ledger works with, 2^48: far above any real limit or usage, and low enough that sums fit the
/// signed 64-bit integers of SQLite. Larger limits and usages are taken as this.
pub const MAX_AMOUNT: u64 = 1 << 48;

/// A limit of something in a window, and the account it is kept under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Identity of the account, chosen by the caller and stable across restarts, for example
    /// `billing-bots/daily/workload:/system.slice/x` (policy, budget in it, grouping values).
    pub key: Arc<str>,
    /// How much may be settled or reserved at any moment.
    pub limit: u64,
    /// What is counted.
    pub unit: Unit,
    /// Over which time.
    pub window: Window,
    /// Shares of the limit, in percent and rising, whose passing is told once per window.
    pub alert_at: Arc<[u8]>,
    /// Whose the limit is.
    pub scope: Scope,
}

/// Whose a limit is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// This node's alone.
    #[default]
    Node,
    /// All nodes' together: only what was leased from the cluster's store can be reserved.
    Cluster {
        /// What else can be while that store is gone.
        on_store_loss: OnStoreLoss,
    },
}

/// What a node may spend of a cluster's budget while the cluster's store is gone, when its lease is spent or has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OnStoreLoss {
    /// Nothing.
    Deny,
    /// Its share of what was free when it last heard of the store, and never more than its share of the limit in a window.
    #[default]
    NodeShare,
    /// Whatever is asked for. It is counted, and owed when the store is back.
    Allow,
}

impl Scope {
    /// The name in records and in answers of the local API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Cluster { on_store_loss } => match on_store_loss {
                OnStoreLoss::Deny => "cluster:deny",
                OnStoreLoss::NodeShare => "cluster:node_share",
                OnStoreLoss::Allow => "cluster:allow",
            },
        }
    }

    /// The scope of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let losses = [OnStoreLoss::Deny, OnStoreLoss::NodeShare, OnStoreLoss::Allow];
        let clusters = losses.map(|on_store_loss| Self::Cluster { on_store_loss });
        std::iter::once(Self::Node)
            .chain(clusters)
            .find(|scope| scope.name() == name)
    }
}

impl Budget {
    /// A budget of `limit` tokens in any `window_ms` milliseconds, of this node.
    pub fn tokens(key: impl Into<Arc<str>>, limit: u64, window_ms: u64) -> Self {
        Self::new(key, limit, Unit::Tokens, Window::rolling(window_ms))
    }

    /// A budget of this node, without alerts.
    pub fn new(key: impl Into<Arc<str>>, limit: u64, unit: Unit, window: Window) -> Self {
        Self {
            key: key.into(),
            limit,
            unit,
            window,
            alert_at: Arc::default(),
            scope: Scope::Node,
        }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit.min(MAX_AMOUNT)
    }
}

/// Why a reservation was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenyReason {
    /// The budget has not this much left now.
    Exhausted,
    /// The request alone is larger than the whole limit: it fits at no time.
    LargerThanLimit,
    /// The budget would need a new account and the ledger holds as many as it may ([`crate::MAX_ACCOUNTS`]), all in use.
    AccountsFull,
    /// The budget's key is longer than [`crate::MAX_KEY_BYTES`].
    KeyTooLong,
    /// The accounts are another agent's now ([`crate::Successor`]), and it does not answer.
    Unreachable,
    /// The node's lease of a cluster's budget has not this much left. More has been asked for.
    NeedsLease,
    /// The store of a cluster's budget is gone, and without it the node may not spend this much.
    StoreLost,
}

/// A reservation or extension that was refused; nothing was taken from any budget.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "budget {key}: {requested} {} asked, {used} used, {reserved} reserved and {debt} owed of a limit of {limit}", unit.name()
)]
pub struct Denied {
    /// Key of the budget that refused: the one with the longest wait if several did.
    pub key: Arc<str>,
    /// Why.
    pub reason: DenyReason,
    /// What the budget counts; the figures below are in it.
    pub unit: Unit,
    /// What was asked for.
    pub requested: u64,
    /// The budget's limit.
    pub limit: u64,
    /// Settled in the window.
    pub used: u64,
    /// Held by open reservations.
    pub reserved: u64,
    /// Spent beyond earlier reservations and still to fit.
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

/// What settling did to each budget of the reservation, in the order in which they were given; a key that was given twice is
/// there once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settlement(pub SmallVec<[Charge; 4]>);

/// What settling charged to one budget, in its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Charge {
    /// The part that found room in the window.
    pub settled: u64,
    /// The part that is carried on as debt.
    pub debt: u64,
}

impl Charge {
    /// All that was charged.
    #[must_use]
    pub fn charged(self) -> u64 {
        self.settled.saturating_add(self.debt)
    }
}

/// One account as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountState {
    /// The budget's key.
    pub key: Arc<str>,
    /// What it counts; the figures below are in it.
    pub unit: Unit,
    /// The limit in force.
    pub limit: u64,
    /// The definition's limit: another than [`limit`](Self::limit) while an override is in force.
    pub defined_limit: u64,
    /// Until when an override is in force, in Unix milliseconds.
    pub override_until_ms: Option<u64>,
    /// Over which time.
    pub window: Window,
    /// Settled in the window.
    pub settled: u64,
    /// Held by open reservations.
    pub reserved: u64,
    /// Spent beyond reservations and still to fit.
    pub debt: u64,
    /// Largest `settled + reserved` since the account was opened.
    pub peak_outstanding: u64,
    /// Open reservations on this account.
    pub open_reservations: u32,
    /// Unix milliseconds at which the oldest settled amount leaves the window. `None` if nothing is settled.
    pub next_free_ms: Option<u64>,
    /// Unix milliseconds at which all that is settled and owed now has left the window, if nothing more is spent. `None` if
    /// nothing is settled, or if open reservations keep the debt from draining.
    pub resets_at_ms: Option<u64>,
}
