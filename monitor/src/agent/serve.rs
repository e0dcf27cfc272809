//! The agent at work: from its first connection until a signal ends it or another agent has taken over.

use std::future::pending;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::heartbeat::Heartbeat;
use super::status::{self, Parts};
use super::takeover::{Door, Step};
use super::{
    API_HAND_OVER_PATIENCE, API_PATIENCE, Agent, AgentError, DRAIN, FREE_POLL, FREE_WITHIN, GRACE,
    MAX_CAUGHT_UP, namespaces, system, thresholds,
};
use crate::api::{ApiServer, Sources};
use crate::event::{Bypass, Event};
use crate::kernel::{KernelError, KernelEvent, KernelEvents};

/// What only one agent of a node can have: given up when another takes over.
struct Held {
    server: ApiServer,
    events: KernelEvents,
    self_test: JoinHandle<()>,
}

/// How the work ended.
enum End {
    /// A signal, or an error.
    Alone(Result<(), AgentError>),
    /// Another agent has taken over.
    TakenOver,
}

impl Agent {
    /// Takes over from the agent before, if there is one, and serves.
    ///
    /// # Errors
    /// It cannot begin, or go on.
    pub(super) async fn serve(mut self) -> Result<(), AgentError> {
        let trouble = Arc::new(Mutex::new(None));
        let parts = Parts {
            config: self.reload.path().to_path_buf(),
            cgroup: self.cgroup.clone(),
            interceptor: self.interceptor.clone(),
            namespaces: self.keeper.state(),
            scopes: self.scopes.state(),
            metrics: self.metrics.clone(),
            history: self.history.clone(),
            heartbeat: trouble.clone(),
        };
        let sources = Arc::new(status::sources(parts, &self.config)?);
        let held = self.hold(&sources).await?;
        self.keeper.rescan(&self.workers);
        let drains = self.predecessor.is_some();
        if let Some(predecessor) = self.predecessor.take() {
            predecessor.commit()?;
        }
        self.kernel.take_over()?;
        // The one before may have written flags of its own over this one's until now.
        self.kernel.scopes()?;
        self.fresh_pins.keep();
        let heartbeat = self.beat(&trouble)?;
        let ledger = self.interceptor.node.ledger.clone();
        let door = Door::open(&self.config, &self.cgroup, self.kernel.stays(), ledger);
        let (door, steps) = door.map_err(system("open the socket for the next agent"))?;
        tracing::info!("running");
        let mut work = Work {
            agent: &self,
            sources,
            trouble,
            held: Some(held),
            heartbeat: Some(heartbeat),
            drains: drains.then(|| Instant::now() + 2 * GRACE),
        };
        let end = work.run(steps).await;
        let Work { held, heartbeat, .. } = work;
        drop(heartbeat);
        match end {
            End::Alone(ended) => {
                door.close();
                self.end_alone(held).await;
                ended
            }
            End::TakenOver => {
                door.leave();
                self.end_taken_over().await;
                Ok(())
            }
        }
    }

    async fn hold(&self, sources: &Arc<Sources>) -> Result<Held, AgentError> {
        let server = ApiServer::start(&self.config.node, sources.clone()).await?;
        let events = self.kernel.events()?;
        let self_test = self.interceptor.self_test.clone();
        let (metrics, clock) = (self.metrics.clone(), self.interceptor.node.clock.clone());
        let self_test = tokio::spawn(async move {
            self_test
                .run(|passed| metrics.note_self_test(passed, clock.now_ms()))
                .await;
        });
        Ok(Held {
            server,
            events,
            self_test,
        })
    }

    fn beat(&self, trouble: &Arc<Mutex<Option<String>>>) -> Result<Heartbeat, AgentError> {
        Heartbeat::start(self.kernel.clone(), self.workers.pulse(), trouble.clone())
            .map_err(system("start the heartbeat"))
    }

    /// The end without a successor: what a policy says holds from now on.
    async fn end_alone(self, held: Option<Held>) {
        tracing::info!(open = self.interceptor.live.len(), "ending");
        if let Some(held) = &held {
            held.self_test.abort();
        }
        let closed = self.kernel.stays().is_ok() && self.interceptor.node.policies.load().any_closed();
        if closed {
            report(
                "the programs cannot be told that the agent ends",
                self.kernel.end(),
            );
            tracing::warn!(
                "the programs stay: connections of workloads with on_agent_down: closed are refused until an agent runs; \
                 `weir detach` lets them pass"
            );
        }
        self.keeper.close_all(&self.workers);
        if !closed {
            report("the programs stay attached", self.kernel.unpin());
        }
        self.workers.drain(DRAIN).await;
        if let Some(held) = held {
            held.server.stop(API_PATIENCE).await;
        }
        let node = &self.interceptor.node;
        thresholds::tell(&node.ledger, &node.policies.load(), &node.recorder);
        self.recorder_thread.stop();
        self.history_thread.stop();
        report(
            "the agent is still known as one",
            self.kernel.leave_agents(std::process::id()),
        );
    }

    /// The end of an agent that was taken over: it goes on with what it has.
    async fn end_taken_over(self) {
        tracing::info!(
            open = self.interceptor.live.len(),
            drain_ms = self.config.node.drain_ms,
            "taken over; draining"
        );
        // Signals are ignored from here on (tokio keeps its handlers): a stop would break what is on its way to its end already.
        drop((self.names, self.older));
        tokio::time::sleep(GRACE).await;
        self.keeper.leave_all(&self.workers);
        let limit = std::time::Duration::from_millis(self.config.node.drain_ms);
        self.workers.drain(limit).await;
        self.recorder_thread.stop();
        self.history_thread.stop();
        report(
            "the agent is still known as one",
            self.kernel.leave_agents(std::process::id()),
        );
        tracing::info!("drained");
    }
}

/// The loop, and what it may give up and take back.
struct Work<'a> {
    agent: &'a Agent,
    sources: Arc<Sources>,
    trouble: Arc<Mutex<Option<String>>>,
    held: Option<Held>,
    heartbeat: Option<Heartbeat>,
    /// When the agent before has closed its listeners.
    drains: Option<Instant>,
}

impl Work<'_> {
    async fn run(&mut self, mut steps: mpsc::Receiver<Step>) -> End {
        match self.serve(&mut steps).await {
            Ok(end) => end,
            Err(error) => End::Alone(Err(error)),
        }
    }

    async fn serve(&mut self, steps: &mut mpsc::Receiver<Step>) -> Result<End, AgentError> {
        let agent = self.agent;
        let mut hangup = signal(SignalKind::hangup()).map_err(system("handle SIGHUP"))?;
        let mut terminate = signal(SignalKind::terminate()).map_err(system("handle SIGTERM"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(system("handle SIGINT"))?;
        let placements = agent.interceptor.identity.placements();
        let mut waiting = agent
            .interceptor
            .identity
            .waiting()
            .ok_or(KernelError::EventsTaken)?;
        let mut rescan = tokio::time::interval(namespaces::RESCAN);
        let mut tell = tokio::time::interval(thresholds::TELL);
        tell.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // While the node is changing hands nothing is written that both agents share.
            let owner = self.held.is_some();
            tokio::select! {
                event = next(&mut self.held) => agent.on_event(&event?),
                Some(waiting) = waiting.recv() => {
                    // Another agent reads them otherwise, and whoever waits here is told so by the end of the waiting.
                    if let Some(held) = &mut self.held {
                        agent.catch_up(&mut held.events)?;
                        waiting.answer();
                    }
                }
                () = placements.changed(), if owner => agent.scopes.update(),
                _ = rescan.tick(), if owner => self.tick(),
                _ = tell.tick(), if owner => {
                    let node = &agent.interceptor.node;
                    thresholds::tell(&node.ledger, &node.policies.load(), &node.recorder);
                }
                _ = hangup.recv() => agent.reload(),
                _ = terminate.recv() => return Ok(End::Alone(Ok(()))),
                _ = interrupt.recv() => return Ok(End::Alone(Ok(()))),
                step = steps.recv() => match step {
                    Some(Step::HandOver(done)) => {
                        let _gone = done.send(self.hand_over().await);
                    }
                    Some(Step::Resume(done)) => {
                        self.resume().await?;
                        let _gone = done.send(());
                    }
                    Some(Step::Commit(done)) => {
                        self.heartbeat = None;
                        let _gone = done.send(());
                    }
                    Some(Step::Drain) => return Ok(End::TakenOver),
                    None => return Ok(End::Alone(Err(AgentError::Configuration(
                        "the socket for the next agent is gone".to_owned(),
                    )))),
                },
            }
        }
    }

    fn tick(&mut self) {
        let agent = self.agent;
        if self.drains.is_some_and(|closed| closed < Instant::now()) {
            self.drains = None;
            agent.keeper.drained();
        }
        agent.scopes.rescan();
        agent.keeper.rescan(&agent.workers);
        agent.sweep();
        agent.older.marks();
    }

    /// Gives up what only one agent can have. Connections are still accepted, and the heart beats.
    async fn hand_over(&mut self) -> Result<u64, String> {
        if let Some(held) = self.held.take() {
            held.self_test.abort();
            held.server.stop(API_HAND_OVER_PATIENCE).await;
            let released = self.agent.kernel.release_events(held.events);
            released.map_err(|error| error.to_string())?;
        }
        let ledger = &self.agent.interceptor.node.ledger;
        ledger.hand_over().map_err(|error| error.to_string())
    }

    /// Takes everything back after a new agent has failed.
    async fn resume(&mut self) -> Result<(), AgentError> {
        let agent = self.agent;
        let until = Instant::now() + FREE_WITHIN;
        if self.held.is_none() {
            while let Err(error) = agent.interceptor.node.ledger.resume() {
                if Instant::now() > until {
                    return Err(error.into());
                }
                tokio::time::sleep(FREE_POLL).await;
            }
        }
        agent.reassert()?;
        while self.held.is_none() {
            match agent.hold(&self.sources).await {
                Ok(held) => self.held = Some(held),
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => tokio::time::sleep(FREE_POLL).await,
            }
        }
        if self.heartbeat.is_none() {
            self.heartbeat = Some(agent.beat(&self.trouble)?);
        }
        tracing::warn!("the new agent has failed; this one goes on");
        Ok(())
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

    fn reload(&self) {
        if let Some(config) = self.reload.run(&self.interceptor) {
            self.older
                .configure(config.intercept.older_connections, config.intercept.matches);
            self.names.refresh();
            self.scopes.reset(config.intercept.matches);
            self.history.keep(config.usage);
        }
    }

    /// Writes again what a new agent that has failed may have overwritten.
    fn reassert(&self) -> Result<(), KernelError> {
        self.kernel.set_names(&self.interceptor.catalog.load().hosts())?;
        self.kernel.reassert_ports()?;
        self.keeper.reassert()?;
        self.scopes.reassert()?;
        self.kernel.take_over()
    }

    /// Addresses whose DNS answers have expired go from the kernel's table.
    fn sweep(&self) {
        report(
            "expired addresses cannot be removed",
            self.kernel.sweep_expired_addresses(),
        );
    }
}

async fn next(held: &mut Option<Held>) -> Result<KernelEvent, KernelError> {
    match held {
        Some(held) => held.events.next().await,
        None => pending().await,
    }
}

fn report<T>(what: &'static str, outcome: Result<T, KernelError>) {
    if let Err(error) = outcome {
        tracing::error!(%error, "{what}");
    }
}
