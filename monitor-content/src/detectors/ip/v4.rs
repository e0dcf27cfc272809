//! Four decimals from 0 to 255 joined by dots, and not a version, a section or an object identifier.

use super::{Scope, finding};
use crate::bytes::ends_escape;
use crate::detectors::context::{Words, nearest};
use crate::detectors::groups::{Group, Joint, Run};
use crate::detectors::numbers::{Reader, Reading};
use crate::finding::Ahead;

/// Words that make an address of four small numbers.
const NAMES: Words = &[
    "ip",
    "ips",
    "ipv4",
    "ipaddr*",
    "addr",
    "address",
    "addresses",
    "host",
    "hosts",
    "hostname",
    "server",
    "client",
    "remote",
    "gateway",
    "login",
    "dns",
    "nameserver",
    "ping",
    "ssh",
    "subnet",
    "adresse",
    "indirizzo",
    "direccion",
    "endereco",
    "peer",
    "router",
    "地址",
    "アドレス",
];
/// Words that make a version or a section of them.
const VERSIONS: Words = &[
    "v",
    "ver",
    "vers*",
    "release*",
    "rev",
    "revision",
    "rel",
    "build",
    "section",
    "sections",
    "chapter",
    "clause",
    "appendix",
    "table",
    "figure",
    "oid",
    "oids",
    "sec",
    "package",
    "upgrade*",
    "updated",
    "since",
    "changelog",
    "firmware",
    "driver",
    "ietf",
    "rfc",
    "版本",
    "バージョン",
];

/// Finds version 4 addresses.
#[derive(Debug)]
pub(in crate::detectors) struct V4;

impl Reader for V4 {
    fn lead(&self, _: &[u8], at: usize) -> usize {
        at
    }

    fn read(&self, text: &[u8], at: usize, run: &Run, _: Ahead) -> Reading {
        address(text, at, run).map_or(Reading::Not, Reading::Found)
    }
}

fn address(text: &[u8], at: usize, run: &Run) -> Option<crate::Finding> {
    let groups = run.groups();
    let dotted = |group: &Group| group.joint == Joint::One(b'.');
    let [a, b, c, d, ..] = groups else {
        return None;
    };
    if !(dotted(a) && dotted(b) && dotted(c)) || dotted(d) || run.cut && groups.len() == 4 {
        return None;
    }
    let [a, b, c, d] = [octet(run, a)?, octet(run, b)?, octet(run, c)?, octet(run, d)?];
    let end = groups.get(3)?.end();
    if !left(text, at) || !right(text, end) {
        return None;
    }
    let scope = match scope([a, b, c, d]) {
        // Such ranges are also the most usual numbers of a version.
        Scope::None => return None,
        scope => scope,
    };
    let named = match nearest(text, at, &[NAMES, VERSIONS]) {
        Some(0) => true,
        Some(_) => return None,
        None => {
            let after = text.get(end..).unwrap_or_default();
            text.get(..at)
                .is_some_and(|t| t.ends_with(b"//") || t.ends_with(b"@"))
                || matches!(after, [b':', digit, ..] if digit.is_ascii_digit())
        }
    };
    const SMALL: u8 = 30;
    if !named && (d == 0 || scope == Scope::Public && [a, b, c].iter().all(|octet| *octet <= SMALL)) {
        return None;
    }
    let network = text.get(end) == Some(&b'/') && text.get(end + 1).is_some_and(u8::is_ascii_digit);
    if network && d == 0 {
        return None;
    }
    finding(scope, at, end, named)
}

fn octet(run: &Run, group: &Group) -> Option<u8> {
    if group.len > 3 || (group.len > 1 && run.of(group).first() == Some(&0)) {
        return None;
    }
    run.value(group).and_then(|value| u8::try_from(value).ok())
}

/// IANA's special-purpose registry, as far as it tells hosts from what is none.
fn scope([a, b, c, d]: [u8; 4]) -> Scope {
    match (a, b, c, d) {
        (0 | 127 | 224..=255, ..) => Scope::None,
        (8, 8, 8, 8) | (8, 8, 4, 4) | (1, 1, 1, 1) | (1, 0, 0, 1) | (9, 9, 9, 9) => Scope::None,
        (192, 0, 2, _) | (198, 51, 100, _) | (203, 0, 113, _) => Scope::Documentation,
        (10, ..) | (172, 16..=31, ..) | (192, 168, ..) | (100, 64..=127, ..) | (169, 254, ..) => {
            Scope::Private
        }
        _ => Scope::Public,
    }
}

fn left(text: &[u8], at: usize) -> bool {
    match text.get(..at).unwrap_or_default() {
        [.., b'=' | b'<' | b'>' | b'~' | b'!', b'='] => false,
        [.., b'.' | b'_' | b'~' | b'^' | b'+'] => false,
        // The product of a user agent, the name of a package, a path.
        [.., before, b'/'] => *before == b'/',
        [.., before, b'-'] => !(before.is_ascii_alphabetic() || *before == b'_'),
        [.., before] => !before.is_ascii_alphanumeric() || ends_escape(text, at),
        [] => true,
    }
}

fn right(text: &[u8], end: usize) -> bool {
    match text.get(end..).unwrap_or_default() {
        [b'_' | b'+' | b'~', ..] => false,
        [b'-', after, ..] => !after.is_ascii_alphabetic(),
        [after, ..] => !after.is_ascii_alphanumeric(),
        [] => true,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_those_of_folded_text() {
        crate::detectors::context::assert_folded(&[super::NAMES]);
    }
}
