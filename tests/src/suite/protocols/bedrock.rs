//! boto3 towards Bedrock, and anthropic-python's client for it. Both sign what they send, over the body too; the stand-in
//! refuses what was changed on the way.

use std::sync::Arc;

use anyhow::{Result, ensure};

use super::case::{Case, Raised, Tokens};
use super::sdk::{Program, Sdk};
use crate::provider::log_contains;
use crate::suite::runner::Test;
use crate::suite::stage::Stage;

/// What most calls of boto3 have in common.
const BEDROCK: Case = Case {
    name: "",
    arguments: &["converse"],
    prompt: "Write 21 words",
    provider: "bedrock",
    operation: "converse",
    streamed: false,
    tokens: Tokens::Told,
    over_budget: Some(Raised::http("ServiceQuotaExceededException", 400)),
    attempts: 1,
    turns: None,
    blocked: Some(Raised::http("AccessDeniedException", 403)),
};

/// The shapes of the models themselves.
const INVOKE: Case = Case {
    operation: "invoke_model",
    over_budget: Some(Raised::http("ServiceQuotaExceededException", 429)),
    ..BEDROCK
};

/// boto3.
pub(super) fn boto3() -> Sdk {
    let invoke = |name, arguments, streamed| Case {
        name,
        arguments,
        streamed,
        ..INVOKE
    };
    let mut cases = vec![
        Case {
            name: "converse",
            ..BEDROCK
        },
        Case {
            name: "converse_streamed",
            arguments: &["converse", "--stream"],
            streamed: true,
            ..BEDROCK
        },
        Case {
            name: "converse_with_tools",
            arguments: &["converse", "--tools"],
            prompt: "Use the tool",
            ..BEDROCK
        },
        Case {
            name: "converse_with_tools_streamed",
            arguments: &["converse", "--tools", "--stream"],
            prompt: "Use the tool",
            streamed: true,
            ..BEDROCK
        },
        Case {
            name: "converse_with_a_bearer_token",
            arguments: &["converse", "--variant", "bearer"],
            ..BEDROCK
        },
    ];
    cases.extend([
        invoke("invoke_anthropic", &["invoke", "--model", "anthropic"], false),
        invoke(
            "invoke_anthropic_streamed",
            &["invoke", "--model", "anthropic", "--stream"],
            true,
        ),
        invoke("invoke_nova", &["invoke", "--model", "nova"], false),
        invoke(
            "invoke_nova_streamed",
            &["invoke", "--model", "nova", "--stream"],
            true,
        ),
        invoke("invoke_titan", &["invoke", "--model", "titan"], false),
        invoke(
            "invoke_titan_streamed",
            &["invoke", "--model", "titan", "--stream"],
            true,
        ),
        invoke("invoke_llama", &["invoke", "--model", "llama"], false),
        invoke(
            "invoke_llama_streamed",
            &["invoke", "--model", "llama", "--stream"],
            true,
        ),
        invoke("invoke_embedding", &["invoke", "--model", "embedding"], false),
    ]);
    Sdk {
        name: "boto3",
        program: Program::Python("boto3_client.py"),
        cases,
    }
}

/// anthropic-python's client for models at Bedrock.
pub(super) fn anthropic() -> Sdk {
    let messages = Case {
        arguments: &["messages", "--variant", "bedrock"],
        over_budget: Some(Raised::http("RateLimitError", 429)),
        blocked: Some(Raised::http("PermissionDeniedError", 403)),
        ..INVOKE
    };
    Sdk {
        name: "anthropic_bedrock",
        program: Program::Python("anthropic_clouds_client.py"),
        cases: vec![
            Case {
                name: "messages",
                ..messages
            },
            Case {
                name: "messages_streamed",
                arguments: &["messages", "--variant", "bedrock", "--stream"],
                streamed: true,
                ..messages
            },
        ],
    }
}

pub(super) fn tests() -> Vec<Test> {
    vec![Test::new("boto3::a_signed_body_is_not_edited", redacted)]
}

/// Where policy wants an edit, a signed request is refused with that reason, and one with a bearer token is edited.
async fn redacted(stage: Arc<Stage>) -> Result<()> {
    for (variant, signed) in [("signed", true), ("bearer", false)] {
        let prompt = format!("Write 9 words, charge 4111 1111 1111 1111 (redact-{variant})");
        let arguments = ["converse", "--variant", variant, "--prompt", &prompt];
        let launch = stage.python(&format!("redact-boto3-{variant}"), "boto3_client.py", &arguments)?;
        let (truth, report) = stage.report(launch).await?;
        let exchange = stage.exchange(&truth).await?;
        let reached = stage.lab.log.containing(&format!("(redact-{variant})"));
        if signed {
            ensure!(report["error"]["type"] == "AccessDeniedException", "{report}");
            ensure!(
                reached.is_empty() && exchange["verdict"] == "denied" && exchange["reason"] == "signed",
                "{exchange}"
            );
            continue;
        }
        ensure!(
            report["error"].is_null() && exchange["verdict"] == "redacted",
            "{report} {exchange}"
        );
        ensure!(
            reached.len() == 1 && reached.iter().all(|served| !log_contains(&served.body, b"4111")),
            "the provider got the number"
        );
    }
    Ok(())
}
