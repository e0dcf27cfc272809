//! Prometheus metrics. Names and units follow the Prometheus conventions; label values are closed enums, names of the
//! configuration, or cut off at a stated number.

mod budgets;
mod bypasses;
mod models;
mod process;
mod pulled;

use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

pub use self::budgets::BudgetFigures;
use self::budgets::{BudgetCollector, BudgetCounters};
use self::bypasses::Bypasses;
pub use self::bypasses::ReadCounter;
use self::models::Models;
use self::process::ProcessCollector;
use self::pulled::{PulledCounters, PulledGauge};
use crate::event::{Audit, BudgetThreshold, Bypass, Connection, Exchange};

/// Most distinct values of the `model` label, which workloads choose; later ones count as [`OTHER_MODEL`].
pub const MAX_MODEL_LABELS: usize = 200;
/// The `model` label of everything beyond [`MAX_MODEL_LABELS`].
pub const OTHER_MODEL: &str = "other";
/// The label of a value that is not there: no reason, no model.
const NONE: &str = "none";

/// Upper bounds of the duration histograms, seconds: from a refusal (well under a millisecond) to a long stream.
const DURATION_BUCKETS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0,
];

/// All metrics of the agent, in a registry of their own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    exchanges: IntCounterVec,
    faults: IntCounterVec,
    findings: IntCounterVec,
    tokens: IntCounterVec,
    connections: IntCounterVec,
    bypasses: Bypasses,
    duration: Histogram,
    time_to_first_byte: Histogram,
    models: Models,
    /// Records that could not be taken and are lost.
    pub events_dropped: IntCounter,
    /// Times that a task had to wait until its record was taken.
    pub events_delayed: IntCounter,
    /// Failed attempts to write records, by sink.
    pub sink_errors: IntCounterVec,
    /// Records that a sink lost because it failed for too long, by sink.
    pub sink_dropped: IntCounterVec,
    name_lookups: IntCounterVec,
    /// Requests to the local API that were refused because of who asked.
    pub api_refused: IntCounter,
    audits: IntCounterVec,
    budgets: BudgetCounters,
    /// 1 while the last self-test connection arrived attributed, else 0.
    pub self_test_success: IntGauge,
    /// Unix seconds of the last self-test that succeeded; 0 before the first.
    pub self_test_last_success: IntGauge,
}

/// A metric that cannot be registered or written: a defect of the agent, reported at its start.
#[derive(Debug, thiserror::Error)]
#[error("metrics: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

impl Metrics {
    /// Registers every metric.
    ///
    /// # Errors
    ///
    /// A name or label that Prometheus does not allow, or one that is registered twice.
    pub fn new() -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let counter = |name, help| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let counters = |name, help, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let gauge = |name, help| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let histogram = |name, help| -> Result<Histogram, prometheus::Error> {
            let histogram =
                Histogram::with_opts(HistogramOpts::new(name, help).buckets(DURATION_BUCKETS.to_vec()))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok(histogram)
        };
        let metrics = Self {
            exchanges: counters(
                "weir_exchanges_total",
                "Requests to LLM providers, by what became of them.",
                &["provider", "operation", "verdict", "reason"],
            )?,
            faults: counters(
                "weir_policy_faults_total",
                "Exchanges in which something kept a policy from deciding by what it says: a condition that failed counts as true, and a detector's limit as on_detector_limit says.",
                &["fault"],
            )?,
            findings: counters(
                "weir_content_findings_total",
                "What content rules have found, by detector and by what the rule does about it; enforced is false where the policy observes.",
                &["detector", "action", "enforced"],
            )?,
            tokens: counters(
                "weir_tokens_total",
                "Tokens spent. input contains cache_read and cache_write, output contains reasoning.",
                &["provider", "model", "kind"],
            )?,
            connections: counters(
                "weir_connections_total",
                "Connections sent to the agent, by what became of them.",
                &["outcome"],
            )?,
            bypasses: Bypasses::new()?,
            duration: histogram(
                "weir_exchange_duration_seconds",
                "From the first byte of a request to the end of its response.",
            )?,
            time_to_first_byte: histogram(
                "weir_time_to_first_byte_seconds",
                "From the first byte of a request to the first byte of its response's body.",
            )?,
            models: Models::default(),
            events_dropped: counter(
                "weir_events_dropped_total",
                "Records lost because they could not be taken in time.",
            )?,
            events_delayed: counter(
                "weir_events_delayed_total",
                "Records that had to wait until they were taken.",
            )?,
            sink_errors: counters(
                "weir_sink_errors_total",
                "Failed attempts to write records.",
                &["sink"],
            )?,
            sink_dropped: counters(
                "weir_sink_dropped_records_total",
                "Records that a sink lost because it failed for too long.",
                &["sink"],
            )?,
            name_lookups: counters(
                "weir_name_lookups_total",
                "Names of the catalog that the agent asked the host's resolver for, by outcome.",
                &["outcome"],
            )?,
            audits: counters(
                "weir_audits_total",
                "Budgets that somebody changed by hand or tried to, by what was asked for and what became of it.",
                &["change", "outcome"],
            )?,
            api_refused: counter(
                "weir_api_refused_total",
                "Local API requests refused because of who asked.",
            )?,
            self_test_success: gauge(
                "weir_self_test_success",
                "Whether the last self-test connection arrived attributed (1) or not (0).",
            )?,
            self_test_last_success: gauge(
                "weir_self_test_last_success_timestamp_seconds",
                "When a self-test connection last arrived attributed.",
            )?,
            budgets: BudgetCounters::new(&registry)?,
            registry: registry.clone(),
        };
        let build = IntGauge::with_opts(
            Opts::new("weir_build_info", "Version of the agent; always 1.")
                .const_label("version", env!("CARGO_PKG_VERSION")),
        )?;
        build.set(1);
        registry.register(Box::new(build))?;
        registry.register(Box::new(ProcessCollector::new()?))?;
        registry.register(Box::new(metrics.bypasses.clone()))?;
        Ok(metrics)
    }

    /// Adds `weir_kernel_events_total{reason}`, read from the kernel at each scrape: `read` gives each reason once.
    ///
    /// # Errors
    ///
    /// It was added before.
    pub fn add_kernel_counters(
        &self,
        read: impl Fn() -> Vec<(&'static str, u64)> + Send + Sync + 'static,
    ) -> Result<(), MetricsError> {
        let counters = PulledCounters::new(
            "weir_kernel_events_total",
            "What the kernel programs saw and did, by reason.",
            "reason",
            Box::new(read),
        )?;
        Ok(self.registry.register(Box::new(counters))?)
    }

    /// Says where `weir_bypasses_total` reads what the kernel programs found; false when that was said before.
    pub fn read_kernel_bypasses(&self, read: ReadCounter) -> bool {
        self.bypasses.read_kernel(read)
    }

    /// Adds `weir_ledger_errors_total{operation}`, read from the ledger at each scrape: `read` gives each operation once.
    ///
    /// # Errors
    ///
    /// It was added before.
    pub fn add_ledger_errors(
        &self,
        read: impl Fn() -> Vec<(&'static str, u64)> + Send + Sync + 'static,
    ) -> Result<(), MetricsError> {
        let counters = PulledCounters::new(
            "weir_ledger_errors_total",
            "Writes of the ledger that failed, by what was written.",
            "operation",
            Box::new(read),
        )?;
        Ok(self.registry.register(Box::new(counters))?)
    }

    /// Adds `weir_budget_used_ratio{policy,budget}`, `weir_budget_debt{unit}`, `weir_budget_accounts` and
    /// `weir_budget_thresholds_lost_total`, read at each scrape.
    ///
    /// # Errors
    ///
    /// They were added before.
    pub fn add_budgets(
        &self,
        read: impl Fn() -> BudgetFigures + Send + Sync + 'static,
    ) -> Result<(), MetricsError> {
        let collector = BudgetCollector::new(Box::new(read))?;
        Ok(self.registry.register(Box::new(collector))?)
    }

    /// Adds `weir_name_source_events_total{event}`, read at each scrape: `read` gives each event once.
    ///
    /// # Errors
    ///
    /// It was added before.
    pub fn add_name_sources(
        &self,
        read: impl Fn() -> Vec<(&'static str, u64)> + Send + Sync + 'static,
    ) -> Result<(), MetricsError> {
        let counters = PulledCounters::new(
            "weir_name_source_events_total",
            "Lists, watches and errors of those who name pods.",
            "event",
            Box::new(read),
        )?;
        Ok(self.registry.register(Box::new(counters))?)
    }

    /// Adds `weir_pods`, read at each scrape.
    ///
    /// # Errors
    ///
    /// It was added before.
    pub fn add_pods(&self, read: impl Fn() -> usize + Send + Sync + 'static) -> Result<(), MetricsError> {
        let gauge = PulledGauge::new(
            "weir_pods",
            "Pods of this node that are known by name.",
            Box::new(read),
        )?;
        Ok(self.registry.register(Box::new(gauge))?)
    }

    /// Adds `weir_usage_history_events_total{event}` and `weir_usage_history_waiting_rows`, read at each scrape: `events` gives each event
    /// once.
    ///
    /// # Errors
    ///
    /// They were added before.
    pub fn add_history(
        &self,
        events: impl Fn() -> Vec<(&'static str, u64)> + Send + Sync + 'static,
        waiting: impl Fn() -> usize + Send + Sync + 'static,
    ) -> Result<(), MetricsError> {
        let counters = PulledCounters::new(
            "weir_usage_history_events_total",
            "Batches that the usage history wrote, what failed, what it could not tell apart and what it deleted.",
            "event",
            Box::new(events),
        )?;
        self.registry.register(Box::new(counters))?;
        let gauge = PulledGauge::new(
            "weir_usage_history_waiting_rows",
            "Sums of the usage history that are not on the disk yet.",
            Box::new(waiting),
        )?;
        Ok(self.registry.register(Box::new(gauge))?)
    }

    /// Adds `weir_cluster_exchanges_total{outcome}` and `weir_cluster_store_reachable`, read at each scrape: `exchanges` gives each outcome
    /// once.
    ///
    /// # Errors
    ///
    /// They were added before.
    pub fn add_cluster(
        &self,
        exchanges: impl Fn() -> Vec<(&'static str, u64)> + Send + Sync + 'static,
        reachable: impl Fn() -> usize + Send + Sync + 'static,
    ) -> Result<(), MetricsError> {
        let counters = PulledCounters::new(
            "weir_cluster_exchanges_total",
            "Exchanges with the store that a cluster's nodes lease budgets from.",
            "outcome",
            Box::new(exchanges),
        )?;
        self.registry.register(Box::new(counters))?;
        let gauge = PulledGauge::new(
            "weir_cluster_store_reachable",
            "1 while the store of the cluster answers.",
            Box::new(reachable),
        )?;
        Ok(self.registry.register(Box::new(gauge))?)
    }

    /// Adds `weir_placement_errors_total{reason}`, read at each scrape: `read` gives each reason once.
    ///
    /// # Errors
    ///
    /// It was added before.
    pub fn add_placement_errors(
        &self,
        read: impl Fn() -> Vec<(&'static str, u64)> + Send + Sync + 'static,
    ) -> Result<(), MetricsError> {
        let counters = PulledCounters::new(
            "weir_placement_errors_total",
            "Cgroups whose scope the kernel could not be told, and processes whose container was not believed, by reason.",
            "reason",
            Box::new(read),
        )?;
        Ok(self.registry.register(Box::new(counters))?)
    }

    /// Counts an exchange.
    pub fn count_exchange(&self, exchange: &Exchange) {
        let reason = exchange.reason.map_or(NONE, |reason| reason.name());
        let labels = [
            &*exchange.provider,
            exchange.operation,
            exchange.verdict.name(),
            reason,
        ];
        self.exchanges.with_label_values(&labels).inc();
        self.budgets.count_exchange(exchange);
        for fault in &exchange.faults {
            self.faults.with_label_values(&[fault.name()]).inc();
        }
        for found in &exchange.findings {
            let enforced = if found.enforced { "true" } else { "false" };
            let labels = [found.detector, found.action.name(), enforced];
            self.findings
                .with_label_values(&labels)
                .inc_by(found.count.into());
        }
        self.duration.observe(seconds(exchange.duration_us));
        if let Some(microseconds) = exchange.time_to_first_byte_us {
            self.time_to_first_byte.observe(seconds(microseconds));
        }
        let Some(usage) = exchange.usage else { return };
        let model = exchange.model.as_ref().map_or(NONE, |model| model.as_str());
        let model = if self.models.admits(model) {
            model
        } else {
            OTHER_MODEL
        };
        for (kind, tokens) in [
            ("input", usage.input),
            ("output", usage.output),
            ("cache_read", usage.cache_read),
            ("cache_write", usage.cache_write),
            ("reasoning", usage.reasoning),
        ] {
            if tokens > 0 {
                self.tokens
                    .with_label_values(&[&*exchange.provider, model, kind])
                    .inc_by(tokens);
            }
        }
    }

    /// Counts a connection.
    pub fn count_connection(&self, connection: &Connection) {
        self.connections
            .with_label_values(&[connection.outcome.name()])
            .inc();
    }

    /// Counts a bypass that the agent found; those of the kernel programs are counted there.
    pub fn count_bypass(&self, bypass: &Bypass) {
        self.bypasses.count(bypass);
    }

    /// Counts a change of a budget by hand.
    pub fn count_audit(&self, audit: &Audit) {
        self.audits
            .with_label_values(&[audit.change.name(), audit.outcome.name()])
            .inc();
    }

    /// Counts the passing of a budget's threshold.
    pub fn count_threshold(&self, threshold: &BudgetThreshold) {
        self.budgets.count_threshold(threshold);
    }

    /// Counts names that the agent asked for.
    pub fn count_name_lookups(&self, resolved: usize, failed: usize) {
        for (outcome, count) in [("resolved", resolved), ("failed", failed)] {
            self.name_lookups
                .with_label_values(&[outcome])
                .inc_by(count as u64);
        }
    }

    /// Notes a self-test that ended at `unix_ms`.
    pub fn note_self_test(&self, success: bool, unix_ms: u64) {
        self.self_test_success.set(i64::from(success));
        if success {
            self.self_test_last_success
                .set(i64::try_from(unix_ms / 1_000).unwrap_or(i64::MAX));
        }
    }

    /// Everything in the Prometheus text format.
    ///
    /// # Errors
    ///
    /// A metric family that cannot be written.
    pub fn render(&self) -> Result<Vec<u8>, MetricsError> {
        let mut text = Vec::with_capacity(16 << 10);
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

fn seconds(microseconds: u64) -> f64 {
    std::time::Duration::from_micros(microseconds).as_secs_f64()
}

#[cfg(test)]
mod tests;
