//! Saying no in the provider's own shape, so that the client's SDK raises its ordinary exception.

use std::fmt;

use crate::{
    Call, CloseCode, Framing, MessageKind, close_payload, encode_message, frame::exception, json::escape_into,
};

/// Why an exchange is refused or cut. The text a client sees names the policy or the budget, never what was matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// A budget does not allow it.
    Budget {
        /// The budget's policy and its name there.
        name: String,
        /// What it counts: `tokens`, `US dollars`, `requests at once`.
        counts: &'static str,
        /// Seconds until it may be worth trying again; `None` when waiting does not help.
        retry_after_s: Option<u64>,
    },
    /// A budget counts money, and nobody knows what the model costs.
    Unpriced {
        /// The policy's name.
        name: String,
    },
    /// A policy forbids it.
    Policy {
        /// The policy's name.
        name: String,
    },
    /// The policy's list of allowed models does not have the one asked for.
    Model {
        /// The policy's name.
        name: String,
    },
    /// The policy's lists of tools do not allow one that is offered or called.
    Tool {
        /// The policy's name.
        name: String,
    },
    /// The prompt is longer than the policy allows.
    PromptSize {
        /// The policy's name.
        name: String,
        /// How much is allowed, in `counts`.
        limit: u64,
        /// What is counted: `tokens`, `bytes`.
        counts: &'static str,
    },
    /// The policy's list of languages does not have that of a text.
    Language {
        /// The policy's name.
        name: String,
    },
    /// The policy's lists of operations do not allow the one asked for.
    Operation {
        /// The policy's name.
        name: String,
    },
    /// Policy asks for a workload that is known for certain, and this one is not.
    Unattributed,
    /// The body cannot be read, so no policy can be applied to it.
    Unreadable,
    /// It names another host than its connection was opened for.
    Misdirected,
    /// The body is larger than what is read, so no policy can be applied to it.
    TooLarge {
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// Policy wants an edit, but the body is signed.
    Signed {
        /// The policy's name.
        name: String,
    },
    /// The provider cannot be reached, or its certificate does not hold.
    Upstream,
    /// The agent cannot decide (a dead policy source, a full ledger) and is configured to stay closed.
    Unavailable,
}

/// Groups of reasons with one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Budget,
    Policy,
    Request,
    TooLarge,
    Upstream,
}

impl RefusalReason {
    /// The name used in records, metrics and OpenAI's `code`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Budget { .. } => "budget_exceeded",
            Self::Unpriced { .. } => "model_not_priced",
            Self::Policy { .. } => "policy_violation",
            Self::Model { .. } => "model_not_allowed",
            Self::Tool { .. } => "tool_not_allowed",
            Self::PromptSize { .. } => "prompt_too_long",
            Self::Language { .. } => "language_not_allowed",
            Self::Operation { .. } => "operation_not_allowed",
            Self::Unattributed => "workload_not_known",
            Self::Unreadable => "unreadable_request",
            Self::Misdirected => "misdirected_request",
            Self::TooLarge { .. } => "request_too_large",
            Self::Signed { .. } => "signed_request",
            Self::Upstream => "upstream_unreachable",
            Self::Unavailable => "monitor_unavailable",
        }
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Budget { .. } => Kind::Budget,
            Self::Policy { .. }
            | Self::Unpriced { .. }
            | Self::Model { .. }
            | Self::Tool { .. }
            | Self::Language { .. }
            | Self::Operation { .. }
            | Self::Signed { .. }
            | Self::Unattributed => Kind::Policy,
            Self::Unreadable | Self::Misdirected | Self::PromptSize { .. } => Kind::Request,
            Self::TooLarge { .. } => Kind::TooLarge,
            Self::Upstream | Self::Unavailable => Kind::Upstream,
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Budget { .. } => 429,
            Self::Policy { .. }
            | Self::Unpriced { .. }
            | Self::Model { .. }
            | Self::Tool { .. }
            | Self::Language { .. }
            | Self::Operation { .. }
            | Self::Signed { .. }
            | Self::Unattributed => 403,
            // As providers answer a prompt that is longer than the model's context.
            Self::Unreadable | Self::PromptSize { .. } => 400,
            Self::Misdirected => 421,
            Self::TooLarge { .. } => 413,
            Self::Upstream => 502,
            Self::Unavailable => 503,
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget {
                name,
                counts,
                retry_after_s: Some(seconds),
            } => write!(
                f,
                "Budget '{name}' of {counts} is used up for this workload. Try again in {seconds} s."
            ),
            Self::Budget { name, counts, .. } => write!(
                f,
                "Budget '{name}' of {counts} does not allow this request of this workload."
            ),
            Self::Unpriced { name } => write!(
                f,
                "A budget of policy '{name}' counts money, and this host has no price for this model."
            ),
            Self::Policy { name } => write!(f, "Blocked by policy '{name}' of this host."),
            Self::Model { name } => write!(f, "Policy '{name}' of this host does not allow this model."),
            Self::Tool { name } => write!(
                f,
                "Policy '{name}' of this host does not allow a tool that is offered or called."
            ),
            Self::PromptSize {
                name,
                limit,
                counts,
            } => write!(
                f,
                "The prompt is longer than the {limit} {counts} that policy '{name}' of this host allows."
            ),
            Self::Language { name } => {
                write!(f, "Policy '{name}' of this host does not allow the language of this prompt.")
            }
            Self::Operation { name } => {
                write!(f, "Policy '{name}' of this host does not allow this operation.")
            }
            Self::Unattributed => f.write_str(
                "Policy on this host requires a known workload, and this one could not be identified.",
            ),
            Self::Unreadable => f.write_str(
                "The request body could not be read, and policy on this host requires that it is.",
            ),
            Self::Misdirected => f.write_str(
                "The request names another host than its connection, and policy on this host requires that they agree.",
            ),
            Self::TooLarge { limit_bytes } => {
                write!(
                    f,
                    "The request body is larger than the {limit_bytes} bytes that policy on this host allows."
                )
            }
            Self::Signed { name } => {
                write!(
                    f,
                    "Policy '{name}' of this host must edit this request, but its body is signed."
                )
            }
            Self::Upstream => f.write_str("The provider could not be reached securely from this host."),
            Self::Unavailable => f.write_str("Policy on this host cannot be evaluated at the moment."),
        }
    }
}

/// An answer to send instead of the provider's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// Headers, names in lower case. `content-length` is left to who sends it.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The provider's own error for `reason`, before anything was answered.
///
/// `x-should-retry: false` keeps the SDKs from retrying a 429 or a 5xx by themselves (openai-python 3.54.0 and
/// anthropic-python 2.12.0, `_base_client.py`, `_should_retry`); `retry-after` is for who reads it and retries later.
#[must_use]
pub fn refuse(call: &Call, reason: &RefusalReason) -> Refusal {
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("x-should-retry", "false".to_owned()),
    ];
    if let RefusalReason::Budget {
        retry_after_s: Some(seconds),
        ..
    } = reason
    {
        headers.push(("retry-after", seconds.to_string()));
    }
    let shape = call.shape.shape();
    if let Some((name, value)) = shape.error_header(call, reason) {
        headers.push((name, value.to_owned()));
    }
    Refusal {
        status: shape.status(call, reason),
        headers,
        body: shape.error_document(call, reason),
    }
}

/// What to send to end a streamed answer: whole frames, so it may only follow a whole frame, or (where `begun` is not
/// set) the start of the body: no frame was sent yet. The SDK raises its ordinary exception on it.
#[must_use]
pub fn cut(call: &Call, framing: Framing, begun: bool, reason: &RefusalReason) -> Vec<u8> {
    let shape = call.shape.shape();
    match framing {
        Framing::Sse => shape.cut_events(call, reason),
        Framing::Ndjson => {
            let mut out = shape.cut_document(call, reason);
            out.push(b'\n');
            out
        }
        Framing::JsonArray => {
            let mut out = vec![if begun { b',' } else { b'[' }];
            out.extend_from_slice(&shape.cut_document(call, reason));
            out.push(b']');
            out
        }
        Framing::EventStream => {
            let mut payload = b"{\"message\":\"".to_vec();
            escape_into(&mut payload, &reason.to_string());
            payload.extend_from_slice(b"\"}");
            exception(shape.cut_exception(call, reason), &payload)
        }
        Framing::WebSocket => {
            let mut out = Vec::new();
            if let Some(error) = shape.error_message(call, reason) {
                out.extend_from_slice(&encode_message(MessageKind::Text, &error, None));
            }
            let close = close_payload(CloseCode::POLICY, &reason.to_string());
            out.extend_from_slice(&encode_message(MessageKind::Close, &close, None));
            out
        }
    }
}

/// A server-sent event that has only data, which must be one line.
pub(crate) fn sse_data(data: &[u8]) -> Vec<u8> {
    [b"data: ", data, b"\n\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Api, Operation};

    fn calls() -> [Call; 3] {
        [
            Call::new(Api::OpenAi, Operation::ChatCompletions),
            Call::new(Api::Anthropic, Operation::Messages),
            Call::new(Api::Gemini, Operation::GenerateContent),
        ]
    }

    fn json(body: &[u8]) -> serde_json::Value {
        serde_json::from_slice(body).unwrap()
    }

    #[test]
    fn budget_refusal_is_a_429_that_no_sdk_retries() {
        let reason = RefusalReason::Budget {
            name: "billing \"bots\"".into(),
            counts: "tokens",
            retry_after_s: Some(90),
        };
        for call in calls() {
            let refusal = refuse(&call, &reason);
            assert_eq!(refusal.status, 429);
            assert!(refusal.headers.contains(&("retry-after", "90".into())));
            assert!(refusal.headers.contains(&("x-should-retry", "false".into())));
            let message = json(&refusal.body)["error"]["message"]
                .as_str()
                .unwrap()
                .to_owned();
            assert!(message.contains("billing \"bots\""), "{message}");
        }
    }

    #[test]
    fn bodies_have_the_members_the_sdks_read() {
        let reason = RefusalReason::Policy {
            name: "no-cards".into(),
        };
        let openai = json(&refuse(&calls()[0], &reason).body);
        assert_eq!(openai["error"]["code"], "policy_violation");
        assert!(openai["error"]["param"].is_null());
        let anthropic = json(&refuse(&calls()[1], &reason).body);
        assert_eq!(anthropic["type"], "error");
        assert_eq!(anthropic["error"]["type"], "permission_error");
        let gemini = json(&refuse(&calls()[2], &reason).body);
        assert_eq!(gemini["error"]["code"], 403);
        assert_eq!(gemini["error"]["status"], "PERMISSION_DENIED");
    }

    #[test]
    fn a_cut_websocket_ends_in_the_error_event_and_a_close_for_policy() {
        let reason = RefusalReason::Policy {
            name: format!("x{}", "\u{e9}".repeat(200)),
        };
        for operation in [Operation::Realtime, Operation::Responses, Operation::Messages] {
            let call = Call::new(
                match operation {
                    Operation::Messages => Api::Anthropic,
                    _ => Api::OpenAi,
                },
                operation,
            );
            let mut decoder = crate::WebSocketDecoder::new(crate::Sender::Server);
            decoder.push(cut(&call, Framing::WebSocket, true, &reason).into());
            if call.shape == Api::OpenAi {
                let error = decoder.next().unwrap().unwrap();
                assert_eq!(error.kind(), MessageKind::Text);
                let error = json(error.data());
                assert_eq!(
                    (&error["type"], &error["error"]["code"]),
                    (&"error".into(), &"policy_violation".into())
                );
            }
            let close = decoder.next().unwrap().unwrap();
            assert_eq!(close.close_code(), Some(1008));
            assert_eq!(close.data().len(), 2 + 122, "a character is not cut in two");
            assert!(decoder.is_closed());
        }
    }

    #[test]
    fn cuts_are_events_that_read_as_an_error_and_an_end() {
        let reason = RefusalReason::Budget {
            name: "b".into(),
            counts: "tokens",
            retry_after_s: None,
        };
        for call in calls() {
            let mut decoder = crate::FrameDecoder::new(Framing::Sse);
            decoder.push(cut(&call, Framing::Sse, false, &reason).into());
            let mut seen = Vec::new();
            while let Some(event) = decoder.next().unwrap() {
                let read = crate::read_event(&call, &event).unwrap();
                seen.push((read.error, read.terminal));
            }
            assert!(decoder.remainder().is_empty());
            assert!(seen.first().unwrap().0, "the first event is the error");
            assert!(seen.last().unwrap().1, "the last event ends the stream");
        }
    }
}
