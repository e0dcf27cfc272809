//! HTTP without TLS, at the ports of endpoints that are configured so: self-hosted inference servers.
//!
//! There is no server name to go by. A connection that the kernel sent here because of its address goes to a configured
//! endpoint of its port whatever its `host` field says, or a false one would lead past the agent; which of several it is,
//! and whether a connection to another address is one at all, the field says.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use monitor_protocol::{Catalog, Provider};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::Alpn;

/// What is read of a connection to learn its `host`: the first request's head, as far as the exchange reads heads.
const HEAD_LIMIT_BYTES: usize = 64 * 1024;
/// How long a client may take over its first head. Some open connections ahead of use; one that waits longer is gone
/// through with what its port says.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// Header fields of a head.
const MAX_HEADERS: usize = 128;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
/// How a client begins that speaks HTTP/2 without being asked (RFC 9113, section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An endpoint without TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainEndpoint {
    /// Its host, as configured or as the client says it.
    pub host: Box<str>,
    /// Its provider.
    pub provider: Provider,
}

/// The endpoints without TLS, by port.
#[derive(Clone, Debug, Default)]
pub struct PlainEndpoints {
    by_port: HashMap<u16, Port>,
}

#[derive(Clone, Debug)]
struct Port {
    catalog: Catalog,
    /// The one configured first, for requests that name none.
    first: PlainEndpoint,
}

impl PlainEndpoints {
    /// Adds one.
    ///
    /// # Errors
    /// `host` is no pattern of hosts.
    pub fn add(
        &mut self,
        ports: &[u16],
        host: &str,
        provider: &Provider,
    ) -> Result<(), monitor_protocol::CatalogError> {
        for port in ports {
            let known = self.by_port.remove(port).unwrap_or_else(|| Port {
                catalog: Catalog::default(),
                first: PlainEndpoint {
                    host: host.into(),
                    provider: provider.clone(),
                },
            });
            let catalog = known.catalog.with_endpoint(host, &provider.name, provider.api)?;
            self.by_port.insert(*port, Port { catalog, ..known });
        }
        Ok(())
    }

    /// Whether there is an endpoint at `port`.
    pub fn has(&self, port: u16) -> bool {
        self.by_port.contains_key(&port)
    }

    /// The endpoint at `port` that a request for `host` means. `certain`: the connection's address is an LLM host's, so that
    /// it is one of them in any case.
    pub fn at(&self, port: u16, host: Option<&str>, certain: bool) -> Option<PlainEndpoint> {
        let known = self.by_port.get(&port)?;
        let named = host.and_then(|host| {
            Some(PlainEndpoint {
                host: host.to_ascii_lowercase().into(),
                provider: known.catalog.lookup(host)?.clone(),
            })
        });
        named.or_else(|| certain.then(|| known.first.clone()))
    }
}

/// How a connection without TLS begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) version: Alpn,
    /// The host that the first request names, without port.
    pub(super) host: Option<Box<str>>,
}

/// Reads from `client` until its first request's head is whole or cannot become so, keeping every byte in `first`. `None` if
/// the client has left before it said anything.
///
/// # Errors
/// The socket failed.
pub(super) async fn read<S: AsyncRead + Unpin>(
    client: &mut S,
    first: &mut BytesMut,
) -> io::Result<Option<Opening>> {
    let head = timeout(HEAD_TIMEOUT, async {
        // The end of the head may begin in the last three bytes that were looked at before.
        let mut looked = 0;
        while !is_decided(first, looked) {
            looked = first.len().saturating_sub(END_OF_HEAD.len() - 1);
            if client.read_buf(first).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    });
    match head.await {
        Ok(Ok(())) if first.is_empty() => Ok(None),
        Ok(Err(error)) => Err(error),
        Ok(Ok(())) | Err(_) => Ok(Some(opening(first))),
    }
}

/// Whether more bytes would tell nothing more; the first `looked` of them hold no end of a head.
fn is_decided(first: &[u8], looked: usize) -> bool {
    if HTTP2_PREFACE.starts_with(first) || first.starts_with(HTTP2_PREFACE) {
        return first.len() >= HTTP2_PREFACE.len();
    }
    first.len() >= HEAD_LIMIT_BYTES
        || first
            .get(looked..)
            .is_some_and(|rest| memchr::memmem::find(rest, END_OF_HEAD).is_some())
}

fn opening(first: &[u8]) -> Opening {
    if first.starts_with(HTTP2_PREFACE) {
        let (version, host) = (Alpn::Http2, None);
        return Opening { version, host };
    }
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    // What cannot be read names no host, and is refused or passed on as a request later.
    let _unread = request.parse(first);
    let host = request
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("host"))
        .and_then(|header| std::str::from_utf8(header.value).ok())
        .map(|value| crate::exchange::host_of(value).into());
    Opening {
        version: Alpn::Http1,
        host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use monitor_protocol::Api;
    use tokio::io::AsyncWriteExt;

    fn endpoints() -> PlainEndpoints {
        let mut endpoints = PlainEndpoints::default();
        let provider = |name: &str| Provider {
            name: name.into(),
            api: Api::OpenAi,
        };
        endpoints
            .add(&[8000, 8001], "vllm.svc", &provider("vllm"))
            .unwrap();
        endpoints.add(&[8000], "*.llm.svc", &provider("llm")).unwrap();
        endpoints
    }

    fn name(port: u16, host: Option<&str>, certain: bool) -> Option<String> {
        endpoints()
            .at(port, host, certain)
            .map(|endpoint| endpoint.provider.name)
    }

    #[test]
    fn the_host_chooses_among_the_endpoints_of_a_port() {
        assert_eq!(name(8000, Some("A.llm.svc"), false).as_deref(), Some("llm"));
        assert_eq!(name(8000, Some("vllm.svc"), true).as_deref(), Some("vllm"));
        assert_eq!(name(8001, Some("a.llm.svc"), false), None, "another port's");
        assert_eq!(name(443, Some("vllm.svc"), true), None);
    }

    #[test]
    fn a_false_host_does_not_lead_past_an_address_that_is_certain() {
        assert_eq!(name(8000, Some("example.com"), true).as_deref(), Some("vllm"));
        assert_eq!(name(8000, None, true).as_deref(), Some("vllm"));
        assert_eq!(name(8000, Some("example.com"), false), None);
    }

    async fn read_of(bytes: &[&[u8]]) -> (Option<Opening>, BytesMut) {
        let (mut ours, mut theirs) = tokio::io::duplex(1 << 20);
        for chunk in bytes {
            theirs.write_all(chunk).await.unwrap();
        }
        drop(theirs);
        let mut first = BytesMut::new();
        (read(&mut ours, &mut first).await.unwrap(), first)
    }

    #[tokio::test]
    async fn an_opening_is_read_and_kept() {
        let request: &[u8] = b"POST /api/chat HTTP/1.1\r\nHOST: Ollama.svc:11434\r\n\r\n{}";
        let pieces: Vec<&[u8]> = request.chunks(1).collect();
        let (opening, first) = read_of(&pieces).await;
        let host = Some("Ollama.svc".into());
        assert_eq!(
            opening,
            Some(Opening {
                version: Alpn::Http1,
                host
            })
        );
        assert_eq!(first, request, "every byte is kept");
    }

    #[tokio::test]
    async fn http2_without_asking_is_known_by_its_preface() {
        let (opening, _) = read_of(&[HTTP2_PREFACE, b"\0\0\0"]).await;
        assert_eq!(opening.map(|opening| opening.version), Some(Alpn::Http2));
    }

    #[tokio::test]
    async fn noise_silence_and_a_head_without_end_are_decided() {
        assert_eq!(read_of(&[]).await.0, None);
        let (opening, _) = read_of(&[b"\x00\x01\x02"]).await;
        assert_eq!(opening.and_then(|opening| opening.host), None);
        let endless = vec![b'a'; 2 * HEAD_LIMIT_BYTES];
        let (opening, first) = read_of(&[&endless]).await;
        assert!(opening.is_some() && first.len() < 2 * HEAD_LIMIT_BYTES);
    }
}
