//! Asking for the usage of a streamed answer on the client's behalf (OpenAI's `stream_options.include_usage`), and keeping
//! from the client what the provider sends for that: a chunk of its own at the end, and `"usage":null` in all others.
//!
//! Not every provider takes the option. Those that tell the usage unasked need not be asked, and one that refuses unknown
//! options would refuse requests that are good.

use std::ops::Range;
use std::sync::LazyLock;

use monitor_protocol::Catalog;

use super::Opened;

/// Providers of the built-in catalog that document the option and do not tell the usage without it.
const TAKE_IT: [&str; 6] = ["openai", "azure", "deepseek", "alibaba", "cerebras", "nvidia"];
/// The first version of Azure's API that knows it.
const AZURE_SINCE: &str = "2024-09-01";

static BUILTIN: LazyLock<Catalog> = LazyLock::new(Catalog::builtin);

/// Whether a connection's provider takes the option. Endpoints of the configuration do: vLLM, SGLang and llama.cpp know
/// it, and a policy with `meter: passive` is for those that do not.
pub(super) fn is_taken(opened: &Opened) -> bool {
    match BUILTIN.lookup(&opened.host) {
        Some(provider) => TAKE_IT.contains(&provider.name.as_str()),
        None => true,
    }
}

/// Whether the version of the API that the path names knows the option; one that names none does.
pub(super) fn is_known_to_version(target: &str) -> bool {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let version = query.split('&').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.eq_ignore_ascii_case("api-version").then_some(value)
    });
    let is_date = |version: &&str| version.starts_with(|c: char| c.is_ascii_digit());
    version
        .filter(is_date)
        .is_none_or(|version| version >= AZURE_SINCE)
}

/// Where in a chunk's data the member `"usage":null` stands, with the comma that parts it from its neighbour.
pub(super) fn null_member(data: &[u8]) -> Option<Range<usize>> {
    // The last one: text of the answer stands before it, and a quote inside of text is escaped.
    const MEMBER: &[u8] = b"\"usage\"";
    let start = memchr::memmem::rfind(data, MEMBER)?;
    let skip = |from: usize| {
        let rest = data.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
    };
    let colon = skip(start + MEMBER.len());
    let value = skip(colon + 1);
    let is_null = data.get(colon) == Some(&b':') && data.get(value..)?.starts_with(b"null");
    if !is_null {
        return None;
    }
    let end = value + "null".len();
    let before = data.get(..start)?.trim_ascii_end();
    match before.last() {
        Some(b',') => Some(before.len() - 1..end),
        Some(b'{') => {
            let comma = skip(end);
            Some(
                start..if data.get(comma) == Some(&b',') {
                    comma + 1
                } else {
                    end
                },
            )
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::testing::lab;

    #[test]
    fn only_who_takes_the_option_is_asked() {
        let lab = lab(&[]);
        for (host, taken) in [
            ("api.openai.com", true),
            ("x.openai.azure.com", true),
            ("api.mistral.ai", false),
            ("api.groq.com", false),
            ("vllm.corp.example", true),
        ] {
            let opened = Opened {
                host: host.into(),
                ..lab.opened()
            };
            assert_eq!(is_taken(&opened), taken, "{host}");
        }
        for (target, known) in [
            ("/v1/chat/completions", true),
            ("/x?api-version=2024-02-01", false),
            ("/x?a=b&API-Version=2024-09-01-preview", true),
            ("/x?api-version=preview", true),
        ] {
            assert_eq!(is_known_to_version(target), known, "{target}");
        }
    }

    #[test]
    fn the_member_goes_with_one_comma() {
        for (data, without) in [
            (r#"{"a":1,"usage":null}"#, r#"{"a":1}"#),
            (r#"{"a":1, "usage" : null , "b":2}"#, r#"{"a":1 , "b":2}"#),
            (r#"{"usage":null,"b":2}"#, r#"{"b":2}"#),
            (r#"{"usage":null}"#, "{}"),
        ] {
            let span = null_member(data.as_bytes()).unwrap();
            let mut left = data.to_owned();
            left.replace_range(span, "");
            assert_eq!(left, without);
        }
        for data in [
            r#"{"usage":{"total_tokens":1}}"#,
            r#"{"content":"\"usage\":null"}"#,
            r#"{"content":"usage"}"#,
            "[DONE]",
            "",
        ] {
            assert_eq!(null_member(data.as_bytes()), None, "{data}");
        }
    }
}
