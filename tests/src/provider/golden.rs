//! The scripted host: keeps the request exactly as it came, and answers with the bytes a test laid down, in the pieces
//! and with the manners it asked for.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::chunked;

/// The header that names a request's case.
const CASE_HEADER: &str = "x-lab-case";

/// Header fields in a request that the scripted host reads.
const MAX_FIELDS: usize = 100;

/// One step of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Send these bytes at once.
    Send(Vec<u8>),
    /// Send these bytes in pieces of this size, each in a TLS record of its own.
    Pieces(Vec<u8>, usize),
    /// Wait.
    Wait(Duration),
    /// Close without a TLS close alert.
    Cut,
    /// Close properly.
    Close,
    /// Keep the connection open and say nothing more.
    Hang,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    /// Every byte of head and body as received, framing included.
    pub(crate) bytes: Vec<u8>,
    /// Whether it came to its end.
    pub(crate) complete: bool,
}

/// Answers by case, and what was captured for each.
#[derive(Debug, Default)]
pub(crate) struct Golden {
    answers: Mutex<HashMap<String, Vec<Step>>>,
    captured: Mutex<HashMap<String, Vec<Captured>>>,
}

impl Golden {
    /// Lays down the answer to a case.
    pub(crate) fn lay(&self, case: &str, steps: Vec<Step>) {
        self.answers.lock().insert(case.to_owned(), steps);
    }

    /// What came for a case.
    pub(crate) fn captured(&self, case: &str) -> Vec<Captured> {
        self.captured.lock().get(case).cloned().unwrap_or_default()
    }

    /// Serves one connection, request after request.
    pub(super) async fn connection(&self, mut tls: TlsStream<TcpStream>) -> Result<()> {
        let mut buffer = Vec::new();
        loop {
            let Some(length) = self.read(&mut tls, &mut buffer).await? else {
                return Ok(());
            };
            let request: Vec<u8> = buffer.drain(..length).collect();
            let case = case_of(&request).context("a request without x-lab-case")?;
            self.capture(&case, request, true);
            let steps = self
                .answers
                .lock()
                .get(&case)
                .cloned()
                .with_context(|| format!("no answer for {case}"))?;
            for step in steps {
                match step {
                    Step::Send(bytes) => send(&mut tls, &bytes).await?,
                    Step::Pieces(bytes, size) => {
                        for piece in bytes.chunks(size) {
                            send(&mut tls, piece).await?;
                        }
                    }
                    Step::Wait(time) => tokio::time::sleep(time).await,
                    Step::Cut => return Ok(()),
                    Step::Close => return Ok(tls.shutdown().await?),
                    Step::Hang => std::future::pending().await,
                }
            }
        }
    }

    fn capture(&self, case: &str, bytes: Vec<u8>, complete: bool) {
        self.captured
            .lock()
            .entry(case.to_owned())
            .or_default()
            .push(Captured { bytes, complete });
    }

    /// Reads until `buffer` begins with a whole request, and returns its length; `None` at the end.
    async fn read(&self, tls: &mut TlsStream<TcpStream>, buffer: &mut Vec<u8>) -> Result<Option<usize>> {
        let mut continued = false;
        loop {
            if let Some(length) = request_length(buffer)? {
                return Ok(Some(length));
            }
            if !continued && asks_to_continue(buffer) {
                send(tls, b"HTTP/1.1 100 Continue\r\n\r\n").await?;
                continued = true;
            }
            let mut piece = vec![0; 16 * 1024];
            let read = tls.read(&mut piece).await;
            match read {
                Ok(read) if read > 0 => buffer.extend_from_slice(piece.get(..read).unwrap_or_default()),
                _ => {
                    if let Some(case) = case_of(buffer) {
                        self.capture(&case, std::mem::take(buffer), false);
                    }
                    return Ok(None);
                }
            }
        }
    }
}

async fn send(tls: &mut TlsStream<TcpStream>, bytes: &[u8]) -> Result<()> {
    tls.write_all(bytes).await?;
    Ok(tls.flush().await?)
}

fn head(buffer: &[u8]) -> Option<(usize, Vec<(String, String)>)> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(length) = request.parse(buffer).ok()? else {
        return None;
    };
    let fields = request
        .headers
        .iter()
        .map(|field| {
            (
                field.name.to_lowercase(),
                String::from_utf8_lossy(field.value).into_owned(),
            )
        })
        .collect();
    Some((length, fields))
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|(field, _)| field == name)
        .map(|(_, value)| value.as_str())
}

fn case_of(buffer: &[u8]) -> Option<String> {
    field(&head(buffer)?.1, CASE_HEADER).map(str::to_owned)
}

fn asks_to_continue(buffer: &[u8]) -> bool {
    head(buffer).is_some_and(|(_, fields)| field(&fields, "expect").is_some())
}

/// The length of the request at the start of `buffer`, once all of it is there.
fn request_length(buffer: &[u8]) -> Result<Option<usize>> {
    let Some((head_length, fields)) = head(buffer) else {
        return Ok(None);
    };
    let body = buffer.get(head_length..).unwrap_or_default();
    let body_length = if field(&fields, "transfer-encoding").is_some_and(|coding| coding.contains("chunked"))
    {
        chunked::read(body)?.map(|content| content.length)
    } else {
        let length = field(&fields, "content-length").map_or(Ok(0), str::parse::<usize>)?;
        (body.len() >= length).then_some(length)
    };
    Ok(body_length.map(|body_length| head_length + body_length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_of_a_request_with_trailers() {
        let request =
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nt: 1\r\n\r\n";
        for length in 0..request.len() {
            assert_eq!(request_length(&request[..length]).unwrap(), None, "{length}");
        }
        assert_eq!(
            request_length(&[request.as_slice(), b"POST"].concat()).unwrap(),
            Some(request.len())
        );
    }
}
