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

use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;
use monitor_common::Reason;
use monitor_common::dns::MAX_MESSAGE_BYTES;

use crate::count::count;
use crate::maps::DNS_SCRATCH;
use crate::scratch::Scratch;

/// Bytes of the header (RFC 1035 section 4.1.1).
const HEADER_BYTES: u32 = 12;

/// What a cgroup_skb program returns to let the packet go on.
const ACCEPT: i32 = 1;

/// A label is at most this long (RFC 1035 section 2.3.4).
const MAX_LABEL_BYTES: u8 = 63;
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
    if !scratch.load(ctx, offset, length) {
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
}
