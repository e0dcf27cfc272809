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

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use monitor_content::{Finding, MAX_HOLD_BYTES, Window, redact};
use monitor_protocol::{Channel, Delta, Edit, EditError, Frame, StreamEvent, Telling};
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
    repeats: SmallVec<[(Range<usize>, String); 0]>,
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
    pub(super) fn new(scans: &[Scan]) -> Self {
        Self {
            scans: scans.to_vec(),
            channels: Vec::new(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            pieces: SmallVec::new(),
            repeats: SmallVec::new(),
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
        self.repeats.clear();
        self.echoes.clone_from(&read.echoes);
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
            if delta.telling == Telling::Whole {
                self.decide(index, found);
            }
        }
        let over = self.queued_bytes + event.raw().len() > QUEUE_BYTES;
        if over || read.finish.is_some() || read.terminal || read.error {
            self.decide_all(found);
        }
        true
    }

    /// Scans a text that was told before. What is to be replaced has been noted then; what blocks has not been passed on then,
    /// and is something new.
    fn repeat(&mut self, delta: &Delta<'_>, found: &mut Vec<(usize, Finding)>) {
        let mut replace = Vec::new();
        for (rule, scan) in self.scans.iter().enumerate() {
            let mut findings = Vec::new();
            scan.detectors.scan(&delta.text, &mut findings);
            if scan.blocks() {
                found.extend(findings.into_iter().map(|finding| (rule, finding)));
            } else if scan.redacts() {
                replace.extend(findings);
            }
        }
        if !replace.is_empty() {
            make_disjoint(&mut replace);
            self.repeats
                .push((delta.span.clone(), redact(&delta.text, &replace)));
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
        let mut texts: SmallVec<[(Range<usize>, String); 1]> = held.repeats.iter().cloned().collect();
        for piece in &held.pieces {
            let replace = &self.channels[piece.text].replace;
            let touched = replace
                .iter()
                .filter(|f| f.start < piece.range.end && f.end > piece.range.start);
            if let Some(edited) = replaced(&held.event.text(piece.span.clone()), piece.range.start, touched) {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use monitor_content::Detectors;
    use monitor_protocol::{Api, Call, Operation, SseEvent, read_event};

    use super::*;
    use crate::config::Action;

    fn scans(action: Action) -> [Scan; 1] {
        [Scan {
            policy: "p".into(),
            enforce: true,
            detectors: Arc::new(Detectors::compile(&["pii.*"]).unwrap()),
            action,
        }]
    }

    /// A text told in pieces and then whole three times: its own event, its item's, the response's.
    const EVENTS: [&str; 5] = [
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"card 4111 1111"}"#,
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":" 1111 1111 ok"}"#,
        r#"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"card 4111 1111 1111 1111 ok"}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"card 4111 1111 1111 1111 ok","logprobs":[{"token":"4111"}]}]}}"#,
        r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"card 4111 1111 1111 1111 ok"}]}]}}"#,
    ];

    fn run(release: &mut Release, events: &[&str]) -> (Vec<(usize, Finding)>, String) {
        let call = Call::new(Api::OpenAi, Operation::Responses);
        let (mut found, mut out) = (Vec::new(), Vec::new());
        for data in events {
            let event = Frame::Sse(SseEvent::parse(format!("data: {data}\n\n").into()));
            let read = read_event(&call, &event).unwrap();
            assert!(release.scan(&event, &read, &mut found));
            drop(read);
            release.queue(event, None);
            release.drain(&mut out).unwrap();
        }
        (found, String::from_utf8(out.concat()).unwrap())
    }

    #[test]
    fn an_edited_text_is_not_readable_where_it_is_repeated() {
        let mut release = Release::new(&scans(Action::Redact));
        let (found, out) = run(&mut release, &EVENTS);
        assert_eq!(found.len(), 1, "noted once");
        assert!(!out.contains("4111") && !out.contains("1111"), "{out}");
        assert_eq!(out.matches("card [REDACTED:credit_card]").count(), 4, "{out}");
        assert_eq!(out.matches("data: ").count(), EVENTS.len());
    }

    #[test]
    fn a_repeat_of_what_was_never_told_is_the_first_telling() {
        let mut release = Release::new(&scans(Action::Redact));
        let (found, out) = run(&mut release, &EVENTS[2..]);
        assert_eq!(found.len(), 1);
        assert!(!out.contains("1111"), "{out}");
    }

    #[test]
    fn a_repeat_that_says_something_else_is_blocked() {
        let mut release = Release::new(&scans(Action::Block));
        let harmless = EVENTS[0].replace("4111 1111", "none");
        let (found, _) = run(&mut release, &[&harmless, EVENTS[2]]);
        assert_eq!(found.len(), 1);
    }
}
