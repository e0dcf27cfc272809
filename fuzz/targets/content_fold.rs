//! Folded text, and the way back.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| monitor_fuzz::content::fold::check(input));
