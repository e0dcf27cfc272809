//! What a request says.

use super::super::{chat::choices, content::content, input::input};
use crate::{
    JsonError, Operation, OutputLimit, Place, ReadError, Request, Role,
    json::{Kind, Reader, document},
    request::{Batch, schema_key, unknown_key},
};

type Result<T> = std::result::Result<T, JsonError>;

/// How many answers are written: to each prompt as many.
struct Answers {
    prompts: u32,
    each: u32,
}

pub(in crate::openai) fn read_request(
    operation: Operation,
    body: &[u8],
) -> std::result::Result<Request<'_>, ReadError> {
    let mut request = Request::empty();
    // Streams carry counts unasked.
    request.include_usage = true;
    let mut answers = Answers { prompts: 1, each: 1 };
    request.insert_at = document(body, |reader, key| {
        member(operation, reader, &key.text(), &mut request, &mut answers)
    })?;
    if operation.generates() {
        request.choices = answers.prompts.saturating_mul(answers.each);
    } else {
        request.max_output_tokens = None;
    }
    Ok(request)
}

fn member<'b>(
    operation: Operation,
    reader: &mut Reader<'b>,
    key: &str,
    request: &mut Request<'b>,
    answers: &mut Answers,
) -> Result<()> {
    match key {
        // llama.cpp's; TGI's and TEI's; SGLang's. One, several, or token numbers.
        "prompt" | "content" | "input" | "inputs" | "text" | "input_ids" | "token_ids" => {
            answers.prompts = input(reader, request, Role::User)?.max(answers.prompts);
            Ok(())
        }
        "input_prefix" | "input_suffix" => request.push_value(reader, Role::User, Place::Message),
        // What the documents are compared with: of rerankings, of vLLM's scores.
        "query" | "queries" | "text_1" | "data_1" => input(reader, request, Role::User).map(drop),
        "documents" | "input_extra" | "items" | "text_2" | "data_2" | "texts" => documents(reader, request),
        "instruct" | "instruction" => request.push_value(reader, Role::System, Place::Message),
        "parameters" | "sampling_params" => sampling(reader, request, answers),
        "model" => {
            request.model = reader.string()?.map(|model| model.text());
            Ok(())
        }
        "stream" => {
            request.stream = reader.is_true()?;
            Ok(())
        }
        "image_data" | "video_data" => attached(reader, &mut request.attachments.images),
        "audio_data" => attached(reader, &mut request.attachments.audio),
        // Known, and read by no model.
        "dimensions"
        | "encoding_format"
        | "lora_path"
        | "prompt_name"
        | "response_fields"
        | "rid"
        | "samplers"
        | "session_id"
        | "truncation_direction" => reader.skip().map(drop),
        key => setting(operation, reader, key, request, answers),
    }
}

/// The parameters of one prompt, or (SGLang) an array of each one's.
fn sampling<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>, answers: &mut Answers) -> Result<()> {
    let mut read = |reader: &mut Reader<'b>, request: &mut Request<'b>| {
        reader
            .object(|reader, key| setting(Operation::Generate, reader, &key.text(), request, answers))
            .map(drop)
    };
    if reader.peek()? != Kind::Array {
        return read(reader, request);
    }
    let mut batch = Batch::default();
    reader.array(|reader| {
        read(reader, request)?;
        batch.add(request);
        Ok(())
    })?;
    batch.finish(request);
    Ok(())
}

/// A parameter of sampling, which llama.cpp has beside the prompt.
fn setting<'b>(
    operation: Operation,
    reader: &mut Reader<'b>,
    key: &str,
    request: &mut Request<'b>,
    answers: &mut Answers,
) -> Result<()> {
    match key {
        "n_predict" | "max_tokens" | "max_completion_tokens" | "max_new_tokens" if operation.generates() => {
            // One by another name: whichever the server takes, it takes no more than the larger.
            if let Some(limit) = OutputLimit::read(reader)?
                && request
                    .max_output_tokens
                    .as_ref()
                    .is_none_or(|other| other.tokens <= limit.tokens)
            {
                request.max_output_tokens = Some(limit);
            }
            Ok(())
        }
        "n" | "n_cmpl" | "best_of" => {
            answers.each = choices(reader)?.max(answers.each);
            Ok(())
        }
        "ebnf" | "grammar" | "json_schema" | "regex" | "structural_tag" => {
            request.push_all(reader, Place::OutputSchema, false, schema_key)
        }
        // Known, and read by no model.
        "adapter_id" | "stop" | "stop_regex" => reader.skip().map(drop),
        _ => request.push_all(reader, Place::Other, false, unknown_key),
    }
}

/// A document or an array of them: a text, token numbers, parts, or an object with one of these.
fn documents<'b>(reader: &mut Reader<'b>, request: &mut Request<'b>) -> Result<()> {
    match reader.peek()? {
        Kind::Array => reader.array(|reader| documents(reader, request)).map(drop),
        Kind::Number => {
            request.token_ids = request.token_ids.saturating_add(1);
            reader.skip().map(drop)
        }
        _ => content(reader, request, Place::Document),
    }
}

/// Counts images or sounds, one or an array, which are base64 data or addresses.
fn attached(reader: &mut Reader<'_>, field: &mut u32) -> Result<()> {
    match reader.peek()? {
        Kind::Array => reader.array(|reader| attached(reader, field)).map(drop),
        Kind::Null => reader.skip().map(drop),
        _ => {
            *field = field.saturating_add(1);
            reader.skip().map(drop)
        }
    }
}
