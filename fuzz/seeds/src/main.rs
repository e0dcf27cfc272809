//! Writes the fixtures as first inputs of each target: `seeds FIXTURES CORPORA`.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use monitor_protocol::{Call, Framing, MessageKind, encode_message};

/// Paths that name operations, for the target `recognise`.
const TARGETS: &[&str] = &[
    "/v1/chat/completions",
    "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
    "/v1/messages/count_tokens?beta=true",
    "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:generateContent",
    "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream",
    "/v2/chat",
    "/api/generate",
    "/mcp",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(fixtures), Some(corpora)) = (arguments.next(), arguments.next()) else {
        return Err("usage: seeds FIXTURES CORPORA".into());
    };
    for shape in fs::read_dir(&fixtures)? {
        let shape = shape?;
        for operation in fs::read_dir(shape.path())? {
            let operation = operation?;
            let call = Call::new(
                shape.file_name().to_string_lossy().parse()?,
                operation.file_name().to_string_lossy().parse()?,
            );
            for file in fs::read_dir(operation.path())? {
                seed(&corpora, &call, &file?.path())?;
            }
        }
    }
    for (index, target) in TARGETS.iter().enumerate() {
        for api in 0..6 {
            write(
                &corpora,
                "recognise",
                &format!("{index}-{api}"),
                &[&[api, 0], target.as_bytes()],
            )?;
        }
    }
    Ok(())
}

/// One fixture, by the targets that read such ones.
fn seed(corpora: &Path, call: &Call, file: &Path) -> Result<(), Box<dyn Error>> {
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let name = format!("{}-{}-{name}", call.shape, call.operation);
    let bytes = fs::read(file)?;
    let chosen = monitor_fuzz_seeds::bytes_of(call);
    let ending = name.split_once('.').map_or("", |(_, ending)| ending);
    let framing = match ending {
        "sse" => Some((Framing::Sse, "sse")),
        "ndjson" => Some((Framing::Ndjson, "ndjson")),
        "array.json" => Some((Framing::JsonArray, "json_array")),
        _ => None,
    };
    if let Some((framing, target)) = framing {
        let at = Framing::ALL.iter().position(|known| *known == framing);
        let at = u8::try_from(at.ok_or("a framing that is not listed")?)?;
        write(corpora, target, &name, &[b"\0", &bytes])?;
        return write(corpora, "event", &name, &[&chosen, &[at], &bytes]);
    }
    if ending == "eventstream.json" {
        return messages(corpora, &chosen, &name, &bytes);
    }
    let message = encode_message(MessageKind::Text, &bytes, Some([1, 2, 3, 4]));
    write(corpora, "websocket", &name, &[b"\x01", &message])?;
    write(corpora, "json", &name, &[&bytes])?;
    write(corpora, "edit", &name, &[b"\x05\x03\0\0", &bytes])?;
    let target = if name.contains("request") {
        "request"
    } else {
        "response"
    };
    write(corpora, target, &name, &[&chosen, &bytes])
}

/// A fixture of event stream messages: a list of names and payloads.
fn messages(corpora: &Path, chosen: &[u8], name: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let events: Vec<(String, serde_json::Value)> = serde_json::from_slice(bytes)?;
    let at = Framing::ALL
        .iter()
        .position(|known| *known == Framing::EventStream);
    let at = u8::try_from(at.ok_or("a framing that is not listed")?)?;
    let mut lines = Vec::new();
    let mut parts = vec![0, 1];
    for (event, payload) in events {
        let payload = payload.to_string();
        lines.extend_from_slice(format!("{event}\t{payload}\n").as_bytes());
        let mut headers = b"\x0b:event-type\x07\0".to_vec();
        headers.push(u8::try_from(event.len())?);
        headers.extend_from_slice(event.as_bytes());
        let payload = &payload.as_bytes()[..payload.len().min(255)];
        parts.extend_from_slice(&[u8::try_from(headers.len())?, u8::try_from(payload.len())?]);
        parts.extend_from_slice(&headers);
        parts.extend_from_slice(payload);
    }
    write(corpora, "event", name, &[chosen, &[at], &lines])?;
    write(corpora, "event_stream", name, &[&parts])
}

fn write(corpora: &Path, target: &str, name: &str, parts: &[&[u8]]) -> Result<(), Box<dyn Error>> {
    let folder = corpora.join(target);
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(name), parts.concat())?)
}
