//! External guardrails: a service of the operator's own that is asked about prompts.
//!
//! What it is sent is text of the workload; nothing is sent unless a policy names a guardrail. It is asked from a thread
//! that may wait, once per exchange, before anything is reserved or forwarded:
//!
//! 1. `POST` of one JSON object: `{"version": 1, "exchange": ID, "provider", "model", "operation", "texts": [{"part", "text"}]}`.
//! 2. The answer, status 200, says `{"action": "allow"}` or `{"action": "block"}`; other members are ignored.
//! 3. Anything else, or nothing within the deadline, is a failure, and the guardrail's `on_error` decides.
//!
//! After some failures in a row it is not asked for a while (`breaker`), so that a dead guardrail costs no exchange its
//! deadline.

mod breaker;

use std::fs;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls_native_certs::load_native_certs;
use serde::{Deserialize, Serialize};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use crate::config::{self, OnError};
use crate::event::Part;
use breaker::Breaker;

/// Most bytes of text that one question carries; more is a failure.
pub const MAX_QUESTION_BYTES: usize = 1024 * 1024;
/// Most bytes of an answer.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;
/// Questions under way to one guardrail; each holds a thread.
const MAX_IN_FLIGHT: usize = 64;

/// Why a guardrail cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GuardrailError {
    /// Its certificates cannot be read.
    #[error("the guardrail {name} has no usable certificates in {file}: {reason}")]
    Ca {
        /// The guardrail.
        name: String,
        /// The file, or the system's.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A header's value cannot be read.
    #[error("the guardrail {name} has no value for the header {header}: cannot read {file}: {reason}")]
    Header {
        /// The guardrail.
        name: String,
        /// The header.
        header: String,
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
}

/// A guardrail that can be asked.
pub struct Guardrail {
    name: Arc<str>,
    url: String,
    headers: Vec<(String, String)>,
    /// What counts where it cannot be asked.
    on_error: OnError,
    agent: ureq::Agent,
    breaker: Breaker,
    in_flight: AtomicUsize,
}

/// Headers may hold a credential.
impl std::fmt::Debug for Guardrail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guardrail")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What is asked.
#[derive(Serialize)]
pub struct Question<'q> {
    /// Of this shape.
    pub version: u32,
    /// The exchange, by its identifier in records.
    pub exchange: String,
    /// The provider.
    pub provider: &'q str,
    /// The model, where the request names one.
    pub model: &'q str,
    /// The operation.
    pub operation: &'q str,
    /// The texts that the rule is about.
    pub texts: Vec<QuestionText<'q>>,
}

/// One text that is asked about.
#[derive(Serialize)]
pub struct QuestionText<'q> {
    /// Where it stands.
    pub part: Part,
    /// The text.
    pub text: &'q str,
}

/// What a guardrail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The exchange may go on.
    Allow,
    /// It may not.
    Block,
    /// It could not be asked; what counts then.
    Failed(OnError),
}

#[derive(Deserialize)]
struct Said {
    action: SaidAction,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SaidAction {
    Allow,
    Block,
}

impl Guardrail {
    /// Makes one ready.
    ///
    /// # Errors
    /// [`GuardrailError`] if a file of it cannot be read.
    pub fn new(config: &config::Guardrail) -> Result<Self, GuardrailError> {
        let mut headers = Vec::new();
        for (header, file) in &config.headers {
            let value = fs::read_to_string(file).map_err(|error| GuardrailError::Header {
                name: config.name.clone(),
                header: header.clone(),
                file: file.display().to_string(),
                reason: error.to_string(),
            })?;
            headers.push((header.clone(), value.trim().to_owned()));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(roots(config)?)
            .build();
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_millis(config.timeout_ms)))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .tls_config(tls)
            .build();
        Ok(Self {
            name: config.name.as_str().into(),
            url: config.url.clone(),
            headers,
            on_error: config.on_error,
            agent: agent.into(),
            breaker: Breaker::default(),
            in_flight: AtomicUsize::new(0),
        })
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Asks it, and waits for its answer until the deadline.
    pub fn ask(&self, question: &Question<'_>) -> Answer {
        let failed = Answer::Failed(self.on_error);
        let bytes: usize = question.texts.iter().map(|text| text.text.len()).sum();
        if bytes > MAX_QUESTION_BYTES || !self.breaker.admits() {
            return failed;
        }
        let _place = match Place::take(&self.in_flight) {
            Some(place) => place,
            None => return failed,
        };
        match self.post(question) {
            Ok(answer) => {
                self.breaker.succeeded();
                answer
            }
            Err(reason) => {
                if self.breaker.failed() {
                    tracing::warn!(guardrail = %self.name, %reason, "a guardrail fails and is not asked for a while");
                }
                failed
            }
        }
    }

    fn post(&self, question: &Question<'_>) -> Result<Answer, String> {
        let body = serde_json::to_vec(question).map_err(|error| error.to_string())?;
        let mut request = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.send(&body[..]).map_err(|error| error.to_string())?;
        let status = response.status();
        if status != 200 {
            return Err(format!("status {status}"));
        }
        let mut answer = Vec::new();
        let reader = response.into_body().into_reader();
        let read = reader.take(MAX_ANSWER_BYTES).read_to_end(&mut answer);
        read.map_err(|error| error.to_string())?;
        // The parser's message could repeat what the guardrail said of the text.
        let said: Said =
            serde_json::from_slice(&answer).map_err(|_| "the answer is not of its shape".to_owned())?;
        Ok(match said.action {
            SaidAction::Allow => Answer::Allow,
            SaidAction::Block => Answer::Block,
        })
    }
}

/// One of the questions under way.
struct Place<'p>(&'p AtomicUsize);

impl<'p> Place<'p> {
    fn take(in_flight: &'p AtomicUsize) -> Option<Self> {
        let place = Self(in_flight);
        (in_flight.fetch_add(1, Ordering::Relaxed) < MAX_IN_FLIGHT).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn roots(config: &config::Guardrail) -> Result<RootCerts, GuardrailError> {
    let failed = |file: String, reason: String| GuardrailError::Ca {
        name: config.name.clone(),
        file,
        reason,
    };
    let mut certificates = Vec::new();
    if let Some(path) = &config.ca {
        let file = || path.display().to_string();
        let pem = fs::read(path).map_err(|error| failed(file(), error.to_string()))?;
        for item in ureq::tls::parse_pem(&pem) {
            if let ureq::tls::PemItem::Certificate(certificate) =
                item.map_err(|error| failed(file(), error.to_string()))?
            {
                certificates.push(certificate);
            }
        }
    } else {
        let found = load_native_certs();
        certificates.extend(
            found
                .certs
                .iter()
                .map(|der| Certificate::from_der(der.as_ref()).to_owned()),
        );
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

#[cfg(test)]
mod tests;
