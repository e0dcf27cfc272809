//! WebSocket messages of either endpoint at any split.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| monitor_fuzz::websocket::check(input));
