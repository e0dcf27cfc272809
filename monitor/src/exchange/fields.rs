//! The few header fields that decide how a message is read, the same for HTTP/1.1 and HTTP/2.

/// The media type of a body, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json`.
    Json,
    /// `text/event-stream`: server-sent events.
    EventStream,
    /// Anything else, or nothing.
    #[default]
    Other,
}

impl MediaType {
    /// Reads a `content-type` value; parameters and case do not matter (RFC 9110, section 8.3.1).
    pub fn parse(value: &[u8]) -> Self {
        let essence = value
            .split(|&b| b == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        if essence.eq_ignore_ascii_case(b"application/json") {
            Self::Json
        } else if essence.eq_ignore_ascii_case(b"text/event-stream") {
            Self::EventStream
        } else {
            Self::Other
        }
    }
}

/// The content encoding of a body (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContentEncoding {
    /// As it is.
    #[default]
    Identity,
    /// gzip.
    Gzip,
    /// deflate, in the zlib format or, as some servers send it, without.
    Deflate,
    /// Brotli.
    Brotli,
    /// Zstandard.
    Zstd,
    /// Several codings, or one that is not known here: the body cannot be read.
    Unknown,
}

impl ContentEncoding {
    /// Reads a `content-encoding` value.
    pub fn parse(value: &[u8]) -> Self {
        let value = value.trim_ascii();
        let is = |name: &str| value.eq_ignore_ascii_case(name.as_bytes());
        match () {
            () if value.is_empty() || is("identity") => Self::Identity,
            () if is("gzip") || is("x-gzip") => Self::Gzip,
            () if is("deflate") => Self::Deflate,
            () if is("br") => Self::Brotli,
            () if is("zstd") => Self::Zstd,
            () => Self::Unknown,
        }
    }
}

/// What is known of a message's body from its head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyFields {
    /// Its media type.
    pub media: MediaType,
    /// Its content encoding.
    pub encoding: ContentEncoding,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_read_without_their_parameters() {
        assert_eq!(
            MediaType::parse(b"Application/JSON; charset=utf-8"),
            MediaType::Json
        );
        assert_eq!(
            MediaType::parse(b"text/event-stream;charset=utf-8"),
            MediaType::EventStream
        );
        assert_eq!(MediaType::parse(b"application/jsonl"), MediaType::Other);
    }

    #[test]
    fn stacked_encodings_are_unknown() {
        assert_eq!(ContentEncoding::parse(b"GZIP"), ContentEncoding::Gzip);
        assert_eq!(ContentEncoding::parse(b"gzip, br"), ContentEncoding::Unknown);
    }
}
