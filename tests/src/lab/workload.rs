//! Workloads: unmodified programs started at a known place, and what their launcher knows about them.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use tokio::process::{Child, Command};

use super::netns::Netns;
use super::{Lab, entry};

/// How long the steps between `fork` and the program's `exec` may take on a loaded machine.
const EXEC_WITHIN: Duration = Duration::from_secs(20);

/// How long any one workload of the tests may run.
const FINISH_WITHIN: Duration = Duration::from_secs(180);

/// Where programs look for the certificates they trust.
const TRUST_VARIABLES: [&str; 5] = [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
];

/// How to start one workload.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    name: String,
    netns: Option<Netns>,
    uid: Option<u32>,
    trust: Option<PathBuf>,
    own_run: bool,
    outside: bool,
    variables: Vec<(&'static str, OsString)>,
    command: Vec<OsString>,
}

/// What the launcher knew of a workload, without the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Truth {
    /// The launcher's name for it.
    pub(crate) name: String,
    /// Process id in the host's pid namespace.
    pub(crate) pid: u32,
    /// Real user id.
    pub(crate) uid: u32,
    /// Target of `/proc/<pid>/exe` after `exec`.
    pub(crate) exe: String,
    /// Path of the cgroup in the cgroup2 hierarchy, from `/proc/<pid>/cgroup`.
    pub(crate) cgroup: String,
    /// Inode of `/proc/<pid>/ns/net`.
    pub(crate) netns: u64,
}

/// A started workload.
#[derive(Debug)]
pub(crate) struct Workload {
    /// What its launcher knows.
    pub(crate) truth: Truth,
    /// The process; killed when dropped.
    pub(crate) child: Child,
}

impl Launch {
    /// A workload that runs `program`, as root in the host's netns, in a cgroup of its own.
    pub(crate) fn new(name: &str, program: impl Into<OsString>) -> Self {
        Self {
            name: name.to_owned(),
            netns: None,
            uid: None,
            trust: None,
            own_run: false,
            outside: false,
            variables: Vec::new(),
            command: vec![program.into()],
        }
    }

    /// Adds arguments.
    pub(crate) fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Runs it in a netns of the lab.
    pub(crate) fn netns(mut self, netns: &Netns) -> Self {
        self.netns = Some(netns.clone());
        self
    }

    /// Runs it as another user.
    pub(crate) fn uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }

    /// Runs it where no agent sees it.
    pub(crate) fn outside(mut self) -> Self {
        self.outside = true;
        self
    }

    /// Sets an environment variable.
    pub(crate) fn variable(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// The bundle it trusts, in the variables that OpenSSL, curl, Python's requests, botocore and Node read.
    pub(crate) fn trust(mut self, bundle: &Path) -> Self {
        self.trust = Some(bundle.to_owned());
        self
    }

    /// Gives it an empty /run of its own, but for the labs' directory.
    pub(crate) fn own_run(mut self) -> Self {
        self.own_run = true;
        self
    }

    /// Starts it, without waiting for its program to run.
    fn spawn(self, lab: &Lab) -> Result<Child> {
        let parent = if self.outside { &lab.outside } else { &lab.cgroup };
        let cgroup = parent.child(&self.name)?;
        let mut command = Command::new(env::current_exe()?);
        command.arg(entry::SUBCOMMAND).arg("--cgroup").arg(cgroup.path());
        command.arg("--resolv-conf").arg(lab.resolv_conf());
        if let Some(netns) = &self.netns {
            command.args(["--netns", netns.name()]);
        }
        if let Some(uid) = self.uid {
            command.args(["--uid", &uid.to_string()]);
        }
        if self.own_run {
            command.arg("--own-run");
        }
        command.arg("--").args(&self.command);
        // The machine's own CA variables must not reach the workload: trust is what the test gives it.
        command
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default());
        command.envs([
            ("HOME", "/tmp"),
            ("LANG", "C.UTF-8"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
        ]);
        if let Some(bundle) = &self.trust {
            for name in TRUST_VARIABLES {
                command.env(name, bundle);
            }
        }
        command.envs(self.variables);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
            .spawn()
            .with_context(|| format!("starting workload {}", self.name))
    }

    /// Starts it and waits until its program runs.
    pub(crate) async fn start(self, lab: &Lab) -> Result<Workload> {
        let name = self.name.clone();
        let mut child = self.spawn(lab)?;
        match Truth::read(&name, &mut child).await {
            Ok(truth) => Ok(Workload { truth, child }),
            Err(error) => {
                let output = child.wait_with_output().await?;
                Err(error.context(String::from_utf8_lossy(&output.stderr).into_owned()))
            }
        }
    }

    /// Starts it and waits until it has ended. Its program must run long enough to be looked at.
    pub(crate) async fn run(self, lab: &Lab) -> Result<(Truth, Output)> {
        self.start(lab).await?.finish().await
    }

    /// Starts it and waits until it has ended, however soon: what it printed, without the truth.
    pub(crate) async fn output(self, lab: &Lab) -> Result<Output> {
        let name = self.name.clone();
        output_of(&name, self.spawn(lab)?).await
    }
}

impl Truth {
    async fn read(name: &str, child: &mut Child) -> Result<Self> {
        let pid = child.id().context("the workload has no pid")?;
        let proc = PathBuf::from(format!("/proc/{pid}"));
        let deadline = Instant::now() + EXEC_WITHIN;
        // Until it has joined its cgroup it may still be a copy of the launcher, with the launcher's command line.
        let launcher = cgroup_of(Path::new("/proc/self"))?;
        let cgroup = loop {
            let command_line = fs::read(proc.join("cmdline"))?;
            let cgroup = cgroup_of(&proc)?;
            if cgroup != launcher
                && !command_line.is_empty()
                && command_line.split(|byte| *byte == 0).nth(1) != Some(entry::SUBCOMMAND.as_bytes())
            {
                break cgroup;
            }
            if let Some(status) = child.try_wait()? {
                bail!("workload {name} ended before its program ran: {status}");
            }
            ensure!(
                Instant::now() < deadline,
                "workload {name} did not start its program"
            );
            tokio::time::sleep(Duration::from_micros(300)).await;
        };
        let exe = fs::read_link(proc.join("exe"))?;
        let truth = Self::of_process(name, pid, &exe.to_string_lossy())?;
        ensure!(truth.cgroup == cgroup, "{truth:?} has left {cgroup}");
        Ok(truth)
    }

    /// What is to be seen of a running process that is, or will be, `exe`.
    pub(super) fn of_process(name: &str, pid: u32, exe: &str) -> Result<Self> {
        let proc = PathBuf::from(format!("/proc/{pid}"));
        Ok(Self {
            name: name.to_owned(),
            pid,
            uid: fs::metadata(&proc)?.uid(),
            exe: exe.to_owned(),
            cgroup: cgroup_of(&proc)?,
            netns: fs::metadata(proc.join("ns/net"))?.ino(),
        })
    }
}

/// The cgroup2 path of a process, given its directory in `/proc`.
fn cgroup_of(process: &Path) -> Result<String> {
    let cgroups = fs::read_to_string(process.join("cgroup"))?;
    let cgroup = cgroups.lines().find_map(|line| line.strip_prefix("0::"));
    Ok(cgroup.context("not in a cgroup2 cgroup")?.to_owned())
}

impl Workload {
    /// Waits until it has ended, and returns what it printed.
    pub(crate) async fn finish(self) -> Result<(Truth, Output)> {
        let output = output_of(&self.truth.name, self.child).await?;
        Ok((self.truth, output))
    }
}

/// What a workload prints until it has ended.
async fn output_of(name: &str, child: Child) -> Result<Output> {
    tokio::time::timeout(FINISH_WITHIN, child.wait_with_output())
        .await
        .with_context(|| format!("workload {name} did not end within {FINISH_WITHIN:?}"))?
        .with_context(|| format!("reading what workload {name} prints"))
}
