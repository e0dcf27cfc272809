//! Scanning a stream's texts across its events, and holding events back until their text is decided.
//!
//! 1. Each piece of text goes through the windows of its channel, one per content rule. A window says what it has found
//!    and up to where the text is decided.
//! 2. Events wait in order. The first is let go when all its pieces are decided; a finding that lies over several events
//!    leaves its placeholder in the first and nothing in the others. An event without findings keeps its bytes.
//! 3. A whole text that repeats what its channel has told in pieces is scanned at once and by itself; what was found in
//!    the pieces is found in it again, and is replaced there too without being noted twice.
//! 4. When the text of a channel can be taken to have ended (another part of the same answer begins, the answer
//!    finishes), what its windows still hold is decided as it stands, so that nothing waits for text that will not come.
//! 5. Pseudonyms of the prompt are put back in the same way. Rules read the text as the provider wrote it; what they find in a
//!    pseudonym is the workload's own and no finding.

mod text;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use monitor_content::{Restorer, Scanned};
use monitor_protocol::{Channel, Delta, Edit, EditError, Frame, StreamEvent, Telling};
use smallvec::SmallVec;

use super::Fingerprints;
use super::pseudonyms::{Source, is_own, put_back};
use super::replace::{Replaced, hash, make_disjoint, replace, replace_in_piece};
use super::tools::CalledTools;
use crate::event::Part;
use crate::policy::{Applied, Scan};
pub(super) use text::Found;
use text::Text;

/// Bytes of events that wait. One window holds 256 bytes of text, which one-letter events with long envelopes stretch to
/// some 100 KiB; at the bound everything held is decided as it stands.
const QUEUE_BYTES: usize = 256 * 1024;
/// Texts of one stream that are scanned each on its own; a stream with more is not one of a real provider.
const MAX_CHANNELS: usize = 256;

/// The scanned texts of one stream.
pub(super) struct Release {
    scans: Vec<Scan>,
    fingerprints: Fingerprints,
    restorer: Option<Arc<Restorer>>,
    channels: Vec<Text>,
    queue: VecDeque<Held>,
    queued_bytes: usize,
    /// Of the event that was scanned last, for [`Release::queue`].
    pieces: SmallVec<[Piece; 1]>,
    repeats: SmallVec<[(Range<usize>, String); 0]>,
    echoes: SmallVec<[Range<usize>; 0]>,
    /// Rules, and parts, that met a bound since this was asked last.
    limited: SmallVec<[(usize, Part); 0]>,
    /// Names of tools that are called, where policy says which may be.
    called: Option<CalledTools>,
}

struct Held {
    event: Frame,
    pieces: SmallVec<[Piece; 1]>,
    /// Repeats with findings: their spans, and what is to stand there.
    repeats: SmallVec<[(Range<usize>, String); 0]>,
    echoes: SmallVec<[Range<usize>; 0]>,
    /// A member that is not for the client.
    unasked: Option<Range<usize>>,
}

/// A run of one text inside an event.
#[derive(Clone)]
struct Piece {
    text: usize,
    range: Range<usize>,
    span: Range<usize>,
}

impl Release {
    /// For the answers of an exchange; `None` where no policy says anything about them and nothing is to be put back.
    pub(super) fn of(
        applied: &Applied,
        fingerprints: &Fingerprints,
        restorer: Option<&Arc<Restorer>>,
    ) -> Option<Self> {
        let reads = !applied.response.is_empty() || !applied.tools.is_empty() || restorer.is_some();
        reads.then(|| Self {
            called: (!applied.tools.is_empty()).then(CalledTools::default),
            ..Self::new(&applied.response, fingerprints, restorer)
        })
    }

    fn new(scans: &[Scan], fingerprints: &Fingerprints, restorer: Option<&Arc<Restorer>>) -> Self {
        Self {
            scans: scans.to_vec(),
            fingerprints: fingerprints.clone(),
            restorer: restorer.cloned(),
            channels: Vec::new(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            pieces: SmallVec::new(),
            repeats: SmallVec::new(),
            echoes: SmallVec::new(),
            limited: SmallVec::new(),
            called: None,
        }
    }

    /// The places of the rules that could not read a text to its end, with its part, since this was asked last.
    pub(super) fn limited(&mut self) -> SmallVec<[(usize, Part); 0]> {
        for text in &mut self.channels {
            text.newly_limited(&mut self.limited);
        }
        std::mem::take(&mut self.limited)
    }

    /// The names of called tools that have been told to their end since this was asked last.
    pub(super) fn called_tools(&mut self) -> Vec<String> {
        self.called.as_mut().map(CalledTools::take).unwrap_or_default()
    }

    /// Scans an event's texts. Findings are appended to `found` with the index of their rule. `false` if the stream has
    /// more texts than can be told apart.
    pub(super) fn scan(&mut self, event: &Frame, read: &StreamEvent<'_>, found: &mut Vec<Found>) -> bool {
        self.pieces.clear();
        self.repeats.clear();
        self.echoes.clone_from(&read.echoes);
        if let Some(called) = &mut self.called
            && !called.read(read)
        {
            return false;
        }
        for delta in &read.deltas {
            let told = self
                .channels
                .iter()
                .position(|text| text.channel == delta.channel);
            if delta.telling.repeats(told.is_some()) {
                if let Some(index) = told {
                    self.decide(index, found);
                }
                self.repeat(delta, found);
                continue;
            }
            let Some(index) = self.channel(delta.channel) else {
                return false;
            };
            self.end_others(index, found);
            let text = &mut self.channels[index];
            let range = text.push(&delta.text, &self.scans, &self.fingerprints, found);
            self.pieces.push(Piece {
                text: index,
                range,
                span: delta.span.clone(),
            });
            if delta.telling == Telling::Whole {
                self.decide(index, found);
            }
        }
        let over = self.queued_bytes + event.raw().len() > QUEUE_BYTES;
        if over && let Some(called) = &mut self.called {
            called.finish();
        }
        if over || read.finish.is_some() || read.terminal || read.error {
            self.decide_all(found);
        }
        true
    }

    /// Scans a text that was told before. What is to be replaced has been noted then; what blocks has not been passed on then,
    /// and is something new.
    fn repeat(&mut self, delta: &Delta<'_>, found: &mut Vec<Found>) {
        let mut replaced = Vec::new();
        let mut own = Vec::new();
        let part = Part::of_response(delta.channel.part);
        if let Some(restorer) = &self.restorer {
            let mut restored = Vec::new();
            restorer.restore(&delta.text, &mut restored);
            own.extend(restored.iter().map(|restored| restored.start..restored.end));
            let source = Source::of(part, &delta.text);
            replaced.extend(restored.into_iter().map(|restored| put_back(restored, source)));
        }
        let scans = self.scans.iter().enumerate();
        for (rule, scan) in scans.filter(|(_, scan)| scan.parts.has(part)) {
            let mut findings = Vec::new();
            let scanned = scan.detectors(part).scan(&delta.text, &mut findings);
            if scanned == Scanned::Limited {
                self.limited.push((rule, part));
            }
            findings.retain(|finding| !scan.excepts(finding, part) && !is_own(&own, finding));
            for finding in findings {
                let text = delta.text.get(finding.start..finding.end).unwrap_or_default();
                let hash = hash(&self.fingerprints, text);
                if scan.blocks() {
                    let hash = Some(hash);
                    found.push(Found {
                        rule,
                        part,
                        finding,
                        hash,
                    });
                } else if scan.redacts() {
                    replaced.push(Replaced::new(&finding, scan.redaction, text, Some(hash)));
                }
            }
        }
        if !replaced.is_empty() {
            make_disjoint(&mut replaced);
            self.repeats
                .push((delta.span.clone(), replace(&delta.text, &replaced)));
        }
    }

    /// Puts the event that was scanned last in the queue; `unasked` is what of it goes whatever is found.
    pub(super) fn queue(&mut self, event: Frame, unasked: Option<Range<usize>>) {
        self.queued_bytes += event.raw().len();
        self.queue.push_back(Held {
            event,
            pieces: std::mem::take(&mut self.pieces),
            repeats: std::mem::take(&mut self.repeats),
            echoes: std::mem::take(&mut self.echoes),
            unasked,
        });
    }

    /// Appends to `out` the events whose text is decided.
    ///
    /// # Errors
    /// An edit does not lie in its event, which the reading of the event rules out.
    pub(super) fn drain(&mut self, out: &mut Vec<Bytes>) -> Result<(), EditError> {
        while let Some(held) = self.queue.front() {
            let decided = |piece: &Piece| {
                let text = &self.channels[piece.text];
                let called = self.called.as_ref();
                piece.range.end <= text.decided() && !called.is_some_and(|called| called.waits(text.channel))
            };
            if !held.pieces.iter().all(decided) {
                break;
            }
            out.push(self.edited(held)?);
            self.queued_bytes -= held.event.raw().len();
            for piece in &held.pieces {
                self.channels[piece.text].forget_until(piece.range.end);
            }
            self.queue.pop_front();
        }
        Ok(())
    }

    /// Decides all that is held: the stream has ended.
    pub(super) fn finish(&mut self, found: &mut Vec<Found>) {
        if let Some(called) = &mut self.called {
            called.finish();
        }
        for text in &mut self.channels {
            text.finish(&self.scans, &self.fingerprints, found);
        }
    }

    fn channel(&mut self, channel: Channel) -> Option<usize> {
        if let Some(index) = self.channels.iter().position(|text| text.channel == channel) {
            return Some(index);
        }
        if self.channels.len() == MAX_CHANNELS {
            return None;
        }
        self.channels
            .push(Text::new(channel, &self.scans, self.restorer.as_ref()));
        Some(self.channels.len() - 1)
    }

    /// The parts of one answer come one after the other: when one goes on, the others have ended.
    fn end_others(&mut self, current: usize, found: &mut Vec<Found>) {
        let choice = self.channels[current].channel.choice;
        for index in 0..self.channels.len() {
            if index != current && self.channels[index].channel.choice == choice {
                self.decide(index, found);
            }
        }
    }

    fn decide_all(&mut self, found: &mut Vec<Found>) {
        for index in 0..self.channels.len() {
            self.decide(index, found);
        }
    }

    fn decide(&mut self, index: usize, found: &mut Vec<Found>) {
        self.channels[index].decide(&self.scans, &self.fingerprints, found);
    }

    fn edited(&self, held: &Held) -> Result<Bytes, EditError> {
        let mut texts: SmallVec<[(Range<usize>, String); 1]> = held.repeats.iter().cloned().collect();
        for piece in &held.pieces {
            let touched = self.channels[piece.text].replaced_in(&piece.range);
            let text = held.event.text(piece.span.clone());
            if let Some(edited) = replace_in_piece(&text, piece.range.start, touched) {
                texts.push((piece.span.clone(), edited));
            }
        }
        if texts.is_empty() && held.unasked.is_none() {
            return Ok(held.event.raw().clone());
        }
        let mut edits: Vec<Edit<'_>> = texts
            .iter()
            .map(|(span, text)| Edit::text(span.clone(), text))
            .collect();
        edits.extend(held.unasked.clone().map(|member| Edit::json(member, "")));
        if !texts.is_empty() {
            edits.extend(held.echoes.iter().map(|echo| Edit::json(echo.clone(), "null")));
        }
        held.event.edited(&edits)
    }
}

#[cfg(test)]
mod tests;
