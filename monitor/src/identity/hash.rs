//! SHA-256 of executables.

mod files;

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};

pub(super) use self::files::{FileKey, Files};

/// A SHA-256 digest, shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// From the digest's bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From 64 hexadecimal digits; `None` when it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The digest of an executable, which is filled when it has been worked out: never for a file that cannot be read or is
/// over the limit. Shared by all processes that run the same file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExeHash(Arc<OnceLock<Sha256>>);

impl ExeHash {
    /// One that is there.
    #[must_use]
    pub fn known(digest: Sha256) -> Self {
        Self(Arc::new(OnceLock::from(digest)))
    }

    fn fill(&self, digest: Sha256) {
        // Of two that are the same the first stays.
        let _known = self.0.set(digest);
    }

    /// The digest, if it is there by now.
    #[must_use]
    pub fn get(&self) -> Option<Sha256> {
        self.0.get().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_and_shown_in_hexadecimal() {
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let digest = Sha256::parse(text).unwrap();
        assert_eq!(digest.to_string(), text);
        assert_eq!(Sha256::parse(&text.to_uppercase()), Some(digest));
        assert_eq!(Sha256::parse(&text[1..]), None);
        assert_eq!(Sha256::parse(&format!("+{}", &text[1..])), None);
        assert_eq!(Sha256::parse(&"é".repeat(32)), None);
    }
}
