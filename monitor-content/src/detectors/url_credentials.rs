//! A user and a password in a URL: `scheme://user:password@host` (RFC 3986, section 3.2.1). The finding is the two, so
//! that the host can still be read.

use super::{Described, Engine};
use crate::Finding;
use crate::bytes::ByteSet;
use crate::finding::Ahead;

pub(crate) const DESCRIBED: Described = Described {
    name: "pii.url_credentials",
    placeholder: "[REDACTED:url_credentials]",
};

/// What a user and a password are written with; people do not escape all that the RFC would have escaped.
const USERINFO: ByteSet = ByteSet::alphanumeric_and(b"-._~!$&'()*+,;=%:^|#?\\");
const HOST: ByteSet = ByteSet::alphanumeric_and(b"[-._");
/// Long enough for a token as a password.
const MAX_BYTES: usize = 200;

/// Finds user and password of URLs.
#[derive(Debug)]
pub(super) struct UrlCredentials(&'static str);

impl UrlCredentials {
    /// `None` where neither they nor the connection strings that they are, too, are selected.
    pub(super) fn compile(selected: &[&str]) -> Option<Self> {
        [DESCRIBED.name, super::connection::NAME]
            .into_iter()
            .find(|name| selected.contains(name))
            .map(Self)
    }
}

impl Engine for UrlCredentials {
    fn scan(&self, text: &[u8], from: usize, ahead: Ahead, out: &mut Vec<Finding>) -> usize {
        let mut at = from;
        // From a start within `://`, or just after it: the bytes before are still there.
        at = at.saturating_sub(MARK.len());
        while let Some(n) = text.get(at..).and_then(|rest| memchr::memmem::find(rest, MARK)) {
            let scheme_end = at + n;
            let start = scheme_end + MARK.len();
            at = start;
            if start < from
                || !scheme_end
                    .checked_sub(1)
                    .and_then(|i| text.get(i))
                    .is_some_and(u8::is_ascii_alphanumeric)
            {
                continue;
            }
            let limit = start + MAX_BYTES;
            let end = USERINFO.run(text, start, limit);
            if ahead == Ahead::Wait && end + 1 >= text.len() {
                return start;
            }
            let userinfo = text.get(start..end).unwrap_or_default();
            let sign = text.get(end) == Some(&b'@');
            let host = text.get(end + 1).is_some_and(|b| HOST.has(*b) || *b >= 0x80);
            // The name of a default account as its password is in every tutorial.
            let tutorial = self.0 != DESCRIBED.name && is_same(userinfo);
            if sign && host && is_credentials(userinfo) && !tutorial {
                out.push(Finding {
                    detector: self.0,
                    start,
                    end,
                    confidence_percent: 90,
                    explanation: "user and password before the host of a URL",
                    continued: false,
                });
                at = end;
            }
        }
        text.len()
    }
}

const MARK: &[u8] = b"://";

fn is_same(userinfo: &[u8]) -> bool {
    let mut parts = userinfo.splitn(2, |b| *b == b':');
    parts.next() == parts.next()
}

/// A user, which may be empty, and a password that is not one.
fn is_credentials(userinfo: &[u8]) -> bool {
    let Some(colon) = userinfo.iter().position(|b| *b == b':') else {
        return false;
    };
    let (user, password) = (
        userinfo.get(..colon).unwrap_or_default(),
        userinfo.get(colon + 1..).unwrap_or_default(),
    );
    // A port and a path's `@`, or a query's: `http://host:80?mail=a@b` has no user.
    let port = password.iter().take_while(|b| b.is_ascii_digit()).count();
    let query = matches!(password.get(port), Some(b'?' | b'#')) && port > 0;
    let user_is_host = user.iter().any(|b| matches!(b, b'?' | b'#'));
    !password.is_empty() && !query && !user_is_host && !placeholder(password)
}

/// What documentation writes where a password belongs: `${PASSWORD}` is cut by its brackets, these are not.
fn placeholder(password: &[u8]) -> bool {
    let lower = |wanted: &[u8]| password.eq_ignore_ascii_case(wanted);
    let dots = password
        .iter()
        .all(|b| matches!(b, b'*' | b'.' | b'x' | b'X' | b'_' | b'-'));
    let variable = password.starts_with(b"$")
        || (password.starts_with(b"%") && password.ends_with(b"%"))
        || password.starts_with(b"%s");
    dots || variable
        || [
            &b"password"[..],
            b"pass",
            b"passwd",
            b"pwd",
            b"pw",
            b"secret",
            b"token",
            b"your_password",
            b"yourpassword",
        ]
        .iter()
        .any(|known| lower(known))
}
