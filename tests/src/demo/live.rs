//! What the demo shows while it runs: its steps, then each exchange as it comes onto the record.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::OwoColorize;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::lab::agent::Records;
use crate::screen;

/// How often the records are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// The steps of preparation. On a terminal a spinner, elsewhere a line each.
pub(super) struct Steps {
    total: u64,
    done: AtomicU64,
    began: Instant,
    bar: Option<ProgressBar>,
}

impl Steps {
    pub(super) fn new(total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(80));
            bar
        });
        Self {
            total,
            done: AtomicU64::new(0),
            began: Instant::now(),
            bar,
        }
    }

    /// Announces the next step.
    pub(super) fn next(&self, what: &str) {
        let number = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let text = format!("[{number}/{}] {what}", self.total);
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None => screen::note(&text),
        }
    }

    /// Ends the preparation.
    pub(super) fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        screen::note(&format!(
            "ready after {:.1} s",
            self.began.elapsed().as_secs_f32()
        ));
    }
}

/// The table of exchanges, a row as soon as one is on record.
pub(super) struct Table {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<()>>,
}

impl Table {
    /// Prints the head and follows the records of the named workloads.
    pub(super) fn follow(records: Records, names: &[&str]) -> Self {
        screen::line(&format!(
            "\n{:<16} {:<10} {:>6} {:>6}  {:<10} {:<18} {:>6} {:>7}  {}",
            "workload", "user", "pid", "netns", "provider", "model", "prompt", "answer", "verdict"
        ));
        let stop = Arc::new(AtomicBool::new(false));
        let (stopping, names) = (
            Arc::clone(&stop),
            names.iter().map(|name| format!("/{name}")).collect::<Vec<_>>(),
        );
        let task = tokio::spawn(async move {
            let mut shown = 0;
            loop {
                let last = stopping.load(Ordering::Relaxed);
                let all = records.all()?;
                for record in all
                    .iter()
                    .skip(shown)
                    .filter(|record| record["kind"] == "exchange")
                {
                    if let Some(name) = name_of(record, &names) {
                        screen::line(&row(record, name));
                    }
                }
                shown = all.len();
                if last {
                    return Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        Self { stop, task }
    }

    /// Shows what is still missing and ends.
    pub(super) async fn finish(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?
    }
}

fn name_of<'a>(record: &'a Value, names: &[String]) -> Option<&'a str> {
    let cgroup = record["workload"]["cgroup"].as_str()?;
    let name = names.iter().find(|name| cgroup.ends_with(name.as_str()))?;
    cgroup.get(cgroup.len() - name.len() + 1..)
}

fn row(record: &Value, name: &str) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let workload = &record["workload"];
    let user = workload["user"]
        .as_str()
        .map_or_else(|| text(&workload["uid"]), str::to_owned);
    let netns = text(&workload["netns"]);
    let short_netns = netns.get(netns.len().saturating_sub(5)..).unwrap_or_default();
    format!(
        "{name:<16} {user:<10} {:>6} {short_netns:>6}  {:<10} {:<18} {:>6} {:>7}  {}",
        text(&workload["pid"]),
        text(&record["provider"]),
        text(&record["model"]),
        text(&record["usage"]["input"]),
        text(&record["usage"]["output"]),
        verdict(&text(&record["verdict"]), record["policy"].as_str())
    )
}

fn verdict(verdict: &str, policy: Option<&str>) -> String {
    let text = match policy.filter(|_| verdict != "allowed") {
        Some(policy) => format!("{verdict} by {policy}"),
        None => verdict.to_owned(),
    };
    if !std::io::stdout().is_terminal() {
        return text;
    }
    match verdict {
        "allowed" => text.green().to_string(),
        "redacted" => text.yellow().to_string(),
        _ => text.red().to_string(),
    }
}
