//! 100,000 connections over network namespaces that appear and vanish, from processes that fork, execute, end at once
//! and reuse each other's ids: nobody's connection is put down to another, and what is not exact says why.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, io};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::super::runner::Test;
use super::super::stage::{Stage, shown};
use crate::client::stress::{Line, Made, NETWORKS, ended, number};
use crate::lab::Lab;
use crate::lab::agent::{Agent, AgentConfig};
use crate::lab::workload::Launch;
use crate::screen;

/// Connections in all: namespaces × processes × connections of each.
const NAMESPACES: u32 = 50;
const PROCESSES: u32 = 40;
const CONNECTS: u32 = 50;
const ALL: u32 = NAMESPACES * PROCESSES * CONNECTS;

/// Namespaces at a time.
const AT_ONCE: usize = 20;

/// Processes that must have had an id that another had before, or the test has shown nothing about that.
const REUSED_AT_LEAST: usize = 100;

/// How long the records of all connections may take to be written.
const RECORDED_WITHIN: Duration = Duration::from_secs(120);

pub(super) fn tests() -> Vec<Test> {
    vec![Test::new("stress::a_hundred_thousand_connects", connects)]
}

async fn connects(_: Arc<Stage>) -> Result<()> {
    let lab = Arc::new(Lab::up().await?);
    let agent = Agent::start(
        &lab,
        "agent",
        AgentConfig::new().key("intercept", "match: all-tls"),
    )
    .await?;
    let programs = programs(&lab)?;
    let began = Instant::now();
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let trees: Vec<_> = (0..NAMESPACES)
        .map(|index| {
            let (lab, programs, slots) = (Arc::clone(&lab), programs.clone(), Arc::clone(&slots));
            tokio::spawn(async move {
                let _slot = slots.acquire().await?;
                tree(&lab, index, &programs).await
            })
        })
        .collect();
    let (mut made, mut arrived) = (Vec::new(), Vec::new());
    for tree in trees {
        for line in tree.await?? {
            match line {
                Line::Made(program) => made.push(program),
                Line::Arrived(numbers) => arrived.extend(numbers),
            }
        }
    }
    let opened = began.elapsed();
    let makers = makers(&made)?;
    let records = recorded(&agent, makers.len() - arrived.len()).await?;
    let settled = began.elapsed();
    let seen = check(&records, &arrived, &makers)?;
    let missed = kernel_counter(&agent, "passed_no_listener").await?;
    ensure!(
        missed == arrived.len(),
        "{} connections arrived without the agent, the kernel counted {missed}",
        arrived.len()
    );
    let reused = reused(&made);
    ensure!(
        reused >= REUSED_AT_LEAST,
        "only {reused} process ids were used again"
    );
    screen::line(&format!(
        "    {} connections of {} programs in {:.1} s, on record after {:.1} s; {reused} process ids used again; {missed} before \
         their namespace had a listener; grades: {seen:?}",
        makers.len(),
        made.len(),
        opened.as_secs_f32(),
        settled.as_secs_f32()
    ));
    Ok(())
}

/// Runs one namespace's processes and removes it and their cgroup.
async fn tree(lab: &Lab, index: u32, programs: &[PathBuf]) -> Result<Vec<Line>> {
    let name = format!("stress-{index}");
    let netns = lab.bare_netns(&name)?;
    netns.own(&NETWORKS)?;
    let report = lab.dir().join(format!("{name}.jsonl"));
    let launch = Launch::new(&name, env::current_exe()?)
        .args(["stress", "--first", &(index * PROCESSES * CONNECTS).to_string()])
        .args([
            "--processes",
            &PROCESSES.to_string(),
            "--connects",
            &CONNECTS.to_string(),
        ])
        .args(["--report".as_ref(), report.as_os_str()])
        .args(
            programs
                .iter()
                .flat_map(|program| ["--program".as_ref(), program.as_os_str()]),
        );
    let started = launch.netns(&netns).start(lab).await?;
    fs::write(ended(&report), "")?;
    let (_, output) = started.finish().await?;
    ensure!(output.status.success(), "{name}: {}", shown(&output));
    netns.remove()?;
    remove_cgroup(&lab.cgroup.path().join(&name))?;
    let report = fs::read_to_string(report)?;
    report
        .lines()
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}

/// A cgroup stays busy for a moment after its last process was reaped.
fn remove_cgroup(path: &Path) -> Result<()> {
    for _ in 0..100 {
        match fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                std::thread::sleep(Duration::from_millis(5));
            }
            outcome => return outcome.with_context(|| format!("removing {}", path.display())),
        }
    }
    bail!("{} stays busy", path.display())
}

/// The same program under two names that are not this one's.
fn programs(lab: &Lab) -> Result<Vec<PathBuf>> {
    let names = ["program-a", "program-b"].map(|name| lab.dir().join(name));
    let [first, second] = &names;
    fs::copy(env::current_exe()?, first)?;
    fs::hard_link(first, second)?;
    Ok(names.to_vec())
}

/// Who made each connection, by its number.
fn makers(made: &[Made]) -> Result<Vec<&Made>> {
    let mut makers = vec![None; ALL as usize];
    for program in made {
        for number in program.first..program.first + program.count {
            let maker = makers.get_mut(number as usize).context("a number out of range")?;
            ensure!(
                maker.replace(program).is_none(),
                "connection {number} was made twice"
            );
        }
    }
    makers
        .into_iter()
        .map(|maker| maker.context("a connection was not made"))
        .collect()
}

/// How many programs ran in a process whose id another process had before.
fn reused(made: &[Made]) -> usize {
    let mut starts: HashMap<u32, Vec<u64>> = HashMap::new();
    for program in made {
        let starts = starts.entry(program.pid).or_default();
        if !starts.contains(&program.start_ticks) {
            starts.push(program.start_ticks);
        }
    }
    starts.values().map(|starts| starts.len() - 1).sum()
}

/// The records of connections, once there are `count`.
async fn recorded(agent: &Agent, count: usize) -> Result<Vec<Value>> {
    let deadline = Instant::now() + RECORDED_WITHIN;
    let records = agent.records();
    while records.count("connection")? < count && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut all = records.all()?;
    all.retain(|record| record["kind"] == "connection");
    Ok(all)
}

/// Holds every record against what its process said of itself. Returns how many there are of each grade and reason.
fn check(records: &[Value], arrived: &[u32], makers: &[&Made]) -> Result<BTreeMap<String, usize>> {
    let mut seen = vec![0_u32; makers.len()];
    for number in arrived {
        *seen.get_mut(*number as usize).context("a stranger arrived")? += 1;
    }
    let mut grades = BTreeMap::new();
    let mut starts: HashMap<(u32, u64), &Value> = HashMap::new();
    for record in records {
        let destination: SocketAddr = record["original_destination"]
            .as_str()
            .context("no destination")?
            .parse()?;
        let number = number(destination.ip()).context("a strange destination")? as usize;
        let maker = makers.get(number).context("a number out of range")?;
        *seen.get_mut(number).context("a number out of range")? += 1;
        let (attribution, reason) = (&record["attribution"], &record["attribution_reason"]);
        check_one(record, maker).with_context(|| format!("connection {number} by {maker:?} is {record}"))?;
        let started = &record["workload"]["started"];
        if !started.is_null() {
            let known = starts.entry((maker.pid, maker.start_ticks)).or_insert(started);
            ensure!(
                *known == started,
                "one process began at {known} and at {started}: {record}"
            );
        }
        let grade = attribution.as_str().unwrap_or_default();
        *grades
            .entry(format!("{grade} {}", reason.as_str().unwrap_or_default()))
            .or_default() += 1;
    }
    let (lost, twice) = (
        seen.iter().filter(|n| **n == 0).count(),
        seen.iter().filter(|n| **n > 1).count(),
    );
    ensure!(
        lost == 0 && twice == 0,
        "{lost} connections are on no record, {twice} more than once"
    );
    Ok(grades)
}

/// What is on record is true, and what is missing is missing for the reason given.
fn check_one(record: &Value, maker: &Made) -> Result<()> {
    let workload = &record["workload"];
    ensure!(workload["pid"] == maker.pid, "another process");
    let missing = |key: &str| workload[key].is_null() || workload[key] == "" || workload[key] == 0;
    let (exe, cgroup, netns) = (missing("exe"), missing("cgroup"), missing("netns"));
    ensure!(exe || workload["exe"] == maker.exe.as_str(), "another program");
    ensure!(
        cgroup || workload["cgroup"] == maker.cgroup.as_str(),
        "another cgroup"
    );
    ensure!(netns || workload["netns"] == maker.netns, "another namespace");
    let explained = match (
        record["attribution"].as_str(),
        record["attribution_reason"].as_str(),
    ) {
        (Some("exact"), None) => !exe && !cgroup && !netns,
        (Some("late"), Some("process_gone")) => exe,
        (Some("late"), Some("program_changed")) => exe && maker.executes,
        (Some("late"), Some("cgroup_unknown")) => cgroup,
        (Some("late"), Some("namespace_gone")) => netns,
        _ => false,
    };
    ensure!(explained, "an attribution that its reason does not explain");
    Ok(())
}

/// A counter of the kernel programs, from the agent's metrics.
async fn kernel_counter(agent: &Agent, reason: &str) -> Result<usize> {
    let (_, metrics) = agent.page("/metrics").await?;
    let line = format!("weir_kernel_events_total{{reason=\"{reason}\"}} ");
    let value = metrics.lines().find_map(|metric| metric.strip_prefix(&line));
    Ok(value
        .with_context(|| format!("no {reason} in the metrics"))?
        .parse()?)
}
