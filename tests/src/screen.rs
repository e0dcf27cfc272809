//! What the lab says to a person: plain lines on stderr, results on stdout.

use std::io::Write;

/// Prints a line of results.
pub(crate) fn line(text: &str) {
    // Nobody reads any more: nothing to do about it.
    let _gone = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints a line of progress.
pub(crate) fn note(text: &str) {
    let _gone = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints a warning.
pub(crate) fn warn(text: &str) {
    note(&format!("warning: {text}"));
}
