//! Findings replaced by their placeholders.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| monitor_fuzz::content::redact::check(input));
