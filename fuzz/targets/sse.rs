//! Server-sent events at any split.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| monitor_fuzz::frames::check(
    monitor_protocol::Framing::Sse,
    input
));
