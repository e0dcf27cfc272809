//! How an exchange ended, and why.

use super::label::labels;

labels! {
    /// What Weir did with an exchange.
    Verdict {
        /// It passed as it was.
        Allowed => "allowed",
        /// It passed with text replaced.
        Redacted => "redacted",
        /// Its response was ended before the provider ended it.
        Cut => "cut",
        /// It was refused before it reached the provider.
        Denied => "denied",
    }
}

labels! {
    /// What a budget's limit did to an exchange that went on.
    LimitAction {
        /// Its output limit was lowered.
        Clamped => "clamped",
        /// Another model was asked.
        Downgraded => "downgraded",
        /// Its answer was slowed down.
        SlowedDown => "slowed_down",
    }
}

labels! {
    /// Why an exchange ended otherwise than by passing whole and unchanged.
    Reason {
        /// A token budget has no room.
        Budget => "budget",
        /// A budget counts money, and the model has no price.
        Unpriced => "unpriced",
        /// A content rule found something.
        Content => "content",
        /// An external guardrail said no.
        Guardrail => "guardrail",
        /// An external guardrail could not be asked.
        GuardrailFailed => "guardrail_failed",
        /// A policy does not allow the model.
        Model => "model",
        /// A policy does not allow the operation.
        Operation => "operation",
        /// A policy does not allow a tool that is offered or called.
        Tool => "tool",
        /// The prompt is longer than a policy allows.
        PromptSize => "prompt_size",
        /// A policy does not allow the language of a text.
        Language => "language",
        /// The condition of a policy's rule holds.
        Rule => "rule",
        /// The request or response could not be read as what it claims to be, and a policy needs it read.
        Unreadable => "unreadable",
        /// The request exceeds the inspection bound.
        TooLarge => "too_large",
        /// An edit is called for and a signature covers the body.
        Signed => "signed",
        /// The request names another LLM host than its connection's ClientHello.
        ServerNameMismatch => "server_name_mismatch",
        /// The connection's workload is not known for sure, and policy asks for that.
        Unattributed => "unattributed",
        /// The ledger could not take the reservation for a reason of its own.
        Ledger => "ledger",
        /// The connection to the provider failed.
        UpstreamFailed => "upstream_failed",
        /// The client went away before the end.
        ClientGone => "client_gone",
        /// The agent was shut down during the exchange.
        Shutdown => "shutdown",
    }
}

impl Reason {
    /// The risk that a decision for this reason is against, where it is the same for every rule.
    #[must_use]
    pub const fn owasp(self) -> Option<Owasp> {
        match self {
            Self::Model | Self::Operation | Self::Tool => Some(Owasp::Llm06),
            Self::Budget | Self::Unpriced | Self::PromptSize => Some(Owasp::Llm10),
            _ => None,
        }
    }
}

labels! {
    /// What kept a policy from deciding by what it says.
    Fault {
        /// A condition could not be evaluated. It was decided as if it had said yes.
        ExpressionFailed => "expression_failed",
        /// A detector met one of its bounds and could not read a text to its end: what the policy says of that was done
        /// (`on_detector_limit`).
        DetectorLimit => "detector_limit",
    }
}

labels! {
    /// What went wrong at the provider or on the way to it; nothing of this was Weir's decision.
    ErrorClass {
        /// The provider refused the request as wrong (4xx, unless another class fits).
        InvalidRequest => "invalid_request",
        /// The provider refused the credentials (401, 403).
        Unauthorized => "unauthorized",
        /// The provider limits the rate (429).
        RateLimited => "rate_limited",
        /// The provider failed (5xx).
        Provider => "provider",
        /// The provider reported an error inside a stream that had begun well.
        Stream => "stream",
        /// No connection to the provider, or it broke.
        Transport => "transport",
        /// What came from the provider is not valid HTTP.
        Protocol => "protocol",
    }
}

impl ErrorClass {
    /// The class of a provider's status code (RFC 9110, section 15); `None` below 400.
    #[must_use]
    pub const fn from_status(status: u16) -> Option<Self> {
        match status {
            401 | 403 => Some(Self::Unauthorized),
            429 => Some(Self::RateLimited),
            400..=499 => Some(Self::InvalidRequest),
            500.. => Some(Self::Provider),
            _ => None,
        }
    }
}

labels! {
    /// What a content rule does about a finding.
    FindingAction {
        /// It is put on record.
        Alert => "alert",
        /// It is replaced.
        Redact => "redact",
        /// The request is refused, or the response cut.
        Block => "block",
    }
}

labels! {
    /// The risk that a rule is against, of the OWASP Top 10 for LLM applications, 2025.
    Owasp {
        /// Prompt injection.
        Llm01 => "LLM01",
        /// Sensitive information disclosure.
        Llm02 => "LLM02",
        /// Supply chain.
        Llm03 => "LLM03",
        /// Data and model poisoning.
        Llm04 => "LLM04",
        /// Improper output handling.
        Llm05 => "LLM05",
        /// Excessive agency.
        Llm06 => "LLM06",
        /// System prompt leakage.
        Llm07 => "LLM07",
        /// Vector and embedding weaknesses.
        Llm08 => "LLM08",
        /// Misinformation.
        Llm09 => "LLM09",
        /// Unbounded consumption.
        Llm10 => "LLM10",
    }
}

impl Owasp {
    /// What a detector's findings are a sign of.
    #[must_use]
    pub fn of_detector(detector: &str) -> Option<Self> {
        match detector {
            "prompt_injection" => Some(Self::Llm01),
            _ if detector.starts_with("pii.") || detector.starts_with("secret.") => Some(Self::Llm02),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_distinct_snake_case() {
        let names: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        assert!(
            names
                .iter()
                .all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        );
        assert_eq!(
            serde_json::to_string(&Reason::TooLarge).unwrap(),
            r#""too_large""#
        );
    }

    #[test]
    fn classes_of_statuses() {
        let class = ErrorClass::from_status;
        assert_eq!(class(200), None);
        assert_eq!(class(307), None);
        assert_eq!(class(400), Some(ErrorClass::InvalidRequest));
        assert_eq!(class(403), Some(ErrorClass::Unauthorized));
        assert_eq!(class(429), Some(ErrorClass::RateLimited));
        assert_eq!(class(529), Some(ErrorClass::Provider));
    }
}
