//! The load: keep-alive TLS connections, one request after the other on each, or streams held at once. A process of its
//! own; it prints a line of JSON at each window's end.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use parking_lot::Mutex;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::exchange::Exchange;

/// Above the longest answer.
const ANSWER_BYTES: usize = 64 * 1024;
/// What every delta of the upstream holds.
const DELTA: &[u8] = b"\"content\":\" stream\"";

/// What to send where.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// Address, or a name to resolve.
    #[arg(long)]
    target: String,
    /// Server name.
    #[arg(long)]
    name: String,
    /// Roots to trust.
    #[arg(long)]
    trust: PathBuf,
    /// Windows to measure.
    #[arg(long, default_value_t = 1)]
    windows: usize,
    /// Length of a window.
    #[arg(long, default_value_t = 1000)]
    window_ms: u64,
    /// Connections that send requests at once.
    #[arg(long, default_value_t = 10)]
    connections: usize,
    /// Time before the first window, in milliseconds.
    #[arg(long, default_value_t = 1500)]
    warm_up_ms: u64,
    /// Exchange to repeat instead of the plain request.
    #[arg(long)]
    exchange: Option<String>,
    /// Streams to hold at once instead of plain requests.
    #[arg(long)]
    streams: Option<usize>,
}

/// One window of plain requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Window {
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) seconds: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

/// One round of streams.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Streams {
    pub(super) whole: u64,
    pub(super) failed: u64,
    /// From the request to the first delta.
    pub(super) first_p50_us: f64,
    pub(super) first_p99_us: f64,
    /// Between two deltas.
    pub(super) gap_p50_us: f64,
    pub(super) gap_p99_us: f64,
}

#[derive(Default)]
struct Tally {
    latencies_us: Vec<u32>,
    failed: u64,
}

impl Load {
    /// Sends it.
    pub(crate) fn run(self) -> Result<()> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(async {
                match self.streams {
                    None => self.plain().await,
                    Some(streams) => self.streamed(streams).await,
                }
            })
    }

    async fn plain(&self) -> Result<()> {
        let exchange = self.exchange.as_deref().map(Exchange::named).transpose()?;
        let request = match exchange {
            Some(exchange) => Arc::new(exchange.request(&self.name)),
            None => self.request(false),
        };
        let answer_bytes = exchange.map(|exchange| exchange.answer_bytes()).transpose()?;
        let tally = Arc::new(Mutex::new(Tally::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for _ in 0..self.connections {
            let mut stream = self.connect().await?;
            let (tally, stop, request) = (Arc::clone(&tally), Arc::clone(&stop), request.clone());
            tasks.push(tokio::spawn(async move {
                let mut buffer = vec![0; ANSWER_BYTES];
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let outcome = match answer_bytes {
                        Some(bytes) => exchange_once(&mut stream, &request, bytes, &mut buffer).await,
                        None => round(&mut stream, &request, &mut buffer).await,
                    };
                    let mut tally = tally.lock();
                    match outcome {
                        Ok(()) => tally
                            .latencies_us
                            .push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX)),
                        Err(_) => {
                            tally.failed += 1;
                            return;
                        }
                    }
                }
            }));
        }
        tokio::time::sleep(Duration::from_millis(self.warm_up_ms)).await;
        say(&json!({"begin": true}))?;
        *tally.lock() = Tally::default();
        for _ in 0..self.windows {
            let began = Instant::now();
            tokio::time::sleep(Duration::from_millis(self.window_ms)).await;
            let Tally {
                mut latencies_us,
                failed,
            } = std::mem::take(&mut *tally.lock());
            let seconds = began.elapsed().as_secs_f64();
            latencies_us.sort_unstable();
            let sorted: Vec<f64> = latencies_us.iter().map(|value| f64::from(*value)).collect();
            say(&Window {
                requests: sorted.len() as u64,
                failed,
                seconds,
                p50_us: percentile(&sorted, 0.50),
                p99_us: percentile(&sorted, 0.99),
            })?;
        }
        stop.store(true, Ordering::Relaxed);
        for task in tasks {
            task.await?;
        }
        Ok(())
    }

    async fn streamed(&self, streams: usize) -> Result<()> {
        let request = self.request(true);
        let mut open = Vec::new();
        for _ in 0..streams {
            let mut stream = self.connect().await?;
            // Who connects upstream only when a request comes must not be charged for it in the first delta.
            round(&mut stream, &self.request(false), &mut vec![0; 16 * 1024]).await?;
            open.push(stream);
        }
        let tasks: Vec<_> = open
            .into_iter()
            .enumerate()
            .map(|(index, mut stream)| {
                let request = request.clone();
                tokio::spawn(async move {
                    // Spread over one pause, so that the deltas of all streams do not fall on one moment.
                    tokio::time::sleep(super::upstream::DELTA_PAUSE.mul_f64(index as f64 / streams as f64))
                        .await;
                    stream_once(&mut stream, &request).await
                })
            })
            .collect();
        let (mut firsts, mut gaps, mut result) = (Vec::new(), Vec::new(), Streams::default());
        for task in tasks {
            match task.await? {
                Ok((first, between)) => {
                    firsts.push(first);
                    gaps.extend(between);
                    result.whole += 1;
                }
                Err(_) => result.failed += 1,
            }
        }
        firsts.sort_by(f64::total_cmp);
        gaps.sort_by(f64::total_cmp);
        say(&Streams {
            first_p50_us: percentile(&firsts, 0.50),
            first_p99_us: percentile(&firsts, 0.99),
            gap_p50_us: percentile(&gaps, 0.50),
            gap_p99_us: percentile(&gaps, 0.99),
            ..result
        })
    }

    async fn connect(&self) -> Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&self.trust)? {
            roots.add(certificate?)?;
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let stream = match self.target.parse::<SocketAddr>() {
            Ok(address) => TcpStream::connect(address).await,
            Err(_) => TcpStream::connect((self.target.as_str(), 443)).await,
        };
        let stream = stream.with_context(|| format!("connecting to {}", self.target))?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(self.name.clone())?;
        Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
    }

    fn request(&self, streamed: bool) -> Arc<Vec<u8>> {
        // Keys in an order that ends in the messages: the upstream tells the end of a request by it.
        let prompt = "Say in one short sentence what a weir does, for somebody who has never seen one.";
        let stream = if streamed { "\"stream\":true," } else { "" };
        let body = format!(
            "{{\"model\":\"gpt-4o-mini\",\"temperature\":0.2,{stream}\"messages\":[{{\"role\":\"system\",\"content\":\"You are brief.\"}},{{\"role\":\"user\",\"content\":\"{prompt}\"}}]}}"
        );
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer sk-bench\r\ncontent-type: application/json\r\naccept: application/json\r\nuser-agent: weir-lab\r\ncontent-length: {}\r\n\r\n",
            self.name,
            body.len()
        );
        Arc::new([head, body].concat().into_bytes())
    }
}

/// One request and its whole answer, which has a content-length.
async fn round(stream: &mut TlsStream<TcpStream>, request: &[u8], buffer: &mut [u8]) -> Result<()> {
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut filled = 0;
    let mut whole = usize::MAX;
    while filled < whole {
        let read = stream.read(buffer.get_mut(filled..).unwrap_or_default()).await?;
        ensure!(read > 0, "closed");
        filled += read;
        if whole == usize::MAX
            && let Some(answer) = buffer.get(..filled)
            && let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n")
        {
            let head = std::str::from_utf8(answer.get(..end).unwrap_or_default())?.to_ascii_lowercase();
            ensure!(head.starts_with("http/1.1 200"), "refused");
            let length = head
                .split("content-length:")
                .nth(1)
                .and_then(|rest| rest.lines().next())
                .context("no length")?;
            whole = end + 4 + length.trim().parse::<usize>()?;
        }
    }
    Ok(())
}

/// One exchange and the whole of its answer, whose body has `answer_bytes` bytes.
async fn exchange_once(
    stream: &mut TlsStream<TcpStream>,
    request: &[u8],
    answer_bytes: usize,
    buffer: &mut [u8],
) -> Result<()> {
    stream.write_all(request).await?;
    stream.flush().await?;
    let (mut filled, mut body, mut chunked) = (0, None, false);
    loop {
        let read = stream.read(buffer.get_mut(filled..).unwrap_or_default()).await?;
        ensure!(read > 0, "closed");
        filled += read;
        let answer = buffer.get(..filled).unwrap_or_default();
        if body.is_none()
            && let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n")
        {
            let head = std::str::from_utf8(answer.get(..end).unwrap_or_default())?.to_ascii_lowercase();
            ensure!(head.starts_with("http/1.1 200"), "refused");
            (body, chunked) = (Some(end + 4), head.contains("transfer-encoding"));
        }
        if let Some(body) = body
            && filled >= body + answer_bytes
            && (!chunked || answer.ends_with(b"\r\n0\r\n\r\n"))
        {
            return Ok(());
        }
    }
}

/// One streamed answer: microseconds to the first delta, and between deltas.
async fn stream_once(stream: &mut TlsStream<TcpStream>, request: &[u8]) -> Result<(f64, Vec<f64>)> {
    let began = Instant::now();
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut buffer = vec![0; 16 * 1024];
    let (mut first, mut last, mut gaps, mut text) = (None, began, Vec::new(), Vec::new());
    let mut deltas = 0;
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            bail!("closed");
        }
        text.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let now = Instant::now();
        let seen = text
            .windows(DELTA.len())
            .filter(|window| *window == DELTA)
            .count();
        if seen > deltas {
            match first {
                None => first = Some((now - began).as_secs_f64() * 1e6),
                Some(_) => gaps.push((now - last).as_secs_f64() * 1e6),
            }
            (last, deltas) = (now, seen);
        }
        if text.ends_with(b"0\r\n\r\n") {
            ensure!(deltas == super::upstream::DELTAS, "{deltas} deltas");
            return Ok((first.context("no delta")?, gaps));
        }
    }
}

/// The value below which this share of the sorted values lies.
pub(super) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let index = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

fn say(line: &impl Serialize) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", serde_json::to_string(line)?)?;
    Ok(stdout.flush()?)
}
