//! Every wire protocol, by the SDKs that speak it: unmodified programs, each call made without the agent, through it, with
//! nothing left of a budget, and against a policy.
//!
//! A provider's SDK is a file of [`case::Case`]s. To add one: a client program (`tests/clients/common.py` is what they
//! share), a stand-in, and the table.

mod anthropic;
mod bedrock;
mod case;
mod cohere;
mod google;
mod mcp;
mod mistral;
mod ollama;
mod openai;
mod sdk;

use super::runner::{Plan, Test};
use crate::lab::address::{MCP, OLLAMA, TGI};
use crate::lab::agent::AgentConfig;

/// Tests at once: what they wait for is processes that start, on machines of two processors and more.
const AT_ONCE: usize = 4;

/// The suite, of the tests whose name contains `filter`.
pub(super) fn plan(filter: Option<&str>) -> Plan {
    let sdks = [
        openai::python(),
        openai::node(),
        openai::http2(),
        anthropic::python(),
        anthropic::node(),
        anthropic::vertex(),
        google::genai(),
        bedrock::boto3(),
        bedrock::anthropic(),
        cohere::python(),
        mistral::python(),
        ollama::python(),
    ];
    let mut tests: Vec<Test> = sdks.into_iter().flat_map(|sdk| sdk.tests(filter)).collect();
    tests.extend(mcp::tests());
    tests.extend(bedrock::tests());
    Plan {
        suite: "protocols",
        policies: policies(),
        tests,
        at_once: AT_ONCE,
    }
}

/// The policies of the suite's agent; a test chooses by the name of its cgroup.
fn policies() -> AgentConfig {
    AgentConfig::new()
        .endpoint(&format!("{{host: {}, api: ollama}}", OLLAMA.name))
        .endpoint(&format!("{{host: {}, api: openai}}", TGI.name))
        .endpoint(&format!("{{host: {}, api: mcp}}", MCP.name))
        .policy(
            "spent",
            "spent-*",
            "budgets: [{limit: 1 tokens, window: 1h, per: workload}]",
        )
        .policy(
            "redact",
            "redact-*",
            "content: [{detect: [\"pii.*\"], in: [prompt], action: redact}]",
        )
        .policy(
            "block",
            "block-*",
            "content: [{detect: [\"pii.*\"], in: [prompt], action: block}]",
        )
}
