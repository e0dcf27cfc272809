//! Texts for the detectors, and what must hold of what they find.
//!
//! An input byte below 128 is itself; each other stands for a piece of something that is found, or nearly, or for a
//! character that hides one.

pub mod fold;
pub mod redact;
pub mod rules;
pub mod window;

use std::sync::{Arc, LazyLock};

use monitor_content::{Detectors, Finding};

#[rustfmt::skip]
const PIECES: [&str; 128] = [
    "4111", "1111", "4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "anna", "example.org", "a@b.co", "anna@example.org", "%40",
    "sk-", "proj-", "a1B2c3D4e5F6g7H8", "q9X2mZ7bL4kT1vR8nC3w", "ghp_", "eyJ", "hbGciOiJIUzI1NiJ9", ".eyJ", "AKIA", "IOSFODNN7EXAMPLE",
    "-----BEGIN ", "PRIVATE KEY", "-----END ", "-----", "\\n", "%3D", "xoxb-", "123456789012", "glpat-", "hf_",
    "536-22-1234", "ssn ", "phone: ", "BSN: ", "111222333", "AB 12 34 56 C", "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10", "C01X00T47", "passport ",
    "RSSMRA85T10A562S", "123.456.789-09", "11010519491231002X", "A123456(3)", "паспорт", "+49 30 ", "(415) 555-2671", " ext. ", "x12", "1234567",
    "93.184", ".216.34", "version ", "::", "2a00:", "81b::e", "fe80::1ff:fe23:4567:890a", "3c:22:fb", ":9a:01:5e", "3c22.fb9a.015e",
    "%eth0", "DE89", " 3704 0044 0532", " 0130 00", "nl91abna0417164300", "https://", "app:p%40ss@", "postgres://", "redis://u:", "http",
    "password", "api_key", "datadog", "heroku ", " is ", " = ", "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "Xk7#mQ2!vL9", "12345678:AA", "Q~",
    "-us1", "curl -u ", "--user", "Bearer ", "Basic ", "YW5uYTpYazdtUTJ2TDl4", "YW5uYUBleGFtcGxlLm9yZyBhbmQg", "NDExMSAxMTExIDExMTEgMTExMQ==", "born ", "March 12",
    ", 1985", "1985-03-", "12. März 1985", "年3月", "geboren ", "how to make ", "a bomb", "i want to ", "die", "i g n o r e ",
    "\u{200b}", "\u{301}", "\u{fe0f}\u{20e3}", "\u{ad}", "\u{e0034}\u{e0031}", "\u{e0040}", "\u{202e}", "４１１１", "１１１１　１１１１", "ＡＢ",
    "а", "сор", "х", "Жук", "ν", "ﬁ", "½", "٤١", "\u{2011}", "—",
    "\u{a0}", "😀", "密码是", "é", "４\u{200b}", "＠", "。", "ß",
];

static ALL: LazyLock<Arc<Detectors>> = LazyLock::new(|| Arc::new(Detectors::compile(&["*"]).unwrap()));

/// The text an input stands for.
fn text(input: &[u8]) -> String {
    let mut text = String::new();
    for byte in input {
        match byte.checked_sub(128) {
            None => text.push(char::from(*byte)),
            Some(piece) => text.push_str(PIECES[usize::from(piece)]),
        }
    }
    text
}

/// In order, apart from each other, on character borders, and of no lower confidence than counts.
fn check_spans(text: &str, findings: &[Finding]) {
    let mut floor = 0;
    for finding in findings {
        assert!(
            finding.start >= floor && finding.start < finding.end,
            "{text:?} {findings:?}"
        );
        assert!(
            text.get(finding.start..finding.end).is_some(),
            "{text:?} {findings:?}"
        );
        assert!((50..=100).contains(&finding.confidence_percent), "{finding:?}");
        floor = finding.end;
    }
}
