//! The path of a request, brought to one form.
//!
//! Servers are lenient about paths, each in its own way, and a spelling that we fail to recognise would pass unread. So
//! the path is brought to one form first (percent-encoding decoded until it no longer changes, backslashes turned, empty
//! and dot segments resolved, ASCII case folded, path parameters after `;` dropped).

use crate::RequestLine;

/// Times a path is percent-decoded at most. Each further level needs one more lenient hop in front of the provider.
const MAX_DECODINGS: usize = 4;

/// A request's method, path and query.
pub(crate) struct Target<'h> {
    line: RequestLine<'h>,
    /// The path's segments, in lower case.
    segments: Vec<String>,
}

impl<'h> Target<'h> {
    pub(crate) fn new(line: RequestLine<'h>) -> Self {
        Self {
            line,
            segments: segments(path_of(line.target)),
        }
    }

    /// Compared without regard to case, because some servers do (RFC 9110, section 9.1, does not).
    pub(crate) fn is(&self, method: &str) -> bool {
        self.line.method.eq_ignore_ascii_case(method)
    }

    /// Whether the path ends in these segments.
    pub(crate) fn ends_with(&self, segments: &[&str]) -> bool {
        self.segments.len() >= segments.len()
            && self
                .segments
                .iter()
                .rev()
                .zip(segments.iter().rev())
                .all(|(a, b)| a == b)
    }

    /// The last segment, and what stands between it and the first that is `name`, if there is something.
    pub(crate) fn between(&self, name: &str) -> Option<(String, &str)> {
        let at = self.segments.iter().position(|segment| segment == name)?;
        let (last, between) = self.segments.get(at + 1..)?.split_last()?;
        (!between.is_empty()).then(|| (between.join("/"), last.as_str()))
    }

    /// The last segment.
    pub(crate) fn last(&self) -> Option<&str> {
        self.segments.last().map(String::as_str)
    }

    /// Whether a WebSocket is asked for.
    pub(crate) fn is_websocket(&self) -> bool {
        self.line.websocket
    }

    /// The segment that has `after` others after it.
    pub(crate) fn nth_back(&self, after: usize) -> Option<&str> {
        let at = self.segments.len().checked_sub(after + 1)?;
        self.segments.get(at).map(String::as_str)
    }

    /// The value of the query's first parameter called `name`, decoded and in lower case.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.line.target.split_once('?')?;
        let query = query.split('#').next().unwrap_or_default();
        let value = query.split('&').find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })?;
        let decoded = percent_decode(value.as_bytes());
        Some(String::from_utf8_lossy(&decoded).to_ascii_lowercase())
    }

    /// The segment after the first that is `name`.
    pub(crate) fn after(&self, name: &str) -> Option<&str> {
        let at = self.segments.iter().position(|segment| segment == name)?;
        self.segments.get(at + 1).map(String::as_str)
    }
}

fn path_of(target: &str) -> &str {
    let target = target.split(['?', '#']).next().unwrap_or_default();
    match target.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
        }
        _ => target,
    }
}

fn segments(path: &str) -> Vec<String> {
    let mut decoded = path.as_bytes().to_vec();
    for _ in 0..MAX_DECODINGS {
        let next = percent_decode(&decoded);
        if next.len() == decoded.len() {
            break;
        }
        decoded = next;
    }
    let decoded = String::from_utf8_lossy(&decoded).to_ascii_lowercase();
    // A decoded `?` or `#` ends the path for a server that decodes before it splits.
    let decoded = decoded.split(['?', '#', '\0']).next().unwrap_or_default();
    let mut segments = Vec::new();
    for segment in decoded.split(['/', '\\']) {
        match segment.split(';').next().unwrap_or_default().trim() {
            ".." => {
                segments.pop();
            }
            // Some servers drop dots and spaces at the end of a name, as their file system does.
            segment => match segment.trim_end_matches(['.', ' ']) {
                "" => {}
                segment => segments.push(segment.to_owned()),
            },
        }
    }
    segments
}

fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        rest = match rest {
            [b'%', high, low, tail @ ..] => match (digit(high), digit(low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    tail
                }
                _ => {
                    out.push(b'%');
                    rest.get(1..).unwrap_or_default()
                }
            },
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
            [] => return out,
        };
    }
}
