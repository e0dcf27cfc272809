//! The record of one request and what became of it.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::civil::Date;
use monitor_budget::MicroUsd;
use monitor_budget::Unit;
use serde::Serialize;
use smallvec::SmallVec;

use super::label::labels;
use super::{
    ErrorClass, ExchangeId, Fault, FindingAction, LimitAction, Owasp, Part, Reason, ShortText, Verdict,
};
use crate::exchange::Fingerprint;
use crate::identity::{Attribution, Workload};

/// One request, its response and what Weir did, whole when it is made: a record is never amended.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Identifier, in time order.
    pub id: ExchangeId,
    /// When the first byte of the request arrived, Unix milliseconds.
    pub started_ms: u64,
    /// From then to the end of the response, microseconds.
    pub duration_us: u64,
    /// From then to the first byte of the response's body handed to the client, microseconds; `None` if there was none.
    pub time_to_first_byte_us: Option<u64>,
    /// Who asked; `None` exactly when `attribution` is [`Attribution::Unknown`].
    pub workload: Option<Arc<Workload>>,
    /// How sure that is, and why not surer.
    pub attribution: Attribution,
    /// The client's end of the connection.
    pub client: SocketAddr,
    /// Where the client connected to.
    pub original_destination: SocketAddr,
    /// The provider, by its name in the catalog or configuration.
    pub provider: Arc<str>,
    /// The server name of the connection.
    pub host: Arc<str>,
    /// The provider's protocol, by its name in the configuration: `openai`.
    pub api: &'static str,
    /// What was asked of it: `chat_completions`, `messages`, `other`.
    pub operation: &'static str,
    /// The model that was asked, as the request names it or policy did in its place.
    pub model: Option<ShortText>,
    /// Whether the response was a stream of events.
    pub streamed: bool,
    /// The HTTP side.
    pub http: Http,
    /// Tokens that were spent, as budgets were charged; `None` where nothing was (denied, or no model was asked).
    pub usage: Option<TokenUsage>,
    /// What they cost; `None` where nothing was spent, or the model has no price.
    pub cost: Option<Cost>,
    /// Tokens as Weir counted them itself, to compare; `None` where it did not count.
    pub counted: Option<OwnCount>,
    /// What Weir did.
    pub verdict: Verdict,
    /// What a policy in mode `observe` would have done, when that is more than `verdict`.
    pub observed: Option<Verdict>,
    /// The model that the request named, where Weir asked another one ([`Exchange::model`]).
    pub requested_model: Option<ShortText>,
    /// Output tokens a choice that Weir lowered the request's limit to.
    pub clamped: Option<u64>,
    /// Output tokens a second that the answer was slowed down to.
    pub slowed: Option<u64>,
    /// What a budget's limit did to it, beside refusing or cutting it.
    pub actions: SmallVec<[LimitAction; 0]>,
    /// What policies in mode `observe` would have done so.
    pub observed_actions: SmallVec<[LimitAction; 0]>,
    /// Why, when it did not pass whole and unchanged.
    pub reason: Option<Reason>,
    /// The rule of a policy that decided, where it has a name: of content, or a condition.
    pub rule: Option<Arc<str>>,
    /// The risk that the decision is against.
    pub owasp: Option<Owasp>,
    /// What kept policies from deciding by what they say.
    pub faults: SmallVec<[Fault; 0]>,
    /// The policy that decided.
    pub policy: Option<Arc<str>>,
    /// Who answers for that policy, where the configuration says.
    pub owner: Option<Arc<str>>,
    /// The fingerprint of the API key that the request came with; `None` where it had none.
    pub api_key: Option<Fingerprint>,
    /// What detectors found: how often, never what.
    pub findings: Vec<FindingCount>,
    /// The budgets that applied.
    pub budgets: Vec<BudgetUse>,
    /// What went wrong at the provider.
    pub error: Option<ErrorClass>,
}

/// The HTTP side of an exchange.
#[derive(Debug, Clone)]
pub struct Http {
    /// `1.0`, `1.1` or `2`.
    pub version: &'static str,
    /// The method.
    pub method: ShortText,
    /// The path without its query: [`ShortText::path`].
    pub path: ShortText,
    /// The status the client saw; `None` when it saw none.
    pub status: Option<u16>,
    /// Bytes of the request's body, as it came from the client.
    pub request_bytes: u64,
    /// Bytes of the response's body, as they went to the client.
    pub response_bytes: u64,
}

/// Tokens that were spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TokenUsage {
    /// All prompt tokens, `cache_read` and `cache_write` included.
    pub input: u64,
    /// All completion tokens, `reasoning` included.
    pub output: u64,
    /// Prompt tokens that were read from a cache.
    pub cache_read: u64,
    /// Prompt tokens that were written to a cache.
    pub cache_write: u64,
    /// Completion tokens spent on reasoning.
    pub reasoning: u64,
    /// What of them is no text.
    pub modalities: ModalityTokens,
    /// How far the figures can be trusted.
    pub certainty: Certainty,
}

/// What an exchange cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// At the model's price on the day (UTC) of the exchange, rounded up.
    pub amount: MicroUsd,
    /// The first day of that price; `None` where it has always held.
    pub price_from: Option<Date>,
}

impl Cost {
    /// The price's first day, as records have it: `2026-01-31`.
    pub(super) fn day(self) -> Option<String> {
        self.price_from.map(|day| day.to_string())
    }
}

/// Of the tokens that were spent, those that are no text, as far as the provider says: parts of `input` and `output`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ModalityTokens {
    /// Prompt tokens of audio.
    pub input_audio: u64,
    /// Prompt tokens of images.
    pub input_image: u64,
    /// Prompt tokens of video.
    pub input_video: u64,
    /// Tokens of spoken output.
    pub output_audio: u64,
    /// Tokens of images made.
    pub output_image: u64,
}

labels! {
    /// How far a count of tokens can be trusted.
    Certainty {
        /// The provider said so.
        Exact => "exact",
        /// Weir counted.
        Estimated => "estimated",
        /// Weir counted, and something may be missing.
        UnderEstimate => "under_estimate",
    }
}

/// Tokens as Weir counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OwnCount {
    /// The prompt.
    pub input: u64,
    /// The completion, as far as it was seen.
    pub output: u64,
}

/// Most hashes of one [`FindingCount`]: enough to correlate by, and a record stays small whatever a prompt holds.
pub const MAX_FINDING_HASHES: usize = 8;

/// How often a rule's detector fired in a part of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingCount {
    /// The detector's name.
    pub detector: &'static str,
    /// Where.
    pub part: Part,
    /// The policy of the rule.
    pub policy: Arc<str>,
    /// The rule, by its name or place in the policy.
    pub rule: Arc<str>,
    /// What the rule does about it.
    pub action: FindingAction,
    /// Whether that was done; `false` where the policy observes.
    pub enforced: bool,
    /// The risk the rule is against.
    pub owasp: Option<Owasp>,
    /// How sure the detector was, the most of all, 0 to 100.
    pub confidence_percent: u8,
    /// What it saw, in the most certain case.
    pub explanation: &'static str,
    /// How often.
    pub count: u32,
    /// Keyed hashes of what was found, each once: equal texts have equal hashes. At most
    /// [`MAX_FINDING_HASHES`].
    pub hashes: Vec<Fingerprint>,
}

/// What an exchange did to a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetUse {
    /// The account.
    pub key: Arc<str>,
    /// What it counts; the figures below are in it.
    pub unit: Unit,
    /// Its limit.
    pub limit: u64,
    /// Held for this exchange at most.
    pub reserved: u64,
    /// Charged for it in the end, as far as the window had room.
    pub settled: u64,
    /// Charged for it beyond that: owed, and taken from what the window frees next.
    pub debt: u64,
}
