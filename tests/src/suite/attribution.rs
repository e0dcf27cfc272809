//! Who opened a connection: thousands at once, from threads, children, short-lived processes and new namespaces.

use std::collections::HashMap;
use std::env;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::runner::Test;
use super::stage::{Stage, check_attribution, shown};
use crate::client::connects::{Opened, canonical};
use crate::lab::agent::Records;
use crate::lab::workload::Launch;

const STORM: usize = 20_000;
const STORM_THREADS: usize = 8;
const STORM_RECORDED_WITHIN: Duration = Duration::from_secs(60);

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("attribution::twenty_thousand_connects", storm),
        Test::new("attribution::a_child_of_a_shell", child),
        Test::new("attribution::a_netns_made_after_the_agent", new_netns),
        Test::new("attribution::many_short_processes", short_processes),
    ]
}

/// 20,000 connections from 8 threads of one process, over IPv4, IPv6 and mapped IPv4: each is on record once, with
/// the client's own address, the destination it asked for and the right process.
async fn storm(stage: Arc<Stage>) -> Result<()> {
    let launch = Launch::new("storm", env::current_exe()?)
        .args(["connects", "--target", "api.openai.com:443"])
        .args([
            "--count",
            &STORM.to_string(),
            "--threads",
            &STORM_THREADS.to_string(),
        ])
        .netns(&stage.second);
    let (truth, output) = launch.run(&stage.lab).await?;
    ensure!(output.status.success(), "{}", shown(&output));
    let opened: Vec<Opened> = serde_json::from_slice(&output.stdout)?;
    ensure!(opened.len() == STORM, "{} opened", opened.len());

    let records = stage.agent().await.records();
    let connections = settled_connections(&records, truth.pid, STORM).await?;
    ensure!(
        connections.len() == STORM,
        "{} of {STORM} connections on record",
        connections.len()
    );
    let mut ends: HashMap<(SocketAddr, SocketAddr), i64> = HashMap::new();
    for connection in &connections {
        check_attribution(connection, &truth)?;
        // The client's end as the agent sees it is the loopback side of the redirect: its port is the client's own.
        let client: SocketAddr = connection["client"].as_str().context("no client")?.parse()?;
        let destination: SocketAddr = connection["original_destination"]
            .as_str()
            .context("no destination")?
            .parse()?;
        *ends
            .entry((port_only(client), canonical(destination)))
            .or_default() += 1;
    }
    for open in &opened {
        *ends
            .entry((port_only(open.local), canonical(open.peer)))
            .or_default() -= 1;
    }
    let wrong = ends.values().filter(|count| **count != 0).count();
    ensure!(
        wrong == 0,
        "{wrong} connections with a wrong client or destination on record"
    );
    Ok(())
}

async fn child(stage: Arc<Stage>) -> Result<()> {
    let script = "curl -sS -o /dev/null https://api.openai.com/v1/models; true";
    let launch = Launch::new("shell", "sh")
        .args(["-c", script])
        .trust(&stage.trust);
    let (shell, output) = launch.run(&stage.lab).await?;
    ensure!(output.status.success(), "{}", shown(&output));
    let records = stage.agent().await.records().all()?;
    let of_cgroup: Vec<&Value> = records
        .iter()
        .filter(|record| record["kind"] == "exchange" && record["workload"]["cgroup"] == shell.cgroup)
        .collect();
    ensure!(of_cgroup.len() == 1, "{of_cgroup:?}");
    for record in of_cgroup {
        let exe = record["workload"]["exe"].as_str().unwrap_or_default();
        ensure!(
            exe.ends_with("/curl") && record["workload"]["pid"] != shell.pid,
            "{record}"
        );
    }
    Ok(())
}

async fn new_netns(stage: Arc<Stage>) -> Result<()> {
    let netns = stage.lab.workload_netns("third")?;
    // As in a pod: something lives in the netns before the workload does.
    let pause = Launch::new("third", "sleep")
        .args(["60"])
        .netns(&netns)
        .start(&stage.lab)
        .await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let launch = stage
        .openai("third", &["--prompt", "Write 5 words (third netns)"])?
        .netns(&netns);
    let (truth, report) = stage.report(launch).await?;
    ensure!(report["error"].is_null(), "{report}");
    ensure!(
        truth.netns == netns.inode()? && pause.truth.netns == truth.netns,
        "{truth:?}"
    );
    stage.exchange(&truth).await?;
    Ok(())
}

async fn short_processes(stage: Arc<Stage>) -> Result<()> {
    const PROCESSES: usize = 40;
    let running = (0..PROCESSES).map(|index| {
        let stage = Arc::clone(&stage);
        tokio::spawn(async move {
            let launch = stage.curl(
                &format!("short-{}", index % 4),
                &["-o", "/dev/null", "https://api.openai.com/v1/models"],
            );
            let (truth, output) = launch.run(&stage.lab).await?;
            ensure!(output.status.success(), "{}", shown(&output));
            stage.exchange(&truth).await
        })
    });
    for task in running.collect::<Vec<_>>() {
        task.await??;
    }
    Ok(())
}

/// Waits until the number of connections on record no longer grows.
async fn settled_connections(records: &Records, pid: u32, count: usize) -> Result<Vec<Value>> {
    let deadline = Instant::now() + STORM_RECORDED_WITHIN;
    loop {
        let found: Vec<Value> = records
            .all()?
            .into_iter()
            .filter(|record| record["kind"] == "connection" && record["workload"]["pid"] == pid)
            .collect();
        if found.len() >= count || Instant::now() > deadline {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn port_only(address: SocketAddr) -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], address.port()))
}
