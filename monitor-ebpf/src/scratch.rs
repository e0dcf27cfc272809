//! A message under examination, and the names in it: what the readers of DNS answers and of ClientHellos share.

use aya_ebpf::helpers::generated::bpf_skb_load_bytes;
use aya_ebpf::programs::SkBuffContext;
use monitor_common::dns::{
    MATCH_BELOW, MATCH_EXACT, MAX_ADDRESSES, MAX_MESSAGE_BYTES, MAX_NAME_BYTES, NameHash,
};

use crate::maps::NAMES;

/// Bytes of the copy: a power of two, so that an index masked by it is within bounds for the verifier too.
pub(crate) const SCRATCH_BYTES: usize = 2_048;
/// Keeps an index within [`SCRATCH_BYTES`].
pub(crate) const INDEX_MASK: u32 = SCRATCH_BYTES as u32 - 1;
/// Labels of a name of the greatest length: a length byte and a byte each. A power of two, as above.
const MAX_LABELS: usize = 128;
const LABEL_MASK: u32 = MAX_LABELS as u32 - 1;
/// Hashes of suffixes, by their length and one more: a power of two above the longest name.
const HASHES: usize = 256;
const HASH_MASK: u32 = HASHES as u32 - 1;
const PLACE_MASK: u32 = MAX_ADDRESSES as u32 - 1;

/// A message under examination. What changes from step to step lives here and not in registers: the verifier follows
/// each value it can tell apart on its own, and examines a million instructions at most.
#[repr(C)]
pub(crate) struct Scratch {
    /// The message.
    bytes: [u8; SCRATCH_BYTES],
    /// Hash of the last bytes of the question's name, by how many they are and one more.
    hashes: [u64; HASHES],
    /// Where each label of the question's name begins.
    label_at: [u32; MAX_LABELS],
    /// Where the data of each address record is.
    places: [u32; MAX_ADDRESSES],
    /// Bytes of the message that were copied.
    pub(crate) length: u32,
    /// Where the walk is.
    pub(crate) at: u32,
    /// Labels of the question's name.
    pub(crate) labels: u32,
    /// Bytes left in the question's label.
    pub(crate) left_in_label: u32,
    /// Answer records left to read.
    pub(crate) answers: u32,
    /// Address records found.
    pub(crate) found: u32,
    /// 1 when the sender cut the message, or the copy is shorter than it.
    pub(crate) cut: u32,
    /// Where the message or the name ends.
    pub(crate) end: u32,
}

const _: () = assert!(MAX_ADDRESSES.is_power_of_two() && MAX_NAME_BYTES < HASHES);
const _: () = assert!(MAX_MESSAGE_BYTES < SCRATCH_BYTES);

impl Scratch {
    /// Copies `length` bytes of a packet from an offset; at least one, and fewer than [`SCRATCH_BYTES`]. False when the
    /// packet has them not.
    #[inline(always)]
    pub(crate) fn load(&mut self, ctx: &SkBuffContext, offset: u32, length: u32) -> bool {
        // Through memory, so that the compiler cannot drop the bounds the verifier wants to see beside the call.
        self.length = length;
        // At least 1 by its form: kernels before 6.4 learn nothing from a comparison with 0.
        let bounded = (unknown(&self.length).wrapping_sub(1) & INDEX_MASK) + 1;
        // SAFETY: at most SCRATCH_BYTES bytes into a buffer of as many.
        let copied = unsafe {
            bpf_skb_load_bytes(
                ctx.skb.skb.cast(),
                offset,
                self.bytes.as_mut_ptr().cast(),
                bounded,
            )
        };
        copied == 0
    }

    /// The byte at an offset, wrapped into the copy: callers compare the offset with the length.
    #[inline(always)]
    pub(crate) fn byte(&self, at: u32) -> u8 {
        // SAFETY: masked to within the buffer. A volatile read, so that the mask stays beside it.
        unsafe { core::ptr::read_volatile(self.bytes.as_ptr().add((at & INDEX_MASK) as usize)) }
    }

    #[inline(always)]
    pub(crate) fn set_byte(&mut self, at: u32, value: u8) {
        // SAFETY: masked to within the buffer.
        unsafe { core::ptr::write_volatile(self.bytes.as_mut_ptr().add((at & INDEX_MASK) as usize), value) };
    }

    /// Two bytes in network byte order.
    #[inline(always)]
    pub(crate) fn word(&self, at: u32) -> u16 {
        u16::from(self.byte(at)) << 8 | u16::from(self.byte(at + 1))
    }

    /// Four bytes in network byte order.
    #[inline(always)]
    pub(crate) fn long(&self, at: u32) -> u32 {
        u32::from(self.word(at)) << 16 | u32::from(self.word(at + 2))
    }

    /// Four bytes as they lie in memory.
    #[inline(always)]
    pub(crate) fn raw_long(&self, at: u32) -> u32 {
        self.long(at).to_be()
    }

    #[inline(always)]
    pub(crate) fn hash(&self, back: u32) -> u64 {
        // SAFETY: masked to within the array, as for `byte`.
        unsafe { core::ptr::read_volatile(self.hashes.as_ptr().add((back & HASH_MASK) as usize)) }
    }

    #[inline(always)]
    pub(crate) fn set_hash(&mut self, back: u32, hash: u64) {
        // SAFETY: masked to within the array.
        unsafe { core::ptr::write_volatile(self.hashes.as_mut_ptr().add((back & HASH_MASK) as usize), hash) };
    }

    #[inline(always)]
    pub(crate) fn label(&self, number: u32) -> u32 {
        // SAFETY: masked to within the array.
        unsafe { core::ptr::read_volatile(self.label_at.as_ptr().add((number & LABEL_MASK) as usize)) }
    }

    #[inline(always)]
    pub(crate) fn set_label(&mut self, number: u32, at: u32) {
        // SAFETY: masked to within the array.
        unsafe {
            core::ptr::write_volatile(self.label_at.as_mut_ptr().add((number & LABEL_MASK) as usize), at)
        };
    }

    #[inline(always)]
    pub(crate) fn place(&self, number: u32) -> u32 {
        // SAFETY: masked to within the array.
        unsafe { core::ptr::read_volatile(self.places.as_ptr().add((number & PLACE_MASK) as usize)) }
    }

    #[inline(always)]
    pub(crate) fn set_place(&mut self, number: u32, place: u32) {
        // SAFETY: masked to within the array.
        unsafe {
            core::ptr::write_volatile(
                self.places.as_mut_ptr().add((number & PLACE_MASK) as usize),
                place,
            )
        };
    }

    /// Where the walk is, as a value the verifier knows nothing about.
    #[inline(always)]
    pub(crate) fn position(&self) -> u32 {
        unknown(&self.at)
    }
}

/// A field of the scratch as a value the verifier knows nothing about: read from memory here and now.
#[inline(always)]
pub(crate) fn unknown(field: &u32) -> u32 {
    // SAFETY: a reference is valid.
    unsafe { core::ptr::read_volatile(field) }
}

/// Hashes back from the name's end, and notes at each byte the hash of what follows it. Runs over the name's beginning
/// rather than stop there: a branch in each step costs the verifier more than the steps cost the kernel.
#[inline(always)]
pub(crate) fn hash_suffixes(scratch: &mut Scratch, end: u32) {
    let mut hash = NameHash::EMPTY;
    for back in 1..=MAX_NAME_BYTES as u32 {
        scratch.set_hash(back, hash.key());
        hash = hash.before(scratch.byte(end.wrapping_sub(back)));
    }
}

/// Looks up the whole name, then each suffix.
#[inline(always)]
pub(crate) fn look_up(scratch: &Scratch, end: u32) -> bool {
    for label in 0..MAX_LABELS as u32 {
        if label >= unknown(&scratch.labels) {
            return false;
        }
        let hash = scratch.hash(end.wrapping_sub(scratch.label(label)));
        let wanted = if label == 0 { MATCH_EXACT } else { MATCH_BELOW };
        // SAFETY: read at once, before anything else touches the map.
        if let Some(kinds) = unsafe { NAMES.get(hash) }
            && kinds & wanted != 0
        {
            return true;
        }
    }
    false
}
