//! Which operation a path of OpenAI's asks for, at OpenAI, at Azure and at the servers that copy them.
//!
//! Azure has every operation under a deployment, which stands for the model where the body names none
//! (`/openai/deployments/{deployment}/chat/completions?api-version=…`), and without (`/openai/v1/responses`,
//! `/openai/responses?api-version=…`): openai-python 3.54.0, `src/openai/lib/azure.py`.

use super::hosted;
use crate::{Api, Call, Operation, target::Target};

/// Last segments of a path, and what they ask for. What follows another resource's id is not rooted.
struct Route {
    end: &'static [&'static str],
    operation: Operation,
    /// Only directly below the API's root, and at its own hosts: elsewhere the word is a part of another resource
    /// (`vector_stores/{id}/files`) or another provider's.
    rooted: bool,
}

const fn route(end: &'static [&'static str], operation: Operation) -> Route {
    Route {
        end,
        operation,
        rooted: false,
    }
}

const fn rooted(end: &'static [&'static str], operation: Operation) -> Route {
    Route {
        end,
        operation,
        rooted: true,
    }
}

/// The longer ends first.
const ROUTES: &[Route] = &[
    route(&["chat", "completions"], Operation::ChatCompletions),
    route(&["responses", "input_tokens"], Operation::CountTokens),
    route(&["responses", "compact"], Operation::Responses),
    route(&["images", "generations"], Operation::Images),
    route(&["images", "edits"], Operation::Images),
    route(&["images", "variations"], Operation::Images),
    route(&["audio", "transcriptions"], Operation::Transcriptions),
    route(&["audio", "translations"], Operation::Transcriptions),
    route(&["audio", "speech"], Operation::Speech),
    route(&["completions"], Operation::Completions),
    route(&["responses"], Operation::Responses),
    route(&["embeddings"], Operation::Embeddings),
    route(&["moderations"], Operation::Moderations),
    rooted(&["files"], Operation::Files),
    rooted(&["batches"], Operation::Batches),
];

pub(super) fn recognise(target: &Target<'_>, at_home: bool) -> Option<Call> {
    openai(target, at_home).or_else(|| hosted::recognise(target, at_home))
}

fn openai(target: &Target<'_>, at_home: bool) -> Option<Call> {
    let operation = if target.is_websocket() {
        websocket(target, at_home)?
    } else if target.is("POST") {
        let route = ROUTES.iter().find(|route| target.ends_with(route.end))?;
        let is_chat = route.operation == Operation::ChatCompletions;
        if route.rooted && !at_home {
            return None;
        }
        let anywhere = is_chat || at_home && !route.rooted;
        (anywhere || is_rooted(target, route.end.len(), at_home)).then_some(route.operation)?
    } else {
        return None;
    };
    let named = target.after("deployments").map(str::to_owned);
    let asked = || target.query("model").or_else(|| target.query("deployment"));
    let model = match operation {
        Operation::Realtime | Operation::Responses => named.or_else(asked),
        _ => named,
    };
    Some(Call::new(Api::OpenAi, operation).with_model(model))
}

/// A WebSocket is opened by `GET`, or over HTTP/2 by `CONNECT` (RFC 8441).
fn websocket(target: &Target<'_>, at_home: bool) -> Option<Operation> {
    if !target.is("GET") && !target.is("CONNECT") {
        return None;
    }
    let operation = match target.last()? {
        "realtime" => Operation::Realtime,
        "responses" => Operation::Responses,
        _ => return None,
    };
    (at_home || is_rooted(target, 1, at_home)).then_some(operation)
}

/// Whether the last `end` segments stand directly below what can be the API's root.
fn is_rooted(target: &Target<'_>, end: usize, at_home: bool) -> bool {
    match target.nth_back(end) {
        None => at_home,
        Some(before) => matches!(before, "v1" | "openai") || target.nth_back(end + 1) == Some("deployments"),
    }
}
