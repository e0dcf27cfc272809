//! `weir status`.

use std::io::Write;

use serde_json::Value;

use super::format::{clean, list, text};
use super::{CliError, Target};

#[derive(Debug, clap::Args)]
pub(super) struct Status {
    #[command(flatten)]
    pub(super) target: Target,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Lines of text
    #[default]
    Text,
    /// The agent's answer, as JSON
    Json,
}

/// Fails when the agent is not ready, after it has said all it knows.
pub(super) fn run(arguments: &Status, out: &mut impl Write) -> Result<(), CliError> {
    let status = arguments.target.client()?.get("/v1/status")?;
    match arguments.output {
        Format::Json => writeln!(out, "{status:#}")?,
        Format::Text => write(out, &status)?,
    }
    if status.get("ready").and_then(Value::as_bool) == Some(true) {
        return Ok(());
    }
    Err(CliError::NotReady(
        list(&status, "missing")
            .iter()
            .filter_map(Value::as_str)
            .map(clean)
            .collect(),
    ))
}

fn write(out: &mut impl Write, status: &Value) -> Result<(), CliError> {
    let ready = status.get("ready").and_then(Value::as_bool) == Some(true);
    let fields = [
        ("ready", if ready { "yes".to_owned() } else { "no".to_owned() }),
        ("version", text(status, "/version")),
        ("pid", text(status, "/pid")),
        ("started", text(status, "/started")),
        ("configuration", text(status, "/config")),
        ("policies", text(status, "/policies")),
        ("cgroup", text(status, "/cgroup")),
        ("node CA", text(status, "/ca_certificate")),
        ("programs stay", text(status, "/stays")),
        ("usage history", text(status, "/usage_history")),
        ("cluster", text(status, "/cluster")),
        ("namespaces", text(status, "/namespaces")),
        ("scopes", text(status, "/scopes")),
        ("pods", text(status, "/pods")),
        ("open connections", text(status, "/open_connections")),
    ];
    for (name, value) in fields {
        writeln!(out, "{name:<18}{value}")?;
    }
    for (heading, key) in [
        ("names of pods", "names"),
        ("kernel programs", "programs"),
        ("kernel events", "kernel_events"),
    ] {
        let Some(entries) = status.get(key).and_then(Value::as_object) else {
            continue;
        };
        writeln!(out, "{heading}")?;
        for name in entries.keys() {
            let value = entries
                .get(name)
                .map_or_else(String::new, |value| text(value, ""));
            writeln!(out, "  {:<26}{value}", clean(name))?;
        }
    }
    Ok(())
}
