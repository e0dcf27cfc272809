//! Thresholds: that a budget's spending has passed one is told once per window.

use std::sync::Arc;

use crate::account::Account;
use crate::book::SlotNumber;
use crate::clock::Moment;
use crate::journal::record::Record;
use crate::state::{Owner, State};
use crate::unit::Unit;
use crate::window::Window;

/// Thresholds kept per budget; more are not looked at.
pub const MAX_ALERTS: usize = 16;

/// A budget's spending has passed one of its thresholds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing {
    /// The budget's key.
    pub key: Arc<str>,
    /// The threshold, in percent of the limit.
    pub percent: u8,
    /// What the figures count.
    pub unit: Unit,
    /// The limit in force at that moment.
    pub limit: u64,
    /// What was settled or owed then.
    pub settled: u64,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
}

/// The thresholds of one account and which of them have been passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Alerts(Box<[Alert]>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Alert {
    percent: u8,
    /// Ledger time at which it was last passed, if that is in this window.
    passed_ms: Option<u64>,
    /// What nobody has taken yet.
    untold: Option<Passing>,
}

/// The figures of one passing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Passing {
    limit: u64,
    settled: u64,
    at_ms: u64,
}

impl Alerts {
    pub(crate) fn new(percents: &[u8]) -> Self {
        Self::default().with(percents)
    }

    /// Whether these are the thresholds.
    pub(crate) fn are(&self, percents: &[u8]) -> bool {
        percents
            .iter()
            .take(MAX_ALERTS)
            .eq(self.0.iter().map(|alert| &alert.percent))
    }

    /// Other thresholds; those that stay keep their marks.
    pub(crate) fn with(&self, percents: &[u8]) -> Self {
        let alert = |&percent: &u8| {
            let known = self.0.iter().find(|alert| alert.percent == percent);
            known.copied().unwrap_or(Alert {
                percent,
                passed_ms: None,
                untold: None,
            })
        };
        Self(percents.iter().take(MAX_ALERTS).map(alert).collect())
    }

    /// The thresholds, in percent.
    pub(crate) fn percents(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().map(|alert| alert.percent)
    }

    /// A period of the calendar has begun, or the budget was reset: each may be passed again.
    pub(crate) fn forget_passed(&mut self) {
        for alert in &mut self.0 {
            alert.passed_ms = None;
        }
    }

    /// Marks what `settled` of `limit` passes for the first time in the window.
    fn pass(&mut self, settled: u64, limit: u64, window: &Window, now: Moment) -> Passed {
        let mut passed = Passed::default();
        for alert in &mut self.0 {
            if let (Some(at_ms), Window::Rolling { ms }) = (alert.passed_ms, window)
                && at_ms.saturating_add(*ms) <= now.ledger_ms
            {
                alert.passed_ms = None;
            }
            let reached = u128::from(settled) * 100 >= u128::from(limit) * u128::from(alert.percent);
            if settled == 0 || !reached || alert.passed_ms.is_some() {
                continue;
            }
            alert.passed_ms = Some(now.ledger_ms);
            let passing = Passing {
                limit,
                settled,
                at_ms: now.calendar_ms,
            };
            passed.any = true;
            passed.lost += u64::from(alert.untold.replace(passing).is_some());
        }
        passed
    }

    fn untold(&self) -> usize {
        self.0.iter().filter(|alert| alert.untold.is_some()).count()
    }

    /// As [`Self::parse`] reads it: `percent:passed_ms`, and the figures of what is untold behind it.
    pub(crate) fn to_text(&self) -> String {
        let alert = |alert: &Alert| {
            let passed = alert.passed_ms.map_or(String::new(), |at_ms| at_ms.to_string());
            let untold = alert.untold.map_or(String::new(), |passing| {
                format!(":{}:{}:{}", passing.limit, passing.settled, passing.at_ms)
            });
            format!("{}:{passed}{untold}", alert.percent)
        };
        self.0.iter().map(alert).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.split_ascii_whitespace()
            .map(parse)
            .collect::<Option<_>>()
            .map(Self)
    }
}

fn parse(text: &str) -> Option<Alert> {
    let mut parts = text.split(':');
    let percent = parts.next()?.parse().ok()?;
    let passed_ms = match parts.next()? {
        "" => None,
        at_ms => Some(at_ms.parse().ok()?),
    };
    let untold = match parts.next() {
        None => None,
        Some(limit) => Some(Passing {
            limit: limit.parse().ok()?,
            settled: parts.next()?.parse().ok()?,
            at_ms: parts.next()?.parse().ok()?,
        }),
    };
    parts.next().is_none().then_some(Alert {
        percent,
        passed_ms,
        untold,
    })
}

/// What a change has done to an account's thresholds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// At least one was passed.
    pub(crate) any: bool,
    /// Passings that nobody had taken when the threshold was passed again.
    pub(crate) lost: u64,
}

impl Account {
    /// Marks the thresholds that what is settled and owed has passed. Called after every change that can raise it or lower the limit.
    pub(crate) fn pass_alerts(&mut self, now: Moment) -> Passed {
        if self.alerts.0.is_empty() {
            return Passed::default();
        }
        let (settled, limit) = (self.settled().saturating_add(self.debt), self.limit());
        self.alerts.pass(settled, limit, &self.window, now)
    }

    /// Passings that nobody has taken.
    pub(crate) fn untold_alerts(&self) -> usize {
        self.alerts.untold()
    }

    /// Takes the passings that nobody has taken.
    pub(crate) fn tell_alerts(&mut self) -> Vec<Crossing> {
        let (key, unit) = (&self.key, self.unit);
        let crossing = |alert: &mut Alert| {
            let passing = alert.untold.take()?;
            Some(Crossing {
                key: Arc::clone(key),
                percent: alert.percent,
                unit,
                limit: passing.limit,
                settled: passing.settled,
                at_ms: passing.at_ms,
            })
        };
        self.alerts.0.iter_mut().filter_map(crossing).collect()
    }
}

/// The queue of crossings: the accounts that have some to tell. It is bounded by the accounts and their thresholds.
#[derive(Debug, Default)]
pub(crate) struct Crossings {
    slots: Vec<SlotNumber>,
    pub(crate) lost: u64,
}

impl Crossings {
    /// Notes what a change to the account of a slot has done.
    pub(crate) fn note(&mut self, slot: SlotNumber, passed: Passed) {
        self.lost += passed.lost;
        if passed.any && !self.slots.contains(&slot) {
            self.slots.push(slot);
        }
    }
}

impl State {
    /// Takes all crossings that were not taken before.
    pub(crate) fn take_crossings(&mut self, now: Moment) -> Vec<Crossing> {
        if self.crossings.slots.is_empty() || !matches!(self.owner, Owner::Own) {
            return Vec::new();
        }
        let mut taken = Vec::new();
        for slot in std::mem::take(&mut self.crossings.slots) {
            let told = self.book.account_mut(slot).map(Account::tell_alerts);
            let told = told.unwrap_or_default();
            if !told.is_empty() {
                taken.extend(told);
                self.record(now.ledger_ms, &Record::Told { slot }, &[slot]);
            }
        }
        taken
    }

    /// Finds the accounts with something to tell, after recovery.
    pub(crate) fn queue_untold(&mut self) {
        for slot in self.book.slot_numbers() {
            let untold = self.book.account_mut(slot).map_or(0, |a| a.untold_alerts());
            if untold > 0 {
                self.crossings.slots.push(slot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_read_back_as_written() {
        let mut alerts = Alerts::new(&[50, 80, 100]);
        let now = Moment {
            ledger_ms: 5,
            calendar_ms: 9,
        };
        assert_eq!(alerts.to_text(), "50: 80: 100:");
        assert!(alerts.pass(85, 100, &Window::rolling(60_000), now).any);
        assert_eq!(alerts.to_text(), "50:5:100:85:9 80:5:100:85:9 100:");
        for alerts in [alerts, Alerts::default()] {
            assert_eq!(Alerts::parse(&alerts.to_text()), Some(alerts));
        }
        for wrong in ["50", "x:", "50:1:2", "50:1:2:3:4:5"] {
            assert_eq!(Alerts::parse(wrong), None, "{wrong}");
        }
    }
}
