//! What self-hosted servers have beside the API they copy from OpenAI: prompts without messages, answers without choices,
//! embeddings and rerankings.
//!
//! The same path is another server's with other members (`/generate`, `/completions`), so bodies are read by their
//! members and not by the server, which nothing tells. Shapes: llama.cpp, `tools/server/server.cpp` (paths),
//! `server-task.cpp` (`server_task_result_cmpl_final`, `server_task_result_cmpl_partial`), `server-common.cpp`
//! (`format_response_rerank`); TGI and TEI as huggingface-hub 2.4.0 types them, `inference/_generated/types/
//! text_generation.py`, `feature_extraction.py`; SGLang 0.5.23, `srt/entrypoints/http_server.py` (paths, by `POST` or
//! `PUT`), `srt/managers/io_struct.py` (`GenerateReqInput`), `srt/managers/tokenizer_manager.py` (`meta_info`),
//! `srt/entrypoints/openai/protocol.py` (`V1RerankReqInput`, `ScoringRequest`).

mod answer;
mod request;

use crate::{Api, Call, Operation, target::Target};

pub(super) use answer::{read_event, read_response};
pub(super) use request::read_request;

/// At other hosts only what no other family has. Ollama has `generate` and `embed` below `api`, Cohere `embed` and
/// `rerank` below `v2`.
pub(super) fn recognise(target: &Target<'_>, at_home: bool) -> Option<Call> {
    if target.is_websocket() || !(target.is("POST") || target.is("PUT")) {
        return None;
    }
    let word = target.last()?;
    let is_guest = matches!(word, "generate_stream" | "infill");
    if !is_guest && (!at_home || matches!(target.nth_back(1), Some("api" | "v2"))) {
        return None;
    }
    let operation = match word {
        "completion" | "generate" | "generate_stream" | "infill" => Operation::Generate,
        "embed" | "embed_all" | "embed_sparse" | "embedding" | "encode" => Operation::Embed,
        "rerank" | "reranking" | "score" => Operation::Rerank,
        _ => return None,
    };
    Some(Call::new(Api::OpenAi, operation).with_streams(word == "generate_stream"))
}
