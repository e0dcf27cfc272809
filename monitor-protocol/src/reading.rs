//! What an answer says, whole or a piece of a stream, for families that write both alike.

use std::{borrow::Cow, ops::Range};

use smallvec::SmallVec;

use crate::{
    Delta, Finish, JsonError, Part, ReadError, Response, ResponseText, StreamEvent, UsageCounters,
    json::{self, Kind, Reader, Str},
};

type Result<T> = std::result::Result<T, JsonError>;

/// One string of an answer.
struct Piece<'b> {
    string: Str<'b>,
    choice: u32,
    part: Part,
    index: u32,
}

/// What has been read of an answer, to become a [`Response`] or a [`StreamEvent`].
#[derive(Default)]
pub(crate) struct Reading<'b> {
    pieces: SmallVec<[Piece<'b>; 1]>,
    /// Which of several answers the texts belong to that are taken next.
    pub(crate) choice: u32,
    usage: Option<UsageCounters>,
    usage_span: Option<Range<usize>>,
    model: Option<Cow<'b, str>>,
    echoes: SmallVec<[Range<usize>; 0]>,
    /// Why the model stopped.
    pub(crate) finish: Option<Finish>,
    /// Whether it is the provider's error.
    pub(crate) error: bool,
    /// Whether the stream ends here.
    pub(crate) terminal: bool,
}

impl<'b> Reading<'b> {
    /// Reads the object that `document` is; `member` is called as by [`Reader::object`].
    pub(crate) fn read(
        document: &'b [u8],
        mut member: impl FnMut(&mut Self, &mut Reader<'b>, &str) -> Result<()>,
    ) -> std::result::Result<Self, ReadError> {
        let mut reading = Self::default();
        json::document(document, |reader, key| member(&mut reading, reader, &key.text()))?;
        Ok(reading)
    }

    /// The end of a stream, with nothing else.
    pub(crate) fn end() -> Self {
        Self {
            terminal: true,
            ..Self::default()
        }
    }

    /// Takes a text. Empty ones say nothing and are left out.
    pub(crate) fn push(&mut self, string: Str<'b>, part: Part, index: u32) {
        if !string.raw.is_empty() {
            self.pieces.push(Piece {
                string,
                choice: self.choice,
                part,
                index,
            });
        }
    }

    /// How many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Gives the texts from the one at `first` on another index, which may stand after them.
    pub(crate) fn set_index(&mut self, first: usize, index: u32) {
        for piece in self.pieces.iter_mut().skip(first) {
            piece.index = index;
        }
    }

    /// Takes the next value if it is a string.
    pub(crate) fn text(&mut self, reader: &mut Reader<'b>, part: Part, index: u32) -> Result<()> {
        if let Some(string) = reader.string()? {
            self.push(string, part, index);
        }
        Ok(())
    }

    /// Takes every string of the next value at any depth, but those under the keys `opaque` names.
    pub(crate) fn texts(
        &mut self,
        reader: &mut Reader<'b>,
        part: Part,
        index: u32,
        opaque: &[&str],
    ) -> Result<()> {
        reader.strings(&mut |key| !opaque.contains(&&*key.text()), &mut |string| {
            self.push(string, part, index);
        })
    }

    /// Takes the arguments of a tool call: a string of JSON, or the JSON itself.
    pub(crate) fn arguments(&mut self, reader: &mut Reader<'b>, index: u32) -> Result<()> {
        self.texts(reader, Part::ToolArguments, index, &[])
    }

    /// Takes usage counters; those of one document are merged.
    pub(crate) fn count(&mut self, counters: UsageCounters) {
        self.usage = Some(self.usage.unwrap_or_default().merge(counters));
    }

    /// Takes a counter that stands by itself, beside the text.
    pub(crate) fn counted(
        &mut self,
        reader: &mut Reader<'b>,
        set: fn(&mut UsageCounters, u64),
    ) -> Result<()> {
        if let Some((count, _)) = reader.count()? {
            let mut counters = UsageCounters::default();
            set(&mut counters, count);
            self.count(counters);
        }
        Ok(())
    }

    /// Takes the usage object that `read` reads.
    pub(crate) fn usage(
        &mut self,
        reader: &mut Reader<'b>,
        read: impl FnOnce(&mut Reader<'b>) -> Result<Option<UsageCounters>>,
    ) -> Result<()> {
        let start = reader.position()?;
        if let Some(counters) = read(reader)? {
            self.count(counters);
            self.usage_span = Some(start..reader.offset());
        }
        Ok(())
    }

    /// Takes the name of the model that answers.
    pub(crate) fn model(&mut self, reader: &mut Reader<'b>) -> Result<()> {
        self.model = reader.string()?.map(|model| model.text());
        Ok(())
    }

    /// Takes the reason why the model stopped, by the family's own words.
    pub(crate) fn finish(&mut self, reader: &mut Reader<'b>, by: fn(&str) -> Finish) -> Result<()> {
        if let Some(reason) = reader.string()? {
            self.finish = Some(by(&reason.text()));
        }
        Ok(())
    }

    /// Takes a value that repeats a text in another form.
    pub(crate) fn echo(&mut self, reader: &mut Reader<'b>) -> Result<()> {
        let is_null = reader.peek()? == Kind::Null;
        let span = reader.skip()?;
        if !is_null {
            self.echoes.push(span);
        }
        Ok(())
    }

    /// Takes the member that only an error has.
    pub(crate) fn error(&mut self, reader: &mut Reader<'b>) -> Result<()> {
        self.error |= reader.peek()? != Kind::Null;
        reader.skip().map(drop)
    }

    /// The answer whose whole body was `document`.
    pub(crate) fn into_response(self, document: &'b [u8]) -> Response<'b> {
        let usage_raw = self.usage_span.and_then(|span| document.get(span));
        Response {
            model: self.model,
            usage: self.usage,
            usage_raw: usage_raw.and_then(|raw| std::str::from_utf8(raw).ok()),
            texts: self
                .pieces
                .into_iter()
                .map(|piece| ResponseText::new(piece.string, piece.choice, piece.part, piece.index))
                .collect(),
            echoes: self.echoes.into_vec(),
            finish: self.finish,
            error: self.error,
        }
    }

    /// The event of a stream whose data it was.
    pub(crate) fn into_event(self) -> StreamEvent<'b> {
        StreamEvent {
            deltas: self
                .pieces
                .into_iter()
                .map(|piece| Delta::new(piece.string, piece.choice, piece.part, piece.index))
                .collect(),
            usage: self.usage,
            usage_span: self.usage_span,
            model: self.model,
            echoes: self.echoes,
            finish: self.finish,
            error: self.error,
            terminal: self.terminal,
            ..StreamEvent::default()
        }
    }
}
