//! Forms: `multipart/form-data` by RFC 7578 and RFC 2046, section 5.1.
//!
//! Strict where parsers differ, because what one of them takes for a part's end hides or shows a text to another: no
//! preamble, lines end in CRLF, nothing may follow a boundary on its line, a part has one disposition with each parameter
//! once, and its body stands as it is.

use memchr::memmem;

/// Parts that are read at most. A form of OpenAI's has some twenty fields and sixteen images.
const MAX_PARTS: usize = 256;
/// Bytes of a part's head. Clients write two short lines.
const MAX_HEAD_BYTES: usize = 8 * 1024;
/// Longest boundary: RFC 2046, section 5.1.1.
const MAX_BOUNDARY_BYTES: usize = 70;

/// How a form is not one that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormFault {
    /// The content type names no boundary, or one that RFC 2046 does not allow.
    #[error("no boundary that RFC 2046 allows")]
    Boundary,
    /// What should be a boundary's line is something else, or the last boundary is missing.
    #[error("boundaries that parsers take for different things")]
    Delimiter,
    /// A part's head is not what RFC 7578 asks.
    #[error("the head of a part cannot be read")]
    Head,
    /// More parts than are read.
    #[error("more than {MAX_PARTS} parts")]
    TooManyParts,
}

/// One part of a form.
#[derive(Clone)]
pub(crate) struct Part<'b> {
    /// The field's name, as written between the quotes.
    pub(crate) name: &'b str,
    /// The name of the file that the part is, if it is one.
    pub(crate) filename: Option<&'b str>,
    /// Its body.
    pub(crate) body: &'b [u8],
    /// Offset of the body in the form.
    pub(crate) start: usize,
}

impl<'b> Part<'b> {
    /// Its body if that is text.
    pub(crate) fn text(&self) -> Option<&'b str> {
        std::str::from_utf8(self.body).ok()
    }
}

/// The parts of a form, in linear time.
pub(crate) fn parts<'b>(boundary: Option<&str>, body: &'b [u8]) -> Result<Vec<Part<'b>>, FormFault> {
    let boundary = boundary.ok_or(FormFault::Boundary)?;
    let is_allowed = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    if boundary.is_empty() || boundary.len() > MAX_BOUNDARY_BYTES || !boundary.bytes().all(is_allowed) {
        return Err(FormFault::Boundary);
    }
    let dashed = format!("--{boundary}");
    let mut found =
        memmem::find_iter(body, dashed.as_bytes()).filter(|&at| at == 0 || before(body, at, b"\n"));
    let first = found.next();
    #[cfg(test)]
    crate::work::look_at(first.unwrap_or(body.len()) + 1);
    if first != Some(0) {
        return Err(FormFault::Delimiter);
    }
    let mut parts = Vec::new();
    let mut start = dashed.len();
    loop {
        match body.get(start..) {
            Some([b'-', b'-', ..]) => return Ok(parts),
            Some([b'\r', b'\n', ..]) => start += 2,
            _ => return Err(FormFault::Delimiter),
        }
        // A delimiter belongs to the line end before it; a bare LF is one for some parsers and not for others.
        let next = found.next();
        #[cfg(test)]
        crate::work::look_at(next.unwrap_or(body.len()) - start);
        let at = next.ok_or(FormFault::Delimiter)?;
        let end = at.checked_sub(2).ok_or(FormFault::Delimiter)?;
        if !before(body, at, b"\r\n") {
            return Err(FormFault::Delimiter);
        }
        if parts.len() == MAX_PARTS {
            return Err(FormFault::TooManyParts);
        }
        // An empty part shares its line end with the boundary before it.
        let whole = body.get(start..end).ok_or(FormFault::Head)?;
        parts.push(part(whole, start)?);
        start = at + dashed.len();
    }
}

fn before(body: &[u8], at: usize, end: &[u8]) -> bool {
    body.get(..at).is_some_and(|head| head.ends_with(end))
}

fn part(whole: &[u8], start: usize) -> Result<Part<'_>, FormFault> {
    let head = whole.get(..whole.len().min(MAX_HEAD_BYTES)).unwrap_or_default();
    #[cfg(test)]
    crate::work::look_at(head.len());
    let head_len = memmem::find(head, b"\r\n\r\n").ok_or(FormFault::Head)?;
    let head = head
        .get(..head_len)
        .and_then(|head| std::str::from_utf8(head).ok())
        .ok_or(FormFault::Head)?;
    let mut disposition = None;
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':').ok_or(FormFault::Head)?;
        if line.contains(['\r', '\n', '\0']) || name.trim() != name {
            return Err(FormFault::Head);
        }
        if name.eq_ignore_ascii_case("content-disposition") {
            if disposition.replace(value.trim()).is_some() {
                return Err(FormFault::Head);
            }
        } else if name.eq_ignore_ascii_case("content-transfer-encoding")
            && !["7bit", "8bit", "binary"]
                .iter()
                .any(|as_is| value.trim().eq_ignore_ascii_case(as_is))
        {
            return Err(FormFault::Head);
        }
    }
    let (name, filename) = disposed(disposition.ok_or(FormFault::Head)?)?;
    let body_at = head_len + 4;
    Ok(Part {
        name,
        filename,
        body: whole.get(body_at..).unwrap_or_default(),
        start: start + body_at,
    })
}

/// `form-data; name="…"; filename="…"`.
fn disposed(value: &str) -> Result<(&str, Option<&str>), FormFault> {
    let (kind, mut rest) = value.split_once(';').ok_or(FormFault::Head)?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(FormFault::Head);
    }
    let (mut name, mut filename) = (None, None);
    loop {
        let (key, after) = rest.split_once('=').ok_or(FormFault::Head)?;
        let (value, tail) = match after.strip_prefix('"') {
            // Clients percent-encode a quote (RFC 7578, section 2); a backslash is an escape to some parsers only.
            Some(quoted) => quoted
                .split_once('"')
                .filter(|(value, _)| !value.contains('\\'))
                .ok_or(FormFault::Head)?,
            None => after.split_at(after.find(';').unwrap_or(after.len())),
        };
        let known = match key.trim() {
            key if key.eq_ignore_ascii_case("name") => name.replace(value.trim()),
            key if key.eq_ignore_ascii_case("filename") => filename.replace(value.trim()),
            // `filename*` says the same in another encoding; RFC 7578 has no other.
            key if key.eq_ignore_ascii_case("filename*") => None,
            _ => return Err(FormFault::Head),
        };
        if known.is_some() {
            return Err(FormFault::Head);
        }
        match tail.trim_start() {
            "" => break,
            tail => rest = tail.strip_prefix(';').ok_or(FormFault::Head)?,
        }
        if rest.trim().is_empty() {
            break;
        }
    }
    Ok((name.ok_or(FormFault::Head)?, filename))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part's name, file name, body and its offset.
    type Read = (String, Option<String>, String, usize);

    fn read(body: &str) -> Result<Vec<Read>, FormFault> {
        let parts = parts(Some("b"), body.as_bytes())?;
        let read = parts.iter().map(|part| {
            (
                part.name.to_owned(),
                part.filename.map(str::to_owned),
                part.text().unwrap().to_owned(),
                part.start,
            )
        });
        Ok(read.collect())
    }

    fn form(parts: &[(&str, &str)]) -> String {
        let parts = parts
            .iter()
            .map(|(head, body)| format!("--b\r\n{head}\r\n\r\n{body}\r\n"));
        format!("{}--b--\r\n", parts.collect::<String>())
    }

    #[test]
    fn fields_and_files() {
        let body = form(&[
            ("Content-Disposition: form-data; name=\"model\"", "whisper-1"),
            (
                "content-disposition: form-data; name=file; filename=\"a.wav\"\r\ncontent-type: audio/wav",
                "RIFF --b \r\n-- b",
            ),
            ("Content-Disposition: form-data; name=\"prompt\"", ""),
        ]);
        let read = read(&body).unwrap();
        let names: Vec<_> = read
            .iter()
            .map(|part| (part.0.as_str(), part.2.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                ("model", "whisper-1"),
                ("file", "RIFF --b \r\n-- b"),
                ("prompt", "")
            ]
        );
        assert_eq!(read[1].1.as_deref(), Some("a.wav"));
        for (_, _, text, start) in &read {
            assert_eq!(&body[*start..*start + text.len()], text);
        }
        assert_eq!(super::parts(Some("b"), b"--b--").unwrap().len(), 0);
    }

    /// Each would be read differently by one lenient parser or another.
    #[test]
    fn what_parsers_differ_about_is_refused() {
        let one = "Content-Disposition: form-data; name=\"a\"";
        let plain = form(&[(one, "x")]);
        assert!(read(&plain).is_ok());
        for body in [
            format!("preamble\r\n{plain}"),
            plain.replace("x\r\n", "x\n"),
            plain.replace("x\r\n--b--", "x\r\n--bc"),
            plain.replace("--b\r\n", "--b \r\n"),
            plain.replace("--b--\r\n", ""),
            plain.replace("\r\n\r\n", "\r\n"),
            form(&[("Content-Type: text/plain", "x")]),
            form(&[("Content-Disposition: form-data; name=\"a\"; name=\"b\"", "x")]),
            form(&[("Content-Disposition: form-data; name*=utf-8''a", "x")]),
            form(&[("Content-Disposition: form-data; name=\"a\\\"\"", "x")]),
            form(&[("Content-Disposition: attachment; name=\"a\"", "x")]),
            form(&[(&format!("{one}\r\n{one}"), "x")]),
            form(&[(&format!("{one}\r\nContent-Transfer-Encoding: base64"), "eA==")]),
            form(&[(&format!("{one}\r\nfolded"), "x")]),
            form(&vec![(one, "x"); MAX_PARTS + 1]),
            String::new(),
        ] {
            assert!(read(&body).is_err(), "{body}");
        }
        for boundary in [None, Some(""), Some("a\r\nb"), Some(&*"b".repeat(71))] {
            assert_eq!(parts(boundary, plain.as_bytes()).err(), Some(FormFault::Boundary));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            pieces in proptest::collection::vec(proptest::prop_oneof![
                proptest::strategy::Just("--b"), proptest::strategy::Just("\r\n"), proptest::strategy::Just("--"),
                proptest::strategy::Just("Content-Disposition: form-data; name=\"a\""), proptest::strategy::Just("\n"),
                proptest::strategy::Just("x"), proptest::strategy::Just(";"), proptest::strategy::Just("=\""),
            ], 0..24)
        ) {
            let body = pieces.concat();
            if let Ok(parts) = read(&body) {
                for (_, _, text, start) in parts {
                    proptest::prop_assert_eq!(&body[start..start + text.len()], text);
                }
            }
        }
    }
}
