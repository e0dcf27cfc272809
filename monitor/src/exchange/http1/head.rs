//! Heads of HTTP/1.1 messages: read where they lie, forwarded as they came, rewritten only where policy edits.

use std::ops::Range;

use httparse::{Header, Status};

use crate::exchange::Credentials;
use crate::exchange::fields::{BodyFields, HeadUsage};
use crate::exchange::signature::Signature;

/// Bytes of a head. Large enough for the headers of any SDK with cookies and trace context; nginx and Cloudflare refuse
/// heads over 32 KiB.
pub(super) const HEAD_LIMIT_BYTES: usize = 64 * 1024;
/// Header lines of a head.
const MAX_HEADERS: usize = 128;

/// What a WebSocket's endpoints agree on beside the protocol itself (RFC 6455, section 9).
const EXTENSIONS: &str = "sec-websocket-extensions";

/// How a body is delimited (RFC 9112, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    None,
    /// This many bytes.
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
    /// Until the connection closes; responses only.
    UntilClose,
}

/// A request's head.
#[derive(Debug)]
pub(super) struct RequestHead {
    /// Its length in bytes, the empty line included.
    pub len: usize,
    /// `1.0` or `1.1`.
    pub version: &'static str,
    pub method: Range<usize>,
    pub target: Range<usize>,
    /// The host it asks: that of an absolute target, else that of the `host` field (RFC 9112, section 3.2.2).
    pub host: Option<Range<usize>>,
    pub framing: Framing,
    pub body: BodyFields,
    /// An edit of the body would break its signature.
    pub signed: bool,
    /// An edit of the head would.
    pub signed_head: bool,
    /// Where the fields of [`Credentials`] are.
    pub credentials: [Option<Range<usize>>; 4],
    /// It asks for a WebSocket (RFC 6455, section 4.1) and has no body.
    pub websocket: bool,
    /// The client waits for `100 Continue` before it sends the body (RFC 9110, section 10.1.1).
    pub expects_continue: bool,
    /// The connection ends after this exchange.
    pub close: bool,
}

/// A response's head.
#[derive(Debug)]
pub(super) struct ResponseHead {
    /// Its length in bytes, the empty line included.
    pub len: usize,
    pub status: u16,
    pub framing: Framing,
    pub body: BodyFields,
    /// What it says the answer cost.
    pub usage: HeadUsage,
    /// It agrees to a WebSocket (RFC 6455, section 4.2.2), without any extension.
    pub websocket: bool,
    /// It advertises another protocol or host (`alt-svc`), which would lead the client past the agent.
    pub has_alt_svc: bool,
    /// The connection ends after this exchange.
    pub close: bool,
}

/// Why a head cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    #[error("not a valid HTTP/1.1 head")]
    Syntax,
    #[error("the head is larger than {HEAD_LIMIT_BYTES} bytes or has more than {MAX_HEADERS} fields")]
    TooLarge,
    /// Two readers could disagree about where the body ends: request smuggling (RFC 9112, section 11.2).
    #[error("ambiguous body framing")]
    Framing,
}

fn parse_error(e: httparse::Error) -> HeadError {
    if e == httparse::Error::TooManyHeaders {
        HeadError::TooLarge
    } else {
        HeadError::Syntax
    }
}

/// Reads a request head at the start of `input`; `None` while it is not whole.
pub(super) fn parse_request(input: &[u8]) -> Result<Option<RequestHead>, HeadError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let len = match request.parse(input).map_err(parse_error)? {
        Status::Complete(len) if len <= HEAD_LIMIT_BYTES => len,
        Status::Partial if input.len() < HEAD_LIMIT_BYTES => return Ok(None),
        Status::Complete(_) | Status::Partial => return Err(HeadError::TooLarge),
    };
    // httparse takes a bare LF for a line end; an upstream may not, and then reads other headers than those read here.
    if memchr::memchr_iter(b'\n', &input[..len]).any(|at| at == 0 || input[at - 1] != b'\r') {
        return Err(HeadError::Syntax);
    }
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return Err(HeadError::Syntax);
    };
    let mut fields = Fields::read(request.headers)?;
    fields.signature.target(target);
    let framing = match (fields.chunked, fields.length) {
        (Some(_), Some(_)) | (Some(false), _) => return Err(HeadError::Framing),
        (Some(true), None) if request.version == Some(0) => return Err(HeadError::Framing),
        (Some(true), None) => Framing::Chunked,
        (None, Some(0) | None) => Framing::None,
        (None, Some(n)) => Framing::Length(n),
    };
    Ok(Some(RequestHead {
        len,
        version: if request.version == Some(0) { "1.0" } else { "1.1" },
        method: range_in(input, method.as_bytes()),
        target: range_in(input, target.as_bytes()),
        host: match authority(target) {
            Some(authority) => Some(range_in(input, authority.as_bytes())),
            None => fields.host.map(|host| range_in(input, host)),
        },
        framing,
        body: fields.body,
        signed: fields.signature.covers_body(),
        signed_head: fields.signature.covers_head(),
        credentials: fields
            .credentials
            .kept()
            .map(|value| value.map(|value| range_in(input, value))),
        websocket: fields.websocket && method == "GET" && framing == Framing::None,
        expects_continue: fields.expects_continue && framing != Framing::None,
        close: fields.close || (request.version == Some(0) && !fields.keep_alive),
    }))
}

/// Reads a response head at the start of `input`; `None` while it is not whole. `bodiless` says that the request was
/// HEAD, whose response has no body whatever its fields say.
pub(super) fn parse_response(input: &[u8], bodiless: bool) -> Result<Option<ResponseHead>, HeadError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let len = match response.parse(input).map_err(parse_error)? {
        Status::Complete(len) if len <= HEAD_LIMIT_BYTES => len,
        Status::Partial if input.len() < HEAD_LIMIT_BYTES => return Ok(None),
        Status::Complete(_) | Status::Partial => return Err(HeadError::TooLarge),
    };
    let status = response.code.ok_or(HeadError::Syntax)?;
    let fields = Fields::read(response.headers)?;
    let framing = if bodiless || status < 200 || status == 204 || status == 304 {
        Framing::None
    } else {
        match (fields.chunked, fields.length) {
            (Some(true), None) => Framing::Chunked,
            (Some(_), _) => return Err(HeadError::Framing),
            (None, Some(0)) => Framing::None,
            (None, Some(n)) => Framing::Length(n),
            (None, None) => Framing::UntilClose,
        }
    };
    Ok(Some(ResponseHead {
        len,
        status,
        framing,
        body: fields.body,
        usage: fields.usage,
        websocket: fields.websocket && !fields.extensions,
        has_alt_svc: fields.alt_svc,
        close: fields.close
            || framing == Framing::UntilClose
            || (response.version == Some(0) && !fields.keep_alive),
    }))
}

#[derive(Default)]
struct Fields<'h> {
    host: Option<&'h [u8]>,
    /// `Some(true)`: exactly chunked; `Some(false)`: any other transfer coding.
    chunked: Option<bool>,
    length: Option<u64>,
    body: BodyFields,
    usage: HeadUsage,
    signature: Signature,
    credentials: Credentials<'h>,
    expects_continue: bool,
    close: bool,
    keep_alive: bool,
    alt_svc: bool,
    websocket: bool,
    extensions: bool,
}

impl<'h> Fields<'h> {
    fn read(headers: &[Header<'h>]) -> Result<Self, HeadError> {
        let mut fields = Self::default();
        for Header { name, value } in headers {
            if let 7 | 9 | 13 | 14 = name.len() {
                fields.credentials.field(name, value);
            }
            // The length first: most fields are told apart without comparing a byte of the name.
            match name.len() {
                // Of two, each reader could take another one (RFC 9112, section 3.2).
                4 if name.eq_ignore_ascii_case("host")
                    && fields.host.replace(value.trim_ascii()).is_some() =>
                {
                    return Err(HeadError::Syntax);
                }
                6 if name.eq_ignore_ascii_case("expect") => {
                    fields.expects_continue = value.trim_ascii().eq_ignore_ascii_case(b"100-continue");
                }
                7 if name.eq_ignore_ascii_case("alt-svc") => fields.alt_svc = true,
                7 if name.eq_ignore_ascii_case("upgrade") => {
                    let mut protocols = value.split(|&b| b == b',');
                    fields.websocket |=
                        protocols.any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"));
                }
                10 if name.eq_ignore_ascii_case("connection") => {
                    for option in value.split(|&b| b == b',') {
                        let option = option.trim_ascii();
                        fields.close |= option.eq_ignore_ascii_case(b"close");
                        fields.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                12 if name.eq_ignore_ascii_case("content-type") => fields.body.content_type(value),
                13 if name.eq_ignore_ascii_case("authorization") => fields.signature.field(name, value),
                14 if name.eq_ignore_ascii_case("content-length") => {
                    let length = parse_length(value).ok_or(HeadError::Framing)?;
                    if fields.length.is_some_and(|known| known != length) {
                        return Err(HeadError::Framing);
                    }
                    fields.length = Some(length);
                }
                16 if name.eq_ignore_ascii_case("content-encoding") => {
                    fields.body.encoding.add(value);
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                    let chunked = value.trim_ascii().eq_ignore_ascii_case(b"chunked");
                    fields.chunked = Some(chunked && fields.chunked.is_none());
                }
                32 | 33 | 43 | 44 => fields.usage.field(name, value),
                20 => fields.signature.field(name, value),
                24 if name.eq_ignore_ascii_case(EXTENSIONS) => {
                    fields.extensions |= !value.trim_ascii().is_empty()
                }
                _ => {}
            }
        }
        Ok(fields)
    }
}

/// The authority of a target in absolute form, which a server must take instead of the `host` field.
fn authority(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    rest.split(['/', '?', '#']).next().filter(|_| is_http)
}

/// Digits only: no sign, no list (RFC 9112, section 6.3 allows refusing lists).
fn parse_length(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

/// How a forwarded head differs from the one that came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HeadEdit {
    /// The body is now this long and not chunked.
    pub length: Option<usize>,
    /// The body is now chunked.
    pub chunked: bool,
    /// The body is no longer encoded.
    pub decoded: bool,
    /// `alt-svc` goes.
    pub drop_alt_svc: bool,
    /// The offer of WebSocket extensions goes.
    pub drop_extensions: bool,
}

/// `head` with `edit` applied: untouched lines keep their bytes and their order.
pub(super) fn rewrite(head: &[u8], edit: HeadEdit) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len() + 32);
    let reframed = edit.length.is_some() || edit.chunked;
    for line in head.split_inclusive(|&b| b == b'\n') {
        let name = line.split(|&b| b == b':').next().unwrap_or_default();
        let is = |field: &str| name.eq_ignore_ascii_case(field.as_bytes());
        let dropped = (reframed && (is("content-length") || is("transfer-encoding")))
            || (edit.decoded && is("content-encoding"))
            || (edit.drop_alt_svc && is("alt-svc"))
            || (edit.drop_extensions && is(EXTENSIONS));
        let last = line == b"\r\n" || line == b"\n";
        if last {
            if let Some(length) = edit.length {
                out.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
            } else if edit.chunked {
                out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            }
        }
        if !dropped {
            out.extend_from_slice(line);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Result<Option<RequestHead>, HeadError> {
        parse_request(text.as_bytes())
    }

    #[test]
    fn the_host_is_that_of_an_absolute_target_first() {
        let host = |text: &str| {
            let head = parse_request(text.as_bytes()).unwrap().unwrap();
            head.host.map(|range| text[range].to_owned())
        };
        assert_eq!(
            host("GET / HTTP/1.1\r\nHost:  a:1 \r\n\r\n").as_deref(),
            Some("a:1")
        );
        assert_eq!(
            host("GET https://b/x HTTP/1.1\r\nHost: a\r\n\r\n").as_deref(),
            Some("b")
        );
        assert_eq!(host("GET /?u=http://b/ HTTP/1.0\r\n\r\n"), None);
        let two = b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
        assert_eq!(parse_request(two).unwrap_err(), HeadError::Syntax);
    }

    #[test]
    fn a_head_is_read_where_it_lies() {
        let text = "POST /v1/chat/completions?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nContent-Type: application/json\r\n\r\nbody";
        let head = request(text).unwrap().unwrap();
        assert_eq!(&text[head.method.clone()], "POST");
        assert_eq!(&text[head.target.clone()], "/v1/chat/completions?x=1");
        assert_eq!(head.len, text.len() - 4);
        assert_eq!(head.framing, Framing::Length(12));
        assert_eq!(head.body.media, crate::exchange::fields::MediaType::Json);
        assert!(!head.signed);
        assert!(!head.close);
    }

    #[test]
    fn every_proper_prefix_is_incomplete() {
        let text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n";
        for end in 0..text.len() {
            assert!(request(&text[..end]).unwrap().is_none(), "prefix of {end} bytes");
        }
        assert!(request(text).unwrap().is_some());
    }

    #[test]
    fn smuggling_shapes_are_refused() {
        for fields in [
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "Content-Length: 1\r\nContent-Length: 2",
            "Content-Length: 1, 1",
            "Content-Length: +1",
            "Content-Length: ",
            "Content-Length: 99999999999999999999",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: xchunked",
        ] {
            let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
            assert_eq!(request(&text).err(), Some(HeadError::Framing), "{fields}");
        }
        for text in [
            "POST / HTTP/1.1\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length : 1\r\n\r\n",
            "POST / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        ] {
            assert_eq!(request(text).err(), Some(HeadError::Syntax), "{text:?}");
        }
    }

    #[test]
    fn bounds_end_in_an_error() {
        let long = format!("POST / HTTP/1.1\r\nA: {}", "x".repeat(HEAD_LIMIT_BYTES));
        assert_eq!(request(&long).err(), Some(HeadError::TooLarge));
        let many = format!("POST / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(request(&many).err(), Some(HeadError::TooLarge));
    }

    #[test]
    fn responses_without_a_body_are_known() {
        let framing = |text: &str, bodiless| {
            parse_response(text.as_bytes(), bodiless)
                .unwrap()
                .unwrap()
                .framing
        };
        assert_eq!(framing("HTTP/1.1 204 No Content\r\n\r\n", false), Framing::None);
        assert_eq!(
            framing("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true),
            Framing::None
        );
        assert_eq!(framing("HTTP/1.1 200 OK\r\n\r\n", false), Framing::UntilClose);
        assert_eq!(
            framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false),
            Framing::Chunked
        );
    }

    #[test]
    fn a_rewrite_touches_only_what_it_must() {
        let head =
            b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\nalt-svc: h3=\":443\"\r\nX-A: b\r\n\r\n";
        let edit = HeadEdit {
            length: Some(42),
            drop_alt_svc: true,
            ..HeadEdit::default()
        };
        assert_eq!(
            String::from_utf8(rewrite(head, edit)).unwrap(),
            "HTTP/1.1 200 OK\r\nServer: x\r\nX-A: b\r\ncontent-length: 42\r\n\r\n"
        );
        assert_eq!(rewrite(head, HeadEdit::default()), head);
    }
}
