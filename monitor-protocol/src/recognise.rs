//! Which operation a request's method and path ask for.
//!
//! Servers are lenient about paths, each in its own way, and a spelling that we fail to recognise would pass unread. So
//! the path is brought to one form first (percent-encoding decoded until it no longer changes, backslashes turned, empty
//! and dot segments resolved, ASCII case folded, path parameters after `;` dropped), and only its end is compared: any
//! prefix (`/v1`, `/openai/v1`, `/api/v1`, an Azure deployment, a gateway's own) may stand before it. A spelling that no
//! server accepts may be recognised too; that costs a reading and lets nothing through.

use crate::{Api, Operation};

/// Times a path is percent-decoded at most. Each further level needs one more lenient hop in front of the provider.
const MAX_DECODINGS: usize = 4;

/// What `method` and `path_and_query` ask of a provider that speaks `api`. The method is case-sensitive (RFC 9110 section
/// 9.1), but compared without regard to case, because some servers do. An absolute-form target (`https://host/path`) is
/// accepted as well.
///
/// Both operations are recognised at either kind of provider: Anthropic serves `/v1/chat/completions` beside its own
/// API, and DeepSeek, OpenRouter, Moonshot and others serve `…/v1/messages`. At an OpenAI-compatible host `messages` must
/// follow `v1`, because `/v1/threads/{id}/messages` is something else there.
#[must_use]
pub fn recognise(api: Api, method: &str, path_and_query: &str) -> Operation {
    if !method.eq_ignore_ascii_case("POST") {
        return Operation::Other;
    }
    // The spellings every SDK uses cost a comparison.
    match path_and_query {
        "/v1/chat/completions" => return Operation::ChatCompletions,
        "/v1/messages" => return Operation::Messages,
        _ => {}
    }
    let segments = segments(path_of(path_and_query));
    let mut from_end = segments.iter().rev().map(String::as_str);
    match (api, from_end.next(), from_end.next()) {
        (_, Some("completions"), Some("chat")) => Operation::ChatCompletions,
        (Api::Anthropic, Some("messages"), _) | (Api::OpenAi, Some("messages"), Some("v1")) => {
            Operation::Messages
        }
        _ => Operation::Other,
    }
}

/// The deployment an Azure OpenAI path names, which stands for the model when the body names none: `/openai/deployments/{deployment}/chat/completions`
/// (openai-python 3.54.0, `src/openai/lib/azure.py`). In lower case, as Azure compares it.
#[must_use]
pub fn deployment(path_and_query: &str) -> Option<String> {
    let mut segments = segments(path_of(path_and_query)).into_iter();
    segments.find(|segment| segment == "deployments")?;
    segments.next()
}

fn path_of(target: &str) -> &str {
    let target = target.split(['?', '#']).next().unwrap_or_default();
    match target.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
        }
        _ => target,
    }
}

fn segments(path: &str) -> Vec<String> {
    let mut decoded = path.as_bytes().to_vec();
    for _ in 0..MAX_DECODINGS {
        let next = percent_decode(&decoded);
        if next.len() == decoded.len() {
            break;
        }
        decoded = next;
    }
    let decoded = String::from_utf8_lossy(&decoded).to_ascii_lowercase();
    // A decoded `?` or `#` ends the path for a server that decodes before it splits.
    let decoded = decoded.split(['?', '#', '\0']).next().unwrap_or_default();
    let mut segments = Vec::new();
    for segment in decoded.split(['/', '\\']) {
        match segment.split(';').next().unwrap_or_default().trim() {
            ".." => {
                segments.pop();
            }
            // Some servers drop dots and spaces at the end of a name, as their file system does.
            segment => match segment.trim_end_matches(['.', ' ']) {
                "" => {}
                segment => segments.push(segment.to_owned()),
            },
        }
    }
    segments
}

fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        rest = match rest {
            [b'%', high, low, tail @ ..] => match (digit(high), digit(low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    tail
                }
                _ => {
                    out.push(b'%');
                    rest.get(1..).unwrap_or_default()
                }
            },
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
            [] => return out,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                recognise(Api::OpenAi, "POST", path),
                Operation::ChatCompletions,
                "{path}"
            );
        }
        for path in ["/v1/messages", "/v1/messages?beta=true", "/anthropic/v1/messages"] {
            assert_eq!(
                recognise(Api::Anthropic, "POST", path),
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
                recognise(Api::OpenAi, "POST", path),
                Operation::ChatCompletions,
                "{path}"
            );
        }
        assert_eq!(
            recognise(Api::OpenAi, "post", "/v1/chat/completions"),
            Operation::ChatCompletions
        );
    }

    #[test]
    fn other_operations() {
        for (method, path) in [
            ("GET", "/v1/chat/completions"),
            ("POST", "/v1/chat/completions/chatcmpl-1"),
            ("POST", "/v1/completions"),
            ("POST", "/v1/embeddings"),
            ("POST", "/v1/models?x=/v1/chat/completions"),
            ("POST", "/"),
            ("POST", ""),
            ("POST", "*"),
            ("POST", "/v1/chat/completions/.."),
        ] {
            assert_eq!(
                recognise(Api::OpenAi, method, path),
                Operation::Other,
                "{method} {path}"
            );
        }
        for path in [
            "/v1/messages/count_tokens",
            "/v1/messages/batches",
            "/v1/complete",
        ] {
            assert_eq!(
                recognise(Api::Anthropic, "POST", path),
                Operation::Other,
                "{path}"
            );
        }
    }

    #[test]
    fn the_other_api_at_a_host() {
        assert_eq!(
            recognise(Api::Anthropic, "POST", "/v1/chat/completions"),
            Operation::ChatCompletions
        );
        assert_eq!(
            recognise(Api::OpenAi, "POST", "/api/v1/messages"),
            Operation::Messages
        );
        assert_eq!(
            recognise(Api::OpenAi, "POST", "/anthropic/v1/messages"),
            Operation::Messages
        );
        assert_eq!(
            recognise(Api::OpenAi, "POST", "/v1/threads/thread_1/messages"),
            Operation::Other
        );
    }

    #[test]
    fn azure_deployments() {
        let path = "/openai/deployments/My-4o/chat/completions?api-version=2024-10-21";
        assert_eq!(deployment(path).as_deref(), Some("my-4o"));
        assert_eq!(deployment("/v1/chat/completions"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_prefix_may_stand_before(prefix in "[^?#%\\x00]*", escape in "[A-Fa-f0-9%]{0,6}") {
            let path = format!("/{prefix}%{escape}/chat/completions");
            let is_cut = recognise(Api::OpenAi, "POST", &path) == Operation::Other;
            // Only an escaped `?`, `#` or NUL may end the path early.
            let may_cut = ["23", "3f", "00"].iter().any(|code| escape.to_ascii_lowercase().contains(code));
            proptest::prop_assert!(!is_cut || may_cut, "{}", path);
        }
    }
}
