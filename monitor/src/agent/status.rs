//! What the local API, metrics and readiness are told about the agent.

use std::path::PathBuf;
use std::sync::Arc;

use monitor_common::Reason;
use parking_lot::Mutex;

use super::bundle::CA_FILE;
use super::cluster;
use super::namespaces::State;
use super::scopes;
use crate::api::{NodeStatus, Sources};
use crate::config::Config;
use crate::history::History;
use crate::intercept::Interceptor;
use crate::kernel::{Kernel, ProgramState};
use crate::metrics::{BudgetFigures, Metrics, MetricsError};

/// What the parts that are asked share.
pub(super) struct Parts {
    pub(super) config: PathBuf,
    pub(super) cgroup: PathBuf,
    pub(super) interceptor: Arc<Interceptor>,
    pub(super) namespaces: Arc<Mutex<State>>,
    pub(super) scopes: Arc<Mutex<scopes::State>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) history: Arc<History>,
    /// Why the heart does not beat, if so.
    pub(super) heartbeat: Arc<Mutex<Option<String>>>,
}

/// Connects the local API to the running parts.
///
/// # Errors
/// A metric that is registered twice.
pub(super) fn sources(parts: Parts, config: &Config) -> Result<Sources, MetricsError> {
    let parts = Arc::new(parts);
    let kernel = parts.interceptor.kernel.clone();
    parts
        .metrics
        .add_kernel_counters(move || kernel_events(&kernel))?;
    let kernel = parts.interceptor.kernel.clone();
    // Said once: these are the sources' only maker.
    let _first = parts
        .metrics
        .read_kernel_bypasses(Box::new(move || counters(&kernel)));
    let ledger = parts.interceptor.node.ledger.clone();
    parts.metrics.add_ledger_errors(move || {
        let health = ledger.health();
        vec![
            ("journal", health.journal_errors),
            ("checkpoint", health.checkpoint_errors),
        ]
    })?;
    if config.cluster.is_some() {
        let (exchanges, reachable) = (
            parts.interceptor.node.ledger.clone(),
            parts.interceptor.node.ledger.clone(),
        );
        parts.metrics.add_cluster(
            move || {
                let health = exchanges.cluster_health();
                health.map_or_else(Vec::new, |h| {
                    vec![("answered", h.exchanges), ("failed", h.failures)]
                })
            },
            move || usize::from(reachable.cluster_health().is_some_and(|health| health.reachable)),
        )?;
    }
    let interceptor = parts.interceptor.clone();
    parts.metrics.add_budgets(move || {
        let (ledger, policies) = (&interceptor.node.ledger, interceptor.node.policies.load());
        let lost = ledger.health().crossings_lost;
        BudgetFigures::of(&ledger.snapshot(), lost, |key| policies.rule_of(key).is_some())
    })?;
    let (events, waiting) = (parts.history.clone(), parts.history.clone());
    parts.metrics.add_history(
        move || events.health().events.named().to_vec(),
        move || waiting.health().waiting,
    )?;
    let (scopes, identity) = (parts.scopes.clone(), parts.interceptor.identity.clone());
    parts.metrics.add_placement_errors(move || {
        let conflicts = ("conflicting_containers", identity.placements().conflicts());
        scopes.lock().errors().into_iter().chain([conflicts]).collect()
    })?;
    let for_names = parts.clone();
    parts
        .metrics
        .add_name_sources(move || for_names.interceptor.pod_names.counters())?;
    let for_pods = parts.clone();
    parts
        .metrics
        .add_pods(move || for_pods.interceptor.pod_names.known())?;
    let ca_certificate = config.node.run_dir.join(CA_FILE);
    let (for_node, for_missing) = (parts.clone(), parts.clone());
    let (for_owners, for_policies) = (parts.clone(), parts.clone());
    let (for_budgets, for_peers) = (parts.clone(), parts.clone());
    let (live, ledger) = (
        parts.interceptor.live.clone(),
        parts.interceptor.node.ledger.clone(),
    );
    Ok(Sources {
        store: parts.interceptor.node.recorder.store().clone(),
        metrics: parts.metrics.clone(),
        history: parts.history.clone(),
        started_ms: parts.interceptor.node.clock.now_ms(),
        node: Box::new(move || node(&for_node, ca_certificate.clone())),
        missing: Box::new(move || missing(&for_missing)),
        open_connections: Box::new(move || live.list()),
        ledger,
        policies: Box::new(move || for_policies.interceptor.node.policies.load_full()),
        identify: Box::new(move |pid, uid| for_peers.interceptor.identity.peer(pid, uid)),
        recorder: parts.interceptor.node.recorder.clone(),
        clock: parts.interceptor.node.clock.clone(),
        owner_of: Box::new(move |key| for_owners.interceptor.node.policies.load().owner_of(key).cloned()),
        budget_of: Box::new(move |key| for_budgets.interceptor.node.policies.load().budget_of(key)),
    })
}

fn kernel_events(kernel: &Kernel) -> Vec<(&'static str, u64)> {
    let counters = counters(kernel).into_iter().flatten();
    counters.map(|(reason, count)| (reason.name(), count)).collect()
}

fn counters(kernel: &Kernel) -> Option<Vec<(Reason, u64)>> {
    match kernel.counters() {
        Ok(counters) => Some(counters),
        Err(error) => {
            tracing::error!(%error, "the kernel's counters cannot be read");
            None
        }
    }
}

fn node(parts: &Parts, ca_certificate: PathBuf) -> NodeStatus {
    let kernel = &parts.interceptor.kernel;
    let programs = kernel.programs().iter().map(|program| {
        let state = match &program.state {
            ProgramState::Attached => "attached".to_owned(),
            ProgramState::Unavailable { reason } => format!("unavailable: {reason}"),
        };
        (program.name.to_owned(), state)
    });
    NodeStatus {
        config: parts.config.clone(),
        cgroup: parts.cgroup.clone(),
        programs: programs.collect(),
        kernel_events: kernel_events(kernel)
            .into_iter()
            .map(|(reason, n)| (reason.to_owned(), n))
            .collect(),
        names: parts
            .interceptor
            .pod_names
            .sources()
            .into_iter()
            .map(|(source, state)| (source.to_owned(), state))
            .collect(),
        pods: parts.interceptor.pod_names.known(),
        namespaces: parts.namespaces.lock().listening(),
        scopes: parts.scopes.lock().rows(),
        open_connections: parts.interceptor.live.len(),
        policies: parts.interceptor.node.policies.load().len(),
        ca_certificate,
        stays: match kernel.stays() {
            Ok(()) => "yes".to_owned(),
            Err(why) => format!("no: {why}"),
        },
        usage_history: parts.history.health().to_string(),
        cluster: cluster::state(parts.interceptor.node.ledger.cluster_health().as_ref()),
    }
}

fn missing(parts: &Parts) -> Vec<String> {
    let mut missing: Vec<String> = parts.interceptor.self_test.failure().into_iter().collect();
    missing.extend(parts.heartbeat.lock().clone());
    let failing = parts.namespaces.lock().failing();
    missing.extend(
        failing
            .into_iter()
            .map(|(inode, why)| format!("network namespace {inode}: {why}")),
    );
    if let Some((cgroups, why)) = parts.scopes.lock().failing() {
        missing.push(format!("scopes of {cgroups} cgroups: {why}"));
    }
    let health = parts.interceptor.node.ledger.health();
    if !health.durable {
        let why = health
            .last_error
            .unwrap_or_else(|| "its journal is not open".to_owned());
        missing.push(format!("ledger: what is spent does not reach the disk: {why}"));
    }
    missing
}
