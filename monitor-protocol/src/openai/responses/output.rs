//! The response object, and the items of its output, in any answer and event.

use smallvec::SmallVec;

use super::super::usage;
use crate::{
    Channel, Finish, JsonError, Part, ReadError, Response, Telling,
    answer::Answer,
    json::{Kind, Reader, Str, document},
};

type Result<T> = std::result::Result<T, JsonError>;

/// Parts that one output item can have of one kind before their numbers run into the next item's. No item of a real
/// response has as many; where one has, texts that run into each other are still read.
const PARTS: u64 = 1 << 12;
/// Summaries of reasoning are numbered from here, beside the reasoning itself.
const SUMMARIES: u64 = PARTS / 2;

/// Strings of one output item, each with its part and its number in it: where the item stands in the output may be told
/// after them.
#[derive(Default)]
pub(in crate::openai) struct Strings<'b> {
    found: SmallVec<[(Str<'b>, Part, u64); 4]>,
}

impl<'b> Strings<'b> {
    pub(in crate::openai) fn push(&mut self, string: Str<'b>, part: Part, number: u64) {
        self.found.push((string, part, number));
    }

    /// Lists every string of the next value, at any depth, as parts numbered from 0.
    fn push_all(&mut self, reader: &mut Reader<'b>, part: Part) -> Result<()> {
        let mut number = 0;
        reader.strings(&mut |key| !is_opaque(&key.text()), &mut |string| {
            self.push(string, part, number);
            number += 1;
        })
    }

    /// Numbers parts from `first` on.
    pub(super) fn number_from(&mut self, first: u64) {
        for (_, _, number) in &mut self.found {
            *number = number.saturating_add(first);
        }
    }

    /// Summaries have numbers of their own.
    pub(in crate::openai) fn number_summaries(&mut self) {
        self.number_from(SUMMARIES);
    }

    /// Turns what stands in the content of a thinking item into thinking.
    fn reasoning(&mut self) {
        for (_, part, _) in &mut self.found {
            if *part == Part::Text {
                *part = Part::Reasoning;
            }
        }
    }

    /// Hands the strings over as texts of the item at `position`.
    pub(in crate::openai) fn tell(self, answer: &mut impl Answer<'b>, position: u64, telling: Telling) {
        for (string, part, number) in self.found {
            let index = position.saturating_mul(PARTS).saturating_add(number);
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let choice = 0;
            answer.text(string, Channel { choice, part, index }, telling);
        }
    }
}

/// References, base64 data and words of the shape.
fn is_opaque(key: &str) -> bool {
    matches!(
        key,
        "type"
            | "id"
            | "status"
            | "call_id"
            | "file_id"
            | "container_id"
            | "encrypted_content"
            | "image_url"
            | "data"
            | "attributes"
    )
}

pub(in crate::openai) fn read_response(body: &[u8]) -> std::result::Result<Response<'_>, ReadError> {
    let mut response = Response::default();
    let mut outcome = Outcome::default();
    document(body, |reader, key| {
        member(reader, key, &mut response, &mut outcome, Telling::Piece)
    })?;
    outcome.tell(&mut response);
    Ok(response)
}

/// A response object inside an event, which repeats what other events have told.
pub(super) fn response<'b>(reader: &mut Reader<'b>, answer: &mut impl Answer<'b>) -> Result<()> {
    let mut outcome = Outcome::default();
    reader.object(|reader, key| member(reader, key, answer, &mut outcome, Telling::Whole))?;
    outcome.tell(answer);
    Ok(())
}

/// How a response ended: `status` and `incomplete_details`, and whether it asks for a tool.
#[derive(Default)]
struct Outcome {
    status: Option<Finish>,
    calls: bool,
}

impl Outcome {
    fn tell<'b>(self, answer: &mut impl Answer<'b>) {
        match self.status {
            Some(Finish::Stop) if self.calls => answer.set_finish(Finish::ToolCalls),
            Some(finish) => answer.set_finish(finish),
            None => {}
        }
        if self.status == Some(Finish::Error) {
            answer.set_error();
        }
    }

    fn read_status(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        let status = reader.string()?;
        let status = status.as_ref().map(Str::text);
        let finish = match status.as_deref() {
            Some("completed") => Finish::Stop,
            Some("failed") => Finish::Error,
            Some("incomplete") => Finish::Length,
            Some("cancelled") => Finish::Other,
            _ => return Ok(()),
        };
        self.status.get_or_insert(finish);
        Ok(())
    }

    /// The reason tells more than the status.
    fn read_details(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        reader
            .object(|reader, key| {
                if key.text() != "reason" {
                    return reader.skip().map(drop);
                }
                let reason = reader.string()?;
                let reason = reason.as_ref().map(Str::text);
                self.status = match reason.as_deref() {
                    Some("max_output_tokens" | "max_messages") => Some(Finish::Length),
                    Some("content_filter") => Some(Finish::Filtered),
                    Some("steered") => Some(Finish::Paused),
                    _ => self.status,
                };
                Ok(())
            })
            .map(drop)
    }
}

fn member<'b>(
    reader: &mut Reader<'b>,
    key: Str<'b>,
    answer: &mut impl Answer<'b>,
    outcome: &mut Outcome,
    telling: Telling,
) -> Result<()> {
    match &*key.text() {
        "output" => {
            let mut position = 0;
            reader
                .array(|reader| {
                    let mut strings = Strings::default();
                    outcome.calls |= item(reader, &mut strings, answer)?;
                    strings.tell(answer, position, telling);
                    position += 1;
                    Ok(())
                })
                .map(drop)
        }
        // What some servers join the texts into, as the SDK does by itself.
        "output_text" => answer.read_echo(reader),
        "model" => answer.read_model(reader),
        "usage" => answer.read_usage(reader, usage::read),
        "tool_usage" => reader
            .object(|reader, key| match &*key.text() {
                "image_gen" => answer.read_usage(reader, usage::read_aside),
                _ => reader.skip().map(drop),
            })
            .map(drop),
        "status" => outcome.read_status(reader),
        "incomplete_details" | "status_details" => outcome.read_details(reader),
        "error" => answer.read_error(reader),
        // The client's own words (`instructions`, `tools`, `prompt`), and settings.
        _ => reader.skip().map(drop),
    }
}

/// One output item, read by its members. `true` if it is a call that the client is to run.
///
/// Shapes: openai-python 3.54.0, `types/responses/response_output_item.py`.
pub(in crate::openai) fn item<'b>(
    reader: &mut Reader<'b>,
    strings: &mut Strings<'b>,
    answer: &mut impl Answer<'b>,
) -> Result<bool> {
    let mut kind = None;
    let mut role = None;
    let mut content = Strings::default();
    let mut result = Strings::default();
    reader.object(|reader, key| match &*key.text() {
        "type" => {
            kind = reader.string()?.map(|kind| kind.text());
            Ok(())
        }
        "role" => {
            role = reader.string()?.map(|role| role.text());
            Ok(())
        }
        "content" => parts(reader, &mut content, answer),
        "summary" => {
            let mut summaries = Strings::default();
            parts(reader, &mut summaries, answer)?;
            summaries.number_summaries();
            summaries.reasoning();
            strings.found.extend(summaries.found);
            Ok(())
        }
        "name" => {
            if let Some(name) = reader.string()? {
                strings.push(name, Part::ToolName, 0);
            }
            Ok(())
        }
        "arguments" | "input" | "code" | "action" | "operation" | "queries" => {
            strings.push_all(reader, Part::ToolArguments)
        }
        "output" | "outputs" | "results" | "error" | "tools" => strings.push_all(reader, Part::ToolResult),
        "result" => result.push_all(reader, Part::ToolResult),
        "revised_prompt" => strings.push_all(reader, Part::ToolArguments),
        _ => reader.skip().map(drop),
    })?;
    let kind = kind.as_deref().unwrap_or_default();
    if kind == "reasoning" {
        content.reasoning();
    }
    strings.found.extend(content.found);
    // A generated image is base64 data.
    if kind != "image_generation_call" {
        strings.found.extend(result.found);
    }
    // A realtime conversation has the client's own words too; what was heard of its voice is not among them.
    let by_client = matches!(role.as_deref(), Some("user" | "system" | "developer"));
    if by_client {
        strings.found.retain(|(_, part, _)| *part == Part::Transcript);
    }
    Ok(matches!(
        kind,
        "function_call"
            | "custom_tool_call"
            | "computer_call"
            | "local_shell_call"
            | "shell_call"
            | "apply_patch_call"
            | "mcp_approval_request"
    ))
}

/// The content of an item: parts, or a string.
fn parts<'b>(reader: &mut Reader<'b>, strings: &mut Strings<'b>, answer: &mut impl Answer<'b>) -> Result<()> {
    if reader.peek()? == Kind::String {
        if let Some(string) = reader.string()? {
            strings.push(string, Part::Text, 0);
        }
        return Ok(());
    }
    let mut number = 0;
    reader
        .array(|reader| {
            part(reader, strings, number, answer)?;
            number += 1;
            Ok(())
        })
        .map(drop)
}

/// One part of an item's content (`types/responses/response_output_text.py`, `response_output_refusal.py`).
pub(in crate::openai) fn part<'b>(
    reader: &mut Reader<'b>,
    strings: &mut Strings<'b>,
    number: u64,
    answer: &mut impl Answer<'b>,
) -> Result<()> {
    let mut is_reasoning = false;
    let mut texts = Strings::default();
    reader.object(|reader, key| {
        let part = match &*key.text() {
            "text" => Part::Text,
            "refusal" => Part::Refusal,
            "transcript" => Part::Transcript,
            "type" => {
                is_reasoning = reader
                    .string()?
                    .is_some_and(|kind| matches!(&*kind.text(), "reasoning_text" | "summary_text"));
                return Ok(());
            }
            "annotations" => return strings.push_all(reader, Part::Citation),
            "logprobs" => return answer.read_echo(reader),
            _ => return reader.skip().map(drop),
        };
        if let Some(string) = reader.string()? {
            texts.push(string, part, number);
        }
        Ok(())
    })?;
    if is_reasoning {
        texts.reasoning();
    }
    strings.found.extend(texts.found);
    Ok(())
}
