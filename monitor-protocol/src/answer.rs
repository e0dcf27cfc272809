//! What whole answers and the events of streamed ones have in common: members that are read the same way in both.

use std::{borrow::Cow, ops::Range};

use crate::{
    Channel, Delta, Finish, JsonError, Response, ResponseText, StreamEvent, Telling, UsageCounters,
    json::{Kind, Reader, Str},
};

type Result<T> = std::result::Result<T, JsonError>;

/// A whole answer, or an event of one.
pub(crate) trait Answer<'b> {
    /// Adds a text. An empty one says nothing and is left out.
    fn text(&mut self, string: Str<'b>, channel: Channel, telling: Telling);

    /// How many texts there are.
    fn texts(&self) -> usize;

    /// Writes the choice into all texts from the one with this number on: its number may stand after its texts.
    fn set_choice(&mut self, from: usize, choice: u32);

    /// Adds a value that repeats a text in another form.
    fn echo(&mut self, span: Range<usize>);

    fn set_model(&mut self, model: Cow<'b, str>);

    fn set_finish(&mut self, finish: Finish);

    fn set_error(&mut self);

    /// Merges counters, which were read from `span`.
    fn count(&mut self, counters: UsageCounters, written: &'b str, span: Range<usize>);

    /// Merges counters that stand in no usage object.
    fn counted(&mut self, counters: UsageCounters);

    /// Reads the name of the model that answers.
    fn read_model(&mut self, reader: &mut Reader<'b>) -> Result<()> {
        if let Some(model) = reader.string()? {
            self.set_model(model.text());
        }
        Ok(())
    }

    /// Reads usage counters by `read`, which gives `None` for what are none.
    fn read_usage(
        &mut self,
        reader: &mut Reader<'b>,
        read: impl FnOnce(&mut Reader<'b>) -> Result<Option<UsageCounters>>,
    ) -> Result<()>
    where
        Self: Sized,
    {
        let start = reader.position()?;
        if let Some(counters) = read(reader)? {
            let span = start..reader.offset();
            self.count(counters, reader.slice(span.clone()), span);
        }
        Ok(())
    }

    /// Reads an `error` member: one that Python takes for true makes the SDKs raise.
    fn read_error(&mut self, reader: &mut Reader<'b>) -> Result<()> {
        if !matches!(reader.peek()?, Kind::Null | Kind::False) {
            self.set_error();
        }
        reader.skip().map(drop)
    }

    /// Reads a value that repeats a text in another form, if there is one.
    fn read_echo(&mut self, reader: &mut Reader<'b>) -> Result<()> {
        let is_null = reader.peek()? == Kind::Null;
        let span = reader.skip()?;
        if !is_null {
            self.echo(span);
        }
        Ok(())
    }
}

impl<'b> Answer<'b> for Response<'b> {
    fn text(&mut self, string: Str<'b>, channel: Channel, _telling: Telling) {
        if !string.raw.is_empty() {
            self.texts.push(ResponseText {
                channel,
                literal: string.into(),
            });
        }
    }

    fn texts(&self) -> usize {
        self.texts.len()
    }

    fn set_choice(&mut self, from: usize, choice: u32) {
        for text in self.texts.iter_mut().skip(from) {
            text.channel.choice = choice;
        }
    }

    fn echo(&mut self, span: Range<usize>) {
        self.echoes.push(span);
    }

    fn set_model(&mut self, model: Cow<'b, str>) {
        self.model = Some(model);
    }

    fn set_finish(&mut self, finish: Finish) {
        self.finish = Some(finish);
    }

    fn set_error(&mut self) {
        self.error = true;
    }

    fn counted(&mut self, counters: UsageCounters) {
        self.usage = Some(self.usage.unwrap_or_default().merge(counters));
    }

    fn count(&mut self, counters: UsageCounters, written: &'b str, _span: Range<usize>) {
        self.counted(counters);
        self.usage_raw = Some(written);
    }
}

impl<'e> Answer<'e> for StreamEvent<'e> {
    fn text(&mut self, string: Str<'e>, channel: Channel, telling: Telling) {
        if !string.raw.is_empty() {
            self.deltas.push(Delta {
                channel,
                span: string.span(),
                text: string.text(),
                telling,
            });
        }
    }

    fn texts(&self) -> usize {
        self.deltas.len()
    }

    fn set_choice(&mut self, from: usize, choice: u32) {
        for delta in self.deltas.iter_mut().skip(from) {
            delta.channel.choice = choice;
        }
    }

    fn echo(&mut self, span: Range<usize>) {
        self.echoes.push(span);
    }

    fn set_model(&mut self, model: Cow<'e, str>) {
        self.model = Some(model);
    }

    fn set_finish(&mut self, finish: Finish) {
        self.finish = Some(finish);
    }

    fn set_error(&mut self) {
        self.error = true;
    }

    fn counted(&mut self, counters: UsageCounters) {
        self.usage = Some(self.usage.unwrap_or_default().merge(counters));
    }

    fn count(&mut self, counters: UsageCounters, _written: &'e str, span: Range<usize>) {
        self.counted(counters);
        self.usage_span = Some(span);
    }
}
