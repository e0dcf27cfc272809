//! What is settled in an account's window, by kind of window.

use crate::clock::Moment;
use crate::rolling::{Rolling, SLOT_LIFE};
use crate::window::Window;

/// The charges of one account that have not left its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Charges {
    /// Of a rolling window, by sub-window.
    Rolling {
        rolling: Rolling,
        /// Sub-window up to which expiry has been carried out.
        head: u64,
    },
    /// Of one period of the calendar, in calendar time.
    Calendar {
        from_ms: u64,
        until_ms: u64,
        settled: u64,
    },
    /// Nothing is ever settled.
    Open,
}

impl Charges {
    pub(crate) fn new(window: &Window, now: Moment) -> Self {
        match window {
            Window::Rolling { ms } => {
                let rolling = Rolling::new(*ms);
                Self::Rolling {
                    head: rolling.index_at(now.ledger_ms),
                    rolling,
                }
            }
            Window::Calendar { period, zone } => {
                let bounds = zone.period_at(*period, now.calendar_ms);
                Self::Calendar {
                    from_ms: bounds.start,
                    until_ms: bounds.end,
                    settled: 0,
                }
            }
            Window::Open => Self::Open,
        }
    }

    pub(crate) fn settled(&self) -> u64 {
        match self {
            Self::Rolling { rolling, .. } => rolling.settled(),
            Self::Calendar { settled, .. } => *settled,
            Self::Open => 0,
        }
    }

    /// Charges as of the moment that expiry has been carried out up to.
    pub(crate) fn add(&mut self, amount: u64) {
        match self {
            Self::Rolling { rolling, head } => rolling.add(*head, amount),
            Self::Calendar { settled, .. } => *settled = settled.saturating_add(amount),
            Self::Open => {}
        }
    }

    /// Whether nothing can have left since expiry was last carried out.
    pub(crate) fn is_at(&self, now: Moment) -> bool {
        match self {
            Self::Rolling { rolling, head } => rolling.index_at(now.ledger_ms) <= *head,
            Self::Calendar { until_ms, .. } => now.calendar_ms < *until_ms,
            Self::Open => true,
        }
    }

    /// Lets the oldest charges leave if they are due at `now`; otherwise moves on to `now` and says no. A calendar window
    /// goes to the present period at once, or `one_by_one` while each period takes its part of a debt.
    pub(crate) fn expire_one(&mut self, window: &Window, now: Moment, one_by_one: bool) -> bool {
        match (self, window) {
            (Self::Rolling { rolling, head }, _) => {
                let index = rolling.index_at(now.ledger_ms);
                match rolling.expire_one(index) {
                    Some(left) => {
                        *head = left.leaves_at();
                        true
                    }
                    None => {
                        *head = index;
                        false
                    }
                }
            }
            (
                Self::Calendar {
                    from_ms,
                    until_ms,
                    settled,
                },
                Window::Calendar { period, zone },
            ) => {
                if now.calendar_ms < *until_ms {
                    return false;
                }
                let at_ms = if one_by_one { *until_ms } else { now.calendar_ms };
                let bounds = zone.period_at(*period, at_ms);
                (*from_ms, *until_ms, *settled) = (bounds.start, bounds.end, 0);
                true
            }
            _ => false,
        }
    }

    /// Moves a full rolling window on by as many whole turns as `now` and `at_most` allow; returns how many.
    pub(crate) fn skip_turns(&mut self, now: Moment, at_most: u64) -> u64 {
        let Self::Rolling { rolling, head } = self else {
            return 0;
        };
        let index = rolling.index_at(now.ledger_ms);
        let turns = (index.saturating_sub(*head) / SLOT_LIFE).min(at_most);
        rolling.shift(turns * SLOT_LIFE);
        *head += turns * SLOT_LIFE;
        turns
    }

    /// The same charges in another window: none earlier than it was, all of them no later than now.
    pub(crate) fn moved(&self, window: &Window, now: Moment) -> Self {
        let mut moved = Self::new(window, now);
        match (self, window, &mut moved) {
            (Self::Rolling { rolling, .. }, Window::Rolling { ms }, Self::Rolling { rolling: to, head }) => {
                *to = rolling.resized(*ms, now.ledger_ms);
                while to.expire_one(*head).is_some() {}
            }
            _ => moved.add(self.settled()),
        }
        moved
    }

    /// Calendar time has been set to `now`: a period that begins after the next one is exchanged for the next one, with all
    /// that is settled in it.
    pub(crate) fn step(&mut self, window: &Window, now: Moment) {
        if let (
            Self::Calendar {
                from_ms, until_ms, ..
            },
            Window::Calendar { period, zone },
        ) = (self, window)
        {
            let next_ms = zone.period_at(*period, now.calendar_ms).end;
            if *from_ms > next_ms {
                let bounds = zone.period_at(*period, next_ms);
                (*from_ms, *until_ms) = (next_ms, bounds.end);
            }
        }
    }

    /// Takes everything out.
    pub(crate) fn clear(&mut self) {
        match self {
            Self::Rolling { rolling, .. } => rolling.clear(),
            Self::Calendar { settled, .. } => *settled = 0,
            Self::Open => {}
        }
    }

    /// The next moment at which something leaves, or that after `turns` whole turns of a rolling window if it is later.
    pub(crate) fn next_expiry(&self, turns: u64) -> Option<Moment> {
        match self {
            Self::Rolling { rolling, head } => {
                let next = rolling.oldest()?.leaves_at();
                let index = next.max(head.saturating_add(turns.saturating_mul(SLOT_LIFE)));
                Some(Moment {
                    ledger_ms: rolling.start_ms(index),
                    calendar_ms: 0,
                })
            }
            Self::Calendar { until_ms, .. } => (*until_ms < u64::MAX).then_some(Moment {
                ledger_ms: 0,
                calendar_ms: *until_ms,
            }),
            Self::Open => None,
        }
    }

    /// From `now` to the moment up to which expiry has been carried out, in milliseconds.
    pub(crate) fn since_ms(&self, now: Moment) -> u64 {
        match self {
            Self::Rolling { rolling, head } => rolling.start_ms(*head).saturating_sub(now.ledger_ms),
            Self::Calendar { from_ms, .. } => from_ms.saturating_sub(now.calendar_ms),
            Self::Open => 0,
        }
    }

    /// From `now` until the oldest charge leaves, in milliseconds; `None` if there is none.
    pub(crate) fn oldest_leaves_in_ms(&self, now: Moment) -> Option<u64> {
        match self {
            Self::Rolling { rolling, .. } => {
                let leaves_at = rolling.oldest()?.leaves_at();
                Some(rolling.start_ms(leaves_at).saturating_sub(now.ledger_ms))
            }
            _ => self.youngest_leaves_in_ms(now),
        }
    }

    /// From `now` until the youngest charge leaves, in milliseconds; `None` if there is none.
    pub(crate) fn youngest_leaves_in_ms(&self, now: Moment) -> Option<u64> {
        match self {
            Self::Rolling { rolling, .. } => {
                let leaves_at = rolling.youngest()?.leaves_at();
                Some(rolling.start_ms(leaves_at).saturating_sub(now.ledger_ms))
            }
            Self::Calendar {
                until_ms, settled, ..
            } => (*settled > 0).then(|| until_ms.saturating_sub(now.calendar_ms)),
            Self::Open => None,
        }
    }
}
