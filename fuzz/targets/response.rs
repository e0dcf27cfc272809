//! Whole answers of every operation: read, edited.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| monitor_fuzz::bodies::response(input));
