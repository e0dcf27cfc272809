//! AWS event streams at any split, beside AWS's own decoder.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| monitor_fuzz::event_stream::check(input));
