//! Values as a person reads them.

use serde_json::Value;

/// How a list is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ListFormat {
    /// Columns
    #[default]
    Table,
    /// More columns
    Wide,
    /// The agent's answer, as JSON
    Json,
    /// The agent's answer, as YAML
    Yaml,
    /// One name a line
    Name,
}

/// What is shown for a value that is not there.
const ABSENT: &str = "-";

/// The value at a JSON pointer as text. Control characters, which a workload can put into the name of a file or cgroup, are
/// replaced: they could command the terminal.
pub(super) fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => ABSENT.to_owned(),
        Some(Value::String(text)) => clean(text),
        Some(other) => other.to_string(),
    }
}

/// A text without control characters.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

/// The number at a JSON pointer; 0 where there is none.
pub(super) fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// The list at a key; empty where there is none.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A number with its thousands apart: `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The user of a workload: name, else number.
pub(super) fn user(workload: &Value) -> String {
    match workload.get("user") {
        Some(Value::String(name)) => clean(name),
        _ => text(workload, "/uid"),
    }
}

/// The last part of the executable's path, else the command.
pub(super) fn program(workload: &Value) -> String {
    match workload.get("exe").and_then(Value::as_str) {
        Some(path) => clean(path.rsplit('/').next().unwrap_or(path)),
        None => text(workload, "/comm"),
    }
}

/// Where a workload runs, as short as it can be said: its pod, else its unit, else its cgroup. `pod` is the JSON pointer to
/// the pod's name and `namespace` to its namespace.
pub(super) fn place(workload: &Value, namespace: &str, pod: &str) -> String {
    let known = |pointer: &str| workload.pointer(pointer).and_then(Value::as_str).map(clean);
    known(namespace)
        .zip(known(pod))
        .map(|(namespace, pod)| format!("{namespace}/{pod}"))
        .or_else(|| known("/unit"))
        .unwrap_or_else(|| text(workload, "/cgroup"))
}

/// A duration: `950ms`, `1.25s`, `3m20s`.
pub(super) fn duration(microseconds: u64) -> String {
    match microseconds {
        0..1_000 => format!("{microseconds}µs"),
        1_000..1_000_000 => format!("{}ms", microseconds / 1_000),
        1_000_000..60_000_000 => format!(
            "{:.2}s",
            std::time::Duration::from_micros(microseconds).as_secs_f64()
        ),
        _ => format!(
            "{}m{:02}s",
            microseconds / 60_000_000,
            microseconds / 1_000_000 % 60
        ),
    }
}

/// A window's length in the largest unit that divides it: `1h`, `30d`.
pub(super) fn window(text: &str) -> String {
    let rolling = text
        .strip_prefix("rolling:")
        .and_then(|rest| rest.strip_suffix("ms"));
    match rolling.and_then(|ms| ms.parse().ok()) {
        Some(ms) => length(ms),
        None => text.replace(':', " "),
    }
}

fn length(milliseconds: u64) -> String {
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if milliseconds >= length && milliseconds.is_multiple_of(length) {
            return format!("{}{unit}", milliseconds / length);
        }
    }
    format!("{milliseconds}ms")
}

/// A Unix time in milliseconds, to the second.
pub(super) fn time(unix_ms: u64) -> String {
    crate::event::native::rfc3339(unix_ms / 1_000 * 1_000).replace(".000Z", "Z")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn for_people() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(duration(900), "900µs");
        assert_eq!(duration(950_400), "950ms");
        assert_eq!(duration(1_250_000), "1.25s");
        assert_eq!(duration(200_000_000), "3m20s");
        assert_eq!(window("rolling:3600000ms"), "1h");
        assert_eq!(window("rolling:5400000ms"), "90m");
        assert_eq!(time(1_733_616_000_123), "2024-12-08T00:00:00Z");
    }

    #[test]
    fn a_name_cannot_command_the_terminal() {
        let workload = json!({"exe": "/tmp/\u{1b}]0;x\u{7}", "user": null, "uid": 7});
        assert_eq!(program(&workload), "�]0;x�");
        assert_eq!(
            (user(&workload), text(&workload, "/missing")),
            ("7".to_owned(), "-".to_owned())
        );
    }
}
