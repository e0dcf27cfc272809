//! `weir run`: the parts put together, and kept together until a signal ends them.
//!
//! Start, in order: limits, CA and roots, catalog, ledger, recorder, kernel programs, identity, workers, listeners, local
//! API. What fails before the kernel programs are attached leaves no trace on the node. The end is the reverse: the
//! programs are detached first, so that new connections go their own way, then the open ones are given time to finish.

mod bundle;
mod endpoints;
mod limits;
mod names;
mod namespaces;
mod older;
mod reload;
mod scopes;
mod status;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use monitor_budget::{Ledger, LedgerError, SystemClock};
use tokio::signal::unix::{SignalKind, signal};

use crate::api::{ApiError, ApiServer};
use crate::config::Config;
use crate::event::{Bypass, Event, ExchangeIds, Recorder, RecorderThread};
use crate::exchange::Node;
use crate::identity::{EvidenceOptions, Identity, PodNames, Whereabouts};
use crate::intercept::{Distrust, Interceptor, Live, Workers};
use crate::kernel::{
    Kernel, KernelError, KernelEvent, KernelEvents, KernelOptions, Pinning, find_cgroup2_mount,
};
use crate::metrics::{Metrics, MetricsError};
use crate::policy::Policies;
use crate::selftest::SelfTest;
use crate::trust::{Authority, Leaves, TrustError};

pub use bundle::{BUNDLE_FILE, CA_FILE};
use endpoints::Endpoints;
use names::Names;
use namespaces::Keeper;
use older::Older;
use reload::Reload;
use scopes::Scopes;
use status::Parts;

/// How long open connections may take to finish when the agent is told to end: most answers, not the longest streams.
const DRAIN: Duration = Duration::from_secs(10);

/// How old the heartbeat may be: some scans of all processes, with which it beats.
const PATIENCE: Duration = Duration::from_secs(60);

/// Events that are read at once for those who wait for them: more than the ring holds, so that only a flood that goes on
/// while it is read ends here.
const MAX_CAUGHT_UP: usize = 16_384;

/// How long requests to the local API may take to finish at the end.
const API_PATIENCE: Duration = Duration::from_secs(1);

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
        let agent = Agent::start(config, path)?;
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
    reload: Reload,
}

impl Agent {
    fn start(config: Config, path: PathBuf) -> Result<Self, AgentError> {
        make_directory(&config.node.state_dir, 0o700)?;
        make_directory(&config.node.run_dir, 0o755)?;
        let leaves = Leaves::new(Authority::open(&config.node.state_dir)?);
        bundle::write(&config.node.run_dir, leaves.ca_pem()).map_err(|source| AgentError::Directory {
            path: config.node.run_dir.clone(),
            source,
        })?;
        let endpoints = Endpoints::of(&config)?;
        let policies =
            Policies::compile(&config.policies).map_err(|e| AgentError::Configuration(e.to_string()))?;
        let whereabouts =
            Whereabouts::find(&config.identity).map_err(|e| AgentError::Configuration(e.to_string()))?;
        let clock = Arc::new(SystemClock::new());
        let ledger = Ledger::open(&config.node.state_dir, clock.clone())?;
        ledger.redefine(|key| policies.budget_of(key));

        let mount = find_cgroup2_mount()?;
        let attached = config.node.cgroup.clone().unwrap_or_else(|| mount.clone());
        let kernel = Arc::new(Kernel::load(&KernelOptions {
            cgroup: attached.clone(),
            agent_tgid: std::process::id(),
            names: endpoints.catalog.hosts(),
            ports: endpoints.ports.clone(),
            patience: PATIENCE,
            pinning: Pinning::Never,
        })?);
        kernel.take_over()?;
        kernel.mark_address(crate::selftest::ADDRESS.ip())?;
        for program in kernel.programs() {
            tracing::info!(program = program.name, state = ?program.state, "kernel program");
        }

        let metrics = Arc::new(Metrics::new()?);
        let (recorder, recorder_thread) =
            Recorder::start(&config.events.sinks, metrics.clone()).map_err(system("start the recorder"))?;
        let node = Arc::new(Node {
            policies: ArcSwap::from_pointee(policies),
            ledger,
            recorder,
            ids: ExchangeIds::new(),
            clock,
            request_limit_bytes: usize::try_from(config.intercept.request_limit_bytes).unwrap_or(usize::MAX),
        });
        let evidence = EvidenceOptions {
            command_lines: config.identity.command_line,
            hash_limit_bytes: config.identity.hash_limit_bytes,
        };
        let identity = Arc::new(Identity::new(kernel.clone(), &mount, &attached, evidence));
        let pod_names = PodNames::start(whereabouts, identity.placements());
        let interceptor = Arc::new(Interceptor {
            node,
            kernel: kernel.clone(),
            identity,
            pod_names,
            catalog: ArcSwap::from_pointee(endpoints.catalog),
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
        keeper.rescan(&workers);
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
            reload,
        })
    }

    async fn serve(self) -> Result<(), AgentError> {
        let mut hangup = signal(SignalKind::hangup()).map_err(system("handle SIGHUP"))?;
        let mut terminate = signal(SignalKind::terminate()).map_err(system("handle SIGTERM"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(system("handle SIGINT"))?;
        let mut events = self.kernel.events()?;
        let parts = Parts {
            config: self.reload.path().to_path_buf(),
            cgroup: self.cgroup.clone(),
            interceptor: self.interceptor.clone(),
            namespaces: self.keeper.state(),
            scopes: self.scopes.state(),
            metrics: self.metrics.clone(),
        };
        let sources = Arc::new(status::sources(parts, &self.config)?);
        let server = ApiServer::start(&self.config.node, sources).await?;
        let self_test = self.interceptor.self_test.clone();
        let (metrics, clock) = (self.metrics.clone(), self.interceptor.node.clock.clone());
        let self_test = tokio::spawn(async move {
            self_test
                .run(|passed| metrics.note_self_test(passed, clock.now_ms()))
                .await;
        });
        let placements = self.interceptor.identity.placements();
        let mut waiting = self
            .interceptor
            .identity
            .waiting()
            .ok_or(KernelError::EventsTaken)?;
        let mut rescan = tokio::time::interval(namespaces::RESCAN);
        tracing::info!("running");
        let ended = loop {
            tokio::select! {
                event = events.next() => match event {
                    Ok(event) => self.on_event(&event),
                    Err(error) => break Err(error.into()),
                },
                Some(waiting) = waiting.recv() => {
                    if let Err(error) = self.catch_up(&mut events) {
                        break Err(error.into());
                    }
                    waiting.answer();
                }
                () = placements.changed() => self.scopes.update(),
                _ = rescan.tick() => {
                    self.scopes.rescan();
                    self.keeper.rescan(&self.workers);
                    self.sweep();
                    self.beat();
                    self.older.marks();
                }
                _ = hangup.recv() => if let Some(config) = self.reload.run(&self.interceptor) {
                    self.older.configure(config.intercept.older_connections, config.intercept.matches);
                    self.names.refresh();
                    self.scopes.reset(config.intercept.matches);
                },
                _ = terminate.recv() => break Ok(()),
                _ = interrupt.recv() => break Ok(()),
            }
        };
        tracing::info!(open = self.interceptor.live.len(), "ending");
        self_test.abort();
        self.keeper.close_all(&self.workers);
        self.workers.drain(DRAIN).await;
        server.stop(API_PATIENCE).await;
        self.recorder_thread.stop();
        ended
    }
}

impl Agent {
    fn on_event(&self, event: &KernelEvent) {
        self.interceptor.identity.on_event(event);
        self.older.on_event(event);
        self.keeper.on_event(event, &self.workers);
        self.record_bypass(event);
    }

    /// Reads the events that are in the ring.
    fn catch_up(&self, events: &mut KernelEvents) -> Result<(), KernelError> {
        for _ in 0..MAX_CAUGHT_UP {
            let Some(event) = events.take() else { break };
            self.on_event(&event?);
        }
        Ok(())
    }

    /// What the kernel let pass or refused goes on record.
    fn record_bypass(&self, event: &KernelEvent) {
        let node = &self.interceptor.node;
        if let Some(bypass) = Bypass::of(event, &self.interceptor.identity, node.clock.now_ms()) {
            node.recorder.send(Event::Bypass(Arc::new(bypass)));
        }
    }

    /// The kernel programs are told that the agent is alive.
    fn beat(&self) {
        if let Err(error) = self.kernel.beat() {
            tracing::error!(%error, "the kernel programs cannot be told that the agent is alive");
        }
    }

    /// Addresses whose DNS answers have expired go from the kernel's table.
    fn sweep(&self) {
        if let Err(error) = self.kernel.sweep_expired_addresses() {
            tracing::error!(%error, "expired addresses cannot be removed");
        }
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
