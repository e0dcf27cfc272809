//! Names of pods from a stand-in API server: on records, in policies, and through all that can happen to a watch.

use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::super::runner::Test;
use super::super::stage::{Stage, check_attribution, shown};
use crate::kubernetes::{ApiServer, PodSpec};
use crate::lab::Lab;
use crate::lab::agent::{Agent, AgentConfig};
use crate::lab::workload::Launch;

const CHAT: &str = "https://api.openai.com/v1/chat/completions";

/// How long the agent may take to learn of a change on a machine that is busy building.
const LEARNT_WITHIN: Duration = Duration::from_secs(20);

/// How long it may take to come back to a server that was away: its pauses grow to half a minute.
const BACK_WITHIN: Duration = Duration::from_secs(70);

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("kubernetes::names_on_records", names_on_records),
        Test::new("kubernetes::policies_by_name", policies_by_name),
        Test::new("kubernetes::a_watch_that_breaks", a_watch_that_breaks),
        Test::new("kubernetes::server_away_at_start", server_away_at_start),
    ]
}

/// A lab with an API server and an agent that watches it.
struct Cluster {
    lab: Lab,
    api: ApiServer,
    agent: Agent,
}

impl Cluster {
    async fn start(config: AgentConfig, before: impl FnOnce(&ApiServer)) -> Result<Self> {
        let lab = Lab::up().await?;
        let api = ApiServer::start(&lab).await?;
        before(&api);
        let config = config
            // The API server's port is intercepted like any other's 443: the agent's own connections must not be.
            .key("intercept", "match: all-tls")
            .key("identity", &api.key())
            .key("identity", "cri: off")
            .key("identity", "spiffe: {trust_domain: lab.example}");
        let agent = Agent::start(&lab, "agent", config).await?;
        Ok(Self { lab, api, agent })
    }

    /// A chat from the pod's container: what the client printed, and the record of the exchange, attributed exactly.
    async fn chat(&self, pod: &PodSpec) -> Result<(Output, Value)> {
        let body =
            json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Write 3 words"}]});
        let launch = Launch::new(&pod.cgroup(), "curl")
            .args(["-sS", "--max-time", "60", "-w", "\n%{http_code}"])
            .args(["-H", "content-type: application/json", "-d"])
            .args([body.to_string().as_str(), CHAT])
            .trust(&self.agent.trust(&self.lab)?);
        let (truth, output) = launch.run(&self.lab).await?;
        ensure!(output.status.success(), "{}", shown(&output));
        let mut exchanges = self.agent.records().exchanges_of(truth.pid, 1).await?;
        ensure!(exchanges.len() == 1, "{exchanges:?}");
        let exchange = exchanges.remove(0);
        check_attribution(&exchange, &truth)?;
        Ok((output, exchange))
    }

    /// Checks that the pod's connections are on record under its names.
    async fn named(&self, pod: &PodSpec) -> Result<()> {
        let (_, exchange) = self.chat(pod).await?;
        let workload = &exchange["workload"];
        let expected = json!({
            "uid": pod.uid, "namespace": pod.namespace, "name": pod.name, "service_account": pod.service_account,
            "owner": {"kind": "ReplicaSet", "name": format!("{}-rs", pod.name)}
        });
        ensure!(
            workload["pod"] == expected,
            "{} on record, but it was {expected}",
            workload["pod"]
        );
        let container = &workload["container"];
        ensure!(
            container["id"].as_str() == pod.container.as_deref()
                && container["name"] == "main"
                && container["image"] == pod.image(),
            "{container}"
        );
        let id = format!(
            "spiffe://lab.example/ns/{}/sa/{}",
            pod.namespace, pod.service_account
        );
        ensure!(
            workload["spiffe"]["id"] == id && workload["spiffe"]["source"] == "derived",
            "{} on record, but it was {id}",
            workload["spiffe"]
        );
        Ok(())
    }

    /// Waits until the agent knows so many pods.
    async fn pods(&self, count: usize) -> Result<()> {
        self.status(LEARNT_WITHIN, &format!("{count} pods"), |status| {
            status["pods"] == count
        })
        .await
    }

    /// Waits until the agent says of the API server what it should.
    async fn server(&self, within: Duration, says: &str) -> Result<()> {
        self.status(within, says, |status| {
            status["names"]["kubernetes"]
                .as_str()
                .is_some_and(|state| state.contains(says))
        })
        .await
    }

    async fn status(&self, within: Duration, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            let status = self.agent.get("/v1/status").await?;
            if is_so(&status) {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "not `{what}` within {within:?}: {} pods, {}\n{}",
                status["pods"],
                status["names"],
                self.agent.log_tail()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn ready(&self) -> Result<()> {
        let (status, page) = self.agent.page("/readyz").await?;
        ensure!(status == 200, "{status} {page}");
        Ok(())
    }
}

/// Pods older than the agent and in several pages of a list, pods that start after it, one that comes back under another
/// name, one that was deleted.
async fn names_on_records(_: Arc<Stage>) -> Result<()> {
    let older = PodSpec::new(1, "billing", "bot", "bot-a").label("tier", "gold");
    let cluster = Cluster::start(AgentConfig::new(), |api| {
        api.put(&older);
        for number in 1_000..1_120 {
            api.put(&PodSpec::new(number, "crowd", &format!("c{number}"), "default"));
        }
        let mut elsewhere = PodSpec::new(2, "billing", "elsewhere", "bot-a");
        elsewhere.node = "worker-2".to_owned();
        api.put(&elsewhere);
    })
    .await?;
    cluster.pods(121).await?;
    cluster.named(&older).await?;

    let mut younger = PodSpec::new(3, "research", "trial", "scientist");
    // As in a cluster: the pod is there before its container has an id.
    let container = younger.container.take();
    cluster.api.put(&younger);
    cluster.pods(122).await?;
    younger.container = container;
    cluster.api.put(&younger);
    let renamed = PodSpec::new(4, "research", "trial-again", "scientist");
    cluster.api.delete(&older);
    cluster.pods(121).await?;
    cluster.api.put(&renamed);
    cluster.pods(122).await?;
    cluster.named(&younger).await?;
    cluster.named(&renamed).await?;
    // The last connections of a pod come after the API has forgotten it, from a cgroup that was seen before or not.
    cluster.named(&older).await?;
    let short = PodSpec::new(5, "research", "short", "scientist");
    cluster.api.put(&short);
    cluster.pods(123).await?;
    cluster.api.delete(&short);
    cluster.pods(122).await?;
    cluster.named(&short).await?;

    let own = cluster.agent.pid()?;
    let of_the_agent = cluster
        .agent
        .records()
        .all()?
        .into_iter()
        .find(|record| record["workload"]["pid"] == own && record["outcome"] != "self_test");
    ensure!(
        of_the_agent.is_none(),
        "the agent intercepted itself: {of_the_agent:?}"
    );
    let (_, metrics) = cluster.agent.page("/metrics").await?;
    ensure!(
        metrics.contains("weir_pods 122")
            && metrics.contains("weir_name_source_events_total{event=\"kubernetes_watch\"} 1"),
        "{metrics}"
    );
    Ok(())
}

/// Policies that choose by service account, and by a label that changes while the pod runs.
async fn policies_by_name(_: Arc<Stage>) -> Result<()> {
    let config = AgentConfig::new()
        .policy_for(
            "interns",
            "namespace: billing, service_account: \"intern-*\"",
            "models: {allow: [\"claude-*\"]}",
        )
        .policy_for(
            "no-silver",
            "labels: {tier: silver}",
            "models: {allow: [\"claude-*\"]}",
        );
    let bot = PodSpec::new(1, "billing", "bot", "bot-a").label("tier", "gold");
    let intern = PodSpec::new(2, "billing", "desk", "intern-7");
    let cluster = Cluster::start(config, |api| {
        api.put(&bot);
        api.put(&intern);
    })
    .await?;
    cluster.pods(2).await?;
    decided(&cluster, &bot, None).await?;
    decided(&cluster, &intern, Some("interns")).await?;

    let silver = bot.clone().label("tier", "silver");
    cluster.api.put(&silver);
    let deadline = Instant::now() + LEARNT_WITHIN;
    while decided(&cluster, &silver, Some("no-silver")).await.is_err() && Instant::now() < deadline {}
    decided(&cluster, &silver, Some("no-silver")).await?;
    cluster.api.put(&bot);
    let deadline = Instant::now() + LEARNT_WITHIN;
    while decided(&cluster, &bot, None).await.is_err() && Instant::now() < deadline {}
    decided(&cluster, &bot, None).await
}

/// Checks that a pod's chat is refused by a policy, or by none.
async fn decided(cluster: &Cluster, pod: &PodSpec, by: Option<&str>) -> Result<()> {
    let (output, exchange) = cluster.chat(pod).await?;
    let (verdict, code) = if by.is_some() {
        ("denied", "403")
    } else {
        ("allowed", "200")
    };
    ensure!(
        exchange["verdict"] == verdict
            && exchange["policy"].as_str() == by
            && output.stdout.ends_with(code.as_bytes()),
        "expected {verdict} by {by:?}: {exchange} {}",
        shown(&output)
    );
    Ok(())
}

/// A watch that is cut goes on where it was; one whose place is forgotten begins anew; a server that is away or forbids is
/// told of, and the agent stays ready.
async fn a_watch_that_breaks(_: Arc<Stage>) -> Result<()> {
    let first = PodSpec::new(1, "billing", "first", "a");
    let cluster = Cluster::start(AgentConfig::new(), |api| api.put(&first)).await?;
    cluster.server(LEARNT_WITHIN, ": ok").await?;
    cluster.pods(1).await?;
    let (lists, ..) = cluster.api.served();

    cluster.api.cut();
    let second = PodSpec::new(2, "billing", "second", "b");
    cluster.api.put(&second);
    cluster.pods(2).await?;
    cluster.named(&second).await?;
    ensure!(cluster.api.served().0 == lists, "a cut watch was not resumed");

    // While nobody watches, one pod goes and two come, and how is forgotten. Two, so that the number of pods tells when
    // the agent has the new list: it says that all is well from when its watch is answered, which is before.
    cluster.api.refuse(true);
    cluster.api.delete(&first);
    let third = PodSpec::new(3, "billing", "third", "c");
    cluster.api.put(&third);
    cluster.api.put(&PodSpec::new(4, "billing", "fourth", "d"));
    cluster.api.compact();
    cluster.server(LEARNT_WITHIN, "127.99.").await?;
    cluster
        .status(LEARNT_WITHIN, "an error", |status| {
            !status["names"]["kubernetes"].to_string().contains(": ok")
        })
        .await?;
    cluster.ready().await?;
    cluster.named(&second).await?;
    cluster.api.refuse(false);
    cluster
        .status(BACK_WITHIN, "the third pod", |_| cluster.api.served().2 > 0)
        .await?;
    cluster.server(BACK_WITHIN, ": ok").await?;
    cluster.pods(3).await?;
    cluster.named(&third).await?;
    ensure!(cluster.api.served().0 > lists, "no list after 410 Gone");

    cluster.api.forbid(true);
    cluster
        .server(BACK_WITHIN, "needs the verbs get, list and watch")
        .await?;
    cluster.ready().await?;
    let said = cluster.agent.cli(&["status"]).await?;
    ensure!(shown(&said).contains("answers 403 Forbidden"), "{}", shown(&said));
    cluster.api.forbid(false);
    cluster.server(BACK_WITHIN, ": ok").await
}

/// The agent starts and works without its API server; names come with it.
async fn server_away_at_start(_: Arc<Stage>) -> Result<()> {
    let pod = PodSpec::new(1, "billing", "bot", "bot-a");
    let cluster = Cluster::start(AgentConfig::new(), |api| {
        api.refuse(true);
        api.put(&pod);
    })
    .await?;
    cluster.ready().await?;
    let (_, exchange) = cluster.chat(&pod).await?;
    let named = &exchange["workload"]["pod"];
    ensure!(
        named["uid"] == pod.uid.as_str() && named["namespace"].is_null() && named["name"].is_null(),
        "{named}"
    );
    cluster.api.refuse(false);
    cluster.server(BACK_WITHIN, ": ok").await?;
    cluster.pods(1).await?;
    cluster.named(&pod).await
}
