//! Requests of every operation: read, counted, edited.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| monitor_fuzz::bodies::request(input));
