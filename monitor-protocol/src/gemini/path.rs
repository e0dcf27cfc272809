//! Which operation a path names.

use crate::{Api, Call, Operation, target::Target};

/// Ends of the path of a Live session, where the method is not a segment of its own: `Constrained` is asked for with an
/// ephemeral token (google-genai 3.4.0, `live.py`, `AsyncLive.connect`). Vertex has `…LlmBidiService/BidiGenerateContent`.
const LIVE: [&str; 2] = [
    ".generativeservice.bidigeneratecontent",
    ".generativeservice.bidigeneratecontentconstrained",
];

/// Paths end in `{resource}:{method}`. The resource is a model: `/v1beta/models/{model}`, `/v1beta/tunedModels/{model}`,
/// `/v1/projects/{}/locations/{}/publishers/{publisher}/models/{model}`, or a Vertex endpoint,
/// `/v1/projects/{}/locations/{}/endpoints/{id}` (google-genai 3.4.0, `models.py`). Gemini CLI's own server has no
/// resource, `/v1internal:generateContent`, and the model is in the body (`@google/gemini-cli-core` 0.61.0,
/// `code_assist/server.js`).
pub(super) fn recognise(target: &Target<'_>, at_home: bool) -> Option<Call> {
    let last = target.nth_back(0)?;
    if target.is_websocket() {
        let is_live = last == "bidigeneratecontent" || LIVE.iter().any(|method| last.ends_with(method));
        return is_live.then(|| Call::new(Api::Gemini, Operation::Live));
    }
    if !target.is("POST") {
        return None;
    }
    let Some((resource, method)) = last.rsplit_once(':') else {
        return named_by_its_collection(last, at_home);
    };
    let model = (resource != "v1internal" && !resource.is_empty()).then(|| resource.to_owned());
    let (operation, streams) = match method {
        "generatecontent" => (Operation::GenerateContent, false),
        "streamgeneratecontent" => (Operation::GenerateContent, true),
        "embedcontent" | "batchembedcontents" => (Operation::EmbedContent, false),
        // `computeTokens` lists the tokens that `countTokens` counts.
        "counttokens" | "computetokens" => (Operation::CountTokens, false),
        "batchgeneratecontent" | "asyncbatchembedcontent" => (Operation::Batches, false),
        // The rest are words that others may use too.
        _ if !at_home => return None,
        "predict" | "predictlongrunning" => (Operation::Predict, false),
        "rawpredict" => return Some(raw_predict(target, resource, false)),
        "streamrawpredict" => return Some(raw_predict(target, resource, true)),
        _ => return None,
    };
    let call = Call::new(Api::Gemini, operation);
    Some(call.with_model(model).with_streams(streams))
}

/// Collections to which a `POST` adds: contents kept for later prompts, Vertex's batches.
fn named_by_its_collection(last: &str, at_home: bool) -> Option<Call> {
    let operation = match last {
        "cachedcontents" => Operation::CachedContents,
        "batchpredictionjobs" => Operation::Batches,
        _ => return None,
    };
    at_home.then(|| Call::new(Api::Gemini, operation))
}

/// A model of another publisher, called in its own shape: Anthropic's messages without `model`, and tokens counted under
/// the name `count-tokens`, with it (anthropic-python 2.12.0, `lib/vertex/_client.py`, `_prepare_options`). Mistral's and
/// AI21's models take chat completions. What an endpoint takes is its owner's affair.
fn raw_predict(target: &Target<'_>, resource: &str, streams: bool) -> Call {
    let model = Some(resource.to_owned());
    let call = match target.after("publishers") {
        Some("anthropic") if resource == "count-tokens" => {
            return Call::new(Api::Anthropic, Operation::CountTokens);
        }
        Some("anthropic") => Call::new(Api::Anthropic, Operation::Messages),
        Some(_) => Call::new(Api::OpenAi, Operation::ChatCompletions),
        None => Call::new(Api::Gemini, Operation::Predict),
    };
    call.with_model(model).with_streams(streams)
}

#[cfg(test)]
mod tests {
    use crate::{Api, Call, Operation, RequestLine, recognise};

    fn call(api: Api, target: &str) -> Call {
        recognise(api, RequestLine::post(target))
    }

    fn gemini(operation: Operation, model: &str, streams: bool) -> Call {
        let model = (!model.is_empty()).then(|| model.to_owned());
        Call::new(Api::Gemini, operation)
            .with_model(model)
            .with_streams(streams)
    }

    #[test]
    fn paths_of_gemini() {
        use Operation as O;
        for (path, want) in [
            (
                "/v1beta/models/gemini-2.5-flash:generateContent",
                gemini(O::GenerateContent, "gemini-2.5-flash", false),
            ),
            (
                "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
                gemini(O::GenerateContent, "gemini-2.5-flash", true),
            ),
            (
                "/v1/tunedModels/mine%3AstreamGenerateContent",
                gemini(O::GenerateContent, "mine", true),
            ),
            (
                "/v1beta/models/gemini-embedding-001:batchEmbedContents",
                gemini(O::EmbedContent, "gemini-embedding-001", false),
            ),
            (
                "/v1beta/models/gemini-embedding-001:embedContent",
                gemini(O::EmbedContent, "gemini-embedding-001", false),
            ),
            (
                "/v1beta/models/gemini-2.5-pro:countTokens",
                gemini(O::CountTokens, "gemini-2.5-pro", false),
            ),
            (
                "/v1beta/models/gemini-2.5-pro:batchGenerateContent",
                gemini(O::Batches, "gemini-2.5-pro", false),
            ),
            ("/v1beta/cachedContents", gemini(O::CachedContents, "", false)),
            (
                "/v1internal:streamGenerateContent?alt=sse",
                gemini(O::GenerateContent, "", true),
            ),
            ("/v1beta/models/gemini-2.5-pro", Call::other(Api::Gemini)),
            ("/upload/v1beta/files", Call::other(Api::Gemini)),
            (
                "/v1beta/openai/chat/completions",
                Call::new(Api::OpenAi, O::ChatCompletions),
            ),
        ] {
            assert_eq!(call(Api::Gemini, path), want, "{path}");
        }
        let get = RequestLine {
            method: "GET",
            target: "/v1beta/models/gemini-2.5-pro:generateContent",
            websocket: false,
        };
        assert_eq!(recognise(Api::Gemini, get), Call::other(Api::Gemini));
    }

    #[test]
    fn paths_of_vertex() {
        use Operation as O;
        let at = "/v1/projects/p/locations/us-central1";
        for (path, want) in [
            (
                "/publishers/google/models/gemini-2.5-pro:generateContent",
                gemini(O::GenerateContent, "gemini-2.5-pro", false),
            ),
            (
                "/endpoints/1234:streamGenerateContent",
                gemini(O::GenerateContent, "1234", true),
            ),
            (
                "/publishers/google/models/text-embedding-005:predict",
                gemini(O::Predict, "text-embedding-005", false),
            ),
            (
                "/publishers/google/models/gemini-2.5-pro:computeTokens",
                gemini(O::CountTokens, "gemini-2.5-pro", false),
            ),
            ("/cachedContents", gemini(O::CachedContents, "", false)),
            ("/batchPredictionJobs", gemini(O::Batches, "", false)),
            (
                "/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
                Call::new(Api::Anthropic, O::Messages)
                    .with_model(Some("claude-sonnet-4-5@20250929".to_owned())),
            ),
            (
                "/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict",
                Call::new(Api::Anthropic, O::Messages)
                    .with_model(Some("claude-sonnet-4-5@20250929".to_owned()))
                    .with_streams(true),
            ),
            (
                "/publishers/anthropic/models/count-tokens:rawPredict",
                Call::new(Api::Anthropic, O::CountTokens),
            ),
            (
                "/publishers/mistralai/models/mistral-small-2503:streamRawPredict",
                Call::new(Api::OpenAi, O::ChatCompletions)
                    .with_model(Some("mistral-small-2503".to_owned()))
                    .with_streams(true),
            ),
            (
                "/endpoints/openapi/chat/completions",
                Call::new(Api::OpenAi, O::ChatCompletions),
            ),
        ] {
            assert_eq!(call(Api::Gemini, &format!("{at}{path}")), want, "{path}");
        }
    }

    #[test]
    fn paths_of_live_sessions() {
        for target in [
            "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k",
            "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained",
            "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent",
        ] {
            for method in ["GET", "CONNECT"] {
                let line = RequestLine {
                    method,
                    target,
                    websocket: true,
                };
                let call = recognise(Api::Gemini, line);
                assert_eq!(
                    (call.operation, call.websocket),
                    (Operation::Live, true),
                    "{target}"
                );
            }
        }
        let music = "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateMusic";
        assert_eq!(call(Api::Gemini, music), Call::other(Api::Gemini));
    }

    #[test]
    fn at_other_hosts_only_what_nobody_else_has() {
        let path = "/gemini/v1beta/models/gemini-2.5-pro:streamGenerateContent";
        assert_eq!(
            call(Api::OpenAi, path),
            gemini(Operation::GenerateContent, "gemini-2.5-pro", true)
        );
        for path in ["/v1/models/mine:predict", "/v1/cachedContents"] {
            assert_eq!(call(Api::OpenAi, path), Call::other(Api::OpenAi), "{path}");
        }
    }
}
