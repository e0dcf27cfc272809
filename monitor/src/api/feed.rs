//! Records as they are made, as a response that does not end.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc;

use crate::event::{Event, RecordKind, native};

/// Pieces of the response that wait for a slow reader; beyond them its place in the feed falls behind.
const MAX_PIECES: usize = 16;
/// Bytes gathered into one piece when many records are there at once.
const PIECE_BYTES: usize = 64 << 10;

/// The lines of a feed, made by a task that ends with the reader.
pub(super) struct Feed(mpsc::Receiver<Bytes>);

impl Feed {
    /// First the lines of `past`, then one for each record of `kind` from `live`.
    pub(super) fn start(kind: RecordKind, past: Vec<Event>, live: broadcast::Receiver<Event>) -> Self {
        let (pieces, feed) = mpsc::channel(MAX_PIECES);
        tokio::spawn(write(kind, past, live, pieces));
        Self(feed)
    }
}

impl Body for Feed {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0
            .poll_recv(cx)
            .map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

async fn write(
    kind: RecordKind,
    past: Vec<Event>,
    mut live: broadcast::Receiver<Event>,
    pieces: mpsc::Sender<Bytes>,
) {
    let mut piece = Vec::new();
    for event in past {
        add_line(&mut piece, &event);
        if piece.len() >= PIECE_BYTES && pieces.send(std::mem::take(&mut piece).into()).await.is_err() {
            return;
        }
    }
    loop {
        if !piece.is_empty() && pieces.send(std::mem::take(&mut piece).into()).await.is_err() {
            return;
        }
        let mut next = tokio::select! {
            next = live.recv() => next,
            () = pieces.closed() => return,
        };
        // Whatever else is there already goes into the same piece.
        loop {
            match next {
                Ok(event) if kind.wants(&event) => add_line(&mut piece, &event),
                Ok(_) => {}
                Err(RecvError::Lagged(lost)) => {
                    piece.extend_from_slice(format!("{{\"kind\":\"lost\",\"count\":{lost}}}\n").as_bytes());
                }
                Err(RecvError::Closed) => return,
            }
            if piece.len() >= PIECE_BYTES || live.is_empty() {
                break;
            }
            next = live.recv().await;
        }
    }
}

/// Appends an event's native record.
pub(super) fn add_line(lines: &mut Vec<u8>, event: &Event) {
    let before = lines.len();
    if let Err(error) = native::encode(event, lines) {
        lines.truncate(before);
        tracing::error!(%error, "a record could not be encoded");
    }
}
