//! A Redis server on the loopback interface of the host's netns: the store of a cluster's budgets.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Lab;
use super::workload::{Launch, Workload};

/// How long a server may take to listen, on a machine that is busy building.
const LISTENS_WITHIN: Duration = Duration::from_secs(20);

/// The file in its directory that it reads at its start and writes when it is told to save.
const DUMP: &str = "dump.rdb";

/// A server that keeps nothing but what it is told to save. Gone with the lab.
pub(crate) struct Redis {
    dir: PathBuf,
    port: u16,
    server: Option<Workload>,
}

impl Redis {
    /// Starts one without data, outside of the agent's sight.
    pub(crate) async fn start(lab: &Lab) -> Result<Self> {
        let dir = lab.dir().join("redis");
        fs::create_dir_all(&dir)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut redis = Self {
            dir,
            port,
            server: None,
        };
        redis.restart(lab).await?;
        Ok(redis)
    }

    /// Starts it again, on the same port, with what it saved last.
    pub(crate) async fn restart(&mut self, lab: &Lab) -> Result<()> {
        let port = self.port.to_string();
        let launch = Launch::new("redis", "redis-server").outside().args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--save",
            "",
            "--logfile",
            "redis.log",
            "--dir",
        ]);
        self.server = Some(launch.args([&self.dir]).start(lab).await?);
        let deadline = Instant::now() + LISTENS_WITHIN;
        while self.command("PING", "+PONG").await.is_err() {
            ensure!(
                Instant::now() < deadline,
                "redis-server does not answer:\n{}",
                fs::read_to_string(self.dir.join("redis.log")).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Has it write its data to disk.
    pub(crate) async fn save(&self) -> Result<()> {
        self.command("SAVE", "+OK").await?;
        ensure!(self.dir.join(DUMP).exists(), "redis-server has saved nothing");
        Ok(())
    }

    /// Ends it as a crash does: what it has not saved is lost.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        let mut server = self.server.take().context("redis-server does not run")?;
        server.child.kill().await.context("killing redis-server")
    }

    /// What agents are to be configured with.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// An inline command and the line that must answer it.
    async fn command(&self, command: &str, expected: &str) -> Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        let mut answer = vec![0; expected.len()];
        stream.read_exact(&mut answer).await?;
        ensure!(
            answer == expected.as_bytes(),
            "{command}: {}",
            String::from_utf8_lossy(&answer)
        );
        Ok(())
    }
}
