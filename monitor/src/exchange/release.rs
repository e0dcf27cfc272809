//! Scanning a stream's texts across its events, and holding events back until their text is decided.
//!
//! 1. Each piece of text goes through the windows of its channel, one per content rule. A window says what it has found
//!    and up to where the text is decided.
//! 2. Events wait in order. The first is let go when all its pieces are decided; a finding that lies over several events
//!    leaves its placeholder in the first and nothing in the others. An event without findings keeps its bytes.
//! 3. When the text of a channel can be taken to have ended (another part of the same answer begins, the answer
//!    finishes), what its windows still hold is decided as it stands, so that nothing waits for text that will not come.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use monitor_content::{Finding, MAX_HOLD_BYTES, Window};
use monitor_protocol::{Channel, Edit, EditError, Frame, StreamEvent};
use smallvec::SmallVec;

use super::inspect::{make_disjoint, substitute};
use crate::policy::Scan;

/// Bytes of events that wait. One window holds 256 bytes of text, which one-letter events with long envelopes stretch to
/// some 100 KiB; at the bound everything held is decided as it stands.
const QUEUE_BYTES: usize = 256 * 1024;
/// Texts of one stream that are scanned each on its own; a stream with more is not one of a real provider.
const MAX_CHANNELS: usize = 256;

/// The scanned texts of one stream.
pub(super) struct Release {
    scans: Vec<Scan>,
    channels: Vec<Text>,
    queue: VecDeque<Held>,
    queued_bytes: usize,
    /// Of the event that was scanned last, for [`Release::queue`].
    pieces: SmallVec<[Piece; 1]>,
    echoes: SmallVec<[Range<usize>; 0]>,
}

/// One growing text.
struct Text {
    channel: Channel,
    len: usize,
    windows: SmallVec<[Window; 1]>,
    /// Findings to be replaced, in events that still wait.
    replace: Vec<Finding>,
}

struct Held {
    event: Frame,
    pieces: SmallVec<[Piece; 1]>,
    echoes: SmallVec<[Range<usize>; 0]>,
}

/// A run of one text inside an event.
#[derive(Clone)]
struct Piece {
    text: usize,
    range: Range<usize>,
    span: Range<usize>,
}

impl Release {
    pub(super) fn new(scans: &[Scan]) -> Self {
        Self {
            scans: scans.to_vec(),
            channels: Vec::new(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            pieces: SmallVec::new(),
            echoes: SmallVec::new(),
        }
    }

    /// Scans an event's texts. Findings are appended to `found` with the index of their rule. `false` if the stream has
    /// more texts than can be told apart.
    pub(super) fn scan(
        &mut self,
        event: &Frame,
        read: &StreamEvent<'_>,
        found: &mut Vec<(usize, Finding)>,
    ) -> bool {
        self.pieces.clear();
        self.echoes.clone_from(&read.echoes);
        for delta in &read.deltas {
            let Some(index) = self.channel(delta.channel) else {
                return false;
            };
            self.end_others(index, found);
            let text = &mut self.channels[index];
            let start = text.len;
            text.len += delta.text.len();
            let range = start..text.len;
            for rule in 0..self.scans.len() {
                self.with_window(index, rule, found, |window, out| window.push(&delta.text, out));
            }
            self.pieces.push(Piece {
                text: index,
                range,
                span: delta.span.clone(),
            });
        }
        let over = self.queued_bytes + event.raw().len() > QUEUE_BYTES;
        if over || read.finish.is_some() || read.terminal || read.error {
            self.decide_all(found);
        }
        true
    }

    /// Puts the event that was scanned last in the queue.
    pub(super) fn queue(&mut self, event: Frame) {
        self.queued_bytes += event.raw().len();
        let (pieces, echoes) = (std::mem::take(&mut self.pieces), std::mem::take(&mut self.echoes));
        self.queue.push_back(Held {
            event,
            pieces,
            echoes,
        });
    }

    /// Appends to `out` the events whose text is decided.
    ///
    /// # Errors
    /// An edit does not lie in its event, which the reading of the event rules out.
    pub(super) fn drain(&mut self, out: &mut Vec<Bytes>) -> Result<(), EditError> {
        while let Some(held) = self.queue.front() {
            let decided = |piece: &Piece| {
                let windows = &self.channels[piece.text].windows;
                windows.iter().all(|window| piece.range.end <= window.decided())
            };
            if !held.pieces.iter().all(decided) {
                break;
            }
            out.push(self.edited(held)?);
            self.queued_bytes -= held.event.raw().len();
            self.queue.pop_front();
        }
        if self.queue.is_empty() {
            for text in &mut self.channels {
                let decided = text.windows.iter().map(Window::decided).min().unwrap_or(text.len);
                text.replace.retain(|f| f.end > decided);
            }
        }
        Ok(())
    }

    /// Decides all that is held: the stream has ended.
    pub(super) fn finish(&mut self, found: &mut Vec<(usize, Finding)>) {
        for index in 0..self.channels.len() {
            for rule in 0..self.scans.len() {
                self.with_window(index, rule, found, Window::finish);
            }
        }
    }

    fn channel(&mut self, channel: Channel) -> Option<usize> {
        if let Some(index) = self.channels.iter().position(|text| text.channel == channel) {
            return Some(index);
        }
        if self.channels.len() == MAX_CHANNELS {
            return None;
        }
        let windows = self
            .scans
            .iter()
            .map(|s| Window::new(s.detectors.clone(), MAX_HOLD_BYTES))
            .collect();
        self.channels.push(Text {
            channel,
            len: 0,
            windows,
            replace: Vec::new(),
        });
        Some(self.channels.len() - 1)
    }

    /// The parts of one answer come one after the other: when one goes on, the others have ended.
    fn end_others(&mut self, current: usize, found: &mut Vec<(usize, Finding)>) {
        let choice = self.channels[current].channel.choice;
        for index in 0..self.channels.len() {
            if index != current && self.channels[index].channel.choice == choice {
                self.decide(index, found);
            }
        }
    }

    fn decide_all(&mut self, found: &mut Vec<(usize, Finding)>) {
        for index in 0..self.channels.len() {
            self.decide(index, found);
        }
    }

    fn decide(&mut self, index: usize, found: &mut Vec<(usize, Finding)>) {
        for rule in 0..self.scans.len() {
            if self.channels[index].windows[rule].held() > 0 {
                self.with_window(index, rule, found, Window::release);
            }
        }
    }

    fn with_window(
        &mut self,
        index: usize,
        rule: usize,
        found: &mut Vec<(usize, Finding)>,
        step: impl FnOnce(&mut Window, &mut Vec<Finding>),
    ) {
        let mut fresh = Vec::new();
        let text = &mut self.channels[index];
        step(&mut text.windows[rule], &mut fresh);
        if fresh.is_empty() {
            return;
        }
        if self.scans[rule].redacts() {
            text.replace.extend_from_slice(&fresh);
            make_disjoint(&mut text.replace);
        }
        found.extend(fresh.into_iter().map(|finding| (rule, finding)));
    }

    fn edited(&self, held: &Held) -> Result<Bytes, EditError> {
        let mut texts: SmallVec<[(Range<usize>, String); 1]> = SmallVec::new();
        for piece in &held.pieces {
            let replace = &self.channels[piece.text].replace;
            let touched = replace
                .iter()
                .filter(|f| f.start < piece.range.end && f.end > piece.range.start);
            if let Some(edited) = replaced(&held.event.text(piece.span.clone()), piece.range.start, touched) {
                texts.push((piece.span.clone(), edited));
            }
        }
        if texts.is_empty() {
            return Ok(held.event.raw().clone());
        }
        let mut edits: Vec<Edit<'_>> = texts
            .iter()
            .map(|(span, text)| Edit::text(span.clone(), text))
            .collect();
        edits.extend(held.echoes.iter().map(|echo| Edit::json(echo.clone(), "null")));
        held.event.edited(&edits)
    }
}

/// The piece that starts at `offset` of its text, with findings replaced; `None` if there are none.
fn replaced<'f>(piece: &str, offset: usize, findings: impl Iterator<Item = &'f Finding>) -> Option<String> {
    let mut out = None;
    let mut at = 0;
    for finding in findings {
        let out = out.get_or_insert_with(String::new);
        let start = finding.start.saturating_sub(offset);
        let end = (finding.end - offset).min(piece.len());
        out.push_str(piece.get(at..start).unwrap_or_default());
        if finding.start >= offset {
            out.push_str(substitute(finding));
        }
        at = end;
    }
    out.map(|mut out| {
        out.push_str(piece.get(at..).unwrap_or_default());
        out
    })
}
