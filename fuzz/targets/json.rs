//! The JSON reader beside another one.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| monitor_fuzz::json::check(input));
