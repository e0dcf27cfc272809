//! What a request asks: model, limits, and every text the model would read.

mod batch;
mod keys;

use std::{
    borrow::Cow,
    fmt,
    ops::{Deref, Range},
};

use crate::{
    Call, Edit, Literal, Operation, ReadError,
    image::Image,
    json::{Kind, Reader, Str},
};

pub(crate) use batch::Batch;
use keys::is_fixed_word;
pub(crate) use keys::{KeyRule, KeyUse, any_key, schema_key, unknown_key};

/// Who a text speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The system prompt.
    System,
    /// OpenAI's `developer` messages, which replace `system` for newer models.
    Developer,
    /// The user.
    User,
    /// The model, in an earlier turn.
    Assistant,
    /// A tool, answering a call.
    Tool,
    /// None is stated, or one that is not known here.
    Unstated,
}

impl Role {
    pub(crate) fn parse(name: &str) -> Self {
        match name {
            "system" => Self::System,
            "developer" => Self::Developer,
            "user" => Self::User,
            "assistant" => Self::Assistant,
            "tool" | "function" => Self::Tool,
            _ => Self::Unstated,
        }
    }

    /// The name used in configuration and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
            Self::Unstated => "unstated",
        }
    }
}

/// Where in a request a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The content of a message, or the system prompt.
    Message,
    /// The name of a message's author.
    Name,
    /// The model's thinking in an earlier turn, sent back.
    Reasoning,
    /// A tool's name, description or schema.
    ToolDefinition,
    /// A tool call the model made in an earlier turn: name and arguments.
    ToolCall,
    /// What a tool answered. Nobody the operator trusts wrote it.
    ToolResult,
    /// An attached document or search result. Nobody the operator trusts wrote it.
    Document,
    /// The schema the answer must follow.
    OutputSchema,
    /// Predicted output: compared with the answer, not part of the prompt.
    Prediction,
    /// A string in a place that is not known here. It is listed because some server may hand it to a model.
    Other,
}

impl Place {
    /// The name used in configuration and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Name => "name",
            Self::Reasoning => "reasoning",
            Self::ToolDefinition => "tool_definition",
            Self::ToolCall => "tool_call",
            Self::ToolResult => "tool_result",
            Self::Document => "document",
            Self::OutputSchema => "output_schema",
            Self::Prediction => "prediction",
            Self::Other => "other",
        }
    }
}

/// One text of a request that a model would read; where it stands is its [`Literal`]'s.
#[derive(Clone, PartialEq, Eq)]
pub struct Text<'b> {
    /// Who it speaks for.
    pub role: Role,
    /// Where it stands.
    pub place: Place,
    /// Whether its tokens are part of the prompt count as they stand. `false` for what is counted in another form
    /// ([`crate::PromptCount::extra`]) or is no part of the prompt.
    pub counted: bool,
    /// The text as written.
    pub literal: Literal<'b>,
}

impl<'b> Deref for Text<'b> {
    type Target = Literal<'b>;

    fn deref(&self) -> &Literal<'b> {
        &self.literal
    }
}

impl fmt::Debug for Text<'_> {
    /// Never shows the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text")
            .field("role", &self.role)
            .field("place", &self.place)
            .field("counted", &self.counted)
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}

/// The most output tokens a request allows per choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    /// Tokens, the model's thinking included.
    pub tokens: u64,
    /// The number's bytes in the body, for a clamp by [`crate::Edit::json`].
    pub span: Range<usize>,
}

impl OutputLimit {
    /// Reads a limit; what is no number sets none.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, crate::JsonError> {
        Ok(reader.count()?.map(|(tokens, span)| Self { tokens, span }))
    }
}

/// Parts of a prompt that are no text. Of images the tokens are counted where the provider publishes how; of others they are in
/// no count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attachments {
    /// Images.
    pub images: u32,
    /// Audio clips.
    pub audio: u32,
    /// Files and documents that are not plain text.
    pub files: u32,
}

impl Attachments {
    /// How many there are in all.
    #[must_use]
    pub const fn total(self) -> u32 {
        self.images.saturating_add(self.audio).saturating_add(self.files)
    }
}

/// What the body of a request says.
#[derive(Clone, PartialEq, Eq)]
pub struct Request<'b> {
    /// The model asked for, as written; `None` when the body names none (the path may:
    /// [`Call::model`]).
    pub model: Option<Cow<'b, str>>,
    /// Models that it names beside that one: of the other requests of a batch, and those that may answer in its place
    /// (Anthropic's `fallbacks`). One that equals another may be listed twice.
    pub more_models: Vec<Cow<'b, str>>,
    /// Whether it asks for an answer. Not every message on a WebSocket does.
    pub asks: bool,
    /// On a WebSocket that carries answers side by side, the one it asks for ([`crate::StreamEvent::lane`]).
    pub lane: Option<Cow<'b, str>>,
    /// Whether a streamed answer is asked for. The answer's `content-type` has the last word.
    pub stream: bool,
    /// Whether the usage chunk is asked for (OpenAI's `stream_options.include_usage`). Always `true` for Anthropic,
    /// whose streams carry usage unasked.
    pub include_usage: bool,
    /// The edit that asks for the usage chunk, where it is not asked for. The chunk it brings
    /// ([`crate::StreamEvent::usage_only`]) is then to be withheld from the client.
    pub ask_usage: Option<Edit<'static>>,
    /// The output limit, if the request sets one. Of a batch, the largest of its requests' limits, when each has one.
    pub max_output_tokens: Option<OutputLimit>,
    /// How many answers are asked for (OpenAI's `n`, all requests of a batch), at least 1. The output limit applies to
    /// each.
    pub choices: u32,
    /// Every text a model would read, in the order of the body. All texts of a duplicated key are listed, because
    /// providers differ in which one they take.
    pub texts: Vec<Text<'b>>,
    /// Parts that are no text.
    pub attachments: Attachments,
    /// The images among them of which more is known than that they are there.
    pub(crate) images: Vec<Image>,
    /// How many messages there are.
    pub messages: u32,
    /// How many messages name their author.
    pub names: u32,
    /// How many tool calls of earlier turns are sent back.
    pub tool_calls: u32,
    /// How many tokens of the prompt are given as numbers instead of as text.
    pub token_ids: u64,
    /// Whether the provider adds to the prompt what it has stored: an earlier answer, a template, a file. It is in no count.
    pub hidden: bool,
    /// Where the body defines or turns on tools, or calls one: a definition, a list of them, or the name of one
    /// ([`crate::tool_names`]).
    pub tools: Vec<Range<usize>>,
    /// How to count a prompt that is made of several requests.
    pub(crate) plan: Option<Box<crate::PromptCount>>,
    /// Just after the opening brace of the body, where a member can be inserted by an [`crate::Edit::json`] with an empty
    /// span (written `"key":value,`; the body is never `{}` when it is a request a provider would accept).
    pub insert_at: usize,
}

impl fmt::Debug for Request<'_> {
    /// Never shows a text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("model", &self.model)
            .field("stream", &self.stream)
            .field("include_usage", &self.include_usage)
            .field("max_output_tokens", &self.max_output_tokens)
            .field("choices", &self.choices)
            .field("texts", &self.texts)
            .field("attachments", &self.attachments)
            .field("messages", &self.messages)
            .finish_non_exhaustive()
    }
}

/// A request that has twelve texts or fewer costs one allocation for them.
const USUAL_TEXTS: usize = 12;

impl<'b> Request<'b> {
    pub(crate) fn empty() -> Self {
        Self {
            model: None,
            more_models: Vec::new(),
            asks: true,
            lane: None,
            stream: false,
            include_usage: false,
            ask_usage: None,
            max_output_tokens: None,
            choices: 1,
            texts: Vec::with_capacity(USUAL_TEXTS),
            attachments: Attachments::default(),
            images: Vec::new(),
            messages: 0,
            names: 0,
            tool_calls: 0,
            token_ids: 0,
            hidden: false,
            plan: None,
            tools: Vec::new(),
            insert_at: 0,
        }
    }

    /// Notes an image.
    pub(crate) fn image(&mut self, image: Image) {
        self.attachments.images = self.attachments.images.saturating_add(1);
        self.images.push(image);
    }

    pub(crate) fn push(&mut self, literal: impl Into<Literal<'b>>, role: Role, place: Place, counted: bool) {
        self.texts.push(Text {
            role,
            place,
            counted,
            literal: literal.into(),
        });
    }

    /// Lists every string of the next value, keys too where `keys` says so, at any depth.
    pub(crate) fn push_all(
        &mut self,
        reader: &mut Reader<'b>,
        place: Place,
        counted: bool,
        keys: KeyRule,
    ) -> Result<(), crate::JsonError> {
        match reader.peek()? {
            Kind::Object => reader
                .object(|reader, key| {
                    match keys(&key.text()) {
                        KeyUse::Skip => return reader.skip().map(drop),
                        KeyUse::Text => self.push(key, Role::Unstated, place, counted),
                        KeyUse::Shape => {}
                    }
                    self.push_all(reader, place, counted, keys)
                })
                .map(drop),
            Kind::Array => reader
                .array(|reader| self.push_all(reader, place, counted, keys))
                .map(drop),
            Kind::String => {
                let is_schema = matches!(
                    place,
                    Place::ToolDefinition | Place::OutputSchema | Place::Prediction
                );
                if let Some(string) = reader
                    .string()?
                    .filter(|string| !is_schema || !is_fixed_word(string.raw))
                {
                    self.push(string, Role::Unstated, place, counted);
                }
                Ok(())
            }
            _ => reader.skip().map(drop),
        }
    }
}

impl<'b> Request<'b> {
    /// Lists the next value if it is a string, and every string in it if it is not.
    pub(crate) fn push_value(
        &mut self,
        reader: &mut Reader<'b>,
        role: Role,
        place: Place,
    ) -> Result<(), crate::JsonError> {
        if reader.peek()? == Kind::String {
            if let Some(string) = reader.string()? {
                self.push(string, role, place, true);
            }
            return Ok(());
        }
        let first = self.texts.len();
        self.push_all(reader, place, true, unknown_key)?;
        for text in self.texts.iter_mut().skip(first) {
            text.role = role;
        }
        Ok(())
    }

    /// Reads an array of messages. `message` reads one that is an object, lists its texts and returns whose it is: the role
    /// may stand after the content, so it is written into the texts at the end. What a tool said is the tool's, in whosever
    /// message it stands, and what stands in a tool's message is what it said.
    pub(crate) fn each_message(
        &mut self,
        reader: &mut Reader<'b>,
        mut message: impl FnMut(&mut Reader<'b>, &mut Self) -> Result<Role, crate::JsonError>,
    ) -> Result<(), crate::JsonError> {
        self.messages(reader, |reader, request| {
            let first = request.texts.len();
            let role = message(reader, request)?;
            for text in request.texts.iter_mut().skip(first) {
                if role == Role::Tool && matches!(text.place, Place::Message | Place::Document) {
                    text.place = Place::ToolResult;
                }
                text.role = if text.place == Place::ToolResult {
                    Role::Tool
                } else {
                    role
                };
            }
            Ok(())
        })
    }

    /// Reads an array of messages; `message` is called before each. What is none is listed as text of no known place.
    pub(crate) fn messages(
        &mut self,
        reader: &mut Reader<'b>,
        mut message: impl FnMut(&mut Reader<'b>, &mut Self) -> Result<(), crate::JsonError>,
    ) -> Result<(), crate::JsonError> {
        if reader.peek()? != Kind::Array {
            return self.push_all(reader, Place::Other, false, unknown_key);
        }
        reader
            .array(|reader| {
                self.messages = self.messages.saturating_add(1);
                if reader.peek()? == Kind::Object {
                    message(reader, self)
                } else {
                    self.push_all(reader, Place::Other, false, unknown_key)
                }
            })
            .map(drop)
    }

    /// Notes a tool of the provider's own that the next value turns on, and that is known by its `key`.
    pub(crate) fn turned_on(
        &mut self,
        reader: &mut Reader<'b>,
        key: &Str<'b>,
    ) -> Result<(), crate::JsonError> {
        if reader.peek()? != Kind::Null {
            let name = key.span();
            self.tools.push(name.start - 1..name.end + 1);
        }
        Ok(())
    }

    /// Reads the definitions of tools, by the rule of JSON Schema for their keys.
    pub(crate) fn tool_definitions(
        &mut self,
        reader: &mut Reader<'b>,
        counted: bool,
    ) -> Result<(), crate::JsonError> {
        let start = reader.position()?;
        self.push_all(reader, Place::ToolDefinition, counted, schema_key)?;
        self.tools.push(start..reader.offset());
        Ok(())
    }
}

/// Reads a request's body in one pass. `boundary` is that of its `content-type`, where it is `multipart/form-data`.
///
/// # Errors
///
/// [`ReadError`] when the body is not what the operation's are, or the operation is [`Operation::Other`].
pub fn read_request<'b>(
    call: &Call,
    boundary: Option<&str>,
    body: &'b [u8],
) -> Result<Request<'b>, ReadError> {
    if call.operation == Operation::Other {
        return Err(ReadError::NotRead);
    }
    call.shape.shape().read_request(call, boundary, body)
}
