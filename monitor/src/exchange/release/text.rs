//! One growing text of a stream: what is found in it, and what is to stand there instead.

use std::ops::Range;
use std::sync::Arc;

use monitor_content::{Finding, MAX_HOLD_BYTES, Restoration, Restored, Restorer, Window};
use monitor_protocol::Channel;
use smallvec::SmallVec;

use crate::event::Part;
use crate::exchange::pseudonyms::{Source, is_own, put_back};
use crate::exchange::replace::{MAX_HASHED_BYTES, Replaced, hash, make_disjoint};
use crate::exchange::{Fingerprint, Fingerprints};
use crate::policy::Scan;

/// What a rule has found.
#[derive(Debug)]
pub(in crate::exchange) struct Found {
    /// The rule's place among those of responses.
    pub(in crate::exchange) rule: usize,
    pub(in crate::exchange) part: Part,
    pub(in crate::exchange) finding: Finding,
    /// Of its text; `None` where that was not whole when it was blocked.
    pub(in crate::exchange) hash: Option<Fingerprint>,
}

/// One growing text.
pub(super) struct Text {
    pub(super) channel: Channel,
    part: Part,
    len: usize,
    /// One for each rule that looks at this part.
    windows: SmallVec<[RuleWindow; 1]>,
    /// Findings that may go on.
    open: Vec<Open>,
    /// What is to be replaced, in events that still wait; disjoint and in order.
    replaced: Vec<Replaced>,
    tail: Tail,
    putting_back: Option<PuttingBack>,
}

/// What puts back the texts that pseudonyms stand for.
struct PuttingBack {
    restoration: Restoration,
    /// Where pseudonyms are in text that is not decided, in order.
    spans: Vec<Range<usize>>,
    source: Source,
}

impl PuttingBack {
    /// Takes the next piece, or lets go of what is held.
    fn step(
        &mut self,
        step: impl FnOnce(&mut Restoration, &mut Vec<Restored>),
        replaced: &mut Vec<Replaced>,
    ) {
        let mut restored = Vec::new();
        step(&mut self.restoration, &mut restored);
        if restored.is_empty() {
            return;
        }
        self.spans
            .extend(restored.iter().map(|restored| restored.start..restored.end));
        replaced.extend(
            restored
                .into_iter()
                .map(|restored| put_back(restored, self.source)),
        );
        make_disjoint(replaced);
    }
}

struct RuleWindow {
    rule: usize,
    window: Window,
    /// It is known that the window met a bound.
    limited: bool,
}

/// A finding whose end has perhaps not come, and its rule's place among the windows.
struct Open {
    of: usize,
    finding: Finding,
}

/// The end of the text, from the first byte that is not decided.
#[derive(Default)]
struct Tail {
    text: String,
    start: usize,
}

impl Tail {
    fn get(&self, range: Range<usize>) -> &str {
        let inside = |offset: usize| offset.checked_sub(self.start);
        let range = inside(range.start).zip(inside(range.end));
        range
            .and_then(|(start, end)| self.text.get(start..end))
            .unwrap_or_default()
    }

    fn forget_until(&mut self, offset: usize) {
        let bytes = offset.saturating_sub(self.start);
        if bytes > 0 && self.text.is_char_boundary(bytes) {
            self.text.drain(..bytes);
            self.start = offset;
        }
    }
}

impl Text {
    pub(super) fn new(channel: Channel, scans: &[Scan], restorer: Option<&Arc<Restorer>>) -> Self {
        let part = Part::of_response(channel.part);
        let scans = scans.iter().enumerate();
        let windows = scans
            .filter(|(_, scan)| scan.parts.has(part))
            .map(|(rule, scan)| RuleWindow {
                rule,
                window: Window::new(scan.detectors(part).clone(), MAX_HOLD_BYTES),
                limited: false,
            })
            .collect();
        Self {
            channel,
            part,
            len: 0,
            windows,
            open: Vec::new(),
            replaced: Vec::new(),
            tail: Tail::default(),
            putting_back: restorer.map(|restorer| PuttingBack {
                restoration: Restoration::new(restorer.clone()),
                spans: Vec::new(),
                source: Source::of(part, ""),
            }),
        }
    }

    /// Takes the next piece: its place in the text.
    pub(super) fn push(
        &mut self,
        piece: &str,
        scans: &[Scan],
        keys: &Fingerprints,
        found: &mut Vec<Found>,
    ) -> Range<usize> {
        let start = self.len;
        self.len += piece.len();
        if let Some(putting_back) = &mut self.putting_back {
            putting_back.source.read(piece);
            putting_back.step(
                |restoration, out| restoration.push(piece, out),
                &mut self.replaced,
            );
        }
        if !self.windows.is_empty() {
            self.tail.forget_until(self.decided());
            self.tail.text.push_str(piece);
            self.step(scans, keys, found, |window, out| window.push(piece, out));
            self.close(Ended::No, scans, keys, found);
        }
        start..self.len
    }

    /// Decides what is held, as it stands.
    pub(super) fn decide(&mut self, scans: &[Scan], keys: &Fingerprints, found: &mut Vec<Found>) {
        self.put_back_held();
        self.step(scans, keys, found, |window, out| {
            if window.held() > 0 {
                window.release(out);
            }
        });
        self.close(Ended::Yes, scans, keys, found);
    }

    /// Decides what is held: the text has ended.
    pub(super) fn finish(&mut self, scans: &[Scan], keys: &Fingerprints, found: &mut Vec<Found>) {
        self.put_back_held();
        self.step(scans, keys, found, Window::finish);
        self.close(Ended::Yes, scans, keys, found);
    }

    fn put_back_held(&mut self) {
        if let Some(putting_back) = &mut self.putting_back {
            putting_back.step(Restoration::release, &mut self.replaced);
        }
    }

    /// Up to where it is known which text is the workload's own.
    fn own_known(&self) -> usize {
        let putting_back = self.putting_back.as_ref();
        putting_back.map_or(self.len, |putting_back| putting_back.restoration.decided())
    }

    /// Everything before this offset is final.
    pub(super) fn decided(&self) -> usize {
        let windows = self.windows.iter().map(|of| of.window.decided());
        let open = self.open.iter().map(|open| open.finding.start);
        windows
            .chain(open)
            .min()
            .unwrap_or(self.len)
            .min(self.own_known())
    }

    /// Replacements that touch a piece.
    pub(super) fn replaced_in(&self, piece: &Range<usize>) -> impl Iterator<Item = &Replaced> {
        let first = self.replaced.partition_point(|r| r.range.end <= piece.start);
        let from = self.replaced.get(first..).unwrap_or_default();
        from.iter().take_while(|r| r.range.start < piece.end)
    }

    /// Events with the text before this offset are on their way.
    pub(super) fn forget_until(&mut self, offset: usize) {
        let gone = self.replaced.partition_point(|r| r.range.end <= offset);
        self.replaced.drain(..gone);
        if let Some(PuttingBack { spans, .. }) = &mut self.putting_back {
            let gone = spans.partition_point(|span| span.end <= offset);
            spans.drain(..gone);
        }
    }

    /// Appends the rules whose window has met a bound since this was asked last.
    pub(super) fn newly_limited(&mut self, out: &mut SmallVec<[(usize, Part); 0]>) {
        for of in &mut self.windows {
            if of.window.limited() && !std::mem::replace(&mut of.limited, true) {
                out.push((of.rule, self.part));
            }
        }
    }

    fn step(
        &mut self,
        scans: &[Scan],
        keys: &Fingerprints,
        found: &mut Vec<Found>,
        step: impl Fn(&mut Window, &mut Vec<Finding>),
    ) {
        let mut fresh = Vec::new();
        let may_be_own = self.putting_back.is_some();
        for (of, RuleWindow { rule, window, .. }) in self.windows.iter_mut().enumerate() {
            let scan = &scans[*rule];
            step(window, &mut fresh);
            fresh.retain(|finding| !scan.excepts(finding, self.part));
            for finding in fresh.drain(..) {
                if scan.blocks() && !may_be_own {
                    // The answer ends here, whatever else there is to say of it.
                    let is_whole = window.decided() > finding.end;
                    let text = is_whole.then(|| self.tail.get(finding.start..finding.end));
                    found.push(Found {
                        rule: *rule,
                        part: self.part,
                        finding,
                        hash: text.map(|text| hash(keys, text)),
                    });
                    continue;
                }
                let goes_on = |open: &&mut Open| open.of == of && open.finding.end == finding.start;
                match self.open.iter_mut().find(goes_on).filter(|_| finding.continued) {
                    Some(open) => open.finding.end = finding.end,
                    None => self.open.push(Open { of, finding }),
                }
            }
        }
    }

    /// Notes the findings that do not go on, or of which enough is there.
    fn close(&mut self, ended: Ended, scans: &[Scan], keys: &Fingerprints, found: &mut Vec<Found>) {
        if self.open.is_empty() {
            return;
        }
        let mut replaced = false;
        let own_known = self.own_known();
        let windows = &self.windows;
        let own = self.putting_back.as_ref();
        let own = own.map_or(&[][..], |putting_back| putting_back.spans.as_slice());
        self.open.retain(|Open { of, finding }| {
            let RuleWindow { rule, window, .. } = &windows[*of];
            let scan = &scans[*rule];
            let range = finding.start..finding.end;
            let goes_on = window.decided() <= finding.end && range.len() < MAX_HASHED_BYTES;
            if ended == Ended::No && (own_known < finding.end || goes_on && !scan.blocks()) {
                return true;
            }
            if is_own(own, finding) {
                return false;
            }
            let text = self.tail.get(range);
            let may_go_on = finding.continued || scan.blocks() && goes_on;
            let hash = (!may_go_on).then(|| hash(keys, text));
            if scan.redacts() {
                self.replaced
                    .push(Replaced::new(finding, scan.redaction, text, hash));
                replaced = true;
            }
            found.push(Found {
                rule: *rule,
                part: self.part,
                finding: *finding,
                hash,
            });
            false
        });
        if replaced {
            make_disjoint(&mut self.replaced);
        }
    }
}

/// Whether more of a text can be expected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    No,
    Yes,
}
