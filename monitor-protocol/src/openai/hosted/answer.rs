//! What an answer says, whole or an event of a stream.

use super::super::{chat, usage};
use crate::{
    Channel, Finish, JsonError, Operation, Part, ReadError, Response, StreamEvent, Telling, UsageCounters,
    answer::Answer,
    json::{Kind, Reader},
};

type Result<T> = std::result::Result<T, JsonError>;

pub(in crate::openai) fn read_response(
    operation: Operation,
    body: &[u8],
) -> std::result::Result<Response<'_>, ReadError> {
    let mut response = Response::default();
    read(operation, body, &mut response)?;
    Ok(response)
}

pub(in crate::openai) fn read_event(
    operation: Operation,
    data: &[u8],
) -> std::result::Result<StreamEvent<'_>, ReadError> {
    let mut out = StreamEvent::default();
    let seen = read(operation, data, &mut out)?;
    out.terminal = seen.ended;
    // OpenAI's extra chunk has a usage object and an empty array of choices.
    out.usage_only = out.usage_span.is_some() && out.deltas.is_empty() && seen.choices == 0 && !out.error;
    Ok(out)
}

/// What has been met of an answer beside its texts.
struct Seen {
    operation: Operation,
    /// Its number among several.
    index: Option<u32>,
    /// Elements of `choices` so far.
    choices: u32,
    /// Its texts have their choices already.
    is_numbered: bool,
    /// Counts that stand in no usage object.
    counters: UsageCounters,
    /// The stream ends here.
    ended: bool,
}

impl Seen {
    fn new(operation: Operation) -> Self {
        Self {
            operation,
            index: None,
            choices: 0,
            is_numbered: false,
            counters: UsageCounters {
                prompt_includes_cache: true,
                ..UsageCounters::default()
            },
            ended: false,
        }
    }
}

/// Reads an answer, or an array with one for each prompt or document: the counts of each are its own. Of embeddings, an
/// array of arrays of numbers.
fn read<'b>(
    operation: Operation,
    body: &'b [u8],
    answer: &mut impl Answer<'b>,
) -> std::result::Result<Seen, ReadError> {
    let mut reader = Reader::new(body)?;
    let mut all = Seen::new(operation);
    match reader.peek()? {
        Kind::Object => one(&mut reader, answer, &mut all, 0)?,
        Kind::Array => {
            let mut position = 0;
            reader.array(|reader| {
                if reader.peek()? == Kind::Object {
                    one(reader, answer, &mut all, position)?;
                } else {
                    reader.skip()?;
                }
                position += 1;
                Ok(())
            })?;
        }
        _ => return Err(ReadError::NotAnObject),
    }
    reader.finish()?;
    // A server that does not tell the prompt's tokens (TGI, unless asked for details of it) does not tell the usage.
    if all.counters.prompt > 0 {
        answer.counted(all.counters);
    }
    Ok(all)
}

/// Reads one answer, which is the one at `position`, and adds it to `all`.
fn one<'b>(
    reader: &mut Reader<'b>,
    answer: &mut impl Answer<'b>,
    all: &mut Seen,
    position: u32,
) -> Result<()> {
    let first = answer.texts();
    let mut seen = Seen::new(all.operation);
    reader.object(|reader, key| member(reader, &key.text(), answer, &mut seen))?;
    if !seen.is_numbered {
        answer.set_choice(first, seen.index.unwrap_or(position));
    }
    all.choices = all.choices.saturating_add(seen.choices);
    all.ended |= seen.ended;
    for (sum, own) in [
        (&mut all.counters.prompt, seen.counters.prompt),
        (&mut all.counters.cache_read, seen.counters.cache_read),
        (&mut all.counters.completion, seen.counters.completion),
        (&mut all.counters.reasoning, seen.counters.reasoning),
    ] {
        *sum = sum.saturating_add(own);
    }
    Ok(())
}

fn member<'b>(
    reader: &mut Reader<'b>,
    key: &str,
    answer: &mut impl Answer<'b>,
    seen: &mut Seen,
) -> Result<()> {
    let counters = &mut seen.counters;
    match key {
        "model" => answer.read_model(reader),
        "error" => answer.read_error(reader),
        "usage" if seen.operation.generates() => answer.read_usage(reader, usage::read),
        "usage" => answer.read_usage(reader, usage::read_prompt),
        "meta_info" => meta(reader, answer, seen),
        // Of a ranking or an embedding, what else is text repeats the request.
        _ if !seen.operation.generates() => reader.skip().map(drop),
        "choices" => {
            seen.is_numbered = true;
            chat::read_choices(reader, answer, &mut seen.choices)
        }
        "content" => text(reader, answer, 0, Telling::Piece),
        // SGLang tells all of the text in every event of a stream.
        "text" => texts(reader, answer),
        // TGI, at the end of a stream.
        "generated_text" => {
            seen.ended |= reader.peek()? != Kind::Null;
            text(reader, answer, 0, Telling::Whole)
        }
        // TGI numbers the tokens of a stream by `index`, which is not the answer's.
        "token" => {
            seen.is_numbered = true;
            reader
                .object(|reader, key| match &*key.text() {
                    "text" => text(reader, answer, 0, Telling::Piece),
                    _ => reader.skip().map(drop),
                })
                .map(drop)
        }
        "index" => {
            let index = reader.count()?;
            seen.index = index.map(|(index, _)| u32::try_from(index).unwrap_or(u32::MAX));
            Ok(())
        }
        "tokens" | "top_tokens" | "completion_probabilities" | "output_ids" => answer.read_echo(reader),
        "stop" => {
            seen.ended |= reader.is_true()?;
            Ok(())
        }
        "stop_type" => read_finish(reader, answer),
        "tokens_predicted" => usage::count(reader, &mut counters.completion),
        // Cached ones too; `tokens_cached` is all that the server now holds, the answer's too.
        "tokens_evaluated" => usage::count(reader, &mut counters.prompt),
        "timings" => reader
            .object(|reader, key| match &*key.text() {
                "cache_n" => usage::count(reader, &mut counters.cache_read),
                _ => reader.skip().map(drop),
            })
            .map(drop),
        "details" => {
            seen.ended |= reader.peek()? == Kind::Object;
            details(reader, answer, seen)
        }
        _ => reader.skip().map(drop),
    }
}

fn text<'b>(
    reader: &mut Reader<'b>,
    answer: &mut impl Answer<'b>,
    choice: u32,
    telling: Telling,
) -> Result<()> {
    let (part, index) = (Part::Text, 0);
    if let Some(string) = reader.string()? {
        answer.text(string, Channel { choice, part, index }, telling);
    }
    Ok(())
}

/// One text, or an array with each answer's.
fn texts<'b>(reader: &mut Reader<'b>, answer: &mut impl Answer<'b>) -> Result<()> {
    if reader.peek()? != Kind::Array {
        return text(reader, answer, 0, Telling::Whole);
    }
    let mut choice = 0;
    reader
        .array(|reader| {
            text(reader, answer, choice, Telling::Whole)?;
            choice += 1;
            Ok(())
        })
        .map(drop)
}

/// SGLang's: counts, the reason to stop as an object, and with `return_logprob` every token again.
fn meta<'b>(reader: &mut Reader<'b>, answer: &mut impl Answer<'b>, seen: &mut Seen) -> Result<()> {
    let counters = &mut seen.counters;
    reader
        .object(|reader, key| match &*key.text() {
            "prompt_tokens" => usage::count(reader, &mut counters.prompt),
            "completion_tokens" => usage::count(reader, &mut counters.completion),
            "cached_tokens" => usage::count(reader, &mut counters.cache_read),
            "reasoning_tokens" => usage::count(reader, &mut counters.reasoning),
            "finish_reason" if reader.peek()? == Kind::Object => reader
                .object(|reader, key| match &*key.text() {
                    "type" => read_finish(reader, answer),
                    _ => reader.skip().map(drop),
                })
                .map(drop),
            "finish_reason" => read_finish(reader, answer),
            key if key.starts_with("output_") => answer.read_echo(reader),
            _ => reader.skip().map(drop),
        })
        .map(drop)
}

/// TGI's: counts, and every token again. `prefill` is the prompt's tokens, of which a stream tells the number only.
fn details<'b>(reader: &mut Reader<'b>, answer: &mut impl Answer<'b>, seen: &mut Seen) -> Result<()> {
    let counters = &mut seen.counters;
    let is_numbered = &mut seen.is_numbered;
    let mut others: u64 = 0;
    reader.object(|reader, key| match &*key.text() {
        "finish_reason" => read_finish(reader, answer),
        "generated_tokens" => usage::count(reader, &mut counters.completion),
        "input_length" => usage::count(reader, &mut counters.prompt),
        "prefill" => {
            let mut tokens = 0;
            reader.array(|reader| {
                tokens += 1;
                reader.skip().map(drop)
            })?;
            counters.prompt = counters.prompt.max(tokens);
            Ok(())
        }
        "tokens" | "top_tokens" => answer.read_echo(reader),
        // The answers that were found worse.
        "best_of_sequences" => {
            *is_numbered = true;
            let mut choice = 0;
            reader
                .array(|reader| {
                    choice += 1;
                    reader
                        .object(|reader, key| match &*key.text() {
                            "generated_text" => text(reader, answer, choice, Telling::Piece),
                            "generated_tokens" => {
                                let tokens = reader.count()?.map_or(0, |(tokens, _)| tokens);
                                others = others.saturating_add(tokens);
                                Ok(())
                            }
                            "tokens" | "top_tokens" => answer.read_echo(reader),
                            _ => reader.skip().map(drop),
                        })
                        .map(drop)
                })
                .map(drop)
        }
        _ => reader.skip().map(drop),
    })?;
    counters.completion = counters.completion.saturating_add(others);
    Ok(())
}

fn read_finish<'b>(reader: &mut Reader<'b>, answer: &mut impl Answer<'b>) -> Result<()> {
    if let Some(reason) = reader.string()? {
        match &*reason.text() {
            // llama.cpp, of an event before the last.
            "none" => {}
            reason => answer.set_finish(finish(reason)),
        }
    }
    Ok(())
}

/// llama.cpp's `eos`, `word` and `limit`; TGI's `eos_token`, `stop_sequence` and `length`; SGLang's `stop`, `length` and
/// `abort`.
fn finish(reason: &str) -> Finish {
    match reason {
        "eos" | "word" | "eos_token" | "stop_sequence" | "stop" => Finish::Stop,
        "limit" | "length" => Finish::Length,
        "abort" => Finish::Error,
        _ => Finish::Other,
    }
}
