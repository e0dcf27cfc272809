//! Bodies of HTTP/2 streams, moved under flow control: what is sent waits for the receiver's window, what is received
//! widens the sender's window only when it has been taken.

use std::future::poll_fn;

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::HeaderMap;

/// Sends `bytes` as the receiver's window allows.
pub(super) async fn send(to: &mut SendStream<Bytes>, mut bytes: Bytes, end: bool) -> Result<(), h2::Error> {
    while !bytes.is_empty() {
        to.reserve_capacity(bytes.len());
        let room = match poll_fn(|cx| to.poll_capacity(cx)).await {
            Some(room) => room?,
            // The stream is not open for sending any more: reset, most often. `poll_reset` says why.
            None => return Err(h2::Reason::CANCEL.into()),
        };
        let now = bytes.split_to(room.min(bytes.len()));
        let last = end && bytes.is_empty();
        if !now.is_empty() || last {
            to.send_data(now, last)?;
        }
        if last {
            return Ok(());
        }
    }
    if end {
        to.send_data(Bytes::new(), true)?;
    }
    Ok(())
}

/// The next piece of a body; `None` at its end.
pub(super) async fn receive(from: &mut RecvStream) -> Result<Option<Bytes>, h2::Error> {
    match from.data().await {
        None => Ok(None),
        Some(data) => {
            let data = data?;
            from.flow_control().release_capacity(data.len())?;
            Ok(Some(data))
        }
    }
}

/// Ends a body, with the trailers that `from` has, if any.
pub(super) async fn end(from: &mut RecvStream, to: &mut SendStream<Bytes>) -> Result<(), h2::Error> {
    match from.trailers().await? {
        Some(trailers) => to.send_trailers(trailers),
        None => to.send_data(Bytes::new(), true),
    }
}

/// The trailers of a body that has ended.
pub(super) async fn trailers(from: &mut RecvStream) -> Result<Option<HeaderMap>, h2::Error> {
    from.trailers().await
}
