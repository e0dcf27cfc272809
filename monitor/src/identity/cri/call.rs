//! Unary gRPC calls with an empty request, over a Unix socket (gRPC over HTTP/2, PROTOCOL-HTTP2.md).

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request, Version};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

/// How long one call may take: a runtime under load takes seconds to list its containers.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Longest answer: containerd's own limit of a message.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// Compressed flag and length before each message.
const PREFIX_BYTES: usize = 5;

/// An empty message.
const EMPTY: [u8; PREFIX_BYTES] = [0; PREFIX_BYTES];

/// Why the runtime gave no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::identity) enum CallError {
    /// Nobody listens.
    #[error("cannot connect to {socket}: {source}")]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The connection broke.
    #[error("{socket}: {source}")]
    Http {
        /// The socket.
        socket: PathBuf,
        /// What broke.
        source: h2::Error,
    },
    /// The runtime says no.
    #[error("{socket}: {call} answers {status} {message}{}", hint(status))]
    Refused {
        /// The socket.
        socket: PathBuf,
        /// The call.
        call: &'static str,
        /// gRPC's status code.
        status: String,
        /// What it says.
        message: String,
    },
    /// It took too long.
    #[error("{socket}: {call} does not answer within {} s", ANSWER_WITHIN.as_secs())]
    TimedOut {
        /// The socket.
        socket: PathBuf,
        /// The call.
        call: &'static str,
    },
    /// The answer cannot be read.
    #[error("{socket}: {call} answers with {problem}")]
    Answer {
        /// The socket.
        socket: PathBuf,
        /// The call.
        call: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

fn hint(status: &str) -> &'static str {
    // gRPC's UNIMPLEMENTED: a containerd that serves Docker alone.
    if status == "12" {
        "; the runtime does not serve the Container Runtime Interface: set `identity.cri: off`"
    } else {
        ""
    }
}

/// A connection to a gRPC server. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Channel {
    socket: PathBuf,
    sender: SendRequest<Bytes>,
    connection: JoinHandle<()>,
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Channel {
    pub(super) async fn open(socket: &Path) -> Result<Self, CallError> {
        let open = async {
            let stream = UnixStream::connect(socket)
                .await
                .map_err(|source| CallError::Connect {
                    socket: socket.to_path_buf(),
                    source,
                })?;
            h2::client::handshake(stream)
                .await
                .map_err(|source| CallError::Http {
                    socket: socket.to_path_buf(),
                    source,
                })
        };
        let opened = tokio::time::timeout(ANSWER_WITHIN, open).await;
        let (sender, connection) = opened.map_err(|_| CallError::TimedOut {
            socket: socket.to_path_buf(),
            call: "the connection",
        })??;
        let connection = tokio::spawn(async move {
            // What breaks it breaks the call too, which reports it.
            let _ended = connection.await;
        });
        Ok(Self {
            socket: socket.to_path_buf(),
            sender,
            connection,
        })
    }

    /// Calls a method, given by its path, with an empty message.
    pub(super) async fn call<T: prost::Message + Default>(
        &mut self,
        call: &'static str,
    ) -> Result<T, CallError> {
        let (socket, sender) = (self.socket.clone(), self.sender.clone());
        let answer = answer(sender, &socket, call);
        let answered = tokio::time::timeout(ANSWER_WITHIN, answer).await;
        let message = answered.map_err(|_| CallError::TimedOut {
            socket: socket.clone(),
            call,
        })??;
        T::decode(message).map_err(|error| CallError::Answer {
            socket,
            call,
            problem: format!("no such message: {error}"),
        })
    }
}

/// The one message of an answer.
async fn answer(sender: SendRequest<Bytes>, socket: &Path, call: &'static str) -> Result<Bytes, CallError> {
    let http = |source| CallError::Http {
        socket: socket.to_path_buf(),
        source,
    };
    let unreadable = |problem: &str| CallError::Answer {
        socket: socket.to_path_buf(),
        call,
        problem: problem.to_owned(),
    };
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = http::Uri::builder()
        .scheme("http")
        .authority("localhost")
        .path_and_query(call)
        .build()
        .map_err(|error| unreadable(&error.to_string()))?;
    let headers = request.headers_mut();
    headers.insert("content-type", http::HeaderValue::from_static("application/grpc"));
    headers.insert("te", http::HeaderValue::from_static("trailers"));
    let mut sender = sender.ready().await.map_err(http)?;
    let (response, mut stream) = sender.send_request(request, false).map_err(http)?;
    stream.send_data(Bytes::from_static(&EMPTY), true).map_err(http)?;
    let response = response.await.map_err(http)?;
    let refused = |headers: &HeaderMap| {
        let text = |name| {
            let value = headers.get(name).map(http::HeaderValue::as_bytes);
            value.map(|value| String::from_utf8_lossy(value).into_owned())
        };
        let status = text("grpc-status").filter(|status| status != "0")?;
        let message = text("grpc-message").unwrap_or_default();
        Some(CallError::Refused {
            socket: socket.to_path_buf(),
            call,
            status,
            message,
        })
    };
    if let Some(refused) = refused(response.headers()) {
        return Err(refused);
    }
    if !response.status().is_success() {
        return Err(unreadable(&format!("HTTP {}", response.status())));
    }
    let mut body = response.into_body();
    let mut bytes = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(http)?;
        if bytes.len() + data.len() > MAX_ANSWER_BYTES {
            return Err(unreadable("more than it may"));
        }
        bytes.extend_from_slice(&data);
        body.flow_control().release_capacity(data.len()).map_err(http)?;
    }
    let trailers = body.trailers().await.map_err(http)?;
    if let Some(refused) = trailers.as_ref().and_then(refused) {
        return Err(refused);
    }
    if bytes.len() < PREFIX_BYTES {
        return Err(unreadable("no message"));
    }
    if bytes.get_u8() != 0 {
        return Err(unreadable("a compressed message"));
    }
    let length = bytes.get_u32() as usize;
    if bytes.len() != length {
        return Err(unreadable("a message of another length than it says"));
    }
    Ok(bytes.freeze())
}
