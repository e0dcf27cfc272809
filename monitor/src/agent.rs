//! `weir run`: the parts put together, and kept together until a signal ends them.
//!
//! Start, in order: limits, CA and roots, catalog, ledger, kernel programs, usage history, recorder, identity, workers, local API, listeners,
//! heartbeat. What fails before the kernel programs are attached leaves no trace on the node. Where an agent runs already, this
//! one takes over from it (`takeover`); the ledger is then opened last, so that its requests wait for milliseconds only.
//!
//! The end is the reverse: the programs are detached first, so that new connections go their own way, then the open ones are given
//! time to finish. Where a policy is closed the programs stay instead, and are told that the agent is dead.

mod bundle;
mod cluster;
mod endpoints;
mod heartbeat;
mod limits;
mod names;
mod namespaces;
mod older;
mod policies;
mod reload;
mod scopes;
mod serve;
mod status;
mod takeover;
mod thresholds;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use monitor_budget::{Ledger, LedgerError, SystemClock};

use crate::api::ApiError;
use crate::config::Config;
use crate::event::{ExchangeIds, Recorder, RecorderThread};
use crate::exchange::{FingerprintError, Fingerprints, Node};
use crate::history::{History, HistoryThread};
use crate::identity::{EvidenceOptions, Identity, PodNames, Whereabouts};
use crate::intercept::{Distrust, Interceptor, Live, Workers};
use crate::kernel::{Kernel, KernelError, KernelOptions, Pinning, find_cgroup2_mount};
use crate::metrics::{Metrics, MetricsError};
use crate::selftest::SelfTest;
use crate::trust::{Authority, Leaves, TrustError};

pub use bundle::{BUNDLE_FILE, CA_FILE};
use endpoints::Endpoints;
use names::Names;
use namespaces::Keeper;
use older::Older;
use policies::policies_of;
use reload::Reload;
use scopes::Scopes;
use takeover::Predecessor;

/// How long open connections may take to finish when the agent is told to end: most answers, not the longest streams.
const DRAIN: Duration = Duration::from_secs(10);

/// How long an agent that was taken over goes on accepting: what the programs sent to it before they knew the new one arrives within
/// milliseconds.
const GRACE: Duration = Duration::from_secs(1);

/// Events that are read at once for those who wait for them: more than the ring holds, so that only a flood that goes on
/// while it is read ends here.
const MAX_CAUGHT_UP: usize = 16_384;

/// How long requests to the local API may take to finish at the end.
const API_PATIENCE: Duration = Duration::from_secs(1);

/// How long they may take while a new agent waits for the socket.
const API_HAND_OVER_PATIENCE: Duration = Duration::from_millis(100);

/// How long a failed new agent may keep ledger and local API locked: its process is about to end.
const FREE_WITHIN: Duration = Duration::from_secs(5);

/// How often it is looked whether they are free.
const FREE_POLL: Duration = Duration::from_millis(20);

/// Why the agent cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A directory of the agent cannot be made or written.
    #[error("{path}: {source}; the agent must be able to write there")]
    Directory {
        /// The directory or file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Certificates and keys.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The key of fingerprints.
    #[error(transparent)]
    Fingerprint(#[from] FingerprintError),
    /// The token ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The kernel programs.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The local API.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The agent that runs does not hand over.
    #[error("the agent that runs refuses to hand over: {0}")]
    Refused(String),
    /// The configuration holds what its validation should have ruled out.
    #[error("configuration: {0}")]
    Configuration(String),
    /// The system refused something basic: a thread, a signal handler, a limit.
    #[error("{action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

fn system(action: &'static str) -> impl FnOnce(io::Error) -> AgentError {
    move |source| AgentError::System { action, source }
}

/// Runs the agent until SIGTERM or SIGINT.
///
/// # Errors
/// It cannot start; the message says what is missing.
pub fn run(config: Config, path: PathBuf) -> Result<(), AgentError> {
    let open_files = limits::raise_open_files().map_err(system("raise the limit of open files"))?;
    tracing::info!(open_files, config = %path.display(), "starting");
    // Control only; connections run on the workers' own runtimes.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("start the runtime"))?;
    runtime.block_on(async {
        let mount = find_cgroup2_mount()?;
        let cgroup = config.node.cgroup.clone().unwrap_or_else(|| mount.clone());
        let predecessor = Predecessor::call(&config, &cgroup)?;
        let agent = Agent::start(config, path, mount, cgroup, predecessor)?;
        agent.serve().await
    })
}

struct Agent {
    config: Config,
    cgroup: PathBuf,
    kernel: Arc<Kernel>,
    interceptor: Arc<Interceptor>,
    workers: Workers,
    keeper: Keeper,
    older: Older,
    names: Names,
    scopes: Scopes,
    metrics: Arc<Metrics>,
    recorder_thread: RecorderThread,
    history: Arc<History>,
    history_thread: HistoryThread,
    reload: Reload,
    predecessor: Option<Predecessor>,
    fresh_pins: FreshPins,
}

/// Programs that this agent was the first to pin: an agent that fails to start leaves no trace on the node.
struct FreshPins(Option<Arc<Kernel>>);

impl FreshPins {
    fn of(kernel: &Arc<Kernel>) -> Self {
        Self((!kernel.is_inherited()).then(|| kernel.clone()))
    }

    /// The agent runs.
    fn keep(&mut self) {
        self.0 = None;
    }
}

impl Drop for FreshPins {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.as_ref().map(|kernel| kernel.unpin()) {
            tracing::error!(%error, "the programs stay attached");
        }
    }
}

impl Agent {
    fn start(
        config: Config,
        path: PathBuf,
        mount: PathBuf,
        attached: PathBuf,
        mut predecessor: Option<Predecessor>,
    ) -> Result<Self, AgentError> {
        make_directory(&config.node.state_dir, 0o700)?;
        make_directory(&config.node.run_dir, 0o755)?;
        let leaves = Leaves::new(Authority::open(&config.node.state_dir)?);
        bundle::write(&config.node.run_dir, leaves.ca_pem()).map_err(|source| AgentError::Directory {
            path: config.node.run_dir.clone(),
            source,
        })?;
        let endpoints = Endpoints::of(&config)?;
        let policies = policies_of(&config)?;
        let whereabouts =
            Whereabouts::find(&config.identity).map_err(|e| AgentError::Configuration(e.to_string()))?;
        let clock = Arc::new(SystemClock::new());
        let free = match &predecessor {
            None => Some(Ledger::open(&config.node.state_dir, clock.clone())?),
            Some(_) => None,
        };

        let pin_dir = config.node.pin_dir.clone();
        let kernel = Arc::new(Kernel::load(&KernelOptions {
            cgroup: attached.clone(),
            agent_tgid: std::process::id(),
            names: endpoints.catalog.hosts(),
            ports: endpoints.ports.clone(),
            patience: heartbeat::PATIENCE,
            pinning: if policies.any_closed() {
                Pinning::Required(pin_dir)
            } else {
                Pinning::Wanted(pin_dir)
            },
        })?);
        let fresh_pins = FreshPins::of(&kernel);
        kernel.mark_address(crate::selftest::ADDRESS.ip())?;
        for program in kernel.programs() {
            tracing::info!(program = program.name, state = ?program.state, "kernel program");
        }

        let metrics = Arc::new(Metrics::new()?);
        let (history, history_thread) = History::start(&config.node.state_dir, config.usage, clock.clone())
            .map_err(system("start the usage history"))?;
        let (recorder, recorder_thread) =
            Recorder::start_with(&config.events.sinks, metrics.clone(), Some(history.clone()))
                .map_err(system("start the recorder"))?;
        let evidence = EvidenceOptions {
            command_lines: config.identity.command_line,
            hash_limit_bytes: config.identity.hash_limit_bytes,
        };
        let identity = Arc::new(Identity::new(kernel.clone(), &mount, &attached, evidence));
        let pod_names = PodNames::start(whereabouts, identity.placements());
        let ledger = match (free, &mut predecessor) {
            (Some(ledger), _) => ledger,
            (None, Some(predecessor)) => {
                let open = predecessor.hand_over()?;
                let (ledger, adopted) = Ledger::open_adopting(&config.node.state_dir, clock.clone(), open)?;
                predecessor.adopt(adopted);
                ledger
            }
            (None, None) => Ledger::open(&config.node.state_dir, clock.clone())?,
        };
        ledger.redefine(|key| policies.budget_of(key));
        if let Some(cluster) = &config.cluster {
            cluster::join(&ledger, cluster)?;
        }
        let shared_key = config
            .cluster
            .as_ref()
            .and_then(|cluster| cluster.fingerprint_key_file.as_deref());
        let fingerprints = Fingerprints::open(shared_key, &config.node.state_dir)?;
        let node = Arc::new(Node {
            policies: ArcSwap::from_pointee(policies),
            prices: ArcSwap::from_pointee(config.prices.table()),
            fingerprints,
            ledger,
            recorder,
            ids: ExchangeIds::new(),
            clock,
            request_limit_bytes: usize::try_from(config.intercept.request_limit_bytes).unwrap_or(usize::MAX),
        });
        let interceptor = Arc::new(Interceptor {
            node,
            kernel: kernel.clone(),
            identity,
            pod_names,
            catalog: ArcSwap::from_pointee(endpoints.catalog),
            plain: ArcSwap::from_pointee(endpoints.plain),
            leaves,
            upstreams: ArcSwap::from_pointee(endpoints.upstreams),
            distrust: Distrust::default(),
            live: Arc::new(Live::default()),
            self_test: Arc::new(SelfTest::default()),
        });
        let scopes = Scopes::new(interceptor.clone())?;
        scopes.reset(config.intercept.matches);
        let cores = std::thread::available_parallelism().map_err(system("count the processors"))?;
        let workers =
            Workers::start(interceptor.clone(), cores.get()).map_err(system("start the worker threads"))?;
        let older = Older::start(
            interceptor.clone(),
            config.intercept.older_connections,
            config.intercept.matches,
        );
        let keeper = Keeper::new(interceptor.clone(), older.clone());
        keeper.inherit(predecessor.is_some())?;
        // What is marked from now on is intercepted; what is connected there already is older.
        let of_names = older.clone();
        let names = Names::start(interceptor.clone(), metrics.clone(), move || of_names.marked())
            .map_err(system("start the thread that resolves names"))?;
        let reload = Reload::new(path, &config);
        Ok(Self {
            config,
            cgroup: attached,
            kernel,
            interceptor,
            workers,
            keeper,
            older,
            names,
            scopes,
            metrics,
            recorder_thread,
            history,
            history_thread,
            reload,
            predecessor,
            fresh_pins,
        })
    }
}

fn make_directory(path: &Path, mode: u32) -> Result<(), AgentError> {
    let failed = |source| AgentError::Directory {
        path: path.to_path_buf(),
        source,
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(failed)
}
