//! The names of the tools that a request offers to its model, or calls.
//!
//! Definitions are read a second time, where somebody asks for their names: [`Request::tools`] says where they stand. A
//! tool is known by every name that some server may take for its own: a duplicated key gives two. One that the provider
//! runs by itself has no name of the caller's choice and is known by its type (`web_search`, `code_interpreter`) or by the
//! member that turns it on (`google_search`, `web_search_options`); a server of tools by its label as well, with the tools
//! of it that are allowed.
//!
//! Shapes: openai-python 3.54.0, `types/responses/tool_param.py`, `types/chat/chat_completion_tool_union_param.py`;
//! anthropic-python 2.12.0, `types/beta/beta_tool_union_param.py`, `beta_request_mcp_server_url_definition_param.py`;
//! google-genai 3.4.0, `types.py`, `Tool`; boto3's `ToolConfiguration`; cohere-python 7.3.1, `types/tool_v2.py`, `tool.py`.

use std::borrow::Cow;

use crate::{
    Api, Call, JsonError, Operation, Request,
    bedrock::invoked_as,
    json::{Kind, Reader},
};

type Result<T> = std::result::Result<T, JsonError>;

/// Types of tools that the caller names and runs; every other one is the provider's own.
const CALLERS_OWN: [&str; 3] = ["function", "custom", "namespace"];

/// Every name of the tools that `request`, which was read from `body`, defines or turns on; of MCP, of the tools it
/// calls. In the order of the body; one may be there twice.
#[must_use]
pub fn tool_names<'b>(call: &Call, body: &'b [u8], request: &Request<'b>) -> Vec<Cow<'b, str>> {
    let mut names = Vec::new();
    if request.tools.is_empty() {
        return names;
    }
    let shape = if call.operation == Operation::InvokeModel {
        invoked_as(call, body).shape
    } else {
        call.shape
    };
    for tools in &request.tools {
        let Some(Ok(mut reader)) = body.get(tools.clone()).map(Reader::new) else {
            continue;
        };
        // The body was read before, so its parts read too.
        let _: Result<()> = tool(&mut reader, shape, &mut names);
    }
    names
}

/// A tool, a list of them, or the name of one.
fn tool<'b>(reader: &mut Reader<'b>, shape: Api, names: &mut Vec<Cow<'b, str>>) -> Result<()> {
    match reader.peek()? {
        Kind::String => {
            names.extend(reader.string()?.map(|name| name.text()));
            Ok(())
        }
        Kind::Array => reader.array(|reader| tool(reader, shape, names)).map(drop),
        Kind::Object => definition(reader, shape, names),
        _ => reader.skip().map(drop),
    }
}

fn definition<'b>(reader: &mut Reader<'b>, shape: Api, names: &mut Vec<Cow<'b, str>>) -> Result<()> {
    let first = names.len();
    let mut kind = None;
    reader.object(|reader, key| {
        let key = key.text();
        match &*key {
            "name" | "server_label" | "mcp_server_name" => {
                names.extend(reader.string()?.map(|name| name.text()));
                Ok(())
            }
            "type" => {
                kind = reader.string()?.map(|kind| kind.text());
                Ok(())
            }
            // Envelopes, and lists of names.
            "function"
            | "custom"
            | "toolSpec"
            | "systemTool"
            | "functionDeclarations"
            | "function_declarations"
            | "tools"
            | "allowed_tools"
            | "tool_names"
            | "tool_configuration" => tool(reader, shape, names),
            // A tool of Gemini's is an object whose only member says which it is.
            _ if shape == Api::Gemini && reader.peek()? == Kind::Object && is_own_of_gemini(&key) => {
                names.push(in_snake_case(&key));
                reader.skip().map(drop)
            }
            _ => reader.skip().map(drop),
        }
    })?;
    // OpenAI's own tools have no names: one that stands there nevertheless hides nothing.
    let is_named = names.len() > first && shape != Api::OpenAi;
    names.extend(kind.filter(|kind| !is_named && !CALLERS_OWN.contains(&&**kind)));
    Ok(())
}

/// Members of a function's declaration that are objects.
fn is_own_of_gemini(key: &str) -> bool {
    !matches!(
        key,
        "parameters"
            | "parametersJsonSchema"
            | "parameters_json_schema"
            | "response"
            | "responseJsonSchema"
            | "response_json_schema"
            | "streamableHttpTransport"
            | "streamable_http_transport"
    )
}

/// `googleSearch` is `google_search`, however it was written.
fn in_snake_case<'b>(name: &str) -> Cow<'b, str> {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_request;

    fn names(call: &Call, body: &str) -> Vec<String> {
        let request = read_request(call, None, body.as_bytes()).unwrap();
        let names = tool_names(call, body.as_bytes(), &request);
        names.into_iter().map(Cow::into_owned).collect()
    }

    fn of(api: Api, operation: Operation, body: &str) -> Vec<String> {
        names(&Call::new(api, operation), body)
    }

    #[test]
    fn openai() {
        let chat = r#"{"messages":[],"tools":[{"type":"function","function":{"name":"search","parameters":{"properties":{"name":{"type":"string"}}}}},
            {"type":"custom","custom":{"name":"she\u006cl"}}],"functions":[{"name":"old"}],"web_search_options":{},"plugins":[{"id":"web"}]}"#;
        assert_eq!(
            of(Api::OpenAi, Operation::ChatCompletions, chat),
            ["search", "shell", "old", "web_search_options", "plugins"]
        );
        let responses = r#"{"input":[{"type":"mcp_list_tools","server_label":"kb","tools":[{"name":"lookup","input_schema":{}}]}],
            "tools":[{"type":"function","name":"f"},{"type":"web_search","name":"search_ok"},
            {"type":"mcp","server_label":"kb","allowed_tools":{"tool_names":["read","write"]}},
            {"type":"namespace","name":"crm","tools":[{"type":"function","name":"inner"}]}]}"#;
        assert_eq!(
            of(Api::OpenAi, Operation::Responses, responses),
            [
                "lookup",
                "f",
                "search_ok",
                "web_search",
                "kb",
                "read",
                "write",
                "mcp",
                "crm",
                "inner"
            ]
        );
        let session = r#"{"type":"session.update","session":{"tools":[{"type":"function","name":"dial"}]}}"#;
        assert_eq!(of(Api::OpenAi, Operation::Realtime, session), ["dial"]);
    }

    #[test]
    fn a_duplicated_key_gives_two_names() {
        let body =
            r#"{"tools":[{"function":{"name":"ok","name":"shell"}}],"tools":[{"function":{"name":"exec"}}]}"#;
        assert_eq!(
            of(Api::OpenAi, Operation::ChatCompletions, body),
            ["ok", "shell", "exec"]
        );
    }

    #[test]
    fn anthropic() {
        let body = r#"{"messages":[{"role":"user","content":[{"type":"tool_addition","tool":{"name":"later","input_schema":{}}}]}],
            "tools":[{"name":"search","input_schema":{"type":"object"}},{"type":"bash_20250124","name":"bash"},
            {"type":"mcp_toolset","mcp_server_name":"kb"}],
            "mcp_servers":[{"type":"url","url":"https://kb.example/mcp","name":"kb","tool_configuration":{"allowed_tools":["read"]}}]}"#;
        assert_eq!(
            of(Api::Anthropic, Operation::Messages, body),
            ["later", "search", "bash", "kb", "kb", "read"]
        );
    }

    #[test]
    fn gemini() {
        let call = Call::new(Api::Gemini, Operation::GenerateContent);
        for (declarations, search) in [
            ("functionDeclarations", "googleSearch"),
            ("function_declarations", "google_search"),
        ] {
            let body = format!(
                r#"{{"contents":[],"tools":[{{"{declarations}":[{{"name":"book","parameters":{{"type":"OBJECT"}}}}]}},{{"{search}":{{}},"codeExecution":{{}}}}]}}"#
            );
            assert_eq!(names(&call, &body), ["book", "google_search", "code_execution"]);
        }
    }

    #[test]
    fn bedrock_cohere_ollama() {
        let converse = r#"{"messages":[],"toolConfig":{"tools":[{"toolSpec":{"name":"weather","inputSchema":{"json":{}}}},
            {"systemTool":{"name":"nova_grounding"}},{"cachePoint":{"type":"default"}}]}}"#;
        assert_eq!(
            of(Api::Bedrock, Operation::Converse, converse),
            ["weather", "nova_grounding"]
        );
        let cohere = r#"{"tools":[{"type":"function","function":{"name":"a"}},{"name":"b","parameter_definitions":{}}],"connectors":[{"id":"web-search"}]}"#;
        assert_eq!(of(Api::Cohere, Operation::Chat, cohere), ["a", "b", "connectors"]);
        let ollama = r#"{"tools":[{"type":"function","function":{"name":"a"}}]}"#;
        assert_eq!(of(Api::Ollama, Operation::Chat, ollama), ["a"]);
    }

    #[test]
    fn a_model_that_is_invoked_has_its_vendors_tools() {
        let call = crate::recognise(
            Api::Bedrock,
            crate::RequestLine::post("/model/anthropic.claude-3-5-sonnet-20241022-v2:0/invoke"),
        );
        let body = r#"{"anthropic_version":"bedrock-2023-05-31","messages":[],"tools":[{"name":"search","input_schema":{}}]}"#;
        assert_eq!(names(&call, body), ["search"]);
    }

    #[test]
    fn mcp_calls() {
        let call = r#"[{"jsonrpc":"2.0","id":1,"params":{"name":"delete_all","arguments":{"name":"x"}},"method":"tools/call"},
            {"jsonrpc":"2.0","id":2,"method":"prompts/get","params":{"name":"greeting"}}]"#;
        assert_eq!(of(Api::Mcp, Operation::Mcp, call), ["delete_all"]);
    }

    #[test]
    fn lines_of_a_file() {
        let call = Call::new(Api::OpenAi, Operation::Files);
        let body = "--b\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\n\
            content-disposition: form-data; name=\"file\"; filename=\"f.jsonl\"\r\n\r\n\
            {\"custom_id\":\"1\",\"url\":\"/v1/chat/completions\",\"body\":{\"messages\":[],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"shell\"}}]}}\n\r\n--b--\r\n";
        let request = read_request(&call, Some("b"), body.as_bytes()).unwrap();
        assert_eq!(tool_names(&call, body.as_bytes(), &request), ["shell"]);
    }
}
