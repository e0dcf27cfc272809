//! The lengths of time that usage is summed over, in UTC.

use super::seconds::Seconds;

/// A length of time that has a table of its own, finest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours, from midnight UTC.
    Day,
}

impl Level {
    /// Every level, finest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// The name, which is also that of its table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The level of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// Its length.
    pub(super) const fn seconds(self) -> Seconds {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// The start of the bucket that a moment is in.
    pub(super) const fn start(self, at: Seconds) -> Seconds {
        at - at % self.seconds()
    }

    /// The first start of a bucket that is not before a moment.
    pub(super) const fn start_from(self, at: Seconds) -> Seconds {
        self.start(at.saturating_add(self.seconds() - 1))
    }

    /// The place in arrays with one element for each level.
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}
