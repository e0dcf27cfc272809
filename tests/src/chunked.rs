//! The chunked coding (RFC 9112, section 7.1), as little of it as the lab needs to find an end and to compare contents.

use anyhow::{Context, Result};

/// A chunked body without its framing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// The data of all chunks.
    pub(crate) data: Vec<u8>,
    /// The trailer lines.
    pub(crate) trailers: Vec<Vec<u8>>,
    /// Bytes it took, framing included.
    pub(crate) length: usize,
}

/// Reads the chunked body at the start of `body`; `None` while it has not come to its end.
pub(crate) fn read(body: &[u8]) -> Result<Option<Content>> {
    let mut content = Content {
        data: Vec::new(),
        trailers: Vec::new(),
        length: 0,
    };
    loop {
        let Some(line) = line_at(body, content.length) else {
            return Ok(None);
        };
        let size = std::str::from_utf8(line)?
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        let size = usize::from_str_radix(size, 16).context("chunk size")?;
        content.length += line.len() + 2;
        if size > 0 {
            let Some(data) = body.get(content.length..content.length + size) else {
                return Ok(None);
            };
            content.data.extend_from_slice(data);
            content.length += size + 2;
            continue;
        }
        loop {
            let Some(trailer) = line_at(body, content.length) else {
                return Ok(None);
            };
            content.length += trailer.len() + 2;
            if trailer.is_empty() {
                return Ok(Some(content));
            }
            content.trailers.push(trailer.to_vec());
        }
    }
}

fn line_at(body: &[u8], at: usize) -> Option<&[u8]> {
    let rest = body.get(at..)?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    rest.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_only_at_the_end() {
        let body = b"3;x=y\r\nabc\r\n0\r\nt: 1\r\n\r\n";
        for length in 0..body.len() {
            assert_eq!(read(&body[..length]).unwrap(), None, "{length}");
        }
        let content = read(&[body.as_slice(), b"POST"].concat()).unwrap().unwrap();
        assert_eq!((content.data, content.length), (b"abc".to_vec(), body.len()));
        assert_eq!(content.trailers, [b"t: 1".to_vec()]);
    }
}
