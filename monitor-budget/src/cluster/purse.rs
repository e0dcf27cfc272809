//! What a node holds of a cluster's budget: a lease of the store's, of which reservations take.
//!
//! - *committed* is what open reservations hold and what was settled and not yet told to the store. It may be more than the lease: what
//!   was spent beyond a reservation, or while the store was gone. The store makes that a debt.
//! - *free* is the lease less what is committed, while the lease lasts. It ends, by the node's monotonic clock, before it ends for the
//!   store; what was free then is the store's again, and comes back with the next exchange if the store still has it.

use super::script::Span;
use super::view::View;
use crate::budget::{MAX_AMOUNT, OnStoreLoss, Scope};
use crate::clock::Moment;
use crate::unit::Unit;
use crate::window::Window;

mod exchange;
mod text;

/// The part of a limit that a purse in use holds at least: a sixty-fourth, so that sixty nodes can work at once.
const LEAST_PART: u64 = 64;
/// After this long without a reservation a lease is given back, in milliseconds.
const IDLE_MS: u64 = 5_000;
/// A purse in use is synced this often, in milliseconds, so that what it knows of the others is fresh.
const SYNC_MS: u64 = 1_000;
/// How long after a refusal by the store the next reservation that needs more is refused at once, in milliseconds.
const REFUSED_MS: u64 = 50;

/// A node's purse of one budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Purse {
    pub(crate) on_store_loss: OnStoreLoss,
    /// Number of the last exchange that was answered.
    seq: u64,
    /// The node's lease as of then.
    lease: u64,
    /// Settled and not known to the store.
    unreported: u64,
    /// The exchange under way, repeated until it is answered.
    pending: Option<Pending>,
    pub(crate) view: View,
    /// Of this run of the agent only.
    run: Run,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pending {
    nonce: u64,
    spent: u64,
    returned: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Run {
    /// Ledger time at which the lease ends; none since the agent started.
    until_ms: u64,
    /// What of the committed the store has counted in: all of the lease, or what was committed of one that has ended.
    covered: Option<u64>,
    /// The most that a reservation lacked since the last exchange.
    need: u64,
    /// Ledger time of the last exchange, of the last refusal by the store and of the last reservation or settlement.
    asked_ms: u64,
    refused_ms: u64,
    used_ms: u64,
    /// Settled in the last few seconds, falling by a quarter with each exchange.
    lately: u64,
    hungry: bool,
    seeding: bool,
}

/// What a purse needs to know of its account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) limit: u64,
    pub(crate) reserved: u64,
    /// The node's own charges in the window.
    pub(crate) settled: u64,
}

impl Purse {
    pub(crate) fn of(scope: Scope) -> Option<Self> {
        match scope {
            Scope::Node => None,
            Scope::Cluster { on_store_loss } => Some(Self {
                on_store_loss,
                seq: 0,
                lease: 0,
                unreported: 0,
                pending: None,
                view: View::default(),
                run: Run::default(),
            }),
        }
    }

    pub(crate) fn scope(&self) -> Scope {
        Scope::Cluster {
            on_store_loss: self.on_store_loss,
        }
    }

    /// The node's lease, without what it is giving back.
    pub(crate) fn lease(&self) -> u64 {
        self.lease - self.pending.map_or(0, |pending| pending.returned)
    }

    pub(crate) fn unreported(&self) -> u64 {
        self.unreported
    }

    /// The store is gathering what it has forgotten.
    pub(crate) fn is_seeding(&self) -> bool {
        self.run.seeding
    }

    pub(crate) fn is_live(&self, now: Moment) -> bool {
        now.ledger_ms < self.run.until_ms
    }

    /// Nothing that the store would miss.
    pub(crate) fn is_empty(&self) -> bool {
        self.lease == 0 && self.unreported == 0 && self.pending.is_none() && self.run.need == 0
    }

    /// Whether it can be forgotten: the store has done so too, so that a new one may count its exchanges from the beginning.
    pub(crate) fn is_idle(&self, now: Moment) -> bool {
        let forgotten_ms = self.view.at_ms.saturating_add(self.view.ttl_ms.saturating_mul(2));
        self.is_empty() && self.view.debt == 0 && now.ledger_ms > forgotten_ms
    }

    /// What may be reserved now.
    pub(crate) fn free(&mut self, held: Held, now: Moment, store_gone: bool) -> u64 {
        let committed = self.unreported.saturating_add(held.reserved);
        let covered = self.cover(committed, now);
        let free = covered.saturating_sub(committed);
        if !store_gone && !self.run.seeding {
            return free;
        }
        match self.on_store_loss {
            OnStoreLoss::Deny => free,
            OnStoreLoss::NodeShare => {
                free.saturating_add(self.share(held, committed - committed.min(covered), free, now))
            }
            OnStoreLoss::Allow => MAX_AMOUNT,
        }
    }

    /// What the store has counted in. Of a lease that has ended that is what was committed of it, and falls with it.
    fn cover(&mut self, committed: u64, now: Moment) -> u64 {
        let lease = self.lease();
        if self.is_live(now) {
            self.run.covered = Some(lease);
            return lease;
        }
        let covered = self.run.covered.unwrap_or(lease).min(lease).min(committed);
        self.run.covered = Some(covered);
        covered
    }

    /// What the node may spend beyond its lease while the store is gone: its part of what was free when it last heard of it, less what
    /// it has spent of that already, and no more than its part of the limit in all.
    fn share(&self, held: Held, beyond: u64, free: u64, now: Moment) -> u64 {
        if self.view.life.is_empty() {
            return 0;
        }
        let nodes = self.view.nodes.max(1);
        let own = held.settled.saturating_add(held.reserved).saturating_add(free);
        let of_limit = (held.limit / nodes).saturating_sub(own);
        match self.view.total(held.limit, now) {
            Some(total) => of_limit.min((held.limit.saturating_sub(total) / nodes).saturating_sub(beyond)),
            None => of_limit,
        }
    }

    /// Notes a settlement; returns what of it is beyond what the store has granted.
    pub(crate) fn settle(&mut self, charge: u64, reserved: u64) -> u64 {
        self.unreported = self.unreported.saturating_add(charge);
        self.run.lately = self.run.lately.saturating_add(charge);
        let committed = self.unreported.saturating_add(reserved);
        committed
            .saturating_sub(self.run.covered.unwrap_or(self.lease()))
            .min(charge)
    }

    /// Takes over what an account owed that was the node's alone.
    pub(crate) fn owe(&mut self, debt: u64) {
        self.unreported = self.unreported.saturating_add(debt);
    }

    /// Notes a reservation that was carried out; says whether the syncer should hurry.
    pub(crate) fn note_use(&mut self, held: Held, now: Moment) -> bool {
        self.run.used_ms = now.ledger_ms;
        let free = self
            .lease()
            .saturating_sub(self.unreported.saturating_add(held.reserved));
        free < self.target(held.limit) / 2 && now.ledger_ms.saturating_sub(self.run.asked_ms) >= REFUSED_MS
    }

    /// Notes a reservation that lacked so much; says whether asking the store may help.
    pub(crate) fn note_need(&mut self, lacking: u64, now: Moment) -> bool {
        self.run.need = self.run.need.max(lacking);
        self.run.lately = self.run.lately.max(lacking);
        self.run.used_ms = now.ledger_ms;
        self.run.refused_ms == 0 || now.ledger_ms.saturating_sub(self.run.refused_ms) >= REFUSED_MS
    }

    /// How much a purse in use should hold.
    fn target(&self, limit: u64) -> u64 {
        self.run.lately.max(limit / LEAST_PART).max(1)
    }

    /// Starts anew, for a node that has a new identity: what was leased to the old one is charged by the store.
    pub(crate) fn forget_lease(&mut self) {
        (self.seq, self.lease, self.pending) = (0, 0, None);
        self.view.life.clear();
        self.run.until_ms = 0;
        self.run.covered = Some(0);
    }
}

/// Which charges count for the store now.
pub(crate) fn span(unit: Unit, window: &Window, store_ms: u64) -> Span {
    match window {
        _ if !unit.is_charged() => Span::Open,
        Window::Open => Span::Open,
        Window::Rolling { ms } => {
            let sub_ms = ms.div_ceil(crate::rolling::SUB_WINDOWS).max(1);
            Span::Rolling {
                hold_ms: sub_ms * crate::rolling::SUB_WINDOWS,
                sub_ms,
            }
        }
        Window::Calendar { period, zone } => {
            let now = zone.period_at(*period, store_ms);
            Span::Calendar {
                start_ms: now.start,
                end_ms: now.end,
                next_end_ms: zone.period_at(*period, now.end).end,
            }
        }
    }
}
