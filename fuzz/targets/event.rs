//! Streamed answers of every operation in every framing: read, edited.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| monitor_fuzz::events::check(input));
