//! Names of members.

use std::borrow::Cow;

use crate::{
    json::Str,
    request::{KeyUse, schema_key},
};

/// A member's name in camel case: `system_instruction` is `systemInstruction`. Borrowed where it already is.
pub(super) fn camel<'b>(key: &Str<'b>) -> Cow<'b, str> {
    in_camel_case(key.text())
}

fn in_camel_case(name: Cow<'_, str>) -> Cow<'_, str> {
    if !name.contains('_') {
        return name;
    }
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        if letter == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            out.push(letter.to_ascii_uppercase());
        } else {
            out.push(letter);
        }
    }
    Cow::Owned(out)
}

/// The rule for `tools`: google-genai 3.4.0, `types.py`, `Tool` and the tools it lists. What a schema holds is as
/// everywhere; the headers of an MCP server and the keys of a search service are credentials.
pub(super) fn tool_key(key: &str) -> KeyUse {
    match &*in_camel_case(Cow::Borrowed(key)) {
        "functionDeclarations"
        | "parametersJsonSchema"
        | "response"
        | "responseJsonSchema"
        | "behavior"
        | "nullable"
        | "example"
        | "propertyOrdering"
        | "googleSearch"
        | "googleSearchRetrieval"
        | "googleMaps"
        | "codeExecution"
        | "urlContext"
        | "retrieval"
        | "fileSearch"
        | "computerUse"
        | "enterpriseWebSearch"
        | "mcpServers"
        | "tools"
        | "streamableHttpTransport"
        | "url" => KeyUse::Shape,
        "headers" | "authConfig" | "apiAuth" | "apiKey" => KeyUse::Skip,
        _ => schema_key(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one() {
        let camel = |raw: &'static str| {
            camel(&Str {
                raw,
                start: 0,
                escaped: raw.contains('\\'),
            })
        };
        for (raw, name) in [
            ("systemInstruction", "systemInstruction"),
            ("system_instruction", "systemInstruction"),
            ("system\\u005finstruction", "systemInstruction"),
            ("max_output_tokens", "maxOutputTokens"),
            ("text", "text"),
            ("", ""),
            ("_", ""),
        ] {
            assert_eq!(camel(raw), name);
        }
    }
}
