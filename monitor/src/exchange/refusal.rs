//! An answer in the provider's place.

use std::fmt::Write;

use bytes::Bytes;
use monitor_protocol::{Call, RefusalReason};

/// A whole response in the provider's own error shape.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The status code.
    pub status: u16,
    /// Its fields but for the length.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
    /// Why.
    pub reason: RefusalReason,
}

impl Refusal {
    /// What the provider itself would answer to `call` for `reason`.
    pub fn new(call: &Call, reason: &RefusalReason) -> Self {
        let refusal = monitor_protocol::refuse(call, reason);
        Self {
            status: refusal.status,
            headers: refusal.headers,
            body: refusal.body.into(),
            reason: reason.clone(),
        }
    }

    /// The head of the answer in HTTP/1.1.
    pub fn http1_head(&self, close: bool) -> Bytes {
        let reason = http::StatusCode::from_u16(self.status)
            .ok()
            .and_then(|s| s.canonical_reason());
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason.unwrap_or(""));
        for (name, value) in &self.headers {
            // Writing to a String cannot fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "content-length: {}\r\n", self.body.len());
        if close {
            head.push_str("connection: close\r\n");
        }
        head.push_str("\r\n");
        head.into()
    }
}
