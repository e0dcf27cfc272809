//! What stands between client and upstream in a lane, and what it uses.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use super::nginx;
use crate::lab::address::BENCH;
use crate::lab::agent::Agent;
use crate::lab::{Lab, entry};

const LISTENS_WITHIN: Duration = Duration::from_secs(10);

/// A process in the middle.
pub(super) struct Middle {
    pids: Vec<u32>,
    listen: Option<SocketAddr>,
    _child: Option<Child>,
}

impl Middle {
    /// The bare relay.
    pub(super) async fn relay(lab: &Lab) -> Result<Self> {
        fs::write(
            lab.dir().join("bench-identity.pem"),
            lab.authority.identity_pem(BENCH.name)?,
        )?;
        let listen = free_address()?;
        let upstream = SocketAddr::from((lab.plan.v4(BENCH), 443));
        let mut command = in_cgroup(lab, "relay")?;
        command
            .arg(std::env::current_exe()?)
            .arg("relay")
            .args(["--listen", &listen.to_string()]);
        command.args(["--upstream", &upstream.to_string(), "--name", BENCH.name]);
        command
            .arg("--identity")
            .arg(lab.dir().join("bench-identity.pem"))
            .arg("--roots")
            .arg(lab.lab_bundle());
        Self::start(command, listen).await
    }

    /// nginx; `None` when it is not installed.
    pub(super) async fn nginx(lab: &Lab) -> Result<Option<Self>> {
        let found = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"]
            .into_iter()
            .find(|path| fs::exists(path).unwrap_or_default());
        let Some(program) = found else { return Ok(None) };
        let listen = free_address()?;
        let upstream = SocketAddr::from((lab.plan.v4(BENCH), 443)).to_string();
        let path = lab.dir().join("nginx.conf");
        fs::write(
            &path,
            nginx::configuration(lab.dir(), &listen.to_string(), &upstream, BENCH.name),
        )?;
        let mut command = in_cgroup(lab, "nginx")?;
        command.arg(program).arg("-c").arg(&path);
        let mut middle = Self::start(command, listen).await?;
        // The work is done by the workers, children of the process that was started.
        let procs = fs::read_to_string(lab.outside.child("nginx")?.path().join("cgroup.procs"))?;
        middle.pids = procs.lines().filter_map(|pid| pid.parse().ok()).collect();
        Ok(Some(middle))
    }

    /// The agent.
    pub(super) fn agent(agent: &Agent) -> Result<Self> {
        Ok(Self {
            pids: vec![agent.pid()?],
            listen: None,
            _child: None,
        })
    }

    async fn start(mut command: Command, listen: SocketAddr) -> Result<Self> {
        let child = command.spawn()?;
        let deadline = Instant::now() + LISTENS_WITHIN;
        while TcpStream::connect(listen).is_err() {
            ensure!(Instant::now() < deadline, "nothing listens on {listen}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Self {
            pids: vec![child.id().context("it has ended")?],
            listen: Some(listen),
            _child: Some(child),
        })
    }

    /// Where a client connects to.
    pub(super) fn address(&self) -> String {
        self.listen.map(|listen| listen.to_string()).unwrap_or_default()
    }

    /// User and system time so far, from the process's own clock: `/proc` has it in steps of 10 ms only.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let mut cpu = Duration::ZERO;
        for pid in &self.pids {
            let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(i32::try_from(*pid)?))?;
            cpu += Duration::from(clock_gettime(clock)?);
        }
        Ok(cpu)
    }

    /// Resident memory now.
    pub(super) fn rss_kib(&self) -> Result<u64> {
        let mut kib = 0;
        for pid in &self.pids {
            let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))
                .context("VmRSS")?;
            kib += line.trim().trim_end_matches(" kB").parse::<u64>()?;
        }
        Ok(kib)
    }
}

/// A cgroup that no agent sees: a relay that runs beside the agent must not be redirected to it.
fn in_cgroup(lab: &Lab, name: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg(entry::SUBCOMMAND)
        .arg("--cgroup")
        .arg(lab.outside.child(name)?.path())
        .arg("--");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

fn free_address() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
