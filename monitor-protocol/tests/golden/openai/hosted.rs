//! Self-hosted servers' own endpoints.

use monitor_protocol::*;

use crate::reading::{Reading, call_of, fixture, read_fixture, request_texts, text, usage};

fn with_request<T>(name: &str, then: impl FnOnce(&Request<'_>) -> T) -> T {
    let body = fixture(name);
    then(&read_request(&call_of(name), None, &body).unwrap())
}

fn with_response(name: &str, then: impl FnOnce(&Response<'_>)) {
    let body = fixture(name);
    then(&read_response(&call_of(name), &body).unwrap());
}

/// Choices with their texts.
fn told<'r>(response: &'r Response<'_>) -> Vec<(u32, &'r str)> {
    let texts = response.texts.iter();
    texts
        .map(|text| (text.channel.choice, text.literal.raw))
        .collect()
}

fn spent(response: &Response<'_>) -> Option<Usage> {
    response.usage.map(|counters| counters.usage())
}

#[test]
fn completion_of_llama_cpp_streamed() {
    let reading = read_fixture("openai/generate/llama_stream.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "Grüße 東京 😀, \"quoted\"\n");
    assert_eq!(
        reading.usage,
        usage(3, 4, 0, 3, 0),
        "cached tokens are evaluated ones"
    );
    assert_eq!(reading.finish, [Finish::Length]);
    assert_eq!(reading.model.as_deref(), Some("gemma-3-270m"));
    assert!(reading.terminal && !reading.error && reading.usage_only == 0);
    assert_eq!(
        reading.texts.len(),
        1,
        "the prompt that the last event repeats is no answer"
    );
    assert_eq!(reading.echoes, 4, "token numbers tell the text again");
}

/// `/completions` is llama.cpp's own, `/v1/completions` OpenAI's: the same operation, told apart by members.
#[test]
fn completions_of_llama_cpp_without_choices() {
    let reading = read_fixture("openai/completions/llama_stream.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "Hi there");
    assert_eq!(reading.usage, usage(3, 4, 0, 3, 0));
    assert!(reading.terminal);
    assert_eq!(reading.usage_only, 0, "every event must reach the client");
    let call = call_of("openai/completions/x");
    let body = br#"{"prompt":"x","n_predict":5}"#;
    let request = read_request(&call, None, body).unwrap();
    assert_eq!(request.max_output_tokens.unwrap().tokens, 5);
}

#[test]
fn completion_of_llama_cpp_whole() {
    with_response("openai/generate/llama_response.json", |response| {
        assert_eq!(told(response), [(0, r#"Grüße, \"Ann\""#)]);
        assert_eq!(spent(response), usage(3, 4, 0, 3, 0));
        assert_eq!(response.finish, Some(Finish::Stop));
        assert_eq!(response.echoes.len(), 2);
        assert_eq!(response.model.as_deref(), Some("gemma-3-270m"));
    });
    with_response("openai/generate/llama_response_prompts.json", |response| {
        assert_eq!(told(response), [(0, "first"), (1, "second")]);
        assert_eq!(spent(response), usage(6, 8, 0, 6, 0), "each prompt is paid");
    });
}

#[test]
fn requests_to_llama_cpp() {
    with_request("openai/generate/llama_request.json", |request| {
        use {Place as P, Role as R};
        assert_eq!(
            request_texts(request),
            [
                text(R::User, P::Message, "Mail ann@example.org"),
                text(R::User, P::Message, "see <__media__>"),
                text(R::Unstated, P::OutputSchema, "city"),
                text(R::Unstated, P::Other, "odd words"),
            ]
        );
        assert_eq!(
            request.max_output_tokens.as_ref().map(|limit| limit.tokens),
            Some(64)
        );
        assert_eq!((request.token_ids, request.choices), (2, 6), "two to each prompt");
        assert_eq!(request.attachments.images, 1);
        assert_eq!(request.model.as_deref(), Some("gemma"));
        assert!(request.stream && request.include_usage);
    });
    with_request("openai/generate/llama_infill.json", |request| {
        use {Place as P, Role as R};
        assert_eq!(
            request_texts(request),
            [
                text(R::User, P::Message, "def greet(name):\n"),
                text(R::User, P::Message, "\n# end"),
                text(R::Unstated, P::Document, "keys.py"),
                text(R::Unstated, P::Document, "KEY = 'k'"),
                text(R::User, P::Message, "    "),
            ]
        );
        assert!(request.texts.iter().all(|text| text.counted));
    });
}

#[test]
fn no_limit_is_no_limit_and_of_two_the_larger_counts() {
    let limit = |body: &[u8]| {
        let request = read_request(&call_of("openai/generate/x"), None, body).unwrap();
        request
            .max_output_tokens
            .map(|limit| (limit.tokens, body[limit.span].to_vec()))
    };
    assert_eq!(limit(br#"{"prompt":"x","n_predict":-1}"#), None);
    let both = br#"{"prompt":"x","n_predict":900,"max_tokens":10}"#;
    assert_eq!(limit(both), Some((900, b"900".to_vec())));
    let one_without = br#"{"text":["x","y"],"sampling_params":[{"max_new_tokens":8},{}]}"#;
    assert_eq!(limit(one_without), None);
}

#[test]
fn generate_of_tgi_streamed() {
    let reading = read_fixture("openai/generate/tgi_stream.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "Hello Ann!");
    assert_eq!(reading.repeats, ["Hello Ann!"], "the end tells it again");
    assert_eq!(reading.texts.len(), 1, "a token's number is not an answer's");
    assert_eq!(reading.usage, usage(6, 0, 0, 3, 0));
    assert_eq!(reading.finish, [Finish::Stop]);
    assert_eq!(reading.echoes, 1);
    assert!(reading.terminal && !reading.error);
}

#[test]
fn generate_of_tgi_whole() {
    with_response("openai/generate/tgi_response.json", |response| {
        assert_eq!(told(response), [(0, "Hello Ann"), (1, "Hi Ann")]);
        assert_eq!(
            spent(response),
            usage(2, 0, 0, 5, 0),
            "the worse answers are paid too"
        );
        assert_eq!(response.echoes.len(), 2);
        assert_eq!(response.finish, Some(Finish::Length));
    });
    with_response("openai/generate/tgi_response_plain.json", |response| {
        assert_eq!(told(response), [(0, "Hello")]);
        assert_eq!(
            spent(response),
            None,
            "an answer without the prompt's tokens tells no usage"
        );
    });
    with_request("openai/generate/tgi_request.json", |request| {
        assert_eq!(
            request_texts(request),
            [
                text(Role::User, Place::Message, "Greet ann@example.org"),
                text(Role::Unstated, Place::OutputSchema, "json"),
                text(Role::Unstated, Place::OutputSchema, "value"),
                text(Role::Unstated, Place::OutputSchema, "city"),
            ]
        );
        assert_eq!(
            request.max_output_tokens.as_ref().map(|limit| limit.tokens),
            Some(20)
        );
        assert_eq!(request.choices, 2);
        assert!(!request.stream);
    });
}

/// Every event has all of the text so far: only the first is new, and each is scanned whole.
#[test]
fn generate_of_sglang_streamed() {
    let reading = read_fixture("openai/generate/sglang_stream.sse");
    assert_eq!(reading.text(0, Part::Text, 0), "Hello");
    assert_eq!(reading.repeats, ["Hello Ann", "Hello Ann!"]);
    assert_eq!(reading.usage, usage(5, 4, 0, 3, 0));
    assert_eq!(reading.finish, [Finish::Stop]);
    assert!(reading.terminal);
}

#[test]
fn generate_of_sglang_whole() {
    with_response("openai/generate/sglang_response.json", |response| {
        assert_eq!(told(response), [(0, "Hello Ann!")]);
        assert_eq!(spent(response), usage(5, 4, 0, 3, 0));
        assert_eq!(response.finish, Some(Finish::Length));
        assert_eq!(response.echoes.len(), 2, "token numbers and log probabilities");
        assert_eq!(response.usage_raw, None, "`meta_info` may hold text");
    });
    with_response("openai/generate/sglang_response_batch.json", |response| {
        assert_eq!(told(response), [(0, "one"), (1, "two")]);
        assert_eq!(spent(response), usage(10, 8, 0, 5, 0));
    });
    with_request("openai/generate/sglang_request.json", |request| {
        assert_eq!(
            request_texts(request),
            [
                text(Role::User, Place::Message, "Greet ann@example.org"),
                text(Role::User, Place::Message, "Bye"),
                text(Role::Unstated, Place::OutputSchema, "[a-z]+"),
            ]
        );
        assert_eq!(
            request.max_output_tokens.as_ref().map(|limit| limit.tokens),
            Some(32)
        );
        assert_eq!((request.choices, request.attachments.images), (4, 1));
        assert!(request.stream);
    });
    let name = "openai/generate/sglang_request_tokens.json";
    let body = fixture(name);
    let request = read_request(&call_of(name), None, &body).unwrap();
    assert_eq!((request.token_ids, request.texts.len()), (4, 0));
    let plan = prompt_count(&call_of(name), &body, &request);
    assert_eq!((plan.overhead, plan.certainty), (4, Certainty::Estimated));
}

#[test]
fn errors_mid_stream() {
    for server in ["llama", "tgi"] {
        let reading: Reading = read_fixture(&format!("openai/generate/{server}_stream_error.sse"));
        assert_eq!(reading.text(0, Part::Text, 0), "So far");
        assert!(reading.error && !reading.terminal, "{server}");
    }
}

#[test]
fn rankings_and_scores() {
    use {Place as P, Role as R};
    let name = "openai/rerank/request.json";
    with_request(name, |request| {
        assert_eq!(
            request_texts(request),
            [
                text(R::User, P::Message, "who is ann@example.org"),
                text(R::Unstated, P::Document, "Ann works here"),
                text(R::Unstated, P::Document, "{no} JSON"),
                text(R::Unstated, P::Document, "Bob works there"),
                text(R::Unstated, P::Document, "A picture"),
            ]
        );
        assert_eq!(request.attachments.images, 1);
        let plan = prompt_count(&call_of(name), &fixture(name), request);
        assert_eq!(
            plan.certainty,
            Certainty::UnderEstimate,
            "the query is read with each document"
        );
    });
    with_request("openai/rerank/request_score.json", |request| {
        let found = request_texts(request);
        assert_eq!(found[1], text(R::User, P::Message, "another"));
        assert_eq!(found[3], text(R::Unstated, P::Document, "second"));
        assert_eq!(found.len(), 4);
    });
    with_request("openai/rerank/request_items.json", |request| {
        assert_eq!((request.token_ids, request.texts.len()), (3, 1));
    });
    with_request("openai/rerank/request_tei.json", |request| {
        assert_eq!(request_texts(request)[2], text(R::Unstated, P::Document, "two"));
        assert_eq!(request.texts.len(), 3);
    });
    for (name, spent_there) in [
        ("response.json", usage(31, 0, 0, 0, 0)),
        ("response_total_only.json", usage(56, 0, 0, 0, 0)),
        ("response_tei.json", None),
        ("response_sglang.json", usage(17, 0, 0, 0, 0)),
    ] {
        with_response(&format!("openai/rerank/{name}"), |response| {
            assert_eq!(spent(response), spent_there, "{name}");
            assert!(response.texts.is_empty() && !response.error, "{name}");
        });
    }
}

#[test]
fn embeddings_of_tei_and_llama_cpp() {
    let mail = text(Role::User, Place::Message, "Mail ann@example.org");
    with_request("openai/embed/request.json", |request| {
        assert_eq!(
            request_texts(request),
            [mail.clone(), text(Role::User, Place::Message, "two")]
        );
    });
    with_request("openai/embed/request_llama.json", |request| {
        assert_eq!(request_texts(request), [mail]);
    });
    for name in [
        "embed/response.json",
        "embed/response_llama.json",
        "embeddings/llama_response.json",
    ] {
        with_response(&format!("openai/{name}"), |response| {
            assert!(response.texts.is_empty() && response.usage.is_none() && !response.error);
        });
    }
    with_response("openai/embed/response_error.json", |response| {
        assert!(response.error)
    });
    let number = read_response(&call_of("openai/embed/x"), b"1");
    assert!(number.is_err(), "a number is no answer");
}

#[test]
fn paths_of_self_hosted_servers() {
    let asked = |api, method, target| {
        let line = RequestLine {
            method,
            target,
            websocket: false,
        };
        let call = recognise(api, line);
        (call.shape, call.operation, call.streams)
    };
    use Operation as O;
    for (path, operation, streams) in [
        ("/completion", O::Generate, false),
        ("/infill", O::Generate, false),
        ("/generate", O::Generate, false),
        ("/generate_stream", O::Generate, true),
        ("//Generate/?x=1", O::Generate, false),
        ("/models/m/generate", O::Generate, false),
        ("/embedding", O::Embed, false),
        ("/embed", O::Embed, false),
        ("/encode", O::Embed, false),
        ("/rerank", O::Rerank, false),
        ("/v1/rerank", O::Rerank, false),
        ("/v1/reranking", O::Rerank, false),
        ("/score", O::Rerank, false),
        ("/v1/score", O::Rerank, false),
        ("/completions", O::Completions, false),
        ("/embeddings", O::Embeddings, false),
    ] {
        assert_eq!(
            asked(Api::OpenAi, "POST", path),
            (Api::OpenAi, operation, streams),
            "{path}"
        );
    }
    assert_eq!(asked(Api::OpenAi, "PUT", "/generate").1, O::Generate);
    assert_eq!(asked(Api::OpenAi, "GET", "/generate").1, O::Other);
    assert_eq!(asked(Api::OpenAi, "POST", "/api/generate").0, Api::Ollama);
    assert_eq!(asked(Api::OpenAi, "POST", "/v2/rerank").0, Api::Cohere);
    assert_eq!(asked(Api::Ollama, "POST", "/api/embed").0, Api::Ollama);
    assert_eq!(asked(Api::Cohere, "POST", "/v1/rerank").0, Api::Cohere);
    assert_eq!(asked(Api::Anthropic, "POST", "/generate").1, O::Other);
    assert_eq!(
        asked(Api::Anthropic, "POST", "/infill"),
        (Api::OpenAi, O::Generate, false)
    );
}
