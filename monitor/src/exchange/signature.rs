//! Whether a request's body is signed, so that it cannot be edited.
//!
//! AWS Signature Version 4 covers a digest of the body, in a header (`authorization: AWS4-HMAC-SHA256 …`) or in the query
//! (`X-Amz-Signature=…`). Only a request that says `x-amz-content-sha256: UNSIGNED-PAYLOAD` leaves the body out
//! (botocore 1.44.5, `botocore/auth.py`, `SigV4Auth.payload`), and then its length may be signed all the same.

/// Signed header fields that an edit of the body would change.
const OF_THE_BODY: [&str; 5] = [
    "content-length",
    "content-encoding",
    "content-md5",
    "content-digest",
    "transfer-encoding",
];

/// What a head says of its request's signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signature {
    signed: bool,
    /// The body is left out of the signature.
    unsigned_payload: bool,
    /// A field that depends on the body is in it.
    covers_length: bool,
}

impl Signature {
    /// The fields that [`Self::field`] goes by.
    pub(super) const FIELDS: [&str; 2] = ["authorization", "x-amz-content-sha256"];

    /// Takes a field of the head, its name in any case.
    pub(super) fn field(&mut self, name: &str, value: &[u8]) {
        if name.eq_ignore_ascii_case(Self::FIELDS[0]) {
            let value = value.trim_ascii();
            // AWS4-HMAC-SHA256, and AWS4-ECDSA-P256-SHA256 of version 4A.
            if value
                .get(..5)
                .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"AWS4-"))
            {
                self.signed = true;
                self.covers_length |= covers_body_field(value);
            }
        } else if name.eq_ignore_ascii_case(Self::FIELDS[1]) {
            self.unsigned_payload = value.trim_ascii() == b"UNSIGNED-PAYLOAD";
        }
    }

    /// Takes the request's path and query.
    pub(super) fn target(&mut self, target: &str) {
        let Some((_, query)) = target.split_once('?') else {
            return;
        };
        self.signed |= query.split('&').any(|parameter| {
            let name = parameter.split('=').next().unwrap_or_default();
            name.eq_ignore_ascii_case("x-amz-signature")
        });
    }

    /// An edit of the path would break it: version 4 always covers it.
    pub(super) fn covers_head(self) -> bool {
        self.signed
    }

    /// An edit of the body would break it.
    pub(super) fn covers_body(self) -> bool {
        self.signed && (!self.unsigned_payload || self.covers_length)
    }
}

/// Whether one of `SignedHeaders=a;b;c` depends on the body.
fn covers_body_field(authorization: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(authorization, b"SignedHeaders=") else {
        return false;
    };
    let list = authorization
        .get(at + "SignedHeaders=".len()..)
        .unwrap_or_default();
    let list = list
        .split(|byte| matches!(byte, b',' | b' '))
        .next()
        .unwrap_or_default();
    list.split(|&byte| byte == b';').any(|name| {
        OF_THE_BODY
            .iter()
            .any(|field| name.eq_ignore_ascii_case(field.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEDROCK: &str = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/bedrock/aws4_request, \
        SignedHeaders=content-type;host;x-amz-date, Signature=00";

    fn covers(fields: &[(&str, &str)], target: &str) -> bool {
        let mut signature = Signature::default();
        signature.target(target);
        for (name, value) in fields {
            signature.field(name, value.as_bytes());
        }
        signature.covers_body()
    }

    #[test]
    fn a_signature_covers_the_body_unless_it_says_otherwise() {
        let with_length = BEDROCK.replace("content-type;", "content-length;content-type;");
        let asymmetric = BEDROCK.replace("HMAC-SHA256", "ECDSA-P256-SHA256");
        let unsigned = ("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        for (fields, expected) in [
            (vec![("Authorization", BEDROCK)], true),
            (vec![("authorization", &*asymmetric)], true),
            (vec![unsigned, ("authorization", BEDROCK)], false),
            (vec![("authorization", &*with_length), unsigned], true),
            (
                vec![
                    ("authorization", BEDROCK),
                    ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
                ],
                true,
            ),
            (vec![("authorization", "Bearer bedrock-api-key-x")], false),
            (vec![unsigned], false),
            (vec![], false),
        ] {
            assert_eq!(covers(&fields, "/model/x/converse"), expected, "{fields:?}");
        }
        assert!(covers(
            &[],
            "/model/x/converse?X-Amz-Algorithm=a&X-Amz-Signature=00"
        ));
        assert!(!covers(&[], "/model/x/converse?x=X-Amz-Signature"));
    }
}
