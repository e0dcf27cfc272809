//! The bench's upstream: canned answers on a thread of its own, so that what it costs is small and the same in all lanes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

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
    let acceptor = TlsAcceptor::from(Arc::new(lab.authority.server_config(&[b"http/1.1"])?));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("bench-upstream".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                for listener in listeners {
                    tokio::spawn(accept(listener, acceptor.clone()));
                }
                std::future::pending::<()>().await;
            });
        })?;
    Ok(())
}

async fn accept(listener: std::net::TcpListener, acceptor: TlsAcceptor) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let answers = Arc::new(Answers::new());
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
                let Some(request) = buffer.get(..filled).filter(|request| is_whole(request)) else {
                    continue;
                };
                let streamed = contains(request, b"\"stream\":true");
                filled = 0;
                if streamed {
                    answers.stream(&mut tls).await?;
                } else {
                    tls.write_all(&answers.whole).await?;
                    tls.flush().await?;
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
}

impl Answers {
    fn new() -> Self {
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
        Self {
            whole: [head, completion].concat().into_bytes(),
            head: b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                .to_vec(),
            delta,
            end: [finish, chunked("data: [DONE]\n\n"), b"0\r\n\r\n".to_vec()].concat(),
        }
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

/// Whether the load's request has come to its end: its body is one JSON object and nothing else ends in `}]}`.
fn is_whole(request: &[u8]) -> bool {
    request.ends_with(b"}]}")
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
