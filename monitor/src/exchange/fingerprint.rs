//! API keys on record: which one was used, without the key.
//!
//! A fingerprint is the first 16 hexadecimal digits of HMAC-SHA256 of the credential under a key of the node's own (or of the cluster's),
//! so that neither records nor keys of budgets help to guess a credential. The same credential has the same fingerprint in whichever
//! field it is sent. An AWS signature holds no secret: there the access key's id is taken.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use aws_lc_rs::rand;
use monitor_protocol::Api;
use serde::{Serialize, Serializer};

/// Name of the node's own key in `node.state_dir`.
const KEY_FILE: &str = "fingerprint.key";
/// Bytes of a key that is made, and the fewest of one that is given.
const KEY_BYTES: usize = 32;
/// Most bytes of a key that is given.
const MAX_KEY_BYTES: u64 = 4_096;
/// Hexadecimal digits of a fingerprint: 64 bits tell a node's credentials apart.
const DIGITS: usize = 16;

/// Why there are no fingerprints.
#[derive(Debug, thiserror::Error)]
pub enum FingerprintError {
    /// The key cannot be read or made.
    #[error("cannot read or make the key of fingerprints {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The key is too short to keep guesses out, or too long to be one.
    #[error(
        "the key of fingerprints {path} has {bytes} bytes; give {KEY_BYTES} to {MAX_KEY_BYTES} random ones, as `head -c 32 /dev/urandom` makes them"
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
}

/// Works out fingerprints.
#[derive(Clone)]
pub struct Fingerprints(hmac::Key);

impl Fingerprints {
    /// Those of a cluster whose nodes share a key, or of this node alone, whose key is made where there is none.
    ///
    /// # Errors
    /// [`FingerprintError`] if the key cannot be used.
    pub fn open(shared: Option<&Path>, state_dir: &Path) -> Result<Self, FingerprintError> {
        match shared {
            Some(path) => read(path),
            None => {
                let path = state_dir.join(KEY_FILE);
                make(&path)?;
                read(&path)
            }
        }
    }

    /// Those of a key.
    #[must_use]
    pub fn with_key(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The fingerprint of a credential.
    #[must_use]
    pub fn of(&self, credential: &[u8]) -> Fingerprint {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let tag = self.keyed(credential);
        let mut digits = [0; DIGITS];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(tag) {
            pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        Fingerprint(digits)
    }

    /// HMAC-SHA256 of some bytes under the key.
    pub(super) fn keyed(&self, bytes: &[u8]) -> [u8; 32] {
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(&self.0, bytes).as_ref());
        tag
    }
}

impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprints")
    }
}

/// Makes the node's key, unless there is one. It is whole or not there.
fn make(path: &Path) -> Result<(), FingerprintError> {
    let failed = |source| FingerprintError::File {
        path: path.to_owned(),
        source,
    };
    if path.exists() {
        return Ok(());
    }
    let mut key = [0; KEY_BYTES];
    rand::fill(&mut key).map_err(|_| failed(io::Error::other("the system gives no random bytes")))?;
    let draft = path.with_extension("draft");
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(&key).and_then(|()| file.sync_all()));
    written.and_then(|()| fs::rename(&draft, path)).map_err(failed)
}

fn read(path: &Path) -> Result<Fingerprints, FingerprintError> {
    let failed = |source| FingerprintError::File {
        path: path.to_owned(),
        source,
    };
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if !(KEY_BYTES as u64..=MAX_KEY_BYTES).contains(&bytes) {
        return Err(FingerprintError::Length {
            path: path.to_owned(),
            bytes,
        });
    }
    Ok(Fingerprints::with_key(&fs::read(path).map_err(failed)?))
}

/// The fingerprint of a credential.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; DIGITS]);

impl Fingerprint {
    /// 16 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // They are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The credentials in a request's head, as it holds them.
#[derive(Clone, Copy, Default)]
pub struct Credentials<'h> {
    fields: [Option<&'h [u8]>; 4],
}

/// In the order of [`Credentials`].
const FIELDS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
const AUTHORIZATION: usize = 0;
const X_API_KEY: usize = 1;
const API_KEY: usize = 2;
const GOOGLE: usize = 3;

impl<'h> Credentials<'h> {
    /// The fields that [`Self::field`] takes, in lower case.
    pub(super) const FIELDS: [&'static str; 4] = FIELDS;

    /// Takes a field of the head, its name in any case; of two of a name the first.
    pub(super) fn field(&mut self, name: &str, value: &'h [u8]) {
        let known = FIELDS.iter().zip(&mut self.fields);
        for (known, slot) in known {
            if name.eq_ignore_ascii_case(known) && slot.is_none() {
                *slot = Some(value);
            }
        }
    }

    /// Each field with the place where it is kept.
    pub(super) fn kept(self) -> [Option<&'h [u8]>; 4] {
        self.fields
    }

    /// Those that were kept.
    pub(super) fn of(fields: [Option<&'h [u8]>; 4]) -> Self {
        Self { fields }
    }

    /// The one that the provider goes by. A client can send others beside it, and must not become another client by that.
    pub(super) fn used(self, api: Api, is_azure: bool, target: &'h str) -> Option<&'h [u8]> {
        let order = match api {
            Api::Anthropic => [X_API_KEY, AUTHORIZATION, API_KEY, GOOGLE],
            Api::Gemini => [GOOGLE, AUTHORIZATION, X_API_KEY, API_KEY],
            Api::OpenAi if is_azure => [API_KEY, AUTHORIZATION, X_API_KEY, GOOGLE],
            _ => [AUTHORIZATION, X_API_KEY, API_KEY, GOOGLE],
        };
        let mut in_fields = order.into_iter().filter_map(|at| {
            let value = (*self.fields.get(at)?)?.trim_ascii();
            let value = if at == AUTHORIZATION {
                authorization(value)
            } else {
                value
            };
            Some(value).filter(|value| !value.is_empty())
        });
        in_fields.next().or_else(|| in_query(target))
    }
}

impl fmt::Debug for Credentials<'_> {
    /// Never shows them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// What stands behind the scheme; of an AWS signature (`AWS4-HMAC-SHA256 Credential=AKIA…/date/…`) the access key's id.
fn authorization(value: &[u8]) -> &[u8] {
    let Some(space) = memchr::memchr(b' ', value) else {
        let is_empty = value.eq_ignore_ascii_case(b"bearer");
        return if is_empty { b"" } else { value };
    };
    let (scheme, rest) = value.split_at(space);
    let is_aws = scheme
        .get(..5)
        .is_some_and(|beginning| beginning.eq_ignore_ascii_case(b"AWS4-"));
    if !is_aws {
        return rest.trim_ascii();
    }
    const MEMBER: &[u8] = b"Credential=";
    let at = memchr::memmem::find(rest, MEMBER).map_or(rest.len(), |at| at + MEMBER.len());
    access_key(rest.get(at..).unwrap_or_default())
}

/// The id at the beginning of an AWS credential scope.
fn access_key(scope: &[u8]) -> &[u8] {
    let mut parts = scope.split(|byte| matches!(byte, b'/' | b',' | b' ' | b'%'));
    parts.next().unwrap_or_default()
}

/// A key in the query: Google's `key=`, or the credential of a presigned AWS request.
fn in_query(target: &str) -> Option<&[u8]> {
    let (_, query) = target.split_once('?')?;
    query.split('&').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = match name {
            "key" => value.as_bytes(),
            _ if name.eq_ignore_ascii_case("x-amz-credential") => access_key(value.as_bytes()),
            _ => return None,
        };
        Some(value).filter(|value| !value.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn used<'h>(api: Api, fields: &[(&str, &'h str)], target: &'h str) -> Option<&'h str> {
        let mut credentials = Credentials::default();
        for (name, value) in fields {
            credentials.field(name, value.as_bytes());
        }
        assert_eq!(format!("{credentials:?}"), "Credentials");
        let used = credentials.used(api, false, target)?;
        Some(std::str::from_utf8(used).unwrap())
    }

    #[test]
    fn each_provider_goes_by_a_field_of_its_own() {
        let bearer = ("Authorization", "Bearer  sk-1");
        for (api, fields, target, expected) in [
            (Api::OpenAi, vec![bearer], "/", Some("sk-1")),
            (Api::OpenAi, vec![("x-api-key", "x"), bearer], "/", Some("sk-1")),
            (
                Api::Anthropic,
                vec![bearer, ("X-Api-Key", " ant ")],
                "/",
                Some("ant"),
            ),
            (Api::Anthropic, vec![bearer], "/", Some("sk-1")),
            (Api::OpenAi, vec![("api-key", "az")], "/", Some("az")),
            (
                Api::Gemini,
                vec![("x-goog-api-key", "g"), bearer],
                "/x?key=q",
                Some("g"),
            ),
            (Api::Gemini, vec![], "/x?alt=sse&key=q", Some("q")),
            (
                Api::Bedrock,
                vec![(
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIA1/20260101/us-east-1/bedrock/aws4_request, Signature=00",
                )],
                "/",
                Some("AKIA1"),
            ),
            (
                Api::Bedrock,
                vec![],
                "/x?X-Amz-Credential=AKIA2%2F20260101",
                Some("AKIA2"),
            ),
            (
                Api::OpenAi,
                vec![("authorization", "sk-bare")],
                "/",
                Some("sk-bare"),
            ),
            (Api::OpenAi, vec![("authorization", "Bearer ")], "/", None),
            (Api::OpenAi, vec![], "/x?monkey=1", None),
        ] {
            assert_eq!(used(api, &fields, target), expected, "{fields:?} {target}");
        }
        let mut both = Credentials::default();
        both.field("authorization", b"Bearer sk-1");
        both.field("api-key", b"az");
        assert_eq!(both.used(Api::OpenAi, true, "/"), Some(&b"az"[..]));
    }

    #[test]
    fn a_fingerprint_depends_on_credential_and_key() {
        // RFC 4231, test case 2.
        let jefe = Fingerprints::with_key(b"Jefe");
        let fingerprint = jefe.of(b"what do ya want for nothing?");
        assert_eq!(fingerprint.as_str(), "5bdcc146bf60754e");
        assert_ne!(Fingerprints::with_key(b"Jeff").of(b"sk-1"), jefe.of(b"sk-1"));
        assert_ne!(jefe.of(b"sk-2"), jefe.of(b"sk-1"));
    }

    #[test]
    fn the_node_s_key_is_made_once_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = Fingerprints::open(None, dir.path()).unwrap();
        let second = Fingerprints::open(None, dir.path()).unwrap();
        assert_eq!(first.of(b"sk-1"), second.of(b"sk-1"));
        let path = dir.path().join(KEY_FILE);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let shared = Fingerprints::open(Some(&path), Path::new("/nowhere")).unwrap();
        assert_eq!(first.of(b"sk-1"), shared.of(b"sk-1"));
        fs::write(&path, "short").unwrap();
        let short = Fingerprints::open(None, dir.path());
        assert!(matches!(short, Err(FingerprintError::Length { bytes: 5, .. })));
        let missing = Fingerprints::open(Some(Path::new("/no/key")), dir.path());
        assert!(matches!(missing, Err(FingerprintError::File { .. })));
    }
}
