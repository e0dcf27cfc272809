//! The agent under test: its configuration, its process, its API, its records.

mod api;
mod config;
mod records;

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, io};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::{Child, Command};

pub(crate) use config::AgentConfig;
pub(crate) use records::Records;

use super::{Lab, entry};

/// How long an agent may take from its start until it is ready, on a machine that is busy building.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How long an agent may take to end after SIGTERM.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// Where xtask says the agent's binary is.
const AGENT_VARIABLE: &str = "WEIR_LAB_AGENT";

/// A running agent. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Agent {
    dir: PathBuf,
    cgroup: PathBuf,
    listen: String,
    resolv_conf: Option<PathBuf>,
    variables: Vec<(&'static str, OsString)>,
    child: Child,
}

impl Agent {
    /// Starts an agent whose files are in the lab's directory under `name`, and waits until it is ready.
    pub(crate) async fn start(lab: &Lab, name: &str, config: AgentConfig) -> Result<Self> {
        let dir = lab.dir().join(name);
        fs::create_dir_all(dir.join("state"))?;
        fs::create_dir_all(dir.join("run"))?;
        let listen = format!("127.0.0.1:{}", free_port()?);
        fs::write(dir.join("weir.yaml"), config.yaml(lab, &dir, &listen))?;
        let cgroup = lab.cgroup.child("agent")?.path().to_owned();
        let resolv_conf = config.resolver(lab);
        let variables = config.variables();
        let child = spawn(&dir, &cgroup, resolv_conf.as_deref(), &variables)?;
        let mut agent = Self {
            dir,
            cgroup,
            listen,
            resolv_conf,
            variables,
            child,
        };
        agent.wait_ready().await?;
        Ok(agent)
    }

    /// Starts it again, with the configuration and state it had.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.child = spawn(
            &self.dir,
            &self.cgroup,
            self.resolv_conf.as_deref(),
            &self.variables,
        )?;
        self.wait_ready().await
    }

    /// Starts another one, of the same files, that takes over from it. Returns the process that drains.
    pub(crate) async fn succeed(&mut self) -> Result<Child> {
        let old = std::mem::replace(
            &mut self.child,
            spawn(
                &self.dir,
                &self.cgroup,
                self.resolv_conf.as_deref(),
                &self.variables,
            )?,
        );
        // Until the new one has the local API, the old one answers, and it is ready.
        let deadline = Instant::now() + READY_WITHIN;
        while self
            .get("/v1/status")
            .await
            .ok()
            .and_then(|status| status["pid"].as_u64())
            != self.child.id().map(u64::from)
        {
            ensure!(
                Instant::now() < deadline,
                "the new agent has not taken over:\n{}",
                self.log_tail()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.wait_ready().await?;
        Ok(old)
    }

    /// Waits until an agent that was taken over has drained and ended.
    pub(crate) async fn gone(&self, mut old: Child) -> Result<()> {
        let status = tokio::time::timeout(READY_WITHIN, old.wait())
            .await
            .with_context(|| format!("the old agent has not ended:\n{}", self.log_tail()))??;
        ensure!(
            status.success(),
            "the old agent ended with {status}\n{}",
            self.log_tail()
        );
        Ok(())
    }

    /// Starts another one that has to give up after this one has handed over: its address is taken.
    pub(crate) async fn fail_to_succeed(&self, lab: &Lab, config: AgentConfig) -> Result<()> {
        let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
        let path = self.dir.join("weir.yaml");
        let before = fs::read(&path)?;
        fs::write(
            &path,
            config.yaml(lab, &self.dir, &taken.local_addr()?.to_string()),
        )?;
        let mut next = spawn(
            &self.dir,
            &self.cgroup,
            self.resolv_conf.as_deref(),
            &self.variables,
        )?;
        let status = tokio::time::timeout(READY_WITHIN, next.wait()).await;
        fs::write(&path, before)?;
        let status = status.context("the new agent runs")??;
        ensure!(!status.success(), "the new agent has not failed");
        Ok(())
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        self.wait_ready().await
    }

    /// Ends it as a crash does.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("killing the agent")
    }

    /// Ends it properly.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.signal(Signal::SIGTERM)?;
        let status = tokio::time::timeout(STOP_WITHIN, self.child.wait())
            .await
            .with_context(|| format!("the agent did not end within {STOP_WITHIN:?} of SIGTERM"))??;
        ensure!(
            status.success(),
            "the agent ended with {status}\n{}",
            self.log_tail()
        );
        Ok(())
    }

    /// Writes another configuration and has it read.
    pub(crate) async fn reload(&self, lab: &Lab, config: AgentConfig) -> Result<()> {
        fs::write(
            self.dir.join("weir.yaml"),
            config.yaml(lab, &self.dir, &self.listen),
        )?;
        self.signal(Signal::SIGHUP)?;
        // The signal is taken up asynchronously; there is no answer to wait for.
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(())
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.id().context("the agent has ended")
    }

    /// Whether its process is alive.
    pub(crate) fn alive(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Its configuration file.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.dir.join("weir.yaml")
    }

    /// What must survive a restart.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// All its files.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The certificate of its CA, as PEM.
    pub(crate) fn ca_pem(&self) -> Result<String> {
        let path = self.state_dir().join("ca/ca.pem");
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    }

    /// The bundle that lets a workload trust both the node and the lab.
    pub(crate) fn trust(&self, lab: &Lab) -> Result<PathBuf> {
        lab.write_node_bundle(&self.ca_pem()?)
    }

    /// The records it has written.
    pub(crate) fn records(&self) -> Records {
        Records::new(self.dir.join("events.jsonl"))
    }

    /// The same records in OCSF.
    pub(crate) fn ocsf(&self) -> Records {
        Records::new(self.dir.join("ocsf.jsonl"))
    }

    /// An answer of the local API.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        let (status, body) = api::get_unix(&self.dir.join("run/weir.sock"), path).await?;
        ensure!(
            status == 200,
            "GET {path}: {status} {}",
            String::from_utf8_lossy(&body)
        );
        serde_json::from_slice(&body).with_context(|| format!("GET {path}: not JSON"))
    }

    /// A page of the loopback listener: metrics and health.
    pub(crate) async fn page(&self, path: &str) -> Result<(u16, String)> {
        let (status, body) = api::get_tcp(&self.listen, path).await?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// Runs a subcommand of the same binary with this agent's configuration.
    pub(crate) async fn cli(&self, arguments: &[&str]) -> Result<Output> {
        let mut cli = Command::new(agent_binary()?);
        // Behind the subcommand, of which some have subcommands of their own.
        cli.args(arguments)
            .arg("-c")
            .arg(self.config_path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        cli.output().await.context("running the command line")
    }

    /// Everything it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("agent.log")).unwrap_or_default()
    }

    /// The end of its log.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines.split_at(lines.len().saturating_sub(40)).1.join("\n")
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.pid()?)?;
        kill(Pid::from_raw(pid), signal).with_context(|| format!("sending {signal} to the agent"))
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        let mut answer = String::from("no answer");
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the agent ended with {status} before it was ready:\n{}",
                    self.log_tail()
                );
            }
            match self.page("/readyz").await {
                Ok((200, _)) => return Ok(()),
                Ok((status, body)) => answer = format!("{status} {body}"),
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!(
            "the agent is not ready after {READY_WITHIN:?} ({answer}):\n{}",
            self.log_tail()
        )
    }
}

/// The agent's binary: what xtask built, else the one beside this program.
pub(crate) fn agent_binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os(AGENT_VARIABLE) {
        return Ok(PathBuf::from(path));
    }
    Ok(env::current_exe()?.with_file_name("weir"))
}

fn spawn(
    dir: &Path,
    cgroup: &Path,
    resolv_conf: Option<&Path>,
    variables: &[(&str, OsString)],
) -> Result<Child> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(dir.join("agent.log"))?;
    let mut command = Command::new(env::current_exe()?);
    command.arg(entry::SUBCOMMAND).arg("--cgroup").arg(cgroup);
    if let Some(resolv_conf) = resolv_conf {
        command.arg("--resolv-conf").arg(resolv_conf);
    }
    command.arg("--").arg(agent_binary()?);
    command.arg("run").arg("-c").arg(dir.join("weir.yaml"));
    // System roots come from the operating system, not from what a developer's shell has set.
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true);
    command.spawn().context("starting the agent")
}

fn free_port() -> io::Result<u16> {
    // Another process could take it in between; the agent would then say so and the test fail loudly.
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
