//! Every detector on hostile text.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| monitor_fuzz::content::rules::check(input));
