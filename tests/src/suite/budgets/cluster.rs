//! Three nodes on one budget of a cluster: what the providers bill against the limit, while the store is there, is lost or comes back
//! with old data, and while agents are killed. Each in labs of its own, one for each node.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::client::sdk_load::{End, Load, Made, Running, Sdk};
use crate::lab::Lab;
use crate::lab::agent::{Agent, AgentConfig};
use crate::lab::redis::Redis;
use crate::screen;
use crate::suite::runner::Test;
use crate::suite::stage::Stage;

/// Nodes of the cluster.
const NODES: usize = 3;

/// The limit that they share: some four seconds of their load.
const LIMIT: u64 = 12_000;

/// A limit that is reached after the agents' kills.
const LIMIT_OF_KILLS: u64 = 20_000;

/// Calls at once, on each node.
const PARALLEL: usize = 8;

/// Output that each call may have.
const OUTPUT_TOKENS: u64 = 64;

/// Most that one call reserves: its prompt of at most 24 tokens, and its output.
const RESERVED_TOKENS: u64 = 24 + OUTPUT_TOKENS;

/// The least that the calls would cost if none were refused, in limits: with less a run shows little.
const LOAD: u64 = 4;

/// The shortest that the configuration takes; a store without data grants nothing for as long.
const LEASE_TTL: Duration = Duration::from_secs(5);

/// Nothing is billed for so long where nothing more will be: a node that waits for the store has been answered by then.
const QUIET: Duration = Duration::from_secs(7);

/// The same where a tenth of the limit or less is left. It may stay so: streams that were left or killed are charged in full.
const QUIET_AT_LIMIT: Duration = Duration::from_secs(2);

/// How long any wait for the providers' bill may take, on a machine that is busy building.
const BILLED_WITHIN: Duration = Duration::from_secs(30);

/// Kills of agents, one after the other, and how long each is away: once for longer than a lease.
const KILLS: [(usize, u64); 6] = [(0, 0), (2, 300), (1, 0), (1, 6_000), (0, 150), (2, 0)];

/// How long all of them live between kills.
const LIVES: Duration = Duration::from_millis(400);

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("cluster::the_limit_holds_over_three_nodes", whole),
        Test::new("cluster::the_limit_holds_over_an_empty_store", emptied),
        Test::new("cluster::the_limit_holds_over_a_stale_store", stale),
        Test::new("cluster::the_limit_holds_over_kills_of_agents", killed),
        Test::new("cluster::nodes_without_a_store_keep_to_their_shares", shared),
    ]
}

/// A node: a lab with an agent, and the load on it.
struct Node {
    lab: Lab,
    agent: Agent,
    load: Option<Running>,
}

/// The nodes and their store.
struct Cluster {
    limit: u64,
    redis: Redis,
    nodes: Vec<Node>,
}

impl Cluster {
    /// Brings it up with the load under way, on a budget that is kept as `on_store_loss` says.
    async fn up(limit: u64, on_store_loss: &str) -> Result<Self> {
        // Closed without an agent: what passed unseen would be billed as well.
        let rules = format!(
            "on_agent_down: closed, budgets: [{{limit: {limit} tokens, window: 1h, per: all, scope: cluster, reserve: full, \
             on_store_loss: {on_store_loss}}}]"
        );
        let mut labs = Vec::new();
        for _ in 0..NODES {
            labs.push(Lab::up().await?);
        }
        let redis = Redis::start(labs.first().context("no lab")?).await?;
        let mut nodes = Vec::new();
        for (number, lab) in labs.into_iter().enumerate() {
            let config = AgentConfig::new()
                .policy("cluster", "load", &rules)
                .key("node", &format!("name: node-{number}"))
                .key("cluster", "name: lab")
                .key("cluster", &format!("lease_ttl: {}s", LEASE_TTL.as_secs()))
                .key(
                    "cluster",
                    &format!("redis: {{url: \"{}\", timeout: 500ms}}", redis.url()),
                );
            let agent = Agent::start(&lab, "agent", config).await?;
            nodes.push(Node {
                lab,
                agent,
                load: None,
            });
        }
        for (number, node) in nodes.iter_mut().enumerate() {
            let trust = node.agent.trust(&node.lab)?;
            node.load = Some(load(number).start(&node.lab, &trust).await?);
        }
        Ok(Self { limit, redis, nodes })
    }

    /// What the providers bill, of all nodes' calls.
    fn billed(&self) -> u64 {
        self.nodes.iter().map(Node::billed).sum()
    }

    /// Waits until so much has been billed; returns what has.
    async fn billed_at_least(&self, tokens: u64) -> Result<u64> {
        let deadline = Instant::now() + BILLED_WITHIN;
        loop {
            let billed = self.billed();
            if billed >= tokens {
                return Ok(billed);
            }
            ensure!(
                Instant::now() < deadline,
                "{billed} tokens are billed after {BILLED_WITHIN:?}, waiting for {tokens}: {}",
                self.states().await
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until nothing more is billed, however much is asked for.
    async fn spent(&self) -> Result<()> {
        let deadline = Instant::now() + BILLED_WITHIN;
        let (mut billed, mut since) = (self.billed(), Instant::now());
        loop {
            let at_limit = billed >= self.limit / 10 * 9;
            if since.elapsed() > if at_limit { QUIET_AT_LIMIT } else { QUIET } {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{billed} tokens are billed, and more");
            tokio::time::sleep(Duration::from_millis(20)).await;
            let now = self.billed();
            if now != billed {
                (billed, since) = (now, Instant::now());
            }
        }
    }

    /// How the agents reach the store, for a failure's message.
    async fn states(&self) -> String {
        let mut states = Vec::new();
        for node in &self.nodes {
            states.push(match node.agent.get("/v1/status").await {
                Ok(status) => status["cluster"].to_string(),
                Err(error) => error.to_string(),
            });
        }
        states.join("; ")
    }

    /// Ends the load and everything, and says what came of it.
    async fn end(mut self, what: &str) -> Result<Outcome> {
        let mut made = Vec::new();
        for node in &mut self.nodes {
            made.push(node.load.take().context("no load")?.stop().await?);
        }
        for node in &self.nodes {
            node.lab.log.wait_for_ends("(load ").await?;
        }
        let outcome = Outcome {
            limit: self.limit,
            billed: self.nodes.iter().map(Node::billed).collect(),
            made,
        };
        outcome.show(what);
        for node in &mut self.nodes {
            node.agent.stop().await?;
        }
        Ok(outcome)
    }
}

impl Node {
    fn billed(&self) -> u64 {
        self.lab.log.bill("(load ").tokens()
    }
}

/// Whole answers on the first node, streams on the second, streams that are left on the third.
fn load(number: usize) -> Load {
    let kind: &[&str] = match number {
        0 => &[],
        1 => &["--stream"],
        _ => &["--stream", "--abort", "0.2"],
    };
    let output = OUTPUT_TOKENS.to_string();
    Load::new(Sdk::OpenAi, "load", PARALLEL).with(kind).with(&[
        "--until-told",
        "--pause",
        "0.15",
        "--max-tokens",
        &output,
        "--retries",
        "0",
        "--header",
        if number == 0 {
            "x-lab-delay-ms=200"
        } else {
            "x-lab-delay-ms=5"
        },
    ])
}

/// What came of a run.
struct Outcome {
    limit: u64,
    /// By node.
    billed: Vec<u64>,
    made: Vec<Made>,
}

impl Outcome {
    fn billed(&self) -> u64 {
        self.billed.iter().sum()
    }

    fn count(&self, end: End) -> usize {
        self.made.iter().map(|made| made.count(end)).sum()
    }

    fn calls(&self) -> usize {
        self.made.iter().map(|made| made.calls.len()).sum()
    }

    fn show(&self, what: &str) {
        screen::line(&format!(
            "    {what}: limit {}, billed {} (by node {:?}); {} calls: {} whole, {} left, {} cut, {} refused, {} failed",
            self.limit,
            self.billed(),
            self.billed,
            self.calls(),
            self.count(End::Whole),
            self.count(End::Left),
            self.count(End::Cut),
            self.count(End::Refused),
            self.count(End::Failed),
        ));
    }

    /// Fails where the run shows nothing: too few calls, or a node that was granted nothing.
    fn check_load(&self) -> Result<()> {
        let least = LOAD * self.limit / RESERVED_TOKENS;
        ensure!(
            self.calls() as u64 >= least && self.count(End::Refused) > 0,
            "{} calls, fewer than {least}: the run shows nothing",
            self.calls()
        );
        ensure!(
            self.billed.iter().all(|billed| *billed > 0),
            "a node spent nothing: {:?}",
            self.billed
        );
        Ok(())
    }

    /// What holds over all nodes, exactly.
    fn check(&self) -> Result<()> {
        self.check_load()?;
        ensure!(
            self.billed() <= self.limit,
            "the providers bill {} of {} tokens",
            self.billed(),
            self.limit
        );
        Ok(())
    }

    /// Where no agent was killed, only the budget ends a call.
    fn check_calls(&self) -> Result<()> {
        self.made.iter().try_for_each(Made::check)
    }
}

/// Nothing happens: the limit is reached, and not passed.
async fn whole(_: Arc<Stage>) -> Result<()> {
    let cluster = Cluster::up(LIMIT, "deny").await?;
    cluster.spent().await?;
    let outcome = cluster.end("store there").await?;
    outcome.check()?;
    outcome.check_calls()?;
    // A node that leaves a stream is charged what the provider had generated, at most what it had reserved.
    ensure!(
        outcome.billed() >= LIMIT / 2,
        "the limit was not reached: {} of {LIMIT} tokens",
        outcome.billed()
    );
    Ok(())
}

/// The store forgets everything in mid-load.
async fn emptied(_: Arc<Stage>) -> Result<()> {
    let mut cluster = Cluster::up(LIMIT, "deny").await?;
    let before = cluster.billed_at_least(LIMIT / 3).await?;
    cluster.redis.kill().await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    cluster.restart_store().await?;
    cluster.after_loss("store lost and empty", before).await
}

/// The store comes back with what it knew when a tenth had been spent.
async fn stale(_: Arc<Stage>) -> Result<()> {
    let mut cluster = Cluster::up(LIMIT, "deny").await?;
    let saved = cluster.billed_at_least(LIMIT / 10).await?;
    cluster.redis.save().await?;
    let before = cluster.billed_at_least(LIMIT / 2).await?;
    cluster.redis.kill().await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    cluster.restart_store().await?;
    cluster.after_loss(&format!("store as at {saved}"), before).await
}

impl Cluster {
    async fn restart_store(&mut self) -> Result<()> {
        let node = self.nodes.first().context("no node")?;
        self.redis.restart(&node.lab).await
    }

    /// What must hold once a store has come back that was lost when `before` tokens had been billed.
    async fn after_loss(self, what: &str, before: u64) -> Result<()> {
        // What was leased is spent meanwhile; what is billed after the wait was granted by the store that came back.
        tokio::time::sleep(LEASE_TTL).await;
        let waited = self.billed();
        self.spent().await?;
        let outcome = self
            .end(&format!(
                "{what}; {before} when it was lost, {waited} at its first grant"
            ))
            .await?;
        outcome.check()?;
        outcome.check_calls()?;
        ensure!(
            outcome.billed() > waited,
            "the store that came back grants nothing: {waited} tokens"
        );
        Ok(())
    }
}

/// Agents are killed one after the other.
async fn killed(_: Arc<Stage>) -> Result<()> {
    let mut cluster = Cluster::up(LIMIT_OF_KILLS, "deny").await?;
    let before = cluster.billed_at_least(LIMIT_OF_KILLS / 20).await?;
    for (number, away_ms) in KILLS {
        tokio::time::sleep(LIVES).await;
        let node = cluster.nodes.get_mut(number).context("no such node")?;
        node.agent.kill().await?;
        tokio::time::sleep(Duration::from_millis(away_ms)).await;
        node.agent.restart().await?;
    }
    let after = cluster.billed();
    cluster.spent().await?;
    let outcome = cluster
        .end(&format!(
            "{} kills of agents from {before} to {after}",
            KILLS.len()
        ))
        .await?;
    outcome.check()?;
    ensure!(outcome.count(End::Failed) > 0, "no call met a kill");
    Ok(())
}

/// The store goes and stays away: each node spends at most its share of what was left, and all of them at most a share each beyond.
async fn shared(_: Arc<Stage>) -> Result<()> {
    let mut cluster = Cluster::up(LIMIT, "node_share").await?;
    let before = cluster.billed_at_least(LIMIT / 3).await?;
    cluster.redis.kill().await?;
    cluster.spent().await?;
    let outcome = cluster
        .end(&format!("node_share, store gone at {before}"))
        .await?;
    outcome.check_load()?;
    outcome.check_calls()?;
    let (billed, share) = (outcome.billed(), LIMIT / NODES as u64);
    screen::line(&format!(
        "    {} beyond the limit; {share} is a share",
        billed.saturating_sub(LIMIT)
    ));
    ensure!(billed > before, "nothing was spent without the store");
    ensure!(
        billed <= LIMIT + NODES as u64 * share,
        "the providers bill {billed} tokens, {LIMIT} and a share each are {}",
        LIMIT + NODES as u64 * share
    );
    Ok(())
}
