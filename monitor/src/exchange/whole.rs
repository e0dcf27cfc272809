//! Deciding about the texts of an answer that is here whole.

use monitor_protocol::{Edit, Response, edit};

use super::replace::{Replaced, replace};
use super::response::Document;
use super::{Exchange, WholeDecision};
use crate::event::Part;

impl Exchange {
    /// Records what is found in a response that no policy changes.
    pub(super) fn scan_whole(&mut self, document: Document<'_>) {
        let applied = self.applied.clone();
        // None of the rules is enforced, or the response would have been held: nothing is to be replaced.
        match document {
            Document::Plain(text) => {
                let _observed = self.scan_text(text, &applied.response, Part::Text);
            }
            Document::Read(response) => {
                let _observed = self.check_whole_calls(response);
                for text in &response.texts {
                    let part = Part::of_response(text.channel.part);
                    let _observed = self.scan_text(&text.text(), &applied.response, part);
                }
            }
        }
    }

    /// Decides about an answer that is one text.
    pub(super) fn edit_plain(&mut self, text: &str) -> WholeDecision {
        let applied = self.applied.clone();
        match self.scan_text(text, &applied.response, Part::Text) {
            Ok(replaced) if replaced.is_empty() => WholeDecision::Forward,
            Ok(replaced) => WholeDecision::Edited(replace(text, &replaced).into()),
            Err(refusal) => WholeDecision::Refuse(refusal),
        }
    }

    /// Decides about an answer that is one of the provider's documents.
    pub(super) fn edit_whole(&mut self, body: &[u8], response: &Response<'_>) -> WholeDecision {
        let applied = self.applied.clone();
        if let Some(refusal) = self.check_whole_calls(response) {
            return WholeDecision::Refuse(refusal);
        }
        let mut decided = Vec::new();
        for text in &response.texts {
            let part = Part::of_response(text.channel.part);
            match self.scan_text(&text.text(), &applied.response, part) {
                Ok(replaced) if replaced.is_empty() => {}
                Ok(replaced) => decided.push((text, replaced)),
                Err(refusal) => return WholeDecision::Refuse(refusal),
            }
        }
        if decided.is_empty() {
            return WholeDecision::Forward;
        }
        let mut edits: Vec<Edit<'_>> = Vec::new();
        for (text, replaced) in &decided {
            let mut raw = text.raw_spans();
            for Replaced { range, with, .. } in replaced {
                let Some(edit) = raw.edit(range.clone(), with) else {
                    return WholeDecision::Refuse(self.refuse_upstream());
                };
                edits.push(edit);
            }
        }
        let echoes = response.echoes.iter();
        edits.extend(echoes.map(|echo| Edit::json(echo.clone(), "null")));
        match edit(body, &edits) {
            Ok(edited) => WholeDecision::Edited(edited.into()),
            Err(_) => WholeDecision::Refuse(self.refuse_upstream()),
        }
    }
}
