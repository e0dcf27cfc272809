//! HTTP/1.1 exchanges of one intercepted connection.
//!
//! `relay` is the protocol without any I/O: bytes of either side in, bytes for either side out. It forwards what it
//! reads as it came, in place, and asks the [`Exchange`](super::Exchange) at three points: when a request's head is
//! read, when its body is whole, and for every run of response payload. `pump` moves the bytes.

mod body;
mod head;
mod inbound;
mod outbound;
mod pump;
mod relay;

pub use pump::serve;

#[cfg(test)]
mod tests;
