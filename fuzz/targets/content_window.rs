//! A text in pieces beside the same in one.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| monitor_fuzz::content::window::check(input));
