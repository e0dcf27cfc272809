//! The agent's records, read from its file sink.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// How long a record may take to reach the file.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// A JSON-lines file of records.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    path: PathBuf,
}

impl Records {
    /// The records in this file.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// All records so far.
    pub(crate) fn all(&self) -> Result<Vec<Value>> {
        self.holding("")
    }

    /// The records so far whose line holds `text`: where there are too many to read them all. The last line may still be
    /// being written.
    pub(crate) fn holding(&self, text: &str) -> Result<Vec<Value>> {
        let records = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.with_context(|| format!("reading {}", self.path.display()))?,
        };
        let whole = records.rfind('\n').map_or("", |end| records.split_at(end).0);
        whole
            .lines()
            .filter(|line| line.contains(text))
            .map(|line| serde_json::from_str(line).with_context(|| format!("a record is not JSON: {line}")))
            .collect()
    }

    /// How many there are of a kind so far, without reading them whole.
    pub(crate) fn count(&self, kind: &str) -> Result<usize> {
        let text =
            fs::read_to_string(&self.path).with_context(|| format!("reading {}", self.path.display()))?;
        let kind = format!("\"kind\":\"{kind}\"");
        Ok(text.lines().filter(|line| line.contains(&kind)).count())
    }

    /// The exchanges of the workloads in the lab's cgroup `name`, oldest first, once there are at least `count`.
    pub(crate) async fn exchanges_in(&self, name: &str, count: usize) -> Result<Vec<Value>> {
        let end = format!("/{name}");
        let deadline = Instant::now() + WRITTEN_WITHIN;
        loop {
            let mut found = self.holding(&end)?;
            found.retain(|record| {
                is_exchange(record)
                    && record["workload"]["cgroup"]
                        .as_str()
                        .is_some_and(|cgroup| cgroup.ends_with(&end))
            });
            if found.len() >= count {
                return Ok(found);
            }
            if Instant::now() > deadline {
                bail!("{} exchanges of {name} on record, expected {count}", found.len());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The exchanges of one process, oldest first, once there are at least `count`.
    pub(crate) async fn exchanges_of(&self, pid: u32, count: usize) -> Result<Vec<Value>> {
        self.wait("exchanges", pid, count, |record| {
            is_exchange(record) && workload_pid(record) == Some(pid)
        })
        .await
    }

    /// The exchanges of one process that are wanted, oldest first, once there are at least `count`.
    pub(crate) async fn exchanges_where(
        &self,
        pid: u32,
        count: usize,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Vec<Value>> {
        self.wait("exchanges", pid, count, |record| {
            is_exchange(record) && workload_pid(record) == Some(pid) && wanted(record)
        })
        .await
    }

    /// The connections of one process, oldest first, once there are at least `count`.
    pub(crate) async fn connections_of(&self, pid: u32, count: usize) -> Result<Vec<Value>> {
        self.wait("connections", pid, count, |record| {
            is_connection(record) && workload_pid(record) == Some(pid)
        })
        .await
    }

    /// The bypasses of one process, oldest first, once there are at least `count`.
    pub(crate) async fn bypasses_of(&self, pid: u32, count: usize) -> Result<Vec<Value>> {
        self.wait("bypasses", pid, count, |record| {
            record["kind"] == "bypass" && workload_pid(record) == Some(pid)
        })
        .await
    }

    async fn wait(
        &self,
        what: &str,
        pid: u32,
        count: usize,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Vec<Value>> {
        let deadline = Instant::now() + WRITTEN_WITHIN;
        loop {
            let found: Vec<Value> = self.all()?.into_iter().filter(&wanted).collect();
            if found.len() >= count {
                return Ok(found);
            }
            if Instant::now() > deadline {
                bail!(
                    "{} {what} of process {pid} on record, expected {count}: {found:?}",
                    found.len()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Whether a record is an exchange's.
pub(crate) fn is_exchange(record: &Value) -> bool {
    record["kind"] == "exchange"
}

/// Whether a record is a connection's.
pub(crate) fn is_connection(record: &Value) -> bool {
    record["kind"] == "connection"
}

fn workload_pid(record: &Value) -> Option<u32> {
    record["workload"]["pid"]
        .as_u64()
        .and_then(|pid| u32::try_from(pid).ok())
}
