//! `weir policy list` and `weir policy get`: what the agent follows.

use std::io::Write;

use serde_json::Value;

use crate::cli::client::segment;
use crate::cli::format::{ListFormat, list, text};
use crate::cli::table::{self, DocumentFormat, left, right, wide};
use crate::cli::{CliError, Target};

#[derive(Debug, clap::Args)]
pub(super) struct ListPolicies {
    #[command(flatten)]
    target: Target,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: ListFormat,
}

#[derive(Debug, clap::Args)]
pub(super) struct GetPolicy {
    #[command(flatten)]
    target: Target,
    /// The policy's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Output format; text is YAML
    #[arg(short, long, value_enum, default_value_t)]
    output: DocumentFormat,
}

pub(super) fn run_list(arguments: &ListPolicies, out: &mut impl Write) -> Result<(), CliError> {
    let answer = arguments.target.client()?.get("/v1/policies")?;
    let columns = [
        left("POLICY", |policy| text(policy, "/name")),
        left("MODE", |policy| text(policy, "/mode")),
        left("WORKLOADS", workloads),
        right("BUDGETS", |policy| list(policy, "budgets").len().to_string()),
        right("CONTENT", |policy| list(policy, "content").len().to_string()),
        right("DENY", |policy| list(policy, "deny").len().to_string()),
        right("GUARDRAILS", |policy| {
            list(policy, "guardrails").len().to_string()
        }),
        left("OWNER", |policy| text(policy, "/owner")),
        wide("WHEN", |policy| text(policy, "/when")),
    ];
    let records = list(&answer, "policies");
    table::write(out, arguments.output, &answer, records, &columns, |policy| {
        text(policy, "/name")
    })
}

pub(super) fn run_get(arguments: &GetPolicy, out: &mut impl Write) -> Result<(), CliError> {
    let path = format!("/v1/policies/{}", segment(&arguments.name));
    let answer = arguments.target.client()?.get(&path)?;
    let format = match arguments.output {
        DocumentFormat::Text => DocumentFormat::Yaml,
        other => other,
    };
    table::write_document(out, format, &answer, |_| Ok(()))
}

/// The selector's terms; `all` where there are none.
fn workloads(policy: &Value) -> String {
    let terms = policy["workloads"].as_object().into_iter().flatten();
    let terms = terms.filter(|(_, value)| !is_empty(value));
    let terms: Vec<_> = terms
        .map(|(name, value)| match value {
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| text(item, "")).collect();
                format!("{name}={}", items.join(","))
            }
            value => format!("{name}={}", text(value, "")),
        })
        .collect();
    if terms.is_empty() {
        "all".to_owned()
    } else {
        terms.join(" ")
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_is_shown_by_its_terms() {
        assert_eq!(
            workloads(&json!({"workloads": {"namespace": [], "uid": null}})),
            "all"
        );
        let policy = json!({"workloads": {"namespace": ["a", "b"], "comm": null, "uid": 3}});
        assert_eq!(workloads(&policy), "namespace=a,b uid=3");
    }
}
