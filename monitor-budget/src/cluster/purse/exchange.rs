//! A purse's exchanges with the store.

use super::super::script::{Ask, Claim, Reply, Span, Status};
use super::super::view::View;
use super::{Held, IDLE_MS, Pending, Purse, REFUSED_MS, SYNC_MS};
use crate::clock::Moment;

impl Purse {
    /// Whether it is time for an exchange.
    pub(crate) fn is_due(&self, held: Held, epoch: &str, ttl_ms: u64, now: Moment) -> bool {
        let since_ms = now.ledger_ms.saturating_sub(self.run.asked_ms);
        if self.run.need > 0 {
            return self.run.refused_ms == 0
                || now.ledger_ms.saturating_sub(self.run.refused_ms) >= REFUSED_MS;
        }
        // A store that has forgotten must hear of it from everybody who knows.
        let forgotten = !epoch.is_empty()
            && self.view.epoch() != epoch
            && self.view.total(held.limit, now).is_some_and(|total| total > 0);
        let in_use =
            forgotten || !self.is_empty() || held.reserved > 0 || !self.is_resting(now) || self.view.debt > 0;
        let free = self
            .lease()
            .saturating_sub(self.unreported.saturating_add(held.reserved));
        let low = free < self.target(held.limit) / 2 && !self.is_resting(now);
        in_use && (since_ms >= SYNC_MS.min(ttl_ms / 4) || low && since_ms >= REFUSED_MS)
    }

    fn is_resting(&self, now: Moment) -> bool {
        now.ledger_ms.saturating_sub(self.run.used_ms) >= IDLE_MS
    }

    /// The next exchange. One that was not answered is repeated with the same number: the store knows it by that.
    ///
    /// `own` gives the node's own charges by their age, youngest last; only a store that has forgotten needs them.
    pub(crate) fn ask(
        &mut self,
        held: Held,
        span: Span,
        ttl_ms: u64,
        nonce: u64,
        now: Moment,
        own: impl FnOnce() -> Vec<(u64, u64)>,
    ) -> Ask {
        self.run.asked_ms = now.ledger_ms;
        let free = self
            .lease()
            .saturating_sub(self.unreported.saturating_add(held.reserved));
        let target = self.target(held.limit);
        let resting = self.is_resting(now) && held.reserved == 0;
        let (need, want) = match self.run.need {
            0 if resting || free >= target / 2 => (0, 0),
            0 => (0, target - free),
            need => (need, need.saturating_add(target)),
        };
        let pending = *self.pending.get_or_insert_with(|| {
            let keep = match (resting, self.run.hungry) {
                (true, _) => 0,
                (false, true) => self.run.lately,
                (false, false) => target.saturating_mul(2),
            };
            let returned = if need > 0 || want > 0 {
                0
            } else {
                free.saturating_sub(keep)
            };
            Pending {
                nonce,
                spent: self.unreported,
                returned,
            }
        });
        let own = if self.run.seeding {
            self.known_own(own())
        } else {
            Vec::new()
        };
        Ask {
            seq: self.seq + 1,
            nonce: pending.nonce,
            ttl_ms,
            limit: held.limit,
            span,
            spent: pending.spent,
            returned: pending.returned,
            need,
            want,
            claim: Claim {
                life: self.view.life.clone(),
                total: self.view.total(held.limit, now).unwrap_or(0),
                lease: if self.view.is_recent(now) { self.lease } else { 0 },
                own,
            },
        }
    }

    /// The node's own charges without the youngest, of which the store has not been told.
    fn known_own(&self, mut own: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
        let mut unknown = self.unreported;
        while unknown > 0
            && let Some((_, amount)) = own.last_mut()
        {
            let less = unknown.min(*amount);
            *amount -= less;
            unknown -= less;
            if *amount == 0 {
                own.pop();
            }
        }
        own
    }

    /// Takes a reply to the last exchange, sent at `sent`. Says whether the node has to take another identity.
    pub(crate) fn hear(&mut self, ask: &Ask, reply: &Reply, sent: Moment) -> bool {
        match reply.status {
            Status::Done => {}
            Status::Seeding { .. } => {
                self.run.seeding = true;
                self.run.refused_ms = sent.ledger_ms;
                return false;
            }
            Status::OtherPeriod => return false,
            Status::Replaced => return true,
        }
        if self.seq + 1 != ask.seq || self.pending.is_none_or(|pending| pending.nonce != ask.nonce) {
            // Answered before, by way of another connection.
            return false;
        }
        let kept = self.lease.saturating_sub(ask.spent).saturating_sub(ask.returned);
        let refused = ask.need > 0 && reply.lease <= kept;
        self.seq = ask.seq;
        self.pending = None;
        self.unreported = self.unreported.saturating_sub(ask.spent);
        self.lease = reply.lease;
        // A hundredth for clocks that run at different speeds.
        self.run.until_ms = sent.ledger_ms.saturating_add(ask.ttl_ms - ask.ttl_ms / 100);
        self.run.covered = Some(reply.lease);
        self.run.lately -= self.run.lately / 4;
        self.run.refused_ms = if refused { sent.ledger_ms } else { 0 };
        self.run.need = 0;
        (self.run.hungry, self.run.seeding) = (reply.hungry, false);
        self.view = View::of(reply, ask.span, sent, ask.ttl_ms);
        false
    }
}
