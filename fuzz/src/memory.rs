//! Counts what is allocated, so that reading can be held to a bound.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// Bytes that reading may hold at once per byte of input. The most costly values are a text of one letter, which stands as
/// a string in a list that has just been doubled, and its edit.
const EACH: usize = 400;
/// Bytes that it may hold whatever the input: lists of a usual size, made beforehand.
const BASE: usize = 64 << 10;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on to `System` as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.get().wrapping_add(layout.size());
        HELD.set(held);
        // What was freed on this thread may have been allocated before it was counted.
        if held as isize > PEAK.get() as isize {
            PEAK.set(held);
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Runs `run`, which may hold no more than its share for `input_bytes`.
pub(crate) fn bounded<T>(input_bytes: usize, run: impl FnOnce() -> T) -> T {
    let before = HELD.get();
    PEAK.set(before);
    let result = run();
    let held = PEAK.get().wrapping_sub(before);
    assert!(
        held <= BASE + EACH * input_bytes,
        "{held} bytes were held for {input_bytes}"
    );
    result
}
