//! What an answer says: a whole one and a chunk of a streamed one have the same members.

use std::{borrow::Cow, ops::Range};

use smallvec::SmallVec;

use super::{key::camel, usage};
use crate::{
    Channel, Finish, JsonError, Part, UsageCounters,
    json::{Kind, Reader, Str},
};

type Result<T> = std::result::Result<T, JsonError>;

/// Everything read from one answer or chunk.
#[derive(Default)]
pub(super) struct Answer<'b> {
    pub(super) texts: SmallVec<[(Str<'b>, Channel); 2]>,
    pub(super) echoes: Vec<Range<usize>>,
    pub(super) usage: Option<UsageCounters>,
    pub(super) usage_span: Option<Range<usize>>,
    pub(super) model: Option<Cow<'b, str>>,
    pub(super) finish: Option<Finish>,
    pub(super) error: bool,
    /// Of a Live session: the message holds something of the model's turn.
    pub(super) begins: bool,
    /// Of a Live session: the model's turn is over.
    pub(super) turn_complete: bool,
}

impl<'b> Answer<'b> {
    pub(super) fn push(&mut self, string: Str<'b>, choice: u32, part: Part, index: u32) {
        self.texts.push((string, Channel { choice, part, index }));
    }

    /// Lists the next value if it is a string.
    pub(super) fn string(&mut self, reader: &mut Reader<'b>, part: Part, index: u32) -> Result<()> {
        if let Some(string) = reader.string()? {
            self.push(string, 0, part, index);
        }
        Ok(())
    }

    /// Lists every string of the next value, at any depth, but those under keys that `opaque` names.
    pub(super) fn strings(
        &mut self,
        reader: &mut Reader<'b>,
        channel: Channel,
        opaque: fn(&str) -> bool,
    ) -> Result<()> {
        reader.strings(&mut |key| !opaque(&camel(&key)), &mut |string| {
            self.texts.push((string, channel));
        })
    }

    /// `usageMetadata`, by `read`.
    pub(super) fn usage(
        &mut self,
        reader: &mut Reader<'b>,
        read: fn(&mut Reader<'_>) -> Result<Option<UsageCounters>>,
    ) -> Result<()> {
        let start = reader.position()?;
        if let Some(counters) = read(reader)? {
            self.usage = Some(self.usage.unwrap_or_default().merge(counters));
            self.usage_span = Some(start..reader.offset());
        }
        Ok(())
    }
}

/// One member of a `GenerateContentResponse` (google-genai 3.4.0, `types.py`), or of the object that Gemini CLI's server
/// puts around it (`@google/gemini-cli-core` 0.61.0, `code_assist/converter.js`).
pub(super) fn member<'b>(reader: &mut Reader<'b>, key: &Str<'b>, answer: &mut Answer<'b>) -> Result<()> {
    match &*camel(key) {
        "candidates" => {
            let mut position = 0;
            reader
                .array(|reader| {
                    candidate(reader, answer, position)?;
                    position += 1;
                    Ok(())
                })
                .map(drop)
        }
        "usageMetadata" => answer.usage(reader, usage::read),
        "modelVersion" => {
            answer.model = reader.string()?.map(|model| model.text());
            Ok(())
        }
        "promptFeedback" => prompt_feedback(reader, answer),
        "embedding" | "embeddings" | "predictions" => super::predict::predictions(reader, answer),
        "response" => reader
            .object(|reader, key| member(reader, &key, answer))
            .map(drop),
        "error" => {
            answer.error |= reader.peek()? != Kind::Null;
            reader.skip().map(drop)
        }
        _ => reader.skip().map(drop),
    }
}

/// `promptFeedback`: a `blockReason` says that there is no answer.
fn prompt_feedback<'b>(reader: &mut Reader<'b>, answer: &mut Answer<'b>) -> Result<()> {
    reader
        .object(|reader, key| match &*camel(&key) {
            "blockReason" => {
                if reader.string()?.is_some() {
                    answer.finish = Some(Finish::Filtered);
                }
                Ok(())
            }
            "blockReasonMessage" => answer.string(reader, Part::Refusal, 0),
            _ => reader.skip().map(drop),
        })
        .map(drop)
}

/// One candidate. Its `index` may stand after its content, so it is written into the texts at the end.
fn candidate<'b>(reader: &mut Reader<'b>, answer: &mut Answer<'b>, position: u32) -> Result<()> {
    let first = answer.texts.len();
    let mut choice = position;
    reader.object(|reader, key| match &*camel(&key) {
        "index" => {
            if let Some((index, _)) = super::request::number(reader)? {
                choice = u32::try_from(index).unwrap_or(u32::MAX);
            }
            Ok(())
        }
        "content" => content(reader, answer),
        "finishReason" => {
            if let Some(reason) = reader.string()? {
                answer.finish = Some(super::finish(&reason.text()));
            }
            Ok(())
        }
        "finishMessage" => answer.string(reader, Part::Refusal, 0),
        "citationMetadata" | "urlContextMetadata" => answer.strings(reader, CITATION, is_structure),
        "groundingMetadata" => grounding(reader, answer),
        "logprobsResult" => echo(reader, answer),
        _ => reader.skip().map(drop),
    })?;
    for (_, channel) in answer.texts.iter_mut().skip(first) {
        channel.choice = choice;
    }
    Ok(())
}

const CITATION: Channel = Channel {
    choice: 0,
    part: Part::Citation,
    index: 0,
};

/// Members that are no text of a source: words of the protocol, tokens for a widget.
fn is_structure(key: &str) -> bool {
    matches!(
        key,
        "urlRetrievalStatus"
            | "license"
            | "publicationDate"
            | "googleMapsWidgetContextToken"
            | "sdkBlob"
            | "placeId"
    )
}

/// `groundingMetadata`: the sources, and which passage of the answer each supports. Passages are repeated in it.
pub(super) fn grounding<'b>(reader: &mut Reader<'b>, answer: &mut Answer<'b>) -> Result<()> {
    if reader.peek()? != Kind::Object {
        return reader.skip().map(drop);
    }
    reader
        .object(|reader, key| match &*camel(&key) {
            "groundingSupports" => echo(reader, answer),
            key if is_structure(key) => reader.skip().map(drop),
            _ => answer.strings(reader, CITATION, is_structure),
        })
        .map(drop)
}

fn echo<'b>(reader: &mut Reader<'b>, answer: &mut Answer<'b>) -> Result<()> {
    let is_null = reader.peek()? == Kind::Null;
    let span = reader.skip()?;
    if !is_null {
        answer.echoes.push(span);
    }
    Ok(())
}

/// A `Content`: `parts`, one after the other.
pub(super) fn content<'b>(reader: &mut Reader<'b>, answer: &mut Answer<'b>) -> Result<()> {
    let mut calls = 0;
    reader
        .object(|reader, key| match &*camel(&key) {
            "parts" => parts(reader, answer, &mut calls),
            _ => reader.skip().map(drop),
        })
        .map(drop)
}

/// An array of parts; a lone one is read as well.
fn parts<'b>(reader: &mut Reader<'b>, answer: &mut Answer<'b>, calls: &mut u32) -> Result<()> {
    if reader.peek()? == Kind::Array {
        return reader.array(|reader| part(reader, answer, calls)).map(drop);
    }
    part(reader, answer, calls)
}

/// One part. `thought` may stand after the text it speaks of. The texts of a candidate are one text, as the SDK's
/// `GenerateContentResponse.text` joins them; calls are told apart within a chunk only, because a chunk that goes on
/// with a call does not say which.
fn part<'b>(reader: &mut Reader<'b>, answer: &mut Answer<'b>, calls: &mut u32) -> Result<()> {
    let first = answer.texts.len();
    let mut is_thought = false;
    let index = *calls;
    reader.object(|reader, key| match &*camel(&key) {
        "text" => answer.string(reader, Part::Text, 0),
        "thought" => {
            is_thought = reader.is_true()?;
            Ok(())
        }
        "functionCall" | "toolCall" => {
            *calls = index + 1;
            call(reader, answer, index)
        }
        "executableCode" => {
            *calls = index + 1;
            members(reader, |reader, key| match key {
                "code" => answer.string(reader, Part::ToolArguments, index),
                _ => reader.skip().map(drop),
            })
        }
        "codeExecutionResult" => members(reader, |reader, key| match key {
            "output" => answer.string(reader, Part::ToolResult, 0),
            _ => reader.skip().map(drop),
        }),
        "functionResponse" | "toolResponse" => {
            let channel = Channel {
                choice: 0,
                part: Part::ToolResult,
                index: 0,
            };
            answer.strings(reader, channel, |key| {
                matches!(key, "id" | "toolType" | "data" | "mimeType" | "scheduling")
            })
        }
        "audioTranscription" => transcription(reader, answer, 0),
        _ => reader.skip().map(drop),
    })?;
    if is_thought {
        for (_, channel) in answer.texts.iter_mut().skip(first) {
            if channel.part == Part::Text {
                channel.part = Part::Reasoning;
            }
        }
    }
    Ok(())
}

/// A `FunctionCall`, whole or a piece of one (`partialArgs`, Vertex only), or a `ToolCall` that Google runs itself.
pub(super) fn call<'b>(reader: &mut Reader<'b>, answer: &mut Answer<'b>, index: u32) -> Result<()> {
    let arguments = Channel {
        choice: 0,
        part: Part::ToolArguments,
        index,
    };
    members(reader, |reader, key| match key {
        "name" | "toolType" => answer.string(reader, Part::ToolName, index),
        "args" => answer.strings(reader, arguments, |_| false),
        "partialArgs" => answer.strings(reader, arguments, |key| matches!(key, "jsonPath" | "nullValue")),
        _ => reader.skip().map(drop),
    })
}

/// The text of a `Transcription`.
pub(super) fn transcription<'b>(reader: &mut Reader<'b>, answer: &mut Answer<'b>, index: u32) -> Result<()> {
    members(reader, |reader, key| match key {
        "text" => answer.string(reader, Part::Transcript, index),
        "words" => echo(reader, answer),
        _ => reader.skip().map(drop),
    })
}

/// The members of an object, by their names in camel case; any other value is passed over.
pub(super) fn members<'b>(
    reader: &mut Reader<'b>,
    mut member: impl FnMut(&mut Reader<'b>, &str) -> Result<()>,
) -> Result<()> {
    reader
        .object(|reader, key| member(reader, &camel(&key)))
        .map(drop)
}
