//! A machine of its own with a real systemd: a Debian tree booted by systemd-nspawn, whose units are cgroups below the
//! lab's.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::process::{Child, Command};

use super::node::printed;
use super::{Gate, Network, Node, Running};
use crate::lab::Lab;
use crate::lab::cgroup;

/// Where xtask says the tree is that machines are booted from.
const TREE_VARIABLE: &str = "WEIR_LAB_MACHINE";

/// How long a machine may take to boot while this one is busy building.
const BOOTED_WITHIN: Duration = Duration::from_secs(90);

/// Where units see their gates.
const GATES: &str = "/gates";

/// The program a unit becomes, as the machine has it.
const CLIENT: &str = "/usr/bin/curl";

/// A booted machine. Its units are in the netns of its node.
pub(crate) struct Machine<'a> {
    node: &'a Node,
    cgroup: cgroup::Cgroup,
    gates: PathBuf,
    leader: u32,
    /// Kills the machine when it is dropped.
    _boot: Child,
}

impl<'a> Machine<'a> {
    /// Boots one in the lab's cgroup `name`.
    pub(crate) async fn boot(lab: &'a Lab, node: &'a Node, name: &str) -> Result<Self> {
        let tree = env::var_os(TREE_VARIABLE)
            .with_context(|| format!("{TREE_VARIABLE} is not set; run this through `cargo xtask`"))?;
        let cgroup = lab.cgroup.child(name)?;
        let gates = lab.dir().join(format!("gates-{name}"));
        fs::create_dir(&gates)?;
        let mut procs = vec![cgroup.path().join("cgroup.procs")];
        // On a hybrid machine systemd keeps its units in a hierarchy of version 1 as well, at the same path.
        if let Some(hierarchy) = cgroup::systemd_hierarchy()? {
            let dir = hierarchy.join(cgroup.path().strip_prefix(cgroup::cgroup2_mount()?)?);
            fs::create_dir_all(&dir)?;
            procs.push(dir.join("cgroup.procs"));
        }
        let mut boot = node.command(Network::Node, "sh")?;
        boot.args([
            "-c",
            "until [ \"$1\" = -- ]; do echo $$ > \"$1\"; shift; done; shift; exec \"$@\"",
            "sh",
        ])
        .args(procs)
        .args([
            "--",
            "systemd-nspawn",
            "--boot",
            "--register=no",
            "--keep-unit",
            "--private-users=no",
        ])
        // What the machine writes goes to a tmpfs: the tree serves every test as it is.
        .args([
            "--volatile=overlay",
            "--console=pipe",
            "--resolv-conf=off",
            "--quiet",
        ])
        .arg(format!("--machine={name}"))
        .arg("--directory")
        .arg(tree)
        .arg(format!(
            "--bind-ro={}:/etc/resolv.conf",
            lab.resolv_conf().display()
        ))
        .arg(format!("--bind-ro={}:{GATES}", gates.display()));
        let log = fs::File::create(lab.dir().join(format!("{name}.log")))?;
        boot.stdout(log.try_clone()?).stderr(log);
        let mut boot = boot.spawn().context("starting systemd-nspawn")?;
        let deadline = Instant::now() + BOOTED_WITHIN;
        let init = cgroup.path().join("payload/init.scope/cgroup.procs");
        loop {
            let leader = fs::read_to_string(&init).ok();
            if let Some(leader) = leader.and_then(|list| list.lines().next()?.parse().ok()) {
                let state = enter(node, leader, &["systemctl", "is-system-running"])?
                    .output()
                    .await?;
                // `degraded`: some unit of the tree needs what a container has not; the manager itself is up.
                if ["running", "degraded"].contains(&String::from_utf8_lossy(&state.stdout).trim()) {
                    return Ok(Self {
                        node,
                        cgroup,
                        gates,
                        leader,
                        _boot: boot,
                    });
                }
            }
            let ended = boot.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(lab.dir().join(format!("{name}.log"))).unwrap_or_default();
                bail!("the machine did not boot ({ended:?}): {log}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Starts a unit in a slice whose client will ask `url`.
    pub(crate) async fn start(&self, unit: &str, slice: &str, url: &str) -> Result<Running> {
        let dir = self.gates.join(unit);
        let gate = Gate::at(dir, &format!("{GATES}/{unit}"))?;
        let mut run = self.command(&["systemd-run", "--quiet", "--wait", "--pipe"])?;
        run.arg(format!("--unit={unit}"))
            .arg(format!("--slice={slice}"))
            .arg("--")
            .args(gate.command(CLIENT, url));
        let child = run.spawn().context("starting systemd-run")?;
        Running::wait(unit, CLIENT, child, gate, || self.reported(unit)).await
    }

    /// The unit as the machine's systemd has it, and its main process as this machine sees it.
    async fn reported(&self, unit: &str) -> Result<(String, u32)> {
        let said =
            printed(self.command(&["systemctl", "show", "-p", "Id,MainPID,ControlGroup", unit])?).await?;
        let property = |name: &str| {
            let value = said
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            value.with_context(|| format!("no {name} in {said}"))
        };
        let (id, main) = (property("Id")?, property("MainPID")?);
        ensure!(main != "0", "{unit} has no process");
        let control_group = property("ControlGroup")?.trim_start_matches('/');
        let procs = self
            .cgroup
            .path()
            .join("payload")
            .join(control_group)
            .join("cgroup.procs");
        for pid in fs::read_to_string(&procs)?.lines() {
            let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
            let inner = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
            if inner.and_then(|pids| pids.split_whitespace().last()) == Some(main) {
                return Ok((id.to_owned(), pid.parse()?));
            }
        }
        bail!("process {main} of {unit} is not in {}", procs.display())
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        enter(self.node, self.leader, words)
    }
}

/// A command inside the machine with this first process.
fn enter(node: &Node, leader: u32, words: &[&str]) -> Result<Command> {
    let mut command = node.command(Network::Node, "nsenter")?;
    command
        .args(["--target", &leader.to_string(), "--all", "--"])
        .args(words);
    Ok(command)
}
