//! Reads DNS answers as they arrive and marks the addresses of listed names.
//!
//! In the kernel, because the address must be marked before the workload reads the answer: an agent that read a copy
//! would lose the race with `connect`. Steps:
//! 1. `packet`: is this an IP packet with UDP from port 53, and where is its payload?
//! 2. `question`: walk the question's name once to its end, then backwards, hashing it, and look each suffix up.
//! 3. `answers`: walk the answer records and mark each A and AAAA address. The owner names are not compared: they
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
use monitor_common::dns::MAX_MESSAGE_BYTES;

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

/// A message under examination. What changes from step to step lives here and not in registers: the verifier follows
/// each value it can tell apart on its own, and with the label's length in a register it came within two hundredths of
/// the million instructions it examines at most.
#[repr(C)]
pub(crate) struct Scratch {
    /// The message.
    bytes: [u8; SCRATCH_BYTES],
    /// Bytes of the message that were copied.
    length: u32,
    /// Where the walk is.
    at: u32,
    /// Bytes left in the question's label.
    left_in_label: u32,
    /// Answer records left to read.
    answers: u32,
    /// 1 when the sender cut the message, or the copy is shorter than it.
    cut: u32,
}

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
    // SAFETY: our own field.
    let bounded = unsafe { core::ptr::read_volatile(&raw const scratch.length) } & INDEX_MASK;
    if bounded == 0 {
        return Err(Reason::DnsMalformed);
    }
    // SAFETY: at most SCRATCH_BYTES - 1 bytes into a buffer of SCRATCH_BYTES.
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

    /// Bytes left in the question's label, as a value the verifier knows nothing about.
    #[inline(always)]
    fn left_in_label(&self) -> u32 {
        // SAFETY: our own field.
        unsafe { core::ptr::read_volatile(&raw const self.left_in_label) }
    }

    /// Where the walk is, as a value the verifier knows nothing about.
    #[inline(always)]
    fn position(&self) -> u32 {
        // SAFETY: our own field.
        unsafe { core::ptr::read_volatile(&raw const self.at) }
    }
}
