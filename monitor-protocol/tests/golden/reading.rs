//! Fixtures, and everything a stream says gathered in one value.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use monitor_protocol::*;

use crate::event_stream;

/// The boundary of the fixtures that are forms.
pub(crate) const BOUNDARY: &str = "1f0b5a9c2d7e4c1a";

/// The bytes of a fixture, as they are sent.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name);
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if name.ends_with(".eventstream.json") {
        return event_stream::encode(&bytes);
    }
    bytes
}

/// Names of all fixtures with this ending, as `shape/operation/file`.
pub(crate) fn fixtures(ending: &str) -> Vec<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut names = Vec::new();
    for shape in folders(&root) {
        for operation in folders(&root.join(&shape)) {
            for entry in fs::read_dir(root.join(&shape).join(&operation)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if name.ends_with(ending) {
                    names.push(format!("{shape}/{operation}/{name}"));
                }
            }
        }
    }
    names.sort();
    names
}

/// Names of all fixtures of streams.
pub(crate) fn streams() -> Vec<String> {
    [".sse", ".ndjson", ".array.json", ".eventstream.json"]
        .into_iter()
        .flat_map(fixtures)
        .collect()
}

/// Names of all fixtures of whole bodies.
pub(crate) fn bodies() -> Vec<String> {
    let is_whole = |name: &String| name.matches('.').count() == 1;
    let names: Vec<String> = fixtures(".json").into_iter().filter(is_whole).collect();
    assert!(!names.is_empty());
    names
}

fn folders(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The call whose body or answer a fixture is, by its folders.
pub(crate) fn call_of(name: &str) -> Call {
    let mut folders = name.split('/');
    let shape = folders.next().unwrap().parse().unwrap();
    Call::new(shape, folders.next().unwrap().parse().unwrap())
}

/// How a fixture of a stream is framed, by its ending.
pub(crate) fn framing_of(name: &str) -> Framing {
    match name.rsplit_once("/").unwrap().1.split_once('.') {
        Some((_, "sse")) => Framing::Sse,
        Some((_, "ndjson")) => Framing::Ndjson,
        Some((_, "array.json")) => Framing::JsonArray,
        Some((_, "eventstream.json")) => Framing::EventStream,
        _ => panic!("{name} is no stream"),
    }
}

/// What a stream says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) texts: BTreeMap<Channel, String>,
    /// Texts that repeat one told before.
    pub(crate) repeats: Vec<String>,
    pub(crate) usage: Option<Usage>,
    pub(crate) modalities: Modalities,
    pub(crate) model: Option<String>,
    pub(crate) finish: Vec<Finish>,
    pub(crate) events: Vec<(String, Vec<u8>)>,
    pub(crate) usage_only: usize,
    pub(crate) echoes: usize,
    pub(crate) error: bool,
    pub(crate) terminal: bool,
    pub(crate) remainder: Vec<u8>,
}

impl Reading {
    pub(crate) fn text(&self, choice: u32, part: Part, index: u32) -> &str {
        self.texts
            .get(&Channel { choice, part, index })
            .map_or("", String::as_str)
    }
}

/// The next frame of a stream that arrives in `chunks`, and whether it is the end of the stream that ended it.
fn next_frame<'c>(
    decoder: &mut FrameDecoder,
    chunks: &mut impl Iterator<Item = &'c &'c [u8]>,
) -> Option<(Frame, bool)> {
    loop {
        if let Some(frame) = decoder.next().unwrap() {
            return Some((frame, false));
        }
        match chunks.next() {
            Some(chunk) => decoder.push(Bytes::copy_from_slice(chunk)),
            None => return decoder.finish().map(|frame| (frame, true)),
        }
    }
}

/// Reads a stream that arrives in `chunks`, checking that no byte is lost or changed on the way.
pub(crate) fn read_stream(call: &Call, framing: Framing, chunks: &[&[u8]]) -> Reading {
    let mut decoder = FrameDecoder::new(framing);
    let mut reading = Reading::default();
    let mut counters: Option<UsageCounters> = None;
    let mut raw = Vec::new();
    let mut chunks_left = chunks.iter();
    let mut half = Bytes::new();
    while let Some((event, ended)) = next_frame(&mut decoder, &mut chunks_left) {
        let read = match read_event(call, &event) {
            // The stream ended in the middle of a line.
            Err(_) if ended => {
                half = event.raw().clone();
                break;
            }
            read => read.unwrap(),
        };
        raw.extend_from_slice(event.raw());
        for delta in &read.deltas {
            assert_eq!(
                event.text(delta.span.clone()),
                delta.text,
                "the span is the text's"
            );
            if delta.telling.repeats(reading.texts.contains_key(&delta.channel)) {
                reading.repeats.push(delta.text.clone().into_owned());
                continue;
            }
            reading
                .texts
                .entry(delta.channel)
                .or_default()
                .push_str(&delta.text);
        }
        if let Some(now) = read.usage {
            counters = Some(counters.unwrap_or_default().merge(now));
        }
        reading.model = reading.model.or(read.model.map(|model| model.into_owned()));
        reading.finish.extend(read.finish);
        reading.usage_only += usize::from(read.usage_only);
        reading.echoes += read.echoes.len();
        reading.error |= read.error;
        reading.terminal |= read.terminal;
        if !event.name().is_empty() || !event.data().is_empty() {
            let name = String::from_utf8(event.name().to_vec()).unwrap();
            reading.events.push((name, event.data().to_vec()));
        }
    }
    reading.usage = counters.map(|counters| counters.usage());
    reading.modalities = counters.map(|counters| counters.modalities()).unwrap_or_default();
    reading.remainder = [half, decoder.remainder()].concat();
    raw.extend_from_slice(&reading.remainder);
    assert!(
        raw == chunks.concat(),
        "raw bytes of events and remainder are the input"
    );
    // A comment or blank line that straddles the end may stay as remainder; it says nothing.
    if reading.remainder.iter().all(|byte| matches!(byte, b'\n' | b'\r')) {
        reading.remainder.clear();
    }
    reading
}

pub(crate) fn read_fixture(name: &str) -> Reading {
    let call = call_of(name);
    read_stream(&call, framing_of(name), &[&fixture(name)])
}

pub(crate) const fn usage(
    input: u64,
    cache_read: u64,
    cache_write: u64,
    output: u64,
    reasoning: u64,
) -> Option<Usage> {
    Some(Usage {
        input,
        cache_read,
        cache_write,
        output,
        reasoning,
    })
}

/// Every text of a request, in its order, with its role and place.
pub(crate) fn request_texts(request: &Request<'_>) -> Vec<(Role, Place, String)> {
    let texts = request.texts.iter();
    texts
        .map(|text| (text.role, text.place, text.text().into_owned()))
        .collect()
}

/// Every text of a whole answer, in its order, with its part and index.
pub(crate) fn answer_texts(response: &Response<'_>) -> Vec<(Part, u32, String)> {
    let texts = response.texts.iter();
    texts
        .map(|text| (text.channel.part, text.channel.index, text.text().into_owned()))
        .collect()
}

/// As [`request_texts`] lists one.
pub(crate) fn text(role: Role, place: Place, text: &str) -> (Role, Place, String) {
    (role, place, text.to_owned())
}

/// As [`answer_texts`] lists one.
pub(crate) fn told(part: Part, index: u32, text: &str) -> (Part, u32, String) {
    (part, index, text.to_owned())
}
