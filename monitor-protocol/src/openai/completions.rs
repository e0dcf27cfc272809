//! Completions of a prompt without messages.
//!
//! Shapes: openai-python 3.54.0, `types/completion_create_params.py`, `completion.py`, `completion_choice.py`; a choice's
//! `text` is read where a chat completion's are. vLLM, llama.cpp and others serve them with members of their own.

use super::{chat::choices, content::push, input::input, stream_options::Asked};
use crate::{
    OutputLimit, Place, ReadError, Request, Role,
    json::{Reader, Str, document},
    request::unknown_key,
};

pub(super) fn read_request(body: &[u8]) -> Result<Request<'_>, ReadError> {
    let mut request = Request::empty();
    let mut asked = Asked::Nowhere;
    let mut answers = Answers { prompts: 1, each: 1 };
    request.insert_at = document(body, |reader, key| {
        member(reader, key, &mut request, &mut asked, &mut answers)
    })?;
    request.choices = answers.prompts.saturating_mul(answers.each);
    asked.ask(&mut request);
    Ok(request)
}

/// How many answers are written: to each prompt `n`, or `best_of`, of which all cost tokens.
struct Answers {
    prompts: u32,
    each: u32,
}

fn member<'b>(
    reader: &mut Reader<'b>,
    key: Str<'b>,
    request: &mut Request<'b>,
    asked: &mut Asked,
    answers: &mut Answers,
) -> Result<(), crate::JsonError> {
    match &*key.text() {
        "prompt" => answers.prompts = input(reader, request, Role::User)?.max(1),
        "suffix" => {
            push(reader, request, Place::Other, true)?;
        }
        "model" => request.model = reader.string()?.map(|model| model.text()),
        "stream" => request.stream = reader.is_true()?,
        "stream_options" => *asked = Asked::read(reader, request)?,
        // llama.cpp has it by either name.
        "max_tokens" | "n_predict" => request.max_output_tokens = OutputLimit::read(reader)?,
        "n" | "best_of" => answers.each = choices(reader)?.max(answers.each),
        // Known, and read by no model.
        "echo" | "frequency_penalty" | "logit_bias" | "logprobs" | "presence_penalty" | "seed" | "stop"
        | "temperature" | "top_p" | "user" => {
            reader.skip()?;
        }
        _ => request.push_all(reader, Place::Other, false, unknown_key)?,
    }
    Ok(())
}
