//! Counters whose values live elsewhere and are read at each scrape.

use std::collections::HashMap;
use std::fmt;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

type Read = Box<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>;

/// One counter family with one label.
pub(super) struct PulledCounters {
    desc: Desc,
    label: &'static str,
    read: Read,
}

impl PulledCounters {
    pub(super) fn new(
        name: &str,
        help: &str,
        label: &'static str,
        read: Read,
    ) -> Result<Self, prometheus::Error> {
        let desc = Desc::new(
            name.to_owned(),
            help.to_owned(),
            vec![label.to_owned()],
            HashMap::new(),
        )?;
        Ok(Self { desc, label, read })
    }
}

impl Collector for PulledCounters {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let metrics: Vec<_> = (self.read)()
            .into_iter()
            .map(|(value, count)| labelled(&[(self.label, value)], count))
            .collect();
        family(&self.desc, MetricType::COUNTER, metrics)
    }
}

/// One gauge without labels.
pub(super) struct PulledGauge {
    desc: Desc,
    read: Box<dyn Fn() -> usize + Send + Sync>,
}

impl PulledGauge {
    pub(super) fn new(
        name: &str,
        help: &str,
        read: Box<dyn Fn() -> usize + Send + Sync>,
    ) -> Result<Self, prometheus::Error> {
        let desc = Desc::new(name.to_owned(), help.to_owned(), Vec::new(), HashMap::new())?;
        Ok(Self { desc, read })
    }
}

impl Collector for PulledGauge {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut gauge = Gauge::default();
        gauge.set_value((self.read)() as f64);
        family(&self.desc, MetricType::GAUGE, vec![Metric::from_gauge(gauge)])
    }
}

impl fmt::Debug for PulledGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PulledGauge")
            .field("desc", &self.desc)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PulledCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PulledCounters")
            .field("desc", &self.desc)
            .finish_non_exhaustive()
    }
}

/// A counter with its labels.
pub(super) fn labelled(values: &[(&str, &str)], count: u64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(count as f64);
    let mut metric = Metric::from_label(labels(values));
    metric.set_counter(counter);
    metric
}

/// Labels and their values.
pub(super) fn labels(values: &[(&str, &str)]) -> Vec<LabelPair> {
    let pairs = values.iter().map(|(name, value)| {
        let mut label = LabelPair::default();
        label.set_name((*name).to_owned());
        label.set_value((*value).to_owned());
        label
    });
    pairs.collect()
}

/// A family of `metrics`; none at all where there are none, because the registry refuses an empty one.
pub(super) fn family(desc: &Desc, kind: MetricType, metrics: Vec<Metric>) -> Vec<MetricFamily> {
    if metrics.is_empty() {
        return Vec::new();
    }
    let mut family = MetricFamily::default();
    family.set_name(desc.fq_name.clone());
    family.set_help(desc.help.clone());
    family.set_field_type(kind);
    family.set_metric(metrics);
    vec![family]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_at_each_scrape() {
        let read = || vec![("redirected", 3), ("ring_full", 0)];
        let counters = PulledCounters::new("weir_x_total", "Help.", "reason", Box::new(read)).unwrap();
        let families = counters.collect();
        assert_eq!(families[0].get_metric().len(), 2);
        assert!((families[0].get_metric()[0].get_counter().get_value() - 3.0).abs() < f64::EPSILON);
        let empty = PulledCounters::new("weir_y_total", "Help.", "reason", Box::new(Vec::new)).unwrap();
        assert!(empty.collect().is_empty());
    }
}
