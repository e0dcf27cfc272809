//! The bench's upstream: canned answers on a thread of its own, so that what it costs is small and the same in all lanes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::exchange::{self, Exchange};
use crate::lab::Lab;
use crate::lab::address::BENCH;

/// Deltas of a streamed answer.
pub(super) const DELTAS: usize = 64;
/// Pause between two deltas.
pub(super) const DELTA_PAUSE: Duration = Duration::from_millis(20);

/// Largest request: the load's own has a few hundred bytes.
const REQUEST_BYTES: usize = 16 * 1024;

/// Serves the bench's host until the process ends.
pub(super) fn serve(lab: &Lab) -> Result<()> {
    let addresses = [IpAddr::V4(lab.plan.v4(BENCH)), IpAddr::V6(lab.plan.v6(BENCH))];
    let listeners = lab.internet().inside(|| {
        addresses
            .iter()
            .map(|address| {
                let listener = std::net::TcpListener::bind((*address, 443))
                    .with_context(|| format!("binding {address}"))?;
                listener.set_nonblocking(true)?;
                Ok(listener)
            })
            .collect::<Result<Vec<_>>>()
    })?;
    let answers = Arc::new(Answers::new()?);
    let acceptor = TlsAcceptor::from(Arc::new(lab.authority.server_config(&[b"http/1.1"])?));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("bench-upstream".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                for listener in listeners {
                    tokio::spawn(accept(listener, acceptor.clone(), Arc::clone(&answers)));
                }
                std::future::pending::<()>().await;
            });
        })?;
    Ok(())
}

async fn accept(listener: std::net::TcpListener, acceptor: TlsAcceptor, answers: Arc<Answers>) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (acceptor, answers) = (acceptor.clone(), Arc::clone(&answers));
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            let mut tls = acceptor.accept(stream).await?;
            let mut buffer = vec![0; REQUEST_BYTES];
            let mut filled = 0;
            loop {
                let read = tls.read(buffer.get_mut(filled..).unwrap_or_default()).await?;
                if read == 0 {
                    return anyhow::Ok(());
                }
                filled += read;
                ensure!(filled < buffer.len(), "a request larger than any of the load's");
                let request = buffer.get(..filled).unwrap_or_default();
                let Some((head, body)) = whole(request)? else {
                    continue;
                };
                let (exchange, streamed) = (Exchange::asked(head), contains(body, b"\"stream\":true"));
                filled = 0;
                match exchange {
                    Some(exchange) => answers.exchange(exchange, &mut tls).await?,
                    None if streamed => answers.stream(&mut tls).await?,
                    None => {
                        tls.write_all(&answers.whole).await?;
                        tls.flush().await?;
                    }
                }
            }
        });
    }
}

struct Answers {
    whole: Vec<u8>,
    head: Vec<u8>,
    delta: Vec<u8>,
    end: Vec<u8>,
    exchanges: Vec<(&'static str, Vec<Vec<u8>>)>,
}

impl Answers {
    fn new() -> Result<Self> {
        let completion = json!({
            "id": "chatcmpl-bench", "object": "chat.completion", "created": 1_760_000_000, "model": "gpt-4o-mini",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "A weir measures and regulates a stream."},
                "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 25, "completion_tokens": 9, "total_tokens": 34},
        })
        .to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            completion.len()
        );
        let event = |choices: serde_json::Value| {
            let chunk = json!({"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_760_000_000,
                "model": "gpt-4o-mini", "choices": choices});
            chunked(&format!("data: {chunk}\n\n"))
        };
        let delta = event(json!([{"index": 0, "delta": {"content": " stream"}, "finish_reason": null}]));
        let finish = event(json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]));
        let exchanges = exchange::ALL
            .iter()
            .map(|exchange| anyhow::Ok((exchange.name, exchange.answer_parts()?)));
        Ok(Self {
            whole: [head, completion].concat().into_bytes(),
            head: b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                .to_vec(),
            delta,
            end: [finish, chunked("data: [DONE]\n\n"), b"0\r\n\r\n".to_vec()].concat(),
            exchanges: exchanges.collect::<Result<_>>()?,
        })
    }

    /// Sends an exchange's answer as fast as the connection takes it, each part a record of its own.
    async fn exchange(&self, exchange: Exchange, stream: &mut (impl AsyncWriteExt + Unpin)) -> Result<()> {
        let parts = self.exchanges.iter().find(|(name, _)| *name == exchange.name);
        for part in parts.map(|(_, parts)| parts).context("no answer")? {
            stream.write_all(part).await?;
            stream.flush().await?;
        }
        Ok(())
    }

    async fn stream(&self, stream: &mut (impl AsyncWriteExt + Unpin)) -> std::io::Result<()> {
        stream.write_all(&self.head).await?;
        let mut ticks = tokio::time::interval(DELTA_PAUSE);
        for _ in 0..DELTAS {
            ticks.tick().await;
            stream.write_all(&self.delta).await?;
            stream.flush().await?;
        }
        stream.write_all(&self.end).await?;
        stream.flush().await
    }
}

fn chunked(event: &str) -> Vec<u8> {
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

/// Head and body of the load's request, once it has come to its end.
fn whole(request: &[u8]) -> Result<Option<(&str, &[u8])>> {
    let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, rest) = request.split_at(end);
    let head = std::str::from_utf8(head)?;
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .context("a request without a length")?;
    let length: usize = length.1.trim().parse()?;
    Ok(rest.get(4..4 + length).map(|body| (head, body)))
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
