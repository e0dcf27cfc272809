//! The tools that a request offers to its model, and those that the model calls, by their names.
//!
//! The names of a request are read where a policy lists tools, and before anything of it goes upstream. The name of a call may
//! arrive in pieces, and nothing says that it is whole: it has ended when another part of the same answer goes on, or the
//! answer finishes. Until then its events wait, so that a client never sees the name of a call that is not allowed, nor its
//! arguments.

use std::borrow::Cow;
use std::sync::Arc;

use monitor_protocol::{Channel, Part, RefusalReason, Request, Response, StreamEvent, Telling, tool_names};

use super::{Exchange, Refusal};
use crate::event::{Reason, Verdict};

/// Bytes of a called tool's name. Providers allow 64 to 128; a longer one is not a name of theirs.
const MAX_NAME_BYTES: usize = 512;
/// Calls of one stream that are told apart by their names.
const MAX_CALLS: usize = 256;

impl Exchange {
    /// Checks every tool that a request defines or turns on: a refusal where a policy does not allow one.
    pub(super) fn check_tools(&mut self, body: &[u8], request: &Request<'_>) -> Option<Refusal> {
        if self.applied.tools.is_empty() || request.tools.is_empty() {
            return None;
        }
        let names = tool_names(&self.call, body, request);
        let (reason, policy) = self.check_names(&names)?;
        Some(self.refuse(reason, Reason::Tool, Some(policy)))
    }

    /// Checks the tools that a whole answer calls.
    pub(super) fn check_whole_calls(&mut self, response: &Response<'_>) -> Option<Refusal> {
        if self.applied.tools.is_empty() {
            return None;
        }
        let called = response
            .texts
            .iter()
            .filter(|text| text.channel.part == Part::ToolName);
        let names: Vec<_> = called.map(|text| text.text()).collect();
        let (reason, policy) = self.check_names(&names)?;
        Some(self.refuse(reason, Reason::Tool, Some(policy)))
    }

    /// Checks the names of tools that are called in a stream: why it is cut, and by which policy.
    pub(super) fn check_called(&mut self, names: &[String]) -> Option<(RefusalReason, Arc<str>)> {
        let names: Vec<_> = names.iter().map(|name| Cow::Borrowed(name.as_str())).collect();
        self.check_names(&names)
    }

    fn check_names(&mut self, names: &[Cow<'_, str>]) -> Option<(RefusalReason, Arc<str>)> {
        if names.is_empty() {
            return None;
        }
        let applied = self.applied.clone();
        for rule in &applied.tools {
            if names.iter().all(|name| rule.allows(name)) {
                continue;
            }
            if rule.enforce {
                let reason = RefusalReason::Tool {
                    name: rule.policy.to_string(),
                };
                return Some((reason, rule.policy.clone()));
            }
            self.observe(Verdict::Denied, Reason::Tool, &rule.policy);
        }
        None
    }
}

/// The names of a stream's calls, as they arrive.
#[derive(Default)]
pub(super) struct CalledTools {
    calls: Vec<Call>,
    /// Names that have ended, to be checked.
    ended: Vec<String>,
}

struct Call {
    channel: Channel,
    name: String,
    has_ended: bool,
}

impl CalledTools {
    /// Reads what an event says of names; `false` where a name is longer than names are, goes on after its end, or where there are
    /// more calls than are told apart.
    pub(super) fn read(&mut self, event: &StreamEvent<'_>) -> bool {
        for delta in &event.deltas {
            let channel = delta.channel;
            self.end(|call| call.channel.choice == channel.choice && call.channel != channel);
            if channel.part != Part::ToolName {
                continue;
            }
            let known = self.calls.iter().position(|call| call.channel == channel);
            if delta.telling.repeats(known.is_some()) {
                // A repeat may say something else.
                self.ended.push(delta.text.clone().into_owned());
                continue;
            }
            let at = known.unwrap_or(self.calls.len());
            if at == MAX_CALLS {
                return false;
            }
            if known.is_none() {
                self.calls.push(Call {
                    channel,
                    name: String::new(),
                    has_ended: false,
                });
            }
            let call = &mut self.calls[at];
            if call.name.len() + delta.text.len() > MAX_NAME_BYTES {
                return false;
            }
            // One that goes on after its end is checked again, with all that it has become.
            call.has_ended = false;
            call.name.push_str(&delta.text);
            if delta.telling == Telling::Whole {
                self.end(|call| call.channel == channel);
            }
        }
        if event.finish.is_some() || event.terminal || event.error {
            self.finish();
        }
        true
    }

    /// Whether events of this channel must wait for the rest of a name.
    pub(super) fn waits(&self, channel: Channel) -> bool {
        channel.part == Part::ToolName
            && self
                .calls
                .iter()
                .any(|call| call.channel == channel && !call.has_ended)
    }

    /// No name goes on.
    pub(super) fn finish(&mut self) {
        self.end(|_| true);
    }

    /// Names that have ended since.
    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.ended)
    }

    fn end(&mut self, which: impl Fn(&Call) -> bool) {
        for call in self
            .calls
            .iter_mut()
            .filter(|call| !call.has_ended && which(call))
        {
            call.has_ended = true;
            self.ended.push(call.name.clone());
        }
    }
}
