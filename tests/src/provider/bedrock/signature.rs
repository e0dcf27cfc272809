//! AWS Signature Version 4 of a request, verified as the service does ("AWS Signature Version 4 for API requests", IAM
//! user guide).

use std::fmt::Write;

use aws_lc_rs::{digest, hmac};

use super::super::log::Request;

/// The secret of every workload in the lab, whatever the id of its key.
const SECRET: &str = "lab-secret-7f3a-of-all-workloads";

/// Why a signature does not hold.
pub(super) type Why = &'static str;

/// Checks a request's signature, or its bearer token.
pub(super) fn check(request: &Request) -> Result<(), Why> {
    holds(request, SECRET)
}

fn holds(request: &Request, secret: &str) -> Result<(), Why> {
    let authorization = header(request, "authorization").ok_or("no authorization")?;
    if authorization.starts_with("Bearer ") {
        return Ok(());
    }
    let fields = authorization
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or("unknown scheme")?;
    let field = |name: &str| {
        let mut fields = fields.split(", ");
        fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
    };
    let credential = field("Credential").ok_or("no credential")?;
    let (_, scope) = credential.split_once('/').ok_or("no scope")?;
    let names = field("SignedHeaders").ok_or("no signed headers")?;
    let told = field("Signature").ok_or("no signature")?;
    let body_hash = hex(digest::digest(&digest::SHA256, &request.body).as_ref());
    let canonical = canonical(request, names, &body_hash).ok_or("a signed header is missing")?;
    let date = header(request, "x-amz-date").ok_or("no date")?;
    let canonical_hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{canonical_hash}");
    // The key is derived over the parts of the scope: date, region, service, terminator.
    let derived = scope
        .split('/')
        .fold(format!("AWS4{secret}").into_bytes(), |key, part| {
            signed(&key, part.as_bytes())
        });
    if hex(&signed(&derived, to_sign.as_bytes())) == told {
        Ok(())
    } else {
        Err("head or body is not what was signed")
    }
}

fn canonical(request: &Request, names: &str, body_hash: &str) -> Option<String> {
    let (method, path) = request.target.split_once(' ')?;
    let mut query: Vec<&str> = request.query.split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    let mut headers = String::new();
    for name in names.split(';') {
        let value = header(request, name)?.trim();
        headers.push_str(&format!("{name}:{value}\n"));
    }
    Some(format!(
        "{method}\n{}\n{}\n{headers}\n{names}\n{body_hash}",
        encoded(path),
        query.join("&")
    ))
}

/// The path as it is sent, encoded once more: every service but S3 wants it so.
fn encoded(path: &str) -> String {
    let mut encoded = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn header<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    let mut headers = request.headers.iter();
    let found = headers.find(|(header, _)| header == name);
    // HTTP/2 has the host among the pseudo-headers.
    found.map_or_else(
        || (name == "host").then_some(request.arrival.host.as_str()),
        |(_, value)| Some(value),
    )
}

fn signed(key: &[u8], data: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, data).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::Value;

    use super::*;
    use crate::provider::Arrival;

    /// The vectors `get-vanilla` and `post-vanilla` of AWS's Signature Version 4 test suite.
    fn vector(method: &str, signature: &str) -> Request {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={signature}"
        );
        Request {
            arrival: Arrival {
                peer: ([127, 0, 0, 1], 1).into(),
                host: String::new(),
                alpn: String::new(),
            },
            target: format!("{method} /"),
            query: String::new(),
            headers: [
                ("host", "example.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
                ("authorization", &authorization),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
            body: Bytes::new(),
            json: Value::Null,
        }
    }

    #[test]
    fn agrees_with_the_published_vectors() {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        for (method, signature) in [
            (
                "GET",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "POST",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
        ] {
            let mut request = vector(method, signature);
            assert_eq!(holds(&request, secret), Ok(()), "{method}");
            request.body = Bytes::from_static(b"edited");
            assert!(holds(&request, secret).is_err(), "{method}");
        }
    }
}
