//! Request lines.

use monitor_protocol::{Api, RequestLine, recognise};

const METHODS: &[&str] = &["POST", "GET", "CONNECT", "PUT", "DELETE", "post", ""];

/// The first byte chooses the family, the second the method and whether a WebSocket is asked for; the rest is the target.
pub fn check(input: &[u8]) {
    let Some((&[api, method], target)) = input.split_first_chunk() else {
        return;
    };
    let target = String::from_utf8_lossy(target);
    let line = RequestLine {
        method: METHODS[usize::from(method & 63) % METHODS.len()],
        target: &target,
        websocket: method >= 128,
    };
    let call = recognise(Api::ALL[usize::from(api) % Api::ALL.len()], line);
    if let Some(model) = &call.model {
        assert!(!model.is_empty());
        assert_eq!(*model, model.to_ascii_lowercase());
    }
    // What a fragment or the absolute form adds must not change what is asked.
    if target.starts_with('/') {
        let absolute = format!("https://host.example{target}");
        let target = &absolute;
        assert_eq!(
            recognise(
                Api::ALL[usize::from(api) % Api::ALL.len()],
                RequestLine { target, ..line }
            ),
            call
        );
    }
}
