//! A workload that is hard to attribute: short processes one after the other, forked, executed, executed twice and under
//! process ids that others had a moment ago. Each connection's destination is its number, so that whoever sees it can
//! be asked who made it.

#![expect(unsafe_code, reason = "fork(2) has no safe wrapper")]

use std::fs::{self, File};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, exit, id};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};
use serde::{Deserialize, Serialize};

/// The networks whose addresses are numbers, as `ip route` takes them.
pub(crate) const NETWORKS: [&str; 2] = ["100.64.0.0/10", "fd57:6569:ffff::/96"];

/// The port that every connection goes to.
const PORT: u16 = 443;

/// The last process id given out; writing it chooses the next one.
const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Stress {
    /// Number of the first connection.
    #[arg(long)]
    first: u32,
    /// Processes, one after the other. Without it this is one of them.
    #[arg(long)]
    processes: Option<u32>,
    /// Connections of each process.
    #[arg(long)]
    connects: u32,
    /// Programs to be, beside the one that runs: copies of it under other names.
    #[arg(long)]
    program: Vec<PathBuf>,
    /// Where to write what was done, as lines of JSON.
    #[arg(long)]
    report: PathBuf,
}

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// A program made these connections.
    Made(Made),
    /// These numbers arrived at their destinations: nobody stood in between.
    Arrived(Vec<u32>),
}

/// One program of one process, and its connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    /// Number of its first connection.
    pub(crate) first: u32,
    /// How many it made.
    pub(crate) count: u32,
    /// The process.
    pub(crate) pid: u32,
    /// When it was forked, in clock ticks since boot.
    pub(crate) start_ticks: u64,
    /// Its executable.
    pub(crate) exe: String,
    /// Its cgroup in the cgroup2 hierarchy.
    pub(crate) cgroup: String,
    /// Inode of its netns.
    pub(crate) netns: u64,
    /// It executes another program next.
    pub(crate) executes: bool,
}

/// The file that lets a tree of processes end, given its report.
pub(crate) fn ended(report: &Path) -> PathBuf {
    report.with_extension("ended")
}

/// The number that a destination stands for.
pub(crate) fn number(destination: IpAddr) -> Option<u32> {
    match destination.to_canonical() {
        IpAddr::V4(v4) => v4.to_bits().checked_sub(Ipv4Addr::new(100, 64, 0, 0).to_bits()),
        IpAddr::V6(v6) => u32::try_from(v6.to_bits() & u128::from(u32::MAX)).ok(),
    }
}

/// Where connection `number` goes: over IPv4, IPv6 and mapped IPv4 in turn.
fn destination(number: u32) -> SocketAddr {
    let v4 = Ipv4Addr::from_bits(Ipv4Addr::new(100, 64, 0, 0).to_bits() + number);
    let ip = match number % 3 {
        0 => IpAddr::V4(v4),
        1 => IpAddr::V6(v4.to_ipv6_mapped()),
        _ => {
            let [high, low] = [number >> 16, number & 0xffff].map(|half| half as u16);
            IpAddr::V6(Ipv6Addr::new(0xfd57, 0x6569, 0xffff, 0, 0, 0, high, low))
        }
    };
    SocketAddr::new(ip, PORT)
}

impl Stress {
    /// Does it.
    pub(crate) fn run(self) -> Result<()> {
        match self.processes {
            Some(processes) => self.tree(processes),
            None => self.connect(self.first, self.connects, false),
        }
    }

    fn tree(&self, processes: u32) -> Result<()> {
        let sinks = [
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT))?,
            // Takes IPv6 alone: the standard library leaves the choice to the system, whose default is both.
            v6_listener()?,
        ];
        for sink in &sinks {
            sink.set_nonblocking(true)?;
        }
        let mut arrived = Vec::new();
        let mut last = None;
        for index in 0..processes {
            let first = self.first + index * self.connects;
            let program = self.program.get(index as usize / 4 % self.program.len());
            let program = program.context("no program")?;
            last = Some(match index % 4 {
                0 => self.forked(|| self.connect(first, self.connects, false))?,
                1 => self.executed(program, first, self.connects, None)?,
                2 => self.forked(|| {
                    let half = self.connects / 2;
                    self.connect(first, half, true)?;
                    let error = self.command(program, first + half, self.connects - half).exec();
                    Err(error).context("executing another program")
                })?,
                // The program of another process than the last, under the last one's id where that succeeds.
                _ => self.executed(program, first, self.connects, last)?,
            });
            for sink in &sinks {
                while let Ok((stream, _)) = sink.accept() {
                    arrived.extend(number(stream.local_addr()?.ip()));
                }
            }
        }
        self.report(&Line::Arrived(arrived))?;
        // Whoever started this looks at it first.
        while !ended(&self.report).exists() {
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn forked(&self, work: impl FnOnce() -> Result<()>) -> Result<Pid> {
        // SAFETY: this process has one thread, so the child finds every lock as it should be.
        match unsafe { fork() }.context("forking")? {
            ForkResult::Parent { child } => {
                let status = waitpid(child, None)?;
                ensure!(
                    matches!(status, nix::sys::wait::WaitStatus::Exited(_, 0)),
                    "a child ended with {status:?}"
                );
                Ok(child)
            }
            ForkResult::Child => {
                if let Err(error) = work() {
                    crate::screen::note(&format!("stress: {error:#}"));
                    exit(1);
                }
                exit(0)
            }
        }
    }

    /// Runs a program to its end, under the process id `wanted` if nobody else takes it first.
    fn executed(&self, program: &PathBuf, first: u32, connects: u32, wanted: Option<Pid>) -> Result<Pid> {
        if let Some(wanted) = wanted {
            fs::write(LAST_PID, (wanted.as_raw() - 1).to_string()).context("choosing a process id")?;
        }
        let mut child = self.command(program, first, connects).spawn()?;
        let pid = i32::try_from(child.id())?;
        let status = child.wait()?;
        ensure!(status.success(), "a child ended with {status}");
        Ok(Pid::from_raw(pid))
    }

    fn command(&self, program: &PathBuf, first: u32, connects: u32) -> Command {
        let mut command = Command::new(program);
        command.args(["stress", "--first", &first.to_string()]);
        command.args(["--connects", &connects.to_string()]);
        command.arg("--report").arg(&self.report);
        command
    }

    fn connect(&self, first: u32, count: u32, executes: bool) -> Result<()> {
        for number in first..first + count {
            let destination = destination(number);
            TcpStream::connect(destination).with_context(|| format!("connecting to {destination}"))?;
        }
        let stat = fs::read_to_string("/proc/self/stat")?;
        // Field 22; the second is a name that may hold anything, up to the last parenthesis.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let start_ticks = after_name
            .split_whitespace()
            .nth(19)
            .context("no start time")?
            .parse()?;
        let cgroup = fs::read_to_string("/proc/self/cgroup")?;
        let cgroup = cgroup.lines().find_map(|line| line.strip_prefix("0::"));
        self.report(&Line::Made(Made {
            first,
            count,
            pid: id(),
            start_ticks,
            exe: fs::read_link("/proc/self/exe")?.to_string_lossy().into_owned(),
            cgroup: cgroup.context("not in a cgroup2 cgroup")?.to_owned(),
            netns: fs::metadata("/proc/self/ns/net")?.ino(),
            executes,
        }))
    }

    fn report(&self, line: &Line) -> Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        // One write, so that lines of processes do not mix.
        let mut file = File::options().create(true).append(true).open(&self.report)?;
        file.write_all(&bytes).context("writing the report")
    }
}

fn v6_listener() -> Result<TcpListener> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
    socket.set_only_v6(true)?;
    socket.bind(&SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), PORT).into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_its_number() {
        for expected in [0, 1, 2, 65_535, 65_536, 99_999] {
            assert_eq!(number(destination(expected).ip()), Some(expected));
        }
    }
}
