//! Steered connections: accept in the workload's namespace, find out whose they are and what they ask for, then splice
//! them to their original destination or terminate both sides of TLS.

mod alert;
mod client_hello;
mod connection;
mod dial;
mod distrust;
mod listeners;
mod live;
mod plain;
mod replay;
mod splice;
mod steered;
mod terminate;
mod worker;

pub use connection::Interceptor;
pub use distrust::Distrust;
pub use listeners::NamespaceListeners;
pub use live::Live;
pub use plain::{PlainEndpoint, PlainEndpoints};
pub use worker::{Pulse, Workers};

/// An application protocol that can be inspected, as TLS negotiates it (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alpn {
    /// `http/1.1`, or no protocol negotiated.
    Http1,
    /// `h2`.
    Http2,
}

impl Alpn {
    /// Reads a protocol's identifier.
    pub fn from_wire(id: &[u8]) -> Option<Self> {
        match id {
            b"http/1.1" => Some(Self::Http1),
            b"h2" => Some(Self::Http2),
            _ => None,
        }
    }

    /// Its identifier.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
        }
    }
}
