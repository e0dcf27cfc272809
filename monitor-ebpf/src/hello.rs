//! The server name of a ClientHello (RFC 8446 section 4.1.2), and whether it is listed.

use aya_ebpf::programs::SkBuffContext;
use monitor_common::dns::MAX_NAME_BYTES;

use crate::maps::{HELLO_DEPTH, HELLO_SCRATCH};
use crate::scratch::{SCRATCH_BYTES, Scratch, hash_suffixes, look_up, unknown};

/// Packets leave in processes, which interrupts and other processes can put aside to send their own: so many at a time
/// on one processor, and more are not read.
pub(crate) const DEPTH: usize = 3;

/// Bytes that begin a TLS record with a ClientHello: type, version, length, handshake type.
pub(crate) const START_BYTES: usize = 6;
/// Record header and handshake header.
const HEADERS_BYTES: u32 = 9;
/// Up to the session id: headers, version and random.
const SESSION_ID_AT: u32 = HEADERS_BYTES + 2 + 32;
/// Type and length of an extension.
const EXTENSION_HEAD_BYTES: u32 = 4;
/// Clients send up to about 20; those that pad with unknown ones (RFC 8701) two more.
const MAX_EXTENSIONS: u32 = 48;
/// The extension `server_name` (RFC 6066 section 3), its only kind of name, and the bytes before that name: length of the
/// list, kind, length of the name.
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;
const NAME_HEAD_BYTES: u32 = 5;

/// Whether a payload that begins like this begins with a ClientHello.
#[inline(always)]
pub(crate) fn begins(start: [u8; START_BYTES]) -> bool {
    // A handshake record of TLS 1.0 or later, whose message is a ClientHello.
    start[0] == 22 && start[1] == 3 && start[5] == 1
}

/// Whether the server name of the ClientHello at `offset` is listed; `None` when it cannot be read to its name.
#[inline(always)]
pub(crate) fn listed(ctx: &SkBuffContext, offset: u32, bytes: u32) -> Option<bool> {
    let depth = HELLO_DEPTH.get_ptr_mut(0)?;
    // SAFETY: a per-CPU slot of our own type, checked for null. What comes in between puts it back as it was.
    let level = unsafe { core::ptr::read_volatile(depth) };
    if level >= DEPTH as u32 {
        return None;
    }
    let scratch = HELLO_SCRATCH.get_ptr_mut(level)?;
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(depth, level + 1) };
    // SAFETY: a per-CPU slot of our own type, which nobody else uses at this level.
    let found = read(ctx, unsafe { &mut *scratch }, offset, bytes);
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(depth, level) };
    found
}

#[inline(always)]
fn read(ctx: &SkBuffContext, scratch: &mut Scratch, offset: u32, bytes: u32) -> Option<bool> {
    if !scratch.load(ctx, offset, bytes.min(SCRATCH_BYTES as u32 - 1)) {
        return None;
    }
    if !find_name(scratch)? {
        return Some(false);
    }
    to_text(scratch);
    let end = unknown(&scratch.end);
    hash_suffixes(scratch, end);
    Some(look_up(scratch, end))
}

/// Walks to the server name and leaves the walk at its beginning, `end` after it. False when the message has none.
#[inline(always)]
fn find_name(scratch: &mut Scratch) -> Option<bool> {
    let length = unknown(&scratch.length);
    scratch.end = HEADERS_BYTES + (scratch.long(HEADERS_BYTES - 4) & 0x00ff_ffff);
    scratch.at = SESSION_ID_AT;
    skip(scratch, length, 1)?;
    // Cipher suites, then compression methods.
    skip(scratch, length, 2)?;
    skip(scratch, length, 1)?;
    // The length of the extensions, which the message's own implies.
    scratch.at = scratch.position() + 2;
    for _ in 0..MAX_EXTENSIONS {
        let at = scratch.position();
        if at >= unknown(&scratch.end) {
            return Some(false);
        }
        if at + EXTENSION_HEAD_BYTES + NAME_HEAD_BYTES > length {
            return None;
        }
        if scratch.word(at) == SERVER_NAME {
            let name = at + EXTENSION_HEAD_BYTES + NAME_HEAD_BYTES;
            let name_bytes = u32::from(scratch.word(name - 2));
            let is_name = scratch.byte(name - 3) == HOST_NAME && name_bytes != 0;
            if !is_name || name_bytes > MAX_NAME_BYTES as u32 || name + name_bytes > length {
                return None;
            }
            scratch.at = name;
            scratch.end = name + name_bytes;
            return Some(true);
        }
        scratch.at = at + EXTENSION_HEAD_BYTES + u32::from(scratch.word(at + 2));
    }
    None
}

/// Skips a field that begins with its length, in one byte or two.
#[inline(always)]
fn skip(scratch: &mut Scratch, length: u32, length_bytes: u32) -> Option<()> {
    let at = scratch.position();
    if at + length_bytes > length {
        return None;
    }
    let field_bytes = if length_bytes == 1 {
        u32::from(scratch.byte(at))
    } else {
        u32::from(scratch.word(at))
    };
    scratch.at = at + length_bytes + field_bytes;
    Some(())
}

/// Makes the name's letters small and notes where each label begins: at the byte before it, as in a DNS question.
#[inline(always)]
fn to_text(scratch: &mut Scratch) {
    let start = scratch.position();
    scratch.set_label(0, start.wrapping_sub(1));
    scratch.labels = 1;
    for step in 0..MAX_NAME_BYTES as u32 {
        let at = start + step;
        if at >= unknown(&scratch.end) {
            break;
        }
        let byte = scratch.byte(at);
        scratch.set_byte(at, byte.to_ascii_lowercase());
        // Without a branch: noted always, and kept where it is a dot.
        let label = unknown(&scratch.labels);
        scratch.set_label(label, at);
        scratch.labels = label + u32::from(byte == b'.');
    }
}
