//! Which operation a request's head asks for.
//!
//! Only the end of a path is compared: any prefix may stand before it. A spelling that no server accepts may be
//! recognised too; that costs a reading and lets nothing through.

use crate::{Api, Call, Operation, RequestLine, target::Target};

/// What a request asks of a provider that speaks `api`: an operation of that family, or of another that is served beside
/// it. Anthropic serves `/v1/chat/completions` beside its own API, and DeepSeek, OpenRouter, Moonshot and others serve
/// `…/v1/messages`.
#[must_use]
pub fn recognise(api: Api, line: RequestLine<'_>) -> Call {
    // The spellings every SDK uses cost a comparison. An MCP server may have any path.
    if line.method == "POST" && !line.websocket && api != Api::Mcp {
        match line.target {
            "/v1/chat/completions" => return Call::new(Api::OpenAi, Operation::ChatCompletions),
            "/v1/messages" => return Call::new(Api::Anthropic, Operation::Messages),
            _ => {}
        }
    }
    let target = Target::new(line);
    let guests = Api::ALL.iter().filter(|guest| **guest != api);
    let call = api.shape().recognise(&target, true);
    call.or_else(|| {
        guests
            .copied()
            .find_map(|guest| guest.shape().recognise(&target, false))
    })
    .map_or_else(
        || Call::other(api),
        |call| Call {
            websocket: line.websocket,
            ..call
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(api: Api, method: &str, target: &str) -> Operation {
        let websocket = false;
        recognise(
            api,
            RequestLine {
                method,
                target,
                websocket,
            },
        )
        .operation
    }

    #[test]
    fn a_websocket_is_one_in_every_spelling() {
        for target in ["/v1/messages", "/v1//messages"] {
            let line = RequestLine {
                websocket: true,
                ..RequestLine::post(target)
            };
            assert!(recognise(Api::Anthropic, line).websocket, "{target}");
        }
    }

    #[test]
    fn every_path_of_an_mcp_server_is_its_own() {
        for path in [
            "/mcp",
            "/v1/chat/completions",
            "/v1//chat/completions",
            "/v1/messages",
        ] {
            assert_eq!(operation(Api::Mcp, "POST", path), Operation::Mcp, "{path}");
        }
    }

    #[test]
    fn known_spellings() {
        for path in [
            "/v1/chat/completions",
            "/openai/v1/chat/completions",
            "/api/v1/chat/completions",
            "/inference/v1/chat/completions",
            "/chat/completions",
            "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
            "https://api.openai.com/v1/chat/completions",
        ] {
            assert_eq!(
                operation(Api::OpenAi, "POST", path),
                Operation::ChatCompletions,
                "{path}"
            );
        }
        for path in ["/v1/messages", "/v1/messages?beta=true", "/anthropic/v1/messages"] {
            assert_eq!(
                operation(Api::Anthropic, "POST", path),
                Operation::Messages,
                "{path}"
            );
        }
    }

    #[test]
    fn evasive_spellings() {
        for path in [
            "/v1/chat/completions/",
            "//v1//chat///completions",
            "/v1/./chat/completions",
            "/v1/files/../chat/completions",
            "/v1/chat/x/%2e%2E/completions",
            "/v1/%63hat/completions",
            "/v1/chat%2fcompletions",
            "/v1/chat%252Fcompletions",
            "/v1/chat%25252Fcompletions",
            "/V1/Chat/Completions",
            "/v1\\chat\\completions",
            "/v1/chat;x=1/completions;y",
            "/v1/chat/completions%3Fx=1",
            "/v1/chat/completions%00",
            "/v1/chat/completions%20",
            "/v1/chat/completions/.",
            "/v1/chat/completions.",
            "/v1/chat/completions#frag",
        ] {
            assert_eq!(
                operation(Api::OpenAi, "POST", path),
                Operation::ChatCompletions,
                "{path}"
            );
        }
        assert_eq!(
            operation(Api::OpenAi, "post", "/v1/chat/completions"),
            Operation::ChatCompletions
        );
    }

    #[test]
    fn other_operations() {
        for (method, path) in [
            ("GET", "/v1/chat/completions"),
            ("POST", "/v1/chat/completions/chatcmpl-1"),
            ("GET", "/v1/responses/resp_1"),
            ("POST", "/v1/responses/resp_1/cancel"),
            ("DELETE", "/v1/responses/resp_1"),
            ("GET", "/v1/responses/resp_1/input_items"),
            ("GET", "/v1/responses"),
            ("GET", "/v1/realtime"),
            ("POST", "/v1/realtime"),
            ("POST", "/v1/realtime/client_secrets"),
            ("POST", "/v1/vector_stores/vs_1/files"),
            ("POST", "/v1/containers/c_1/files"),
            ("GET", "/v1/files"),
            ("GET", "/v1/batches"),
            ("POST", "/v1/batches/b_1/cancel"),
            ("POST", "/v1/threads/thread_1/runs"),
            ("POST", "/v1/models?x=/v1/chat/completions"),
            ("POST", "/"),
            ("POST", ""),
            ("POST", "*"),
            ("POST", "/v1/chat/completions/.."),
        ] {
            assert_eq!(
                operation(Api::OpenAi, method, path),
                Operation::Other,
                "{method} {path}"
            );
        }
        for path in [
            "/v1/messages/batches/msgbatch_1/cancel",
            "/v1/files",
            "/v1/models",
        ] {
            assert_eq!(
                operation(Api::Anthropic, "POST", path),
                Operation::Other,
                "{path}"
            );
        }
    }

    #[test]
    fn the_other_api_at_a_host() {
        assert_eq!(
            operation(Api::Anthropic, "POST", "/v1/chat/completions"),
            Operation::ChatCompletions
        );
        assert_eq!(
            operation(Api::OpenAi, "POST", "/api/v1/messages"),
            Operation::Messages
        );
        assert_eq!(
            operation(Api::OpenAi, "POST", "/anthropic/v1/messages"),
            Operation::Messages
        );
        assert_eq!(
            operation(Api::OpenAi, "POST", "/v1/threads/thread_1/messages"),
            Operation::Other
        );
    }

    #[test]
    fn operations_of_openai() {
        for (path, expected) in [
            ("completions", Operation::Completions),
            ("responses", Operation::Responses),
            ("responses/compact", Operation::Responses),
            ("responses/input_tokens", Operation::CountTokens),
            ("embeddings", Operation::Embeddings),
            ("moderations", Operation::Moderations),
            ("images/generations", Operation::Images),
            ("images/edits", Operation::Images),
            ("images/variations", Operation::Images),
            ("audio/transcriptions", Operation::Transcriptions),
            ("audio/translations", Operation::Transcriptions),
            ("audio/speech", Operation::Speech),
            ("files", Operation::Files),
            ("batches", Operation::Batches),
        ] {
            for prefix in [
                "/v1/",
                "/openai/v1/",
                "/openai/",
                "/",
                "/openai/deployments/my-4o/",
                "//V1/x/../",
            ] {
                let path = format!("{prefix}{path}?api-version=2025-04-01-preview");
                assert_eq!(operation(Api::OpenAi, "POST", &path), expected, "{path}");
            }
            let path = format!("/v1/{path}");
            let at_guest = operation(Api::Anthropic, "POST", &path);
            assert!(
                at_guest == expected || matches!(expected, Operation::Files | Operation::Batches),
                "{path}"
            );
        }
    }

    #[test]
    fn websockets_of_openai() {
        let asked = |method, target, websocket| {
            let line = RequestLine {
                method,
                target,
                websocket,
            };
            let call = recognise(Api::OpenAi, line);
            (call.operation, call.model, call.websocket)
        };
        let model = |model: &str| Some(model.to_owned());
        for method in ["GET", "CONNECT"] {
            assert_eq!(
                asked(method, "/v1/realtime?model=GPT%2Drealtime", true),
                (Operation::Realtime, model("gpt-realtime"), true)
            );
            assert_eq!(
                asked(method, "/openai/realtime?api-version=1&deployment=d", true),
                (Operation::Realtime, model("d"), true)
            );
            assert_eq!(
                asked(method, "/v1/responses", true),
                (Operation::Responses, None, true)
            );
        }
        assert_eq!(asked("GET", "/v1/chat/completions", true).0, Operation::Other);
        assert_eq!(asked("POST", "/v1/realtime", true).0, Operation::Other);
    }

    #[test]
    fn operations_of_anthropic() {
        for (path, want) in [
            ("/v1/messages/count_tokens?beta=true", Operation::CountTokens),
            ("/v1/messages/batches", Operation::Batches),
            ("/v1/complete", Operation::Complete),
            (
                "/v1/projects/p/locations/global/workspaces/w/invoke/v1/messages",
                Operation::Messages,
            ),
        ] {
            assert_eq!(operation(Api::Anthropic, "POST", path), want, "{path}");
        }
        let foundry = "/anthropic/v1/messages/count_tokens";
        assert_eq!(operation(Api::OpenAi, "POST", foundry), Operation::CountTokens);
        assert_eq!(operation(Api::OpenAi, "POST", "/v1/complete"), Operation::Other);
    }

    #[test]
    fn azure_deployments() {
        let path = "/openai/deployments/My-4o/chat/completions?api-version=2024-10-21";
        let model = |path| recognise(Api::OpenAi, RequestLine::post(path)).model;
        assert_eq!(model(path).as_deref(), Some("my-4o"));
        assert_eq!(model("/api/v1/chat/completions"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_prefix_may_stand_before(prefix in "[^?#%\\x00]*", escape in "[A-Fa-f0-9%]{0,6}") {
            let path = format!("/{prefix}%{escape}/chat/completions");
            let is_cut = operation(Api::OpenAi, "POST", &path) == Operation::Other;
            // Only an escaped `?`, `#` or NUL may end the path early.
            let may_cut = ["23", "3f", "00"].iter().any(|code| escape.to_ascii_lowercase().contains(code));
            proptest::prop_assert!(!is_cut || may_cut, "{}", path);
        }
    }
}
