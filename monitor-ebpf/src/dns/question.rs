//! Whether the question asks for a listed name.

use monitor_common::Reason;
use monitor_common::dns::MAX_NAME_BYTES;

use super::{HEADER_BYTES, MAX_LABEL_BYTES};
use crate::scratch::{Scratch, hash_suffixes, look_up, unknown};

/// Bytes between the end of a name and the first answer: type and class (RFC 1035 section 4.1.2).
const QUESTION_TAIL_BYTES: u32 = 4;
/// Stands for a dot inside a label, which must not look like a boundary between labels.
const DOT_IN_LABEL: u8 = 0xff;

/// Whether the name is listed, exactly or by a suffix. Leaves the walk at the first answer.
#[inline(always)]
pub(super) fn listed(scratch: &mut Scratch) -> Result<bool, Reason> {
    to_text(scratch)?;
    let end = scratch.position();
    hash_suffixes(scratch, end);
    let found = look_up(scratch, end);
    scratch.at = end + 1 + QUESTION_TAIL_BYTES;
    Ok(found)
}

/// Walks the name to its end and rewrites the copy on the way: length bytes become dots, letters small. Notes where each
/// label begins, and leaves the walk at the name's final zero.
#[inline(always)]
fn to_text(scratch: &mut Scratch) -> Result<(), Reason> {
    scratch.left_in_label = 0;
    scratch.labels = 0;
    for step in 0..MAX_NAME_BYTES as u32 {
        let at = HEADER_BYTES + step;
        if at >= scratch.length {
            return Err(Reason::DnsMalformed);
        }
        let byte = scratch.byte(at);
        let left_in_label = unknown(&scratch.left_in_label);
        if left_in_label != 0 {
            scratch.left_in_label = left_in_label - 1;
            scratch.set_byte(
                at,
                if byte == b'.' {
                    DOT_IN_LABEL
                } else {
                    byte.to_ascii_lowercase()
                },
            );
        } else if byte == 0 {
            scratch.at = at;
            return Ok(());
        } else if byte > MAX_LABEL_BYTES {
            // A compression pointer, which a question has no use for, or nothing known.
            return Err(Reason::DnsMalformed);
        } else {
            scratch.left_in_label = u32::from(byte);
            scratch.set_byte(at, b'.');
            let label = unknown(&scratch.labels);
            scratch.set_label(label, at);
            scratch.labels = label + 1;
        }
    }
    Err(Reason::DnsMalformed)
}
