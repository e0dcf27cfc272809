//! The stand-in of a Text Generation Inference server. Shapes from `huggingface_hub`'s typed models
//! (`inference/_generated/types/text_generation.py`).

use std::sync::Arc;

use anyhow::Result;
use http::Response;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::log::Log;
use super::reply::{Body, Unframed, read, streamed, whole};
use super::script::Script;
use super::{Arrival, count};

/// Answers one request.
pub(super) async fn answer(
    request: http::Request<Incoming>,
    arrival: Arrival,
    log: Arc<Log>,
) -> Result<Response<Body>> {
    let (request, headers) = read(request, arrival).await?;
    let (json, target) = (request.json.clone(), request.target.clone());
    let stream = target == "POST /generate_stream";
    let served = log.begin_as(request, String::new(), stream);
    if !stream && target != "POST /generate" || !json.is_object() {
        let error = json!({"error": "not found", "error_type": "not_found"});
        return whole(404, &error, None, Some(&served));
    }
    let prompt = json["inputs"].as_str().unwrap_or_default();
    let parameters = &json["parameters"];
    let script = Script::of("", prompt, None, parameters["max_new_tokens"].as_u64(), &headers);
    if let Some(status) = script.status {
        let error = json!({"error": "Scripted error", "error_type": "generation"});
        return whole(status, &error, Some(&script), Some(&served));
    }
    let (input, output) = (count::text("", prompt), count::text("", &script.text()));
    served.told(input, output);
    // The length of the prompt is told when details are asked for.
    let details = parameters["details"].as_bool().unwrap_or_default().then(|| {
        json!({
            "finish_reason": if script.limited { "length" } else { "eos_token" }, "generated_tokens": output,
            "seed": null, "prefill": [], "tokens": [], "input_length": input,
        })
    });
    if !stream {
        let answer = json!({"generated_text": script.text(), "details": details});
        served.sent(&script.text());
        tokio::time::sleep(script.delay).await;
        return whole(200, &answer, Some(&script), Some(&served));
    }
    let token = |index: usize, text: &str, special: bool| json!({"index": index, "token": {"id": index, "text": text, "logprob": -0.1, "special": special}, "generated_text": null, "details": null});
    let mut last = token(script.pieces.len() + 1, "</s>", true);
    last["generated_text"] = json!(script.text());
    last["details"] = match details {
        Some(_) => json!({
            "finish_reason": if script.limited { "length" } else { "eos_token" }, "generated_tokens": output,
            "seed": null, "input_length": input,
        }),
        None => Value::Null,
    };
    let pieces = script.pieces.iter().enumerate();
    let events = pieces
        .map(|(index, piece)| Unframed::piece(token(index + 1, piece, false), piece))
        .chain([Unframed::of(last)])
        .map(|event| {
            let wire = format!("data:{}\n\n", event.data);
            event.framed(wire)
        })
        .collect();
    let broken = "data:{\"error\":\"Request failed during generation\",\"error_type\":\"generation\"}\n\n";
    Ok(streamed(events, broken.to_owned(), script, served))
}
