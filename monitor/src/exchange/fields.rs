//! The few header fields that decide how a message is read, the same for HTTP/1.1 and HTTP/2.

use monitor_protocol::UsageCounters;

/// The media type of a body, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json`.
    Json,
    /// `text/event-stream`: server-sent events.
    EventStream,
    /// `application/x-ndjson`: one JSON document a line.
    NdJson,
    /// `application/vnd.amazon.eventstream`: AWS's binary frames.
    AwsEventStream,
    /// `multipart/form-data`.
    Multipart,
    /// `text/…`, but for event streams.
    Text,
    /// `audio/…`, `image/…`, `video/…`, `font/…` and archives: no text anyone could scan.
    Binary,
    /// Anything else, or nothing.
    #[default]
    Other,
}

/// Types without a registered top-level type of their own that hold no text.
const BINARY: [&str; 4] = [
    "application/octet-stream",
    "application/pdf",
    "application/zip",
    "application/gzip",
];

impl MediaType {
    /// Reads a `content-type` value; parameters and case do not matter (RFC 9110, section 8.3.1).
    pub fn parse(value: &[u8]) -> Self {
        let essence = value
            .split(|&b| b == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
        let within = |top: &str| {
            essence
                .get(..top.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(top.as_bytes()))
        };
        match () {
            () if is("application/json") => Self::Json,
            () if is("text/event-stream") => Self::EventStream,
            () if is("application/x-ndjson") || is("application/ndjson") => Self::NdJson,
            () if is("application/vnd.amazon.eventstream") => Self::AwsEventStream,
            () if is("multipart/form-data") => Self::Multipart,
            () if within("text/") => Self::Text,
            () if ["audio/", "image/", "video/", "font/"].into_iter().any(within) => Self::Binary,
            () if BINARY.into_iter().any(is) => Self::Binary,
            () => Self::Other,
        }
    }
}

/// Codings of one body that are taken off one after the other. A second one is seen where a server compresses what a
/// framework has compressed before; more than three is not seen, and would only multiply what a small body becomes.
const MAX_CODINGS: usize = 3;

/// One content coding (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// gzip.
    Gzip,
    /// deflate, in the zlib format or, as some servers send it, without.
    Deflate,
    /// Brotli.
    Brotli,
    /// Zstandard.
    Zstd,
}

/// The content encoding of a body: the codings in the order in which they were put on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentEncoding {
    codings: [Option<Coding>; MAX_CODINGS],
    unknown: bool,
}

impl ContentEncoding {
    /// One coding.
    #[cfg(test)]
    pub(super) fn of(coding: Coding) -> Self {
        let mut encoding = Self::default();
        encoding.push(coding);
        encoding
    }

    /// Reads a `content-encoding` value.
    #[cfg(test)]
    pub fn parse(value: &[u8]) -> Self {
        let mut encoding = Self::default();
        encoding.add(value);
        encoding
    }

    /// Takes a `content-encoding` value; that of a later line of the head continues the list of an earlier one.
    pub fn add(&mut self, value: &[u8]) {
        for coding in value.split(|&byte| byte == b',') {
            let coding = coding.trim_ascii();
            let is = |name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
            match () {
                () if coding.is_empty() || is("identity") => {}
                () if is("gzip") || is("x-gzip") => self.push(Coding::Gzip),
                () if is("deflate") => self.push(Coding::Deflate),
                () if is("br") => self.push(Coding::Brotli),
                () if is("zstd") => self.push(Coding::Zstd),
                () => self.unknown = true,
            }
        }
    }

    fn push(&mut self, coding: Coding) {
        match self.codings.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = Some(coding),
            None => self.unknown = true,
        }
    }

    /// The body is as it is.
    pub fn is_identity(&self) -> bool {
        *self == Self::default()
    }

    /// Every coding is known here, and there are not too many: the body can be read.
    pub fn is_known(&self) -> bool {
        !self.unknown
    }

    /// The codings in the order in which they are to be taken off.
    pub(super) fn outermost_first(self) -> impl Iterator<Item = Coding> {
        self.codings.into_iter().rev().flatten()
    }
}

/// The boundary of a `multipart/form-data` body. RFC 2046, section 5.1.1, allows 70 characters; a longer one is none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Boundary {
    bytes: [u8; Self::MAX_BYTES],
    len: u8,
}

impl Boundary {
    const MAX_BYTES: usize = 70;

    /// Reads it from a `content-type` value (RFC 9110, section 5.6.6: a token or a quoted string).
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut rest = value;
        loop {
            let at = memchr::memchr(b';', rest)?;
            rest = rest.get(at + 1..)?.trim_ascii_start();
            let (name, after) = rest.split_at_checked("boundary=".len())?;
            if name.eq_ignore_ascii_case(b"boundary=") {
                return Self::unquoted(after);
            }
        }
    }

    fn unquoted(value: &[u8]) -> Option<Self> {
        let mut boundary = Self {
            bytes: [0; Self::MAX_BYTES],
            len: 0,
        };
        let quoted = value.strip_prefix(b"\"");
        let mut bytes = quoted.unwrap_or(value).iter();
        while let Some(&byte) = bytes.next() {
            let byte = match (byte, quoted.is_some()) {
                (b'"', true) => return (boundary.len > 0).then_some(boundary),
                (b'\\', true) => *bytes.next()?,
                (b';', false) => break,
                (byte, _) if byte.is_ascii_graphic() || byte == b' ' => byte,
                _ => return None,
            };
            *boundary.bytes.get_mut(usize::from(boundary.len))? = byte;
            boundary.len += 1;
        }
        // A token ends before the blanks that follow it.
        while boundary.len > 0 && boundary.bytes.get(usize::from(boundary.len) - 1) == Some(&b' ') {
            boundary.len -= 1;
        }
        (quoted.is_none() && boundary.len > 0).then_some(boundary)
    }

    /// As it is written between the parts, without the dashes before it.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        // It was made of ASCII.
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl std::fmt::Debug for Boundary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Boundary").field(&self.as_str()).finish()
    }
}

/// What is known of a message's body from its head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyFields {
    /// Its media type.
    pub media: MediaType,
    /// Its content encoding.
    pub encoding: ContentEncoding,
    /// Its boundary, where its media type has one.
    pub boundary: Option<Boundary>,
}

impl BodyFields {
    /// Takes a `content-type` value.
    pub(super) fn content_type(&mut self, value: &[u8]) {
        self.media = MediaType::parse(value);
        self.boundary = match self.media {
            MediaType::Multipart => Boundary::parse(value),
            _ => None,
        };
    }
}

/// What an answer cost, where its head says it, as [`monitor_protocol::USAGE_FIELDS`] do. Few heads have it.
#[derive(Debug, Default)]
pub struct HeadUsage(Option<Box<UsageCounters>>);

impl HeadUsage {
    /// Takes a field, whatever its name.
    pub(super) fn field(&mut self, name: &str, value: &[u8]) {
        let mut counters = self.0.as_deref().copied().unwrap_or_default();
        if counters.take_field(name, value) {
            self.0 = Some(Box::new(counters));
        }
    }

    /// What it says.
    pub(super) fn told(&self) -> Option<UsageCounters> {
        self.0.as_deref().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_read_without_their_parameters() {
        for (value, media) in [
            ("Application/JSON; charset=utf-8", MediaType::Json),
            ("text/event-stream;charset=utf-8", MediaType::EventStream),
            ("application/x-ndjson", MediaType::NdJson),
            ("application/vnd.amazon.eventstream", MediaType::AwsEventStream),
            ("multipart/form-data; boundary=x", MediaType::Multipart),
            ("text/plain; charset=utf-8", MediaType::Text),
            ("audio/mpeg", MediaType::Binary),
            ("application/octet-stream", MediaType::Binary),
            ("application/jsonl", MediaType::Other),
            ("", MediaType::Other),
        ] {
            assert_eq!(MediaType::parse(value.as_bytes()), media, "{value}");
        }
    }

    #[test]
    fn codings_are_a_list_over_one_line_or_several() {
        let taken_off = |encoding: ContentEncoding| -> Vec<Coding> { encoding.outermost_first().collect() };
        assert_eq!(taken_off(ContentEncoding::parse(b"GZIP")), [Coding::Gzip]);
        let two = ContentEncoding::parse(b"gzip, identity , br");
        assert_eq!(taken_off(two), [Coding::Brotli, Coding::Gzip]);
        let mut lines = ContentEncoding::parse(b"gzip");
        lines.add(b"br");
        assert_eq!(lines, two);
        assert!(ContentEncoding::parse(b"identity").is_identity());
        for unread in ["compress", "gzip, aws-chunked", "br, br, br, br"] {
            let encoding = ContentEncoding::parse(unread.as_bytes());
            assert!(!encoding.is_known() && !encoding.is_identity(), "{unread}");
        }
    }

    #[test]
    fn boundaries_are_tokens_or_quoted() {
        let boundary = |value: &str| Boundary::parse(value.as_bytes()).map(|b| b.as_str().to_owned());
        let longest = "b".repeat(70);
        for (value, expected) in [
            ("multipart/form-data; boundary=abc-1", Some("abc-1")),
            (
                "multipart/form-data;BOUNDARY=\"a \\\"b\\\"; c\"; x=y",
                Some("a \"b\"; c"),
            ),
            (
                "multipart/form-data; charset=utf-8; boundary=abc ; x=y",
                Some("abc"),
            ),
            (
                &format!("multipart/form-data; boundary={longest}"),
                Some(&*longest),
            ),
            (&format!("multipart/form-data; boundary={longest}b"), None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary=\"open", None),
            ("multipart/form-data; boundary=\"\"", None),
            ("multipart/form-data; boundary=a\u{1}", None),
            ("multipart/form-data", None),
        ] {
            assert_eq!(boundary(value).as_deref(), expected, "{value}");
        }
    }
}
