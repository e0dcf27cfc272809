//! What the stand-in providers received and sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use nix::time::{ClockId, clock_gettime};
use parking_lot::Mutex;
use serde_json::Value;

use super::Arrival;
use super::count::{self, Tokens};

/// All exchanges of one lab, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Log {
    served: Mutex<Vec<Arc<Served>>>,
    accepted: AtomicU64,
}

/// One request a provider received, and how its answer went.
#[derive(Debug)]
pub(crate) struct Served {
    /// Where it came from.
    pub(crate) arrival: Arrival,
    /// Method and path.
    pub(crate) target: String,
    /// Header lines in order of arrival, names lower-case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body as received.
    pub(crate) body: Bytes,
    /// The model the request named.
    pub(crate) model: String,
    /// Whether a stream was asked for.
    pub(crate) stream: bool,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    sent: String,
    lost: String,
    /// When each piece was handed to the connection, seconds of the monotonic clock.
    times: Vec<f64>,
    usage: Option<(Tokens, Tokens)>,
    reasoning: Tokens,
    ended: Option<Ended>,
}

/// Tokens that providers bill, by their own count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bill {
    /// Answers, whole or not; refusals cost nothing.
    pub(crate) requests: u64,
    /// Answers among them that were not whole.
    pub(crate) broken_off: u64,
    /// Tokens of prompts.
    pub(crate) input: Tokens,
    /// Tokens of answers.
    pub(crate) output: Tokens,
}

impl Bill {
    /// Prompts and answers.
    pub(crate) fn tokens(&self) -> Tokens {
        self.input + self.output
    }
}

/// How an answer ended, as the provider knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All of it was sent.
    Whole,
    /// The other side went away first.
    ClientGone,
    /// The script broke it off.
    BrokenOff,
    /// Answered with an error status.
    Refused,
}

/// The clock that programs of the lab can read as well.
fn monotonic_s() -> f64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(std::time::Duration::from);
    now.unwrap_or_default().as_secs_f64()
}

impl Log {
    /// Counts an accepted connection.
    pub(super) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Everything served so far.
    pub(crate) fn served(&self) -> Vec<Arc<Served>> {
        self.served.lock().clone()
    }

    /// Tokens of all that was served, as the providers counted them.
    pub(crate) fn spent(&self) -> u64 {
        self.served()
            .iter()
            .filter_map(|served| served.usage())
            .map(|(input, output)| input + output)
            .sum()
    }

    /// Exchanges whose request carried this user agent or body text.
    pub(crate) fn containing(&self, text: &str) -> Vec<Arc<Served>> {
        let needle = text.as_bytes();
        self.served()
            .into_iter()
            .filter(|served| contains(&served.body, needle))
            .collect()
    }

    /// Exchanges whose request carried this key in a header and this text in its body.
    pub(crate) fn of(&self, key: &str, text: &str) -> Vec<Arc<Served>> {
        let mut found = self.containing(text);
        found.retain(|served| served.headers.iter().any(|(_, value)| value.contains(key)));
        found
    }

    /// What the providers bill for the requests with `text`.
    pub(crate) fn bill(&self, text: &str) -> Bill {
        let mut bill = Bill::default();
        for served in self.containing(text) {
            let Some((input, output)) = served.generated() else {
                continue;
            };
            bill.requests += 1;
            bill.input += input;
            bill.output += output;
            bill.broken_off += u64::from(served.ended() != Some(Ended::Whole));
        }
        bill
    }

    /// Waits until every stream for a request with `text` has ended.
    pub(crate) async fn wait_for_ends(&self, text: &str) -> Result<()> {
        for _ in 0..600 {
            if self
                .containing(text)
                .iter()
                .all(|served| !served.stream || served.ended().is_some())
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("a provider still answers requests with `{text}`")
    }

    /// Waits until this many requests with `text` have been received.
    pub(crate) async fn wait_for(&self, text: &str, count: usize) -> Result<()> {
        for _ in 0..1_200 {
            if self.containing(text).len() >= count {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let received = self.containing(text).len();
        bail!("{received} of {count} requests reached a provider")
    }

    /// Starts the record of a request whose body says which model and whether to stream.
    pub(super) fn begin(&self, request: Request) -> Arc<Served> {
        let model = request.json["model"].as_str().unwrap_or_default().to_owned();
        let stream = request.json["stream"].as_bool().unwrap_or_default();
        self.begin_as(request, model, stream)
    }

    /// Starts the record of a request whose path says it.
    pub(super) fn begin_as(&self, request: Request, model: String, stream: bool) -> Arc<Served> {
        let served = Arc::new(Served {
            model,
            stream,
            arrival: request.arrival,
            target: request.target,
            headers: request.headers,
            body: request.body,
            progress: Mutex::default(),
        });
        self.served.lock().push(Arc::clone(&served));
        served
    }
}

/// A request before it is counted.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) arrival: Arrival,
    /// Method and path, as sent.
    pub(super) target: String,
    /// The query, as sent, without its question mark.
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    pub(super) json: Value,
}

impl Served {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    /// Adds text that has been handed to the connection.
    pub(super) fn sent(&self, text: &str) {
        self.progress.lock().sent.push_str(text);
    }

    /// Notes that a piece is about to be handed to the connection.
    pub(super) fn sending(&self) {
        self.progress.lock().times.push(monotonic_s());
    }

    /// When each piece was handed to the connection, seconds of the monotonic clock.
    pub(crate) fn times(&self) -> Vec<f64> {
        self.progress.lock().times.clone()
    }

    /// Adds text that was generated when the connection was found to have gone: nobody gets it, and it is billed.
    pub(super) fn lost(&self, text: &str) {
        self.progress.lock().lost.push_str(text);
    }

    /// Keeps the usage that the answer told.
    pub(super) fn told(&self, input: Tokens, output: Tokens) {
        self.progress.lock().usage = Some((input, output));
    }

    /// Keeps the reasoning that the answer told, beside input and output.
    pub(super) fn told_reasoning(&self, reasoning: Tokens) {
        self.progress.lock().reasoning = reasoning;
    }

    /// Closes the record.
    pub(super) fn end(&self, ended: Ended) {
        self.progress.lock().ended.get_or_insert(ended);
    }

    /// The text of the answer handed to the connection so far, all choices in order of sending.
    pub(crate) fn sent_text(&self) -> String {
        self.progress.lock().sent.clone()
    }

    /// The usage of the whole answer by the provider's own count: input and output.
    pub(crate) fn usage(&self) -> Option<(Tokens, Tokens)> {
        self.progress.lock().usage
    }

    /// What the provider has generated and bills: the prompt, and the answer until it was whole or the other side was found to
    /// have gone. `None` where it refused.
    pub(crate) fn generated(&self) -> Option<(Tokens, Tokens)> {
        let progress = self.progress.lock();
        let (input, output) = progress.usage?;
        match progress.ended {
            Some(Ended::Refused) => None,
            Some(Ended::Whole) => Some((input, output)),
            // An answer that is not streamed is generated whether or not anybody waits for it.
            _ if !self.stream => Some((input, output)),
            _ => {
                let text = [progress.sent.as_str(), progress.lost.as_str()].concat();
                Some((input, count::text(&self.model, &text)))
            }
        }
    }

    /// The reasoning of the whole answer by the provider's own count, not part of its output.
    pub(crate) fn reasoning(&self) -> Tokens {
        self.progress.lock().reasoning
    }

    /// How it ended; `None` while it goes on.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.progress.lock().ended
    }
}

/// Whether `haystack` holds `needle`.
pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && haystack.windows(needle.len()).any(|window| window == needle)
}
