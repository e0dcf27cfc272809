//! Reads DNS answers as they arrive and marks the addresses of listed names.
//!
//! In the kernel, because the address must be marked before the workload reads the answer: an agent that read a copy
//! would lose the race with `connect`. Steps:
//! 1. `packet`: is this an IP packet with UDP from port 53, and where is its payload?
//! 2. `question`: walk the question's name to its end, then back, hashing it, and look the name and each suffix up.
//! 3. `answers`: walk the answer records, then mark each A and AAAA address. The owner names are not compared: they
//!    are the question's name or an alias of it, and only the question decides.
//!
//! A mark is a hint: several names share an address, and the TLS server name decides later. A forged answer can at most
//! cause a splice. Every packet is accepted.

mod answers;
mod packet;
mod question;

use aya_ebpf::helpers::generated::bpf_skb_load_bytes;
use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;
use monitor_common::Reason;
use monitor_common::dns::{MAX_ADDRESSES, MAX_MESSAGE_BYTES, MAX_NAME_BYTES};

use crate::count::count;
use crate::maps::DNS_SCRATCH;

/// Bytes of the copy: a power of two, so that an index masked by it is within bounds for the verifier too.
const SCRATCH_BYTES: usize = 2_048;
/// Keeps an index within [`SCRATCH_BYTES`].
const INDEX_MASK: u32 = SCRATCH_BYTES as u32 - 1;
/// Bytes of the header (RFC 1035 section 4.1.1).
const HEADER_BYTES: u32 = 12;

/// What a cgroup_skb program returns to let the packet go on.
const ACCEPT: i32 = 1;

/// Labels of a name of the greatest length: a length byte and a byte each. A power of two, as above.
const MAX_LABELS: usize = 128;
const LABEL_MASK: u32 = MAX_LABELS as u32 - 1;
/// A label is at most this long (RFC 1035 section 2.3.4).
const MAX_LABEL_BYTES: u8 = 63;
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
    length: u32,
    /// Where the walk is.
    at: u32,
    /// Labels of the question's name.
    labels: u32,
    /// Bytes left in the question's label.
    left_in_label: u32,
    /// Answer records left to read.
    answers: u32,
    /// Address records found.
    found: u32,
    /// 1 when the sender cut the message, or the copy is shorter than it.
    cut: u32,
    /// Keeps the layout free of implicit padding.
    reserved: u32,
}

const _: () = assert!(MAX_ADDRESSES.is_power_of_two() && MAX_NAME_BYTES < HASHES);
const _: () = assert!(MAX_MESSAGE_BYTES < SCRATCH_BYTES);

/// Marks what the answer gives.
#[cgroup_skb(ingress)]
pub(crate) fn read_dns_answer(ctx: SkBuffContext) -> i32 {
    if let Some((offset, bytes)) = packet::payload(&ctx)
        && let Err(reason) = read(&ctx, offset, bytes)
    {
        count(reason);
    }
    ACCEPT
}

#[inline(always)]
fn read(ctx: &SkBuffContext, offset: u32, bytes: u32) -> Result<(), Reason> {
    let Some(scratch) = DNS_SCRATCH.get_ptr_mut(0) else {
        return Ok(());
    };
    // SAFETY: a per-CPU slot of our own type; ingress runs with softirqs off and does not nest on one CPU.
    let scratch = unsafe { &mut *scratch };
    let length = bytes.min(MAX_MESSAGE_BYTES as u32);
    if length < HEADER_BYTES {
        return Err(Reason::DnsMalformed);
    }
    // Through memory, so that the compiler cannot drop the bounds the verifier wants to see beside the call.
    scratch.length = length;
    // At least 1 by its form: kernels before 6.4 learn nothing from a comparison with 0.
    let bounded = (unknown(&scratch.length).wrapping_sub(1) & INDEX_MASK) + 1;
    // SAFETY: at most SCRATCH_BYTES bytes into a buffer of as many.
    let copied = unsafe {
        bpf_skb_load_bytes(
            ctx.skb.skb.cast(),
            offset,
            scratch.bytes.as_mut_ptr().cast(),
            bounded,
        )
    };
    if copied != 0 {
        return Err(Reason::DnsMalformed);
    }
    scratch.cut = u32::from(bytes > length);
    if !scratch.read_header()? {
        return Ok(());
    }
    if !question::listed(scratch)? {
        return Ok(());
    }
    count(Reason::DnsAnswers);
    answers::mark(scratch)?;
    if scratch.cut != 0 {
        Err(Reason::DnsTruncated)
    } else {
        Ok(())
    }
}

impl Scratch {
    /// Reads the header (RFC 1035 section 4.1.1). False when there is nothing to read: not an answer, an error, or no
    /// answer records.
    #[inline(always)]
    fn read_header(&mut self) -> Result<bool, Reason> {
        let flags = self.word(2);
        let is_answer = flags & 0x8000 != 0;
        let opcode = flags & 0x7800;
        let response_code = flags & 0x000f;
        if !is_answer || opcode != 0 || response_code != 0 {
            return Ok(false);
        }
        if flags & 0x0200 != 0 {
            self.cut = 1;
        }
        if self.word(4) != 1 {
            return Err(Reason::DnsMalformed);
        }
        self.answers = u32::from(self.word(6));
        self.at = HEADER_BYTES;
        Ok(self.answers != 0)
    }

    /// The byte at an offset, wrapped into the copy: callers compare the offset with the length.
    #[inline(always)]
    fn byte(&self, at: u32) -> u8 {
        // SAFETY: masked to within the buffer. A volatile read, so that the mask stays beside it.
        unsafe { core::ptr::read_volatile(self.bytes.as_ptr().add((at & INDEX_MASK) as usize)) }
    }

    #[inline(always)]
    fn set_byte(&mut self, at: u32, value: u8) {
        // SAFETY: masked to within the buffer.
        unsafe { core::ptr::write_volatile(self.bytes.as_mut_ptr().add((at & INDEX_MASK) as usize), value) };
    }

    /// Two bytes in network byte order.
    #[inline(always)]
    fn word(&self, at: u32) -> u16 {
        u16::from(self.byte(at)) << 8 | u16::from(self.byte(at + 1))
    }

    /// Four bytes in network byte order.
    #[inline(always)]
    fn long(&self, at: u32) -> u32 {
        u32::from(self.word(at)) << 16 | u32::from(self.word(at + 2))
    }

    /// Four bytes as they lie in memory.
    #[inline(always)]
    fn raw_long(&self, at: u32) -> u32 {
        self.long(at).to_be()
    }

    #[inline(always)]
    fn hash(&self, back: u32) -> u64 {
        // SAFETY: masked to within the array, as for `byte`.
        unsafe { core::ptr::read_volatile(self.hashes.as_ptr().add((back & HASH_MASK) as usize)) }
    }

    #[inline(always)]
    fn set_hash(&mut self, back: u32, hash: u64) {
        // SAFETY: masked to within the array.
        unsafe { core::ptr::write_volatile(self.hashes.as_mut_ptr().add((back & HASH_MASK) as usize), hash) };
    }

    #[inline(always)]
    fn label(&self, number: u32) -> u32 {
        // SAFETY: masked to within the array.
        unsafe { core::ptr::read_volatile(self.label_at.as_ptr().add((number & LABEL_MASK) as usize)) }
    }

    #[inline(always)]
    fn set_label(&mut self, number: u32, at: u32) {
        // SAFETY: masked to within the array.
        unsafe {
            core::ptr::write_volatile(self.label_at.as_mut_ptr().add((number & LABEL_MASK) as usize), at)
        };
    }

    #[inline(always)]
    fn place(&self, number: u32) -> u32 {
        // SAFETY: masked to within the array.
        unsafe { core::ptr::read_volatile(self.places.as_ptr().add((number & PLACE_MASK) as usize)) }
    }

    #[inline(always)]
    fn set_place(&mut self, number: u32, place: u32) {
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
    fn position(&self) -> u32 {
        unknown(&self.at)
    }
}

/// A field of the scratch as a value the verifier knows nothing about: read from memory here and now.
#[inline(always)]
fn unknown(field: &u32) -> u32 {
    // SAFETY: a reference is valid.
    unsafe { core::ptr::read_volatile(field) }
}
