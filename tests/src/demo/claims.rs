//! The claims of the demo, each checked against another side than the one that makes it.

use std::io::IsTerminal;

use owo_colors::OwoColorize;
use serde_json::Value;

use super::told::{Seen, Told};
use crate::screen;

/// Prints every claim with its outcome, and returns how many do not hold.
pub(super) fn check(told: &Told) -> usize {
    let by = |name: &str| {
        told.exchanges
            .iter()
            .filter(|seen| seen.truth.name == name)
            .collect::<Vec<_>>()
    };
    let (chats, research, billing) = (by("chat-bot"), by("research-agent"), by("billing-script"));
    let openai: Vec<&Seen> = told
        .exchanges
        .iter()
        .filter(|seen| seen.record["provider"] == "openai")
        .collect();
    let budget = &told.budget;
    let error = &told.research_report["error"];
    let text = told.research_report["answer"]["text"][0]
        .as_str()
        .unwrap_or_default();
    let claims = [
        (
            format!("{} exchanges, each attributed exactly to its process, user, program, cgroup and namespace", told.exchanges.len()),
            told.exchanges.len() == 4 && told.exchanges.iter().all(attributed),
        ),
        (
            format!("{} OpenAI exchanges with the token counts of the provider's own tokenizer", openai.len()),
            openai.len() == 3 && openai.iter().all(|seen| same_tokens(seen)),
        ),
        (
            format!(
                "the research agent was stopped in mid-stream after {} words: {}",
                text.split(' ').count(),
                error["type"].as_str().unwrap_or("no exception")
            ),
            verdicts(&research, "cut") && !text.is_empty() && error["type"].is_string(),
        ),
        (
            format!("its budget of {} tokens was kept: {} settled, at most {} settled and reserved", budget.limit, budget.settled, budget.peak_outstanding),
            budget.settled > 0 && budget.settled <= budget.limit && budget.peak_outstanding <= budget.limit,
        ),
        (
            "the card number did not reach the provider, and the script got its answer".to_owned(),
            verdicts(&billing, "redacted") && !told.card_reached_provider && told.billing_answer.contains("\"content\":\"river"),
        ),
        ("the chat bot was let through unchanged".to_owned(), verdicts(&chats, "allowed") && chats.len() == 2),
        (
            "an ordinary HTTPS connection to the provider's address passed byte for byte, with its own certificate".to_owned(),
            told.identical && told.own_certificate,
        ),
    ];
    screen::line("");
    for (claim, holds) in &claims {
        screen::line(&format!("  {} {claim}", mark(*holds)));
    }
    claims.iter().filter(|(_, holds)| !holds).count()
}

fn attributed(seen: &Seen) -> bool {
    let (record, truth) = (&seen.record, &seen.truth);
    let workload = &record["workload"];
    record["attribution"] == "exact"
        && workload["pid"] == truth.pid
        && workload["uid"] == truth.uid
        && workload["exe"] == truth.exe.as_str()
        && workload["cgroup"] == truth.cgroup.as_str()
        && workload["netns"] == truth.netns
}

fn same_tokens(seen: &Seen) -> bool {
    let usage: &Value = &seen.record["usage"];
    usage["input"] == seen.upstream.0 && usage["output"] == seen.upstream.1
}

fn verdicts(seen: &[&Seen], verdict: &str) -> bool {
    !seen.is_empty() && seen.iter().all(|seen| seen.record["verdict"] == verdict)
}

fn mark(holds: bool) -> String {
    let mark = if holds { "✓" } else { "✗" };
    match (std::io::stdout().is_terminal(), holds) {
        (false, _) => mark.to_owned(),
        (true, true) => mark.green().to_string(),
        (true, false) => mark.red().to_string(),
    }
}
