//! The events of a response's stream, and the server's messages over a WebSocket: the same.

use super::output::{self, Strings};
use crate::{
    JsonError, Part, ReadError, StreamEvent, Telling,
    answer::Answer,
    json::{Kind, Reader, Str, document},
};

type Result<T> = std::result::Result<T, JsonError>;

/// Reads an event by its members; its `type`, which may stand after them, decides at the end what they are.
///
/// A `….delta` is a piece of a text. Every text is told again: whole in its `….done`, in `response.content_part.done`, in
/// `response.output_item.done`, and in the response object at the end ([`Telling::Whole`]).
pub(in crate::openai) fn read_event(data: &[u8]) -> std::result::Result<StreamEvent<'_>, ReadError> {
    let mut out = StreamEvent::default();
    let mut event = Event::default();
    document(data, |reader, key| event.member(reader, key, &mut out))?;
    // What cannot be answered ends, and with it what there is to answer on a WebSocket.
    out.terminal |= event.kind() == "error";
    event.tell(&mut out, 0, Telling::Whole);
    Ok(out)
}

/// What an event says before its type is known.
#[derive(Default)]
pub(in crate::openai) struct Event<'e> {
    kind: Option<std::borrow::Cow<'e, str>>,
    output_index: u64,
    /// Of a content part, a summary or a command.
    part_index: u64,
    is_summary: bool,
    /// The string members that tell a piece, and those that tell a whole text.
    pieces: Vec<(Str<'e>, Option<Part>)>,
    wholes: Vec<(Str<'e>, Option<Part>)>,
    /// Of an item, a part or an annotation inside.
    inside: Strings<'e>,
}

impl<'e> Event<'e> {
    pub(in crate::openai) fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or_default()
    }

    pub(in crate::openai) fn member(
        &mut self,
        reader: &mut Reader<'e>,
        key: Str<'e>,
        out: &mut StreamEvent<'e>,
    ) -> Result<()> {
        match &*key.text() {
            "type" => self.kind = reader.string()?.map(|kind| kind.text()),
            "output_index" => self.output_index = index(reader)?,
            "content_index" | "command_index" => self.part_index = index(reader)?,
            "summary_index" => {
                self.part_index = index(reader)?;
                self.is_summary = true;
            }
            "delta" => {
                if reader.peek()? == Kind::String {
                    self.pieces.extend(reader.string()?.map(|string| (string, None)));
                } else {
                    // What a shell has written (`response_shell_call_output_content_delta_event.py`).
                    reader.strings(&mut |_| true, &mut |string| {
                        self.pieces.push((string, Some(Part::ToolResult)));
                    })?;
                }
            }
            "text" => self.whole(reader, None)?,
            "refusal" => self.whole(reader, Some(Part::Refusal))?,
            "transcript" => self.whole(reader, Some(Part::Transcript))?,
            "name" => self.whole(reader, Some(Part::ToolName))?,
            "arguments" | "input" | "code" | "command" => self.whole(reader, Some(Part::ToolArguments))?,
            "output" => reader.strings(&mut |key| key.text() != "type", &mut |string| {
                self.wholes.push((string, Some(Part::ToolResult)));
            })?,
            "annotation" => reader.strings(
                &mut |key| !matches!(&*key.text(), "type" | "file_id" | "container_id"),
                &mut |string| self.wholes.push((string, Some(Part::Citation))),
            )?,
            "part" => output::part(reader, &mut self.inside, 0, out)?,
            "item" => {
                output::item(reader, &mut self.inside, out)?;
            }
            "response" => output::response(reader, out)?,
            "logprobs" => out.read_echo(reader)?,
            "error" => out.read_error(reader)?,
            _ => {
                reader.skip()?;
            }
        }
        Ok(())
    }

    fn whole(&mut self, reader: &mut Reader<'e>, part: Option<Part>) -> Result<()> {
        self.wholes.extend(reader.string()?.map(|string| (string, part)));
        Ok(())
    }

    /// Says what the members mean: texts of the answer `choice`, whole ones `whole`.
    pub(in crate::openai) fn tell(mut self, out: &mut StreamEvent<'e>, choice: u32, whole: Telling) {
        let first = out.deltas.len();
        let kind = self.kind.take().unwrap_or_default();
        match &*kind {
            "error" => {
                out.error = true;
                // Its `code` is the error's.
                return;
            }
            "response.created" => out.begins = true,
            "response.failed" => (out.error, out.terminal) = (true, true),
            "response.completed" | "response.incomplete" | "response.cancelled" | "response.done" => {
                out.terminal = true;
            }
            _ => {}
        }
        if !out.terminal {
            // Only at the end is the status how it ended.
            out.finish = None;
        }
        let by_kind = part_of(&kind);
        let mut told = Strings::default();
        for (piece, part) in self.pieces {
            if let Some(part) = part.or(by_kind) {
                told.push(piece, part, self.part_index);
            }
        }
        let mut repeats = Strings::default();
        for (whole, part) in self.wholes {
            if let Some(part) = part.or(by_kind) {
                repeats.push(whole, part, self.part_index);
            }
        }
        if kind.contains("content_part") || kind.contains("summary_part") {
            self.inside.number_from(self.part_index);
        }
        if self.is_summary {
            told.number_summaries();
            repeats.number_summaries();
            self.inside.number_summaries();
        }
        told.tell(out, self.output_index, Telling::Piece);
        repeats.tell(out, self.output_index, whole);
        self.inside.tell(out, self.output_index, whole);
        out.set_choice(first, choice);
    }
}

/// What a text of an event is, by the event's type; `None` for base64 data. A type that is not known here is taken to tell
/// text.
fn part_of(kind: &str) -> Option<Part> {
    if kind.contains("transcript") {
        Some(Part::Transcript)
    } else if kind.contains("audio") {
        None
    } else if kind.contains("reasoning") {
        Some(Part::Reasoning)
    } else if kind.contains("refusal") {
        Some(Part::Refusal)
    } else if kind.contains("shell_call_output") {
        Some(Part::ToolResult)
    } else if kind.contains("_call") {
        Some(Part::ToolArguments)
    } else {
        Some(Part::Text)
    }
}

fn index(reader: &mut Reader<'_>) -> Result<u64> {
    Ok(reader.count()?.map_or(0, |(index, _)| index))
}
