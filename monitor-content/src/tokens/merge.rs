//! Byte-pair merging of one piece of text.
//!
//! The pair of neighbours whose union has the lowest rank is merged, the leftmost first, until no union is a token.
//! Short pieces look for the lowest rank by looking at all, longer ones keep the candidates in a heap.
//!
//! **Accepted inaccuracy.** A piece longer than [`BLOCK_BYTES`] (one word of kilobytes) is merged in blocks: a block's
//! tokens count up to [`OVERLAP_BYTES`] from its end, and the next begins there. What follows a token boundary by more
//! than some tokens does not move it in any text that was tried.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::ranks::{MAX_TOKEN_BYTES, Ranks};

/// Up to here looking at all candidates each time is faster than a heap.
const SHORT_BYTES: usize = 48;
/// Bounds the heap's memory to some hundred KiB and its cost a byte to a constant.
const BLOCK_BYTES: usize = 4096;
/// A few of the longest tokens.
const OVERLAP_BYTES: usize = 4 * MAX_TOKEN_BYTES;

const NONE: u32 = u32::MAX;

/// Calls `token` with the length in bytes of each token of `piece`, in order.
pub(super) fn tokens(ranks: &Ranks, mut piece: &[u8], mut token: impl FnMut(usize)) {
    if piece.len() <= 1 || ranks.get(piece).is_some() {
        if !piece.is_empty() {
            token(piece.len());
        }
        return;
    }
    let mut lengths = Vec::new();
    let mut last: &[u8] = &[];
    while let Some((block, _)) = piece.split_at_checked(BLOCK_BYTES) {
        // One character over and over need not be merged over and over.
        if block != last {
            lengths.clear();
            let mut done = 0;
            long(ranks, block, |length| {
                let counts = done == 0 || done + length <= BLOCK_BYTES - OVERLAP_BYTES;
                if counts {
                    done += length;
                    lengths.push(length);
                }
                counts
            });
            last = block;
        }
        lengths.iter().copied().for_each(&mut token);
        piece = piece.get(lengths.iter().sum::<usize>()..).unwrap_or_default();
    }
    if piece.len() <= SHORT_BYTES {
        short(ranks, piece, token);
    } else {
        long(ranks, piece, |length| {
            token(length);
            true
        });
    }
}

fn short(ranks: &Ranks, piece: &[u8], mut token: impl FnMut(usize)) {
    let union = |from: u8, to: u8| {
        let part = piece.get(usize::from(from)..usize::from(to)).unwrap_or_default();
        ranks.get(part).unwrap_or(NONE)
    };
    // Where each part starts, the end after the last; and the rank of each part's union with the next.
    let mut starts = [0_u8; SHORT_BYTES + 2];
    let mut unions = [NONE; SHORT_BYTES + 2];
    let mut parts = piece.len();
    for (at, start) in starts.iter_mut().enumerate() {
        *start = at.min(parts) as u8;
    }
    for at in 0..parts.saturating_sub(1) {
        unions[at] = union(starts[at], starts[at + 2]);
    }
    loop {
        let mut lowest = (NONE, 0);
        for (at, rank) in unions[..parts].iter().enumerate() {
            if *rank < lowest.0 {
                lowest = (*rank, at);
            }
        }
        let (rank, at) = lowest;
        if rank == NONE {
            break;
        }
        starts.copy_within(at + 2..=parts, at + 1);
        unions.copy_within(at + 2..=parts, at + 1);
        parts -= 1;
        unions[at] = if at + 1 < parts {
            union(starts[at], starts[at + 2])
        } else {
            NONE
        };
        if at > 0 {
            unions[at - 1] = union(starts[at - 1], starts[at + 1]);
        }
    }
    for at in 0..parts {
        token(usize::from(starts[at + 1] - starts[at]));
    }
}

/// Stops when `token` returns false.
fn long(ranks: &Ranks, piece: &[u8], mut token: impl FnMut(usize) -> bool) {
    let end = piece.len() as u32;
    let union = |from: u32, to: u32| {
        piece
            .get(from as usize..to as usize)
            .and_then(|part| ranks.get(part))
    };
    // For the part that starts at an index: where the next one starts, or that there is none any more.
    let mut next: Vec<u32> = (1..=end).collect();
    let mut before: Vec<u32> = (0..end).map(|at| at.wrapping_sub(1)).collect();
    let mut candidates: BinaryHeap<_> = (0..end.saturating_sub(1))
        .filter_map(|at| Some(Reverse((union(at, at + 2)?, at, at + 2))))
        .collect();
    while let Some(Reverse((_, from, to))) = candidates.pop() {
        let middle = next[from as usize];
        if middle >= end || next[middle as usize] != to {
            continue; // a part of it was merged elsewhere
        }
        next[from as usize] = to;
        next[middle as usize] = NONE;
        if to < end {
            before[to as usize] = from;
            let beyond = next[to as usize];
            candidates.extend(union(from, beyond).map(|rank| Reverse((rank, from, beyond))));
        }
        let previous = before[from as usize];
        if previous != NONE {
            candidates.extend(union(previous, to).map(|rank| Reverse((rank, previous, to))));
        }
    }
    let mut at = 0;
    while at < end {
        let to = next[at as usize];
        if !token((to - at) as usize) {
            return;
        }
        at = to;
    }
}
