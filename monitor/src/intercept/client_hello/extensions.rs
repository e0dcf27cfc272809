//! The extensions of a ClientHello, which rustls does not show.

/// `encrypted_client_hello` (RFC 9849, section 11.1).
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
/// The content type of a handshake record, and the type of a ClientHello in it (RFC 8446, sections 5.1 and 4).
const HANDSHAKE_RECORD: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// Whether a ClientHello, in the records it came in, has the extension of Encrypted Client Hello. That says nothing yet:
/// many clients send it with random content (RFC 9849, section 6.2), so that servers do not come to depend on its absence.
pub(in crate::intercept) fn has_ech(records: &[u8]) -> bool {
    let mut message = Vec::with_capacity(records.len());
    let mut rest = records;
    while let Some((&[HANDSHAKE_RECORD, _, _, high, low], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        message.extend_from_slice(after.get(..length).unwrap_or(after));
        rest = after.get(length..).unwrap_or_default();
    }
    find(&message).unwrap_or(false)
}

/// `None` where the message ends too early.
fn find(message: &[u8]) -> Option<bool> {
    let mut reader = Reader(message);
    if reader.number(1)? != usize::from(CLIENT_HELLO) {
        return None;
    }
    // Length of the message, version, random.
    reader.take(3 + 2 + 32)?;
    // Session id, cipher suites, compression methods.
    for prefix in [1, 2, 1] {
        let length = reader.number(prefix)?;
        reader.take(length)?;
    }
    let length = reader.number(2)?;
    let mut extensions = Reader(reader.take(length)?);
    while !extensions.0.is_empty() {
        let (kind, length) = (extensions.number(2)?, extensions.number(2)?);
        if kind == usize::from(ENCRYPTED_CLIENT_HELLO) {
            return Some(true);
        }
        extensions.take(length)?;
    }
    Some(false)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of one or two bytes, in network order.
    fn number(&mut self, bytes: usize) -> Option<usize> {
        let number = self.take(bytes)?;
        Some(
            number
                .iter()
                .fold(0, |number, byte| number << 8 | usize::from(*byte)),
        )
    }
}
