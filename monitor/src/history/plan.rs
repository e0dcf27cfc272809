//! Which rows of which tables make up a span of time.
//!
//! Between whole days the table of days is read, between whole hours that of hours, and of minutes only what is left at the edges: the
//! answer for a month costs some 30 rows and 100 more for each combination, and is that of the minutes to the last token. Where an edge
//! is older than its minutes (or hours) are kept, the span grows to the next whole hour (or day).

use super::level::Level;
use super::seconds::Seconds;

/// The end of a span that has none.
pub(super) const OPEN: Seconds = Seconds::MAX;

/// Buckets of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) level: Level,
    pub(super) from: Seconds,
    /// The end, not included.
    pub(super) to: Seconds,
}

/// What is read for a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// The start of what is read: not after what was asked for.
    pub(super) from: Seconds,
    /// Its end, not included: not before what was asked for.
    pub(super) to: Seconds,
    pub(super) segments: Vec<Segment>,
    /// Nothing of the span has been deleted.
    pub(super) complete: bool,
}

/// Steps are asked for that are finer than what is kept of the span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooFine {
    /// From when on they are kept.
    pub(super) kept_from: Seconds,
}

/// Plans the span from `since` until `until`, of which each level is whole from its `complete_from` on. With a step, no bucket
/// that is read is longer than that.
pub(super) fn plan(
    since: Seconds,
    until: Seconds,
    step: Option<Level>,
    complete_from: [Seconds; 3],
) -> Result<Plan, TooFine> {
    let coarsest = step.unwrap_or(Level::Day);
    let whole = |level: Level, at: Seconds| at >= complete_from[level.index()];
    let edge = |at: Seconds| {
        Level::ALL
            .into_iter()
            .find(|&level| whole(level, level.start(at)))
    };
    let first = edge(since);
    let from_level = first.unwrap_or(Level::Day);
    if from_level > coarsest {
        return Err(TooFine {
            kept_from: complete_from[coarsest.index()],
        });
    }
    let from = from_level.start(since);
    let to = if until == OPEN {
        OPEN
    } else {
        // What is cut at a minute is read from the last whole hour on.
        let cut = [(Level::Minute, Level::Hour), (Level::Hour, Level::Day)]
            .into_iter()
            .find(|(fine, coarse)| whole(*fine, from.max(coarse.start(until))))
            .map_or(Level::Day, |(fine, _)| fine);
        cut.start_from(until)
    };

    // A span is cut at minutes at the finest: the loop gets on with each segment.
    let last = |level: Level| if to == OPEN { OPEN } else { level.start(to) };
    let mut segments: Vec<Segment> = Vec::new();
    let mut at = from;
    while at < to {
        let fits = |level: &Level| level.start(at) == at && last(*level) > at;
        let allowed = || {
            Level::ALL
                .into_iter()
                .rev()
                .filter(|level| *level <= coarsest)
                .filter(fits)
        };
        // Days fit where nothing is whole: the span begins with a day then.
        let level = allowed()
            .find(|&level| whole(level, at))
            .or_else(|| allowed().next())
            .unwrap_or(Level::Minute);
        let next = match level {
            Level::Minute => Level::Hour.start_from(at + 1),
            Level::Hour => Level::Day.start_from(at + 1),
            // Days may not be whole from the start on, where minutes are.
            Level::Day => OPEN,
        };
        let next = if level == coarsest { OPEN } else { next };
        let end = last(level).min(next);
        match segments.last_mut() {
            Some(last) if last.level == level => last.to = end,
            _ => segments.push(Segment {
                level,
                from: at,
                to: end,
            }),
        }
        at = end;
    }
    Ok(Plan {
        from,
        to,
        segments,
        complete: first.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Seconds = 86_400;
    const HOUR: Seconds = 3_600;
    const NOW: Seconds = 20_000 * DAY + 19 * HOUR + 48 * 60 + 7;

    fn segments(plan: &Plan) -> Vec<(Level, Seconds, Seconds)> {
        plan.segments.iter().map(|s| (s.level, s.from, s.to)).collect()
    }

    #[test]
    fn the_last_24_hours() {
        let plan = plan(NOW - DAY, OPEN, None, [0; 3]).unwrap();
        let start = NOW - DAY - 7;
        assert_eq!(
            segments(&plan),
            [
                (Level::Minute, start, start + 12 * 60),
                (Level::Hour, start + 12 * 60, 20_000 * DAY),
                (Level::Day, 20_000 * DAY, OPEN),
            ]
        );
        assert!(plan.complete);
    }

    #[test]
    fn both_edges() {
        let plan = plan(NOW - 3 * DAY, NOW, None, [0; 3]).unwrap();
        let levels: Vec<_> = plan.segments.iter().map(|segment| segment.level).collect();
        use Level::{Day, Hour, Minute};
        assert_eq!(levels, [Minute, Hour, Day, Hour, Minute]);
        assert_eq!((plan.from, plan.to), (NOW - 3 * DAY - 7, NOW + 53));
    }

    #[test]
    fn a_span_grows_where_its_edge_is_not_kept() {
        let complete = [NOW - 2 * DAY, NOW - 30 * DAY, NOW - 400 * DAY].map(|at| Level::Day.start(at));
        let month = plan(NOW - 10 * DAY, OPEN, None, complete).unwrap();
        assert_eq!(
            (month.from, month.complete),
            (Level::Hour.start(NOW - 10 * DAY), true)
        );
        let year = plan(NOW - 300 * DAY, OPEN, None, complete).unwrap();
        assert_eq!(
            (year.from, year.complete),
            (Level::Day.start(NOW - 300 * DAY), true)
        );
        let more = plan(NOW - 500 * DAY, OPEN, None, complete).unwrap();
        assert_eq!(
            (more.from, more.complete),
            (Level::Day.start(NOW - 500 * DAY), false)
        );
        let refused = plan(NOW - 10 * DAY, OPEN, Some(Level::Minute), complete).unwrap_err();
        assert_eq!(refused.kept_from, complete[0]);
    }

    #[test]
    fn steps_are_not_longer_than_asked_for() {
        let plan = plan(NOW - 3 * DAY, OPEN, Some(Level::Hour), [0; 3]).unwrap();
        let levels: Vec<_> = plan.segments.iter().map(|segment| segment.level).collect();
        assert_eq!(levels, [Level::Minute, Level::Hour]);
    }

    proptest! {
        /// What is read lies end to end, covers what was asked for, and only whole levels are read.
        #[test]
        fn covers_the_span_once(
            ago in 0..500 * DAY,
            length in prop::option::of(1..500 * DAY),
            step in prop::option::of(prop::sample::select(Level::ALL.to_vec())),
            complete_ago in prop::array::uniform3(0..500 * DAY),
        ) {
            let since = NOW - ago;
            let until = length.map_or(OPEN, |length| since + length);
            let mut complete = complete_ago.map(|ago| NOW - ago);
            for (at, level) in complete.iter_mut().zip(Level::ALL) {
                *at = level.start(*at);
            }
            let Ok(plan) = plan(since, until, step, complete) else {
                prop_assert!(step.is_some());
                return Ok(());
            };
            prop_assert!(plan.from <= since && plan.to >= until);
            let mut at = plan.from;
            for segment in &plan.segments {
                prop_assert_eq!(segment.from, at);
                prop_assert!(segment.to > segment.from);
                prop_assert_eq!(segment.level.start(segment.from), segment.from);
                prop_assert!(segment.to == OPEN || segment.level.start(segment.to) == segment.to);
                prop_assert!(step.is_none_or(|step| segment.level <= step));
                if plan.complete {
                    prop_assert!(segment.from >= complete[segment.level.index()], "{:?} {:?}", plan, complete);
                }
                at = segment.to;
            }
            prop_assert_eq!(at, plan.to);
            prop_assert!(plan.segments.len() < 1_600);
        }
    }
}
