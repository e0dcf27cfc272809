//! Bulk data of connections that are none of ours: direct, and spliced by the agent, window about window in one run.
//!
//! After a ClientHello that names an ordinary site nothing is TLS any more: encryption at both ends would hide what the
//! middle costs.

use std::env;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};

use super::middle::Middle;
use crate::lab::Lab;
use crate::lab::address::BULK;
use crate::lab::workload::Launch;
use crate::screen;

/// Bytes each way in a window: half a second or less on loopback.
const WINDOW_BYTES: u64 = 512 << 20;
const WINDOWS: usize = 5;
/// The cgroup of the lane's client, which the bench's policy gives `match: all-tls`.
pub(super) const SPLICED: &str = "bulk-spliced";
const DIRECT: &str = "bulk-direct";
const BUFFER_BYTES: usize = 256 << 10;
const PATIENCE: Duration = Duration::from_secs(60);

/// Moves bytes both ways, one after the other, and prints how fast.
#[derive(Debug, clap::Args)]
pub(crate) struct Bulk {
    /// Name and port to connect to.
    #[arg(long)]
    target: String,
}

/// MiB a second of one window.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Speed {
    up: f64,
    down: f64,
}

/// What the lane measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Throughput {
    /// `direct` or `spliced`.
    pub(super) lane: &'static str,
    /// MiB a second from the client, one figure a window.
    pub(super) up_mib_per_s: Vec<f64>,
    /// MiB a second to the client.
    pub(super) down_mib_per_s: Vec<f64>,
    /// What the agent's process used for a GiB, in milliseconds of CPU.
    pub(super) agent_cpu_ms_per_gib: Vec<f64>,
}

/// Measures both lanes, their windows in turn.
pub(super) async fn measure(lab: &Lab, agent: &Middle) -> Result<Vec<Throughput>> {
    serve(lab)?;
    let lane = |lane| Throughput {
        lane,
        up_mib_per_s: Vec::new(),
        down_mib_per_s: Vec::new(),
        agent_cpu_ms_per_gib: Vec::new(),
    };
    let mut lanes = [(DIRECT, lane("direct")), (SPLICED, lane("spliced"))];
    for _ in 0..WINDOWS {
        for (cgroup, lane) in &mut lanes {
            let before = agent.cpu()?;
            let launch = Launch::new(cgroup, env::current_exe()?).args([
                "bulk",
                "--target",
                &format!("{}:443", BULK.name),
            ]);
            let output = launch.output(lab).await?;
            ensure!(
                output.status.success(),
                "bulk: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            let speed: Speed = serde_json::from_slice(&output.stdout).context("no figures")?;
            lane.up_mib_per_s.push(speed.up);
            lane.down_mib_per_s.push(speed.down);
            let gib = (2 * WINDOW_BYTES) as f64 / f64::from(1 << 30);
            let cpu = agent.cpu()?.saturating_sub(before);
            lane.agent_cpu_ms_per_gib.push(cpu.as_secs_f64() * 1e3 / gib);
        }
    }
    Ok(lanes.map(|(_, lane)| lane).into())
}

/// Serves the bulk host until the process ends: skips the ClientHello, takes a window, gives one back.
fn serve(lab: &Lab) -> Result<()> {
    let listeners = lab.internet().inside(|| {
        [IpAddr::V4(lab.plan.v4(BULK)), IpAddr::V6(lab.plan.v6(BULK))]
            .into_iter()
            .map(|address| TcpListener::bind((address, 443)).with_context(|| format!("binding {address}")))
            .collect::<Result<Vec<_>>>()
    })?;
    for listener in listeners {
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Err(error) = answer(stream) {
                    screen::note(&format!("bulk upstream: {error:#}"));
                }
            }
        });
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let [_, _, _, high, low] = head;
    let mut hello = vec![0; usize::from(u16::from_be_bytes([high, low]))];
    stream.read_exact(&mut hello)?;
    take(&mut stream, WINDOW_BYTES)?;
    stream.write_all(&[0])?;
    give(&mut stream, WINDOW_BYTES)
}

impl Bulk {
    /// Runs one window.
    pub(crate) fn run(self) -> Result<()> {
        let address = self
            .target
            .to_socket_addrs()
            .context("resolving")?
            .next()
            .context("no address")?;
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&client_hello()?)?;
        let started = Instant::now();
        give(&mut stream, WINDOW_BYTES)?;
        stream.read_exact(&mut [0])?;
        let up = speed(started);
        let started = Instant::now();
        take(&mut stream, WINDOW_BYTES)?;
        let down = speed(started);
        screen::line(&serde_json::to_string(&Speed { up, down })?);
        Ok(())
    }
}

/// A real client's first record.
fn client_hello() -> Result<Vec<u8>> {
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(BULK.name)?;
    let mut hello = Vec::new();
    rustls::ClientConnection::new(Arc::new(config), name)?.write_tls(&mut hello)?;
    Ok(hello)
}

fn give(stream: &mut TcpStream, bytes: u64) -> Result<()> {
    let buffer = vec![0x5a; BUFFER_BYTES];
    let mut left = bytes;
    while left > 0 {
        let part = buffer
            .get(..usize::try_from(left)?.min(BUFFER_BYTES))
            .unwrap_or_default();
        stream.write_all(part)?;
        left -= part.len() as u64;
    }
    Ok(())
}

fn take(stream: &mut TcpStream, bytes: u64) -> Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut left = bytes;
    while left > 0 {
        let read = stream.read(&mut buffer)? as u64;
        ensure!(read > 0, "the connection ended {left} bytes early");
        left = left.saturating_sub(read);
    }
    Ok(())
}

fn speed(started: Instant) -> f64 {
    WINDOW_BYTES as f64 / f64::from(1 << 20) / started.elapsed().as_secs_f64()
}
