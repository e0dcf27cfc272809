//! Lowering a request's output limit.

use super::Rewrite;
use crate::{
    Api, Call, JsonError, Operation, bedrock,
    json::{Kind, Reader},
};

type Result<T> = std::result::Result<T, JsonError>;

/// The least that OpenAI's Responses take for `max_output_tokens` (API reference: "minimum 16").
const MIN_RESPONSES_TOKENS: u64 = 16;

/// Where a shape has its output limit.
struct Place {
    /// The objects it stands in, from the outside; each with the names it may have, the first of which is written.
    within: &'static [&'static [&'static str]],
    /// The names it may have. What stands under any of them is lowered: which one a server takes is the server's affair.
    names: &'static [&'static str],
    /// The name it is added by; `None` where that depends on what is not known here.
    added: Option<&'static str>,
    /// What is read as the envelope of the whole request where it is an object (Gemini CLI's `request`).
    envelope: Option<&'static str>,
}

impl Place {
    const fn top(names: &'static [&'static str], added: &'static str) -> Self {
        Self::within(&[], names, added)
    }

    const fn within(
        within: &'static [&'static [&'static str]],
        names: &'static [&'static str],
        added: &'static str,
    ) -> Self {
        Self {
            within,
            names,
            added: Some(added),
            envelope: None,
        }
    }
}

const MAX_TOKENS: &[&str] = &["max_tokens"];
const CHAT: &[&str] = &["max_completion_tokens", "max_tokens"];
const GENERATE: &[&str] = &[
    "max_new_tokens",
    "max_tokens",
    "max_completion_tokens",
    "n_predict",
];
/// Of models that Bedrock invokes in shapes of their own.
const INVOKED: &[&str] = &[
    "max_gen_len",
    "max_tokens",
    "maxTokens",
    "max_tokens_to_sample",
    "maxTokenCount",
];

/// The least limit that a provider takes: a lower one is answered by an error.
#[must_use]
pub fn min_output_limit(call: &Call) -> u64 {
    if call.shape == Api::OpenAi && call.operation == Operation::Responses {
        MIN_RESPONSES_TOKENS
    } else {
        1
    }
}

/// What makes a request allow at most `tokens` of output a choice, each byte beside that as it was; nothing where it allows no
/// more already. `native`: it goes to OpenAI or Azure, whose newer models take `max_completion_tokens` only; servers that copy
/// them know `max_tokens`.
///
/// `None` where it cannot be said in the request: it is no JSON, a batch, a session that was set up before, a shape whose name
/// for it is not known, or it asks for as much thinking (Anthropic's `budget_tokens` must be less than `max_tokens`).
#[must_use]
pub fn lower_output_limit(call: &Call, body: &[u8], tokens: u64, native: bool) -> Option<Vec<Rewrite>> {
    if tokens < min_output_limit(call) {
        return None;
    }
    let inner;
    let (call, place) = match place(call, native) {
        Some(place) => (call, place),
        None if call.operation == Operation::InvokeModel => {
            inner = bedrock::invoked_as(call, body);
            (&inner, place(&inner, false).unwrap_or(INVOKED_TEXT))
        }
        None => return None,
    };
    if call.operation == Operation::Messages && thinks_at_least(body, tokens).unwrap_or(true) {
        return None;
    }
    let mut found = Found {
        rewrites: Vec::new(),
        is_there: false,
        tokens,
    };
    let mut reader = Reader::new(body).ok()?;
    let is_object = reader.peek().ok()? == Kind::Object;
    found.object(&mut reader, place.within, &place, true).ok()?;
    reader.finish().ok()?;
    // Of what stands under no name nothing was written.
    (is_object && (found.is_there || place.added.is_some())).then_some(found.rewrites)
}

fn place(call: &Call, native: bool) -> Option<Place> {
    Some(match (call.shape, call.operation) {
        (Api::OpenAi, Operation::ChatCompletions) => Place::top(CHAT, if native { CHAT[0] } else { CHAT[1] }),
        (Api::OpenAi, Operation::Completions) => Place::top(&["max_tokens", "n_predict"], "max_tokens"),
        (Api::OpenAi, Operation::Responses) => Place::top(&["max_output_tokens"], "max_output_tokens"),
        (Api::OpenAi, Operation::Realtime) => Place::within(
            &[&["response"]],
            &["max_output_tokens", "max_response_output_tokens"],
            "max_output_tokens",
        ),
        (Api::OpenAi, Operation::Generate) => Place {
            within: &[&["parameters", "sampling_params"]],
            names: GENERATE,
            added: None,
            envelope: None,
        },
        (Api::Anthropic, Operation::Messages) | (Api::Cohere, Operation::Chat) => {
            Place::top(MAX_TOKENS, MAX_TOKENS[0])
        }
        (Api::Anthropic, Operation::Complete) => {
            Place::top(&["max_tokens_to_sample"], "max_tokens_to_sample")
        }
        (Api::Gemini, Operation::GenerateContent) => Place {
            envelope: Some("request"),
            ..Place::within(
                &[&["generationConfig", "generation_config"]],
                &["maxOutputTokens", "max_output_tokens"],
                "maxOutputTokens",
            )
        },
        (Api::Bedrock, Operation::Converse) => Place::within(
            &[&["inferenceConfig"]],
            &["maxTokens", "max_new_tokens"],
            "maxTokens",
        ),
        (Api::Ollama, Operation::Chat | Operation::Generate) => {
            Place::within(&[&["options"]], &["num_predict"], "num_predict")
        }
        _ => return None,
    })
}

/// Models that complete a prompt: the members that they have by name, and none is added.
const INVOKED_TEXT: Place = Place {
    within: &[&["textGenerationConfig"]],
    names: INVOKED,
    added: None,
    envelope: None,
};

struct Found {
    rewrites: Vec<Rewrite>,
    is_there: bool,
    tokens: u64,
}

impl Found {
    /// Reads the next value, in which the limit stands `within` further objects.
    fn object(
        &mut self,
        reader: &mut Reader<'_>,
        within: &[&[&str]],
        place: &Place,
        outermost: bool,
    ) -> Result<()> {
        let start = reader.position()?;
        if reader.peek()? != Kind::Object {
            // `null`, most often.
            let span = reader.skip()?;
            if let Some(member) = self.member(within, place) {
                self.rewrites.push(Rewrite {
                    span,
                    json: format!("{{{member}}}"),
                });
            }
            return Ok(());
        }
        let (mut members, mut here) = (0_usize, false);
        reader.object(|reader, key| {
            members += 1;
            let key = key.text();
            if outermost && place.envelope == Some(&*key) && reader.peek()? == Kind::Object {
                here = true;
                return self.object(reader, within, place, false);
            }
            if let Some((names, within)) = within.split_first()
                && names.contains(&&*key)
            {
                here = true;
                return self.object(reader, within, place, false);
            }
            // Where none is added by name, the limit may stand in the outer object as well.
            let is_place = within.is_empty() || place.added.is_none();
            if !is_place || !place.names.contains(&&*key) {
                return reader.skip().map(drop);
            }
            here = true;
            self.value(reader)
        })?;
        if !here && let Some(member) = self.member(within, place) {
            let comma = if members == 0 { "" } else { "," };
            self.rewrites.push(Rewrite {
                span: start + 1..start + 1,
                json: format!("{member}{comma}"),
            });
        }
        Ok(())
    }

    /// The number itself; protobuf's JSON takes it in quotes too.
    fn value(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        self.is_there = true;
        let start = reader.position()?;
        let said = if reader.peek()? == Kind::String {
            let string = reader.string()?;
            string.and_then(|string| string.text().parse().ok())
        } else {
            reader.count()?.map(|(tokens, _)| tokens)
        };
        if said.is_none_or(|said: u64| said > self.tokens) {
            self.rewrites.push(Rewrite {
                span: start..reader.offset(),
                json: self.tokens.to_string(),
            });
        }
        Ok(())
    }

    /// The limit as a member of an object that has `within` between itself and the limit.
    fn member(&self, within: &[&[&str]], place: &Place) -> Option<String> {
        let mut member = format!("\"{}\":{}", place.added?, self.tokens);
        for names in within.iter().rev() {
            member = format!("\"{}\":{{{member}}}", names.first()?);
        }
        Some(member)
    }
}

/// Whether Anthropic's `thinking` wants as much as `tokens` for itself.
fn thinks_at_least(body: &[u8], tokens: u64) -> Result<bool> {
    let mut thinks = false;
    Reader::new(body)?.object(|reader, key| {
        if key.text() != "thinking" {
            return reader.skip().map(drop);
        }
        reader
            .object(|reader, key| {
                if key.text() != "budget_tokens" {
                    return reader.skip().map(drop);
                }
                thinks |= reader.count()?.is_some_and(|(budget, _)| budget >= tokens);
                Ok(())
            })
            .map(drop)
    })?;
    Ok(thinks)
}

#[cfg(test)]
mod tests;
