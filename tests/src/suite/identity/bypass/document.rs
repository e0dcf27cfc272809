//! The table as the document shows it, and the test that it does.

use std::collections::HashSet;

use super::case::{Outcome, Row, Scope, Told};
use super::table::ROWS;

const DOCUMENT: &str = include_str!("../../../../../docs/coverage.md");
const HEAD: &str = "| way | `match: resolved` | `match: all-tls` | what other keys change | told by |\n|---|---|---|---|---|\n";

#[test]
fn the_document_has_the_table() {
    let rows: Vec<String> = ROWS.iter().map(Row::markdown).collect();
    let table = format!("{HEAD}{}\n", rows.join("\n"));
    assert!(
        DOCUMENT.contains(&table),
        "docs/coverage.md does not have this table:\n\n{table}"
    );
}

#[test]
fn every_row_is_another_way_in_both_modes() {
    let mut routes = HashSet::new();
    for row in ROWS {
        assert!(routes.insert(row.route), "{} is there twice", row.route);
        assert!(
            row.cases.iter().any(|case| case.scope == Scope::Resolved),
            "{}",
            row.route
        );
        let mut scopes = HashSet::new();
        assert!(
            row.cases.iter().all(|case| scopes.insert(case.scope as u8)),
            "{}",
            row.route
        );
    }
}

impl Row {
    /// The row as Markdown.
    fn markdown(&self) -> String {
        let of = |scope| {
            let case = self.cases.iter().find(|case| case.scope == scope);
            case.map_or_else(|| "the same".to_owned(), |case| case.outcome.text())
        };
        let keys: Vec<String> = self
            .cases
            .iter()
            .filter_map(|case| Some(format!("{}: {}", case.scope.key()?, case.outcome.text())))
            .collect();
        let mut told: Vec<String> = Vec::new();
        for one in self.cases.iter().flat_map(|case| case.told) {
            let text = one.text();
            if !told.contains(&text) {
                told.push(text);
            }
        }
        format!(
            "| {} | {} | {} | {} | {} |",
            self.route,
            of(Scope::Resolved),
            of(Scope::AllTls),
            dashed(&keys.join("; ")),
            dashed(&told.join(", "))
        )
    }
}

impl Scope {
    /// How the document names it, where it has no column of its own.
    fn key(self) -> Option<&'static str> {
        match self {
            Self::Resolved | Self::AllTls => None,
            Self::Deny => Some("`on_bypass: deny`"),
            Self::AllTlsDeny => Some("`match: all-tls` and `on_bypass: deny`"),
            Self::PassQuic => Some("`quic: pass`"),
            Self::Close => Some("`older_connections: close`"),
        }
    }
}

impl Outcome {
    fn text(self) -> String {
        match self {
            Self::Intercepted => "intercepted".to_owned(),
            Self::Spliced => "spliced".to_owned(),
            Self::Passed => "passes".to_owned(),
            Self::Refused("closed") => "closed; the client connects again".to_owned(),
            Self::Refused("timeout") => "refused (no answer)".to_owned(),
            Self::Refused(errno) => format!("refused (`{errno}`)"),
        }
    }
}

impl Told {
    fn text(self) -> String {
        match self {
            Self::Kernel(name) | Self::Repeated(name) | Self::Counter(name) | Self::Connection(name) => {
                format!("`{name}`")
            }
            Self::Agent(reason, verdict) => format!("`{reason}` {verdict}"),
        }
    }
}

fn dashed(text: &str) -> &str {
    if text.is_empty() { "–" } else { text }
}
