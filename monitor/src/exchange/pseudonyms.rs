//! Reversible redaction: what stands in the prompt for a text that was found, and that text again in the answer.
//!
//! Pseudonyms are chosen by the node's key (or the cluster's), so that a text that is sent again with the next prompt has
//! the same. They live as long as their exchange, or their conversation over a WebSocket, and are never on record.

use std::borrow::Cow;
use std::ops::Range;

use monitor_content::{Finding, Restored};
use monitor_protocol::Text;

use super::Exchange;
use super::replace::Replaced;
use crate::event::{Part, Reason};

impl Exchange {
    /// Chooses what stands for the text of a finding.
    pub(super) fn add_pseudonym(&mut self, detector: &'static str, found: &str) {
        let fingerprints = &self.origin.node.fingerprints;
        self.pseudonyms
            .get_or_insert_default()
            .add(detector, found, &|bytes| fingerprints.keyed(bytes));
    }

    /// Puts pseudonyms where they are awaited: none of them is in the prompt. A text that has none keeps its placeholder.
    pub(super) fn put_pseudonyms(&mut self, texts: &[Text<'_>], replaced: &mut [(usize, Vec<Replaced>)]) {
        let Some(pseudonyms) = &mut self.pseudonyms else {
            return;
        };
        let awaited = |(_, replaced): &(usize, Vec<Replaced>)| replaced.iter().any(|r| r.awaits_pseudonym);
        if !replaced.iter().any(awaited) {
            return;
        }
        let fingerprints = &self.origin.node.fingerprints;
        let texts: Vec<_> = texts.iter().map(|text| text.text()).collect();
        pseudonyms.settle(texts.iter().map(AsRef::as_ref), &|bytes| {
            fingerprints.keyed(bytes)
        });
        for (text_index, replaced) in replaced {
            let Some(text) = texts.get(*text_index) else {
                continue;
            };
            for replaced in replaced.iter_mut().filter(|r| r.awaits_pseudonym) {
                let original = text.get(replaced.range.clone()).unwrap_or_default();
                if let Some(pseudonym) = pseudonyms.get(original) {
                    replaced.with = Cow::Owned(pseudonym.to_owned());
                }
            }
        }
        self.restorer = pseudonyms.restorer();
    }

    /// Whether there are pseudonyms that the answer may have.
    pub(super) fn restores(&self) -> bool {
        self.restorer.is_some()
    }

    /// The answer cannot be read: it passes with the pseudonyms, which tell nobody anything.
    pub(super) fn give_up_restoring(&mut self) {
        if self.restorer.take().is_some() {
            self.reason.get_or_insert(Reason::Unreadable);
        }
    }

    /// Where pseudonyms are in a whole text of the answer.
    pub(super) fn pseudonyms_in(&self, text: &str) -> Vec<Restored> {
        let mut restored = Vec::new();
        if let Some(restorer) = &self.restorer {
            restorer.restore(text, &mut restored);
        }
        restored
    }
}

/// What is put back in a text of the answer that is written so.
pub(super) fn put_back(restored: Restored, source: Source) -> Replaced {
    let with = if source.is_json() {
        json_escaped(&restored.original)
    } else {
        restored.original
    };
    Replaced::text(restored.start..restored.end, Cow::Owned(with))
}

/// Whether a finding is of what the workload gets back as it sent it. `restored` are the spans of pseudonyms, in order.
pub(super) fn is_own(restored: &[Range<usize>], finding: &Finding) -> bool {
    let at = restored.partition_point(|span| span.end < finding.end);
    restored.get(at).is_some_and(|span| span.start <= finding.start)
}

/// How a text of the answer is written: as it is, or as the source of a JSON document, whose strings have escapes.
///
/// The arguments of a tool come as JSON's source in one string, or each as a string by itself; the beginning tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    may_be_json: bool,
    /// The first two bytes that are not blank; 0 where there are fewer.
    first: [u8; 2],
}

impl Source {
    /// Of a text that begins so.
    pub(super) fn of(part: Part, beginning: &str) -> Self {
        let mut source = Self {
            may_be_json: part == Part::ToolArguments,
            first: [0; 2],
        };
        source.read(beginning);
        source
    }

    /// Reads the text's next piece.
    pub(super) fn read(&mut self, piece: &str) {
        let mut bytes = piece.bytes().filter(|byte| !byte.is_ascii_whitespace());
        for slot in self.first.iter_mut().filter(|slot| **slot == 0) {
            *slot = bytes.next().unwrap_or(0);
        }
    }

    const fn is_json(self) -> bool {
        let begins = matches!(
            self.first,
            [b'{', b'"' | b'}']
                | [
                    b'[',
                    b'"' | b'{' | b'[' | b']' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'
                ]
        );
        self.may_be_json && begins
    }
}

/// As it stands between the quotes of a JSON string.
fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}
