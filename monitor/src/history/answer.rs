//! Answers: usage put together from the disk and from memory.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;

use super::error::HistoryError;
use super::level::Level;
use super::names::{Asked, Asker, Interned};
use super::plan::{OPEN, Plan};
use super::question::{Dimension, Question};
use super::seconds::Seconds;
use crate::event::Counts;
use crate::event::native::rfc3339;

/// Sums that an answer may be made of: some 40 MiB while it is made, and less than a client takes in.
pub const MAX_GROUPS: usize = 100_000;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Unix milliseconds of the start of what was summed.
    pub since_ms: u64,
    /// Unix milliseconds of its end, which is not included; `None` for now.
    pub until_ms: Option<u64>,
    /// Nothing of that span has been deleted.
    pub complete: bool,
    /// What the answer lacks, for the operator.
    pub note: Option<String>,
    /// Combinations left out because of the question's limit.
    pub left_out: usize,
    /// What the usage was split by.
    pub by: Vec<Dimension>,
    /// The length of the steps.
    pub step: Option<Level>,
    /// The sums, by time and then in the order that was asked for.
    pub rows: Vec<Row>,
}

/// One sum.
#[derive(Debug, Clone)]
pub struct Row {
    /// Unix milliseconds of the step's start; `None` without steps.
    pub at_ms: Option<u64>,
    asker: Asker,
    asked: Asked,
    by: Vec<Dimension>,
    /// What the exchanges came to.
    pub counts: Counts,
}

impl Row {
    /// The name in a dimension that the usage was split by; of a workload its executable.
    #[must_use]
    pub fn name(&self, dimension: Dimension) -> Option<&str> {
        let [name, _] = dimension.names(&self.asker, &self.asked);
        name
    }
}

impl Serialize for Row {
    /// The names come first: `null` for one that the usage has not.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(at_ms) = self.at_ms {
            map.serialize_entry("time", &rfc3339(at_ms))?;
        }
        for dimension in &self.by {
            match dimension {
                Dimension::Workload if self.asker == Asker::default() => {
                    map.serialize_entry("workload", &serde_json::Value::Null)?;
                }
                Dimension::Workload => {
                    let Asker {
                        exe,
                        uid,
                        cgroup,
                        container,
                        ..
                    } = &self.asker;
                    let workload = json!({"exe": exe, "uid": uid, "cgroup": cgroup, "container": container});
                    map.serialize_entry("workload", &workload)?;
                }
                other => map.serialize_entry(other.name(), &self.name(*other))?,
            }
        }
        for (name, count) in Counts::NAMES.iter().zip(self.counts.fields()) {
            map.serialize_entry(name, &count)?;
        }
        map.end()
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let by: Vec<_> = self.by.iter().map(|dimension| dimension.name()).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("since", &rfc3339(self.since_ms))?;
        map.serialize_entry("until", &self.until_ms.map(rfc3339))?;
        map.serialize_entry("by", &by)?;
        map.serialize_entry("step", &self.step.map(Level::name))?;
        map.serialize_entry("complete", &self.complete)?;
        map.serialize_entry("note", &self.note)?;
        map.serialize_entry("left_out", &self.left_out)?;
        map.serialize_entry("usage", &self.rows)?;
        map.end()
    }
}

/// The sums of an answer in the making.
pub(super) struct Groups<'a> {
    question: &'a Question,
    askers: Interned<Asker>,
    asked: Interned<Asked>,
    sums: HashMap<(Seconds, u32, u32), Counts>,
}

impl<'a> Groups<'a> {
    pub(super) fn new(question: &'a Question) -> Self {
        Self {
            question,
            askers: Interned::default(),
            asked: Interned::default(),
            sums: HashMap::new(),
        }
    }

    /// The number of the combination that a workload belongs to; `None` when it is not asked for.
    pub(super) fn asker(&mut self, asker: &Asker) -> Option<u32> {
        Some(self.askers.intern(self.question.asker(asker)?))
    }

    /// The same of what was asked.
    pub(super) fn asked(&mut self, asked: &Asked) -> Option<u32> {
        Some(self.asked.intern(self.question.asked(asked)?))
    }

    /// Adds the usage of a bucket to a combination.
    pub(super) fn add(
        &mut self,
        at: Seconds,
        asker: u32,
        asked: u32,
        counts: &Counts,
    ) -> Result<(), HistoryError> {
        let at = self.question.step.map_or(0, |step| step.start(at));
        self.sums.entry((at, asker, asked)).or_default().add(counts);
        if self.sums.len() > MAX_GROUPS {
            return Err(HistoryError::Question(format!(
                "the answer has more than {MAX_GROUPS} rows; ask for less: a shorter time, a longer step, or fewer dimensions"
            )));
        }
        Ok(())
    }

    pub(super) fn answer(self, plan: &Plan, note: Option<String>) -> Answer {
        let Question {
            by,
            step,
            order,
            limit,
            ..
        } = self.question;
        let mut totals: HashMap<(u32, u32), Counts> = HashMap::new();
        for (&(_, asker, asked), counts) in &self.sums {
            totals.entry((asker, asked)).or_default().add(counts);
        }
        let names = |(asker, asked)| self.askers.get(asker).zip(self.asked.get(asked));
        let mut combinations: Vec<_> = totals.iter().collect();
        combinations.sort_unstable_by(|(a, a_total), (b, b_total)| {
            let key = |total| Reverse(order.of(total));
            key(a_total)
                .cmp(&key(b_total))
                .then_with(|| names(**a).cmp(&names(**b)))
        });
        let shown = limit.unwrap_or(usize::MAX).min(combinations.len());
        let left_out = combinations.len() - shown;
        let places: HashMap<(u32, u32), usize> = combinations
            .into_iter()
            .take(shown)
            .enumerate()
            .map(|(place, (combination, _))| (*combination, place))
            .collect();
        let mut rows: Vec<_> = self
            .sums
            .iter()
            .filter_map(|(&(at, asker, asked), counts)| {
                let place = *places.get(&(asker, asked))?;
                let (asker, asked) = names((asker, asked))?;
                let row = Row {
                    at_ms: step.map(|_| at.saturating_mul(1_000)),
                    asker: asker.clone(),
                    asked: asked.clone(),
                    by: by.clone(),
                    counts: *counts,
                };
                Some(((at, place), row))
            })
            .collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        Answer {
            since_ms: plan.from.saturating_mul(1_000),
            until_ms: (plan.to != OPEN).then(|| plan.to.saturating_mul(1_000)),
            complete: plan.complete,
            note,
            left_out,
            by: by.clone(),
            step: *step,
            rows: rows.into_iter().map(|(_, row)| row).collect(),
        }
    }
}
