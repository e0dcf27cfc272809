//! Edits beside a slower way to make them.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| monitor_fuzz::edits::check(input));
