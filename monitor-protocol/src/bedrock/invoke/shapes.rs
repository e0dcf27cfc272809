//! Whose shapes a document has.

use crate::{Api, Call, JsonError, Operation, bedrock::path::vendor, json::Reader};

/// Whose shapes a document has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shapes {
    /// Another family's, which serves the same model under its own name.
    Of(Call),
    /// Converse's: Amazon's Nova.
    Nova,
    /// A prompt and a completion: Titan, Llama, Mistral, DeepSeek R1, and what is not known.
    Text,
}

const ANTHROPIC: Shapes = Shapes::Of(Call::new(Api::Anthropic, Operation::Messages));
const CHAT: Shapes = Shapes::Of(Call::new(Api::OpenAi, Operation::ChatCompletions));
const COHERE_CHAT: Shapes = Shapes::Of(Call::new(Api::Cohere, Operation::Chat));
const COHERE_EMBED: Shapes = Shapes::Of(Call::new(Api::Cohere, Operation::Embed));
const COHERE_RERANK: Shapes = Shapes::Of(Call::new(Api::Cohere, Operation::Rerank));

impl Shapes {
    /// Of a body, an answer or an event of `call`. Models: Bedrock's user guide, "Inference request parameters and response
    /// fields for foundation models".
    pub(super) fn of(call: &Call, document: &[u8]) -> Self {
        match call.model.as_deref().and_then(vendor) {
            // Its older models complete a prompt.
            Some(("anthropic", model)) if model.starts_with("claude-v2") || model.contains("instant") => {
                Self::Text
            }
            Some(("anthropic", _)) => ANTHROPIC,
            // Nova's makers of images and video, and Titan, have a prompt.
            Some(("amazon", model)) if model.starts_with("nova") && !model.starts_with("nova-canvas") => {
                Self::Nova
            }
            Some(("amazon" | "meta", _)) => Self::Text,
            Some(("ai21", model)) if model.starts_with("jamba") => CHAT,
            Some(("cohere", model)) if model.starts_with("command-r") => COHERE_CHAT,
            Some(("cohere", model)) if model.starts_with("embed") => COHERE_EMBED,
            Some(("cohere", model)) if model.starts_with("rerank") => COHERE_RERANK,
            Some(("ai21" | "cohere", _)) => Self::Text,
            Some(("openai", _)) => CHAT,
            _ => Self::by_members(document),
        }
    }

    /// By the members that only one family has; the first that tells wins. What cannot be read tells nothing, and its
    /// reader will say why.
    fn by_members(document: &[u8]) -> Self {
        let mut found = None;
        let mut has_messages = false;
        let mut read = || -> Result<(), JsonError> {
            Reader::new(document)?
                .object(|reader, key| {
                    let key = key.text();
                    has_messages |= key == "messages";
                    let told = member(reader, &key)?;
                    found = found.take().or(told);
                    Ok(())
                })
                .map(drop)
        };
        let _unreadable = read();
        found.unwrap_or(if has_messages { CHAT } else { Self::Text })
    }
}

fn member(reader: &mut Reader<'_>, key: &str) -> Result<Option<Shapes>, JsonError> {
    let told = match key {
        "anthropic_version" => Some(ANTHROPIC),
        "type" => {
            let kind = reader.string()?;
            let is_anthropic = kind.is_some_and(|kind| {
                matches!(
                    &*kind.text(),
                    "message"
                        | "message_start"
                        | "content_block_start"
                        | "content_block_delta"
                        | "content_block_stop"
                        | "message_delta"
                        | "message_stop"
                )
            });
            return Ok(is_anthropic.then_some(ANTHROPIC));
        }
        "inferenceConfig" | "schemaVersion" | "toolConfig" | "stopReason" | "messageStart"
        | "contentBlockStart" | "contentBlockDelta" | "contentBlockStop" | "messageStop" => {
            Some(Shapes::Nova)
        }
        // Nova's last event, and a member of Anthropic's requests.
        "metadata" => return Ok(has_member(reader, &["usage"])?.then_some(Shapes::Nova)),
        "chat_history" | "preamble" | "generation_id" | "event_type" => Some(COHERE_CHAT),
        "choices" => {
            let mut is_chat = false;
            reader.array(|reader| {
                is_chat |= has_member(reader, &["message", "delta"])?;
                Ok(())
            })?;
            return Ok(is_chat.then_some(CHAT));
        }
        _ => None,
    };
    reader.skip()?;
    Ok(told)
}

/// Whether the next value is an object with one of these members.
fn has_member(reader: &mut Reader<'_>, members: &[&str]) -> Result<bool, JsonError> {
    let mut found = false;
    reader.object(|reader, key| {
        found |= members.contains(&&*key.text());
        reader.skip().map(drop)
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(model: &str, document: &str) -> Shapes {
        let call = Call::new(Api::Bedrock, Operation::InvokeModel).with_model(Some(model.to_owned()));
        Shapes::of(&call, document.as_bytes())
    }

    #[test]
    fn by_the_vendor_of_the_model() {
        for (model, shapes) in [
            ("us.anthropic.claude-sonnet-4-20250514-v1:0", ANTHROPIC),
            ("anthropic.claude-v2:1", Shapes::Text),
            ("amazon.nova-lite-v1:0", Shapes::Nova),
            ("amazon.titan-text-express-v1", Shapes::Text),
            ("amazon.titan-embed-text-v2:0", Shapes::Text),
            ("us.meta.llama3-3-70b-instruct-v1:0", Shapes::Text),
            ("ai21.jamba-1-5-large-v1:0", CHAT),
            ("cohere.command-r-plus-v1:0", COHERE_CHAT),
            ("cohere.embed-english-v3", COHERE_EMBED),
            ("cohere.rerank-v3-5:0", COHERE_RERANK),
            ("openai.gpt-oss-120b-1:0", CHAT),
        ] {
            assert_eq!(of(model, "{}"), shapes, "{model}");
        }
    }

    #[test]
    fn by_members_where_the_path_does_not_tell() {
        for (document, shapes) in [
            (
                r#"{"messages":[],"metadata":{"user_id":"u"},"anthropic_version":"bedrock-2023-05-31"}"#,
                ANTHROPIC,
            ),
            (r#"{"content":[],"type":"message"}"#, ANTHROPIC),
            (r#"{"type":"content_block_delta"}"#, ANTHROPIC),
            (r#"{"messages":[],"inferenceConfig":{}}"#, Shapes::Nova),
            (r#"{"metadata":{"usage":{}}}"#, Shapes::Nova),
            (r#"{"messages":[]}"#, CHAT),
            (r#"{"choices":[{"message":{}}]}"#, CHAT),
            (r#"{"choices":[{"text":""}]}"#, Shapes::Text),
            (r#"{"message":"hi","chat_history":[]}"#, COHERE_CHAT),
            (r#"{"prompt":"x"}"#, Shapes::Text),
            ("[", Shapes::Text),
        ] {
            for model in [
                "arn:aws:bedrock:eu-west-1:1:application-inference-profile/x",
                "mistral.x",
                "qwen.x",
            ] {
                assert_eq!(of(model, document), shapes, "{document}");
            }
        }
    }
}
