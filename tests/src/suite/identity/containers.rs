//! Containers of real runtimes: each connection is intercepted in the container's own netns, and on record as the
//! runtime itself reports the container.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::super::runner::Test;
use super::super::stage::{Stage, check_attribution, shown};
use crate::lab::Lab;
use crate::lab::agent::{Agent, AgentConfig};
use crate::lab::container::{Attach, Bundle, Contained, Node, Podman, Runc, Running};
use crate::lab::workload::Launch;

/// How long an agent may take to listen in a new netns.
const LISTENING_WITHIN: Duration = Duration::from_secs(10);

pub(super) const URL: &str = "https://api.openai.com/v1/models";

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("containers::podman_on_the_hosts_network", podman_host),
        Test::new("containers::podman_on_a_bridge", podman_bridge),
        Test::new("containers::podman_before_the_agent", before_the_agent),
        Test::new("containers::runc_at_pod_paths", pod_paths),
    ]
}

async fn podman_host(stage: Arc<Stage>) -> Result<()> {
    let node = Node::up(&stage.lab, "podman-host").await?;
    let podman = Podman::install(&stage.lab, &node).await?;
    let running = podman
        .start("on-host", Attach::Host, "podman-host-pods", URL)
        .await?;
    let own = std::fs::read_link("/proc/self/ns/net")?;
    ensure!(
        own.to_string_lossy() == format!("net:[{}]", running.contained.truth.netns),
        "not in the machine's netns"
    );
    let agent = stage.agent().await;
    let (contained, connection) = connect(running, &agent, &stage.trust).await?;
    check_container(&connection, &contained, "podman")
}

async fn podman_bridge(stage: Arc<Stage>) -> Result<()> {
    let node = Node::up(&stage.lab, "podman-bridge").await?;
    let podman = Podman::install(&stage.lab, &node).await?;
    let agent = stage.agent().await;
    let mut netns = Vec::new();
    for name in ["bridged-1", "bridged-2"] {
        let running = podman
            .start(name, Attach::Bridge, "podman-bridge-pods", URL)
            .await?;
        netns.push(running.contained.truth.netns);
        let (contained, connection) = connect(running, &agent, &stage.trust).await?;
        check_container(&connection, &contained, "podman")?;
    }
    netns.dedup();
    ensure!(netns.len() == 2, "both are in netns {netns:?}");
    Ok(())
}

/// The container's processes are older than the agent, whose records must be exact all the same once they have executed
/// the client.
async fn before_the_agent(_: Arc<Stage>) -> Result<()> {
    let lab = Lab::up().await?;
    let node = Node::up(&lab, "podman").await?;
    let podman = Podman::install(&lab, &node).await?;
    let on_host = podman.start("older-on-host", Attach::Host, "pods", URL).await?;
    let on_bridge = podman
        .start("older-on-bridge", Attach::Bridge, "pods", URL)
        .await?;
    let agent = Agent::start(&lab, "agent", AgentConfig::new()).await?;
    let trust = agent.trust(&lab)?;
    for running in [on_host, on_bridge] {
        let (contained, connection) = connect(running, &agent, &trust).await?;
        check_container(&connection, &contained, "podman")?;
    }
    Ok(())
}

/// The paths of both cgroup drivers, in a pod's own netns.
async fn pod_paths(stage: Arc<Stage>) -> Result<()> {
    let node = Node::up(&stage.lab, "runc").await?;
    let runc = Runc::new(&stage.lab, &node);
    let netns = stage.lab.workload_netns("pod")?;
    let pause = Launch::new("pause", "sleep").args(["300"]).netns(&netns);
    let pause = pause.start(&stage.lab).await?;
    let agent = stage.agent().await;
    let (ids, uid) = (
        ["3b".repeat(32), "c7".repeat(32)],
        "8f6e3a52-1d0c-4b7e-9a57-0c2d4e6f8a13",
    );
    let dashless = uid.replace('-', "_");
    let [systemd, cgroupfs] = &ids;
    let cgroups = [
        format!(
            "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{dashless}.slice/cri-containerd-{systemd}.scope"
        ),
        format!("kubepods/burstable/pod{uid}/{cgroupfs}"),
    ];
    for ((name, id), cgroup) in ["systemd-driver", "cgroupfs-driver"]
        .iter()
        .zip(&ids)
        .zip(cgroups)
    {
        let bundle = Bundle {
            id: id.clone(),
            cgroup: cgroup.clone(),
            pause: pause.truth.pid,
        };
        let running = runc.start(name, &bundle, URL).await?;
        let truth = &running.contained.truth;
        ensure!(
            running.contained.id == *id && truth.netns == netns.inode()? && truth.cgroup.ends_with(&cgroup),
            "{:?}",
            running.contained
        );
        let (contained, connection) = connect(running, &agent, &stage.trust).await?;
        ensure!(
            connection["workload"]["container"]["id"] == contained.id.as_str()
                && connection["workload"]["pod"]["uid"] == uid,
            "{connection}"
        );
    }
    Ok(())
}

/// Checks that a record names the container by its runtime's id of it, and the runtime.
fn check_container(connection: &Value, contained: &Contained, runtime: &str) -> Result<()> {
    let container = &connection["workload"]["container"];
    ensure!(
        container["id"] == contained.id.as_str() && container["runtime"] == runtime,
        "{container} on record, but it was {contained:?}"
    );
    Ok(())
}

/// Lets the container's client connect, and returns the connection's record: intercepted, and exactly the container's.
pub(super) async fn connect(running: Running, agent: &Agent, trust: &Path) -> Result<(Contained, Value)> {
    listening(agent, running.contained.truth.netns).await?;
    let (contained, output) = running.open(trust).await?;
    ensure!(
        output.status.success() && output.stdout.ends_with(b"200"),
        "{}: {}",
        contained.truth.name,
        shown(&output)
    );
    let records = agent.records();
    let mut connections = records.connections_of(contained.truth.pid, 1).await?;
    ensure!(
        connections.len() == 1,
        "{} connections on record",
        connections.len()
    );
    let connection = connections.remove(0);
    check_attribution(&connection, &contained.truth)?;
    ensure!(connection["outcome"] == "intercepted", "{connection}");
    Ok((contained, connection))
}

/// Waits until the agent listens in a netns, as it says in its log.
async fn listening(agent: &Agent, netns: u64) -> Result<()> {
    let deadline = Instant::now() + LISTENING_WITHIN;
    let said = format!("netns={netns}");
    while !agent
        .log()
        .lines()
        .any(|line| line.contains("listening") && line.contains(&said))
    {
        ensure!(
            Instant::now() < deadline,
            "no listener in netns {netns}: {}",
            agent.log_tail()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
