//! Which operation a path asks for, and of which model.

use crate::{Api, Call, Operation, target::Target};

/// `/model/{modelId}/converse` and its like. A model id may be an ARN with slashes in it, escaped once (botocore) or
/// twice (what a proxy makes of that), so it is all that stands between. Nothing else has such paths.
pub(super) fn recognise(target: &Target<'_>) -> Option<Call> {
    if !target.is("POST") {
        return None;
    }
    let (model, last) = target.between("model")?;
    let (operation, streams) = match last {
        "converse" => (Operation::Converse, false),
        "converse-stream" => (Operation::Converse, true),
        "invoke" => (Operation::InvokeModel, false),
        "invoke-with-response-stream" => (Operation::InvokeModel, true),
        "count-tokens" => (Operation::CountTokens, false),
        _ => return None,
    };
    Some(
        Call::new(Api::Bedrock, operation)
            .with_model(Some(model))
            .with_streams(streams),
    )
}

/// Whose model it is: the word before the first dot of a foundation model's id, behind an ARN's path and an inference
/// profile's region (`us.`, `eu.`, `global.`). `None` where the id is not the model's own name (an application inference
/// profile, a provisioned, custom or imported model).
pub(crate) fn vendor(model: &str) -> Option<(&str, &str)> {
    let id = model.rsplit('/').next().unwrap_or(model);
    let mut rest = id;
    while let Some((word, tail)) = rest.split_once('.') {
        if VENDORS.contains(&word) {
            return Some((word, tail));
        }
        rest = tail;
    }
    None
}

/// Those whose models are invoked in shapes that are told apart here.
const VENDORS: &[&str] = &[
    "ai21",
    "amazon",
    "anthropic",
    "cohere",
    "deepseek",
    "meta",
    "mistral",
    "openai",
    "qwen",
    "writer",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RequestLine, recognise};

    fn model_of(path: &str) -> Option<String> {
        recognise(Api::Bedrock, RequestLine::post(path)).model
    }

    #[test]
    fn operations() {
        for (last, operation, streams) in [
            ("converse", Operation::Converse, false),
            ("converse-stream", Operation::Converse, true),
            ("invoke", Operation::InvokeModel, false),
            ("invoke-with-response-stream", Operation::InvokeModel, true),
            ("count-tokens", Operation::CountTokens, false),
        ] {
            let path = format!("/model/amazon.nova-lite-v1%3A0/{last}");
            for host in [Api::Bedrock, Api::OpenAi] {
                let call = recognise(host, RequestLine::post(&path));
                assert_eq!((call.shape, call.operation), (Api::Bedrock, operation), "{path}");
                assert_eq!(call.streams, streams);
                assert_eq!(call.model.as_deref(), Some("amazon.nova-lite-v1:0"));
            }
        }
        for path in [
            "/guardrail/g-1/version/1/apply",
            "/async-invoke",
            "/model/amazon.nova-sonic-v1:0/invoke-with-bidirectional-stream",
            "/model/converse",
            "/converse",
        ] {
            let call = recognise(Api::Bedrock, RequestLine::post(path));
            assert_eq!(call, Call::other(Api::Bedrock), "{path}");
        }
        let chat = recognise(Api::Bedrock, RequestLine::post("/openai/v1/chat/completions"));
        assert_eq!(chat.operation, Operation::ChatCompletions);
    }

    #[test]
    fn models() {
        let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0";
        let escaped = arn.replace(':', "%3A").replace('/', "%2F");
        let twice = escaped.replace('%', "%25");
        for id in [arn, &escaped, &twice] {
            assert_eq!(
                model_of(&format!("/model/{id}/converse-stream")).as_deref(),
                Some(arn)
            );
        }
        assert_eq!(vendor(arn), Some(("anthropic", "claude-sonnet-4-20250514-v1:0")));
        assert_eq!(
            vendor("global.amazon.nova-2-lite-v1:0"),
            Some(("amazon", "nova-2-lite-v1:0"))
        );
        assert_eq!(
            vendor("meta.llama3-3-70b-instruct-v1:0").map(|(word, _)| word),
            Some("meta")
        );
        assert_eq!(
            vendor("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc1"),
            None
        );
        assert_eq!(vendor(""), None);
    }
}
