//! The JSON reader beside serde_json: both take the same documents.

use monitor_protocol::{Api, Call, JsonFault, Operation, ReadError, read_request, read_response};
use serde::de::IgnoredAny;

/// The input is a document.
pub fn check(input: &[u8]) {
    let call = Call::new(Api::OpenAi, Operation::ChatCompletions);
    let ours = read_request(&call, None, input).map(drop);
    assert_eq!(ours, read_response(&call, input).map(drop));
    let is_utf8 = std::str::from_utf8(input).is_ok();
    let theirs = serde_json::from_slice::<IgnoredAny>(input);
    match ours {
        Ok(()) | Err(ReadError::NotAnObject) => assert!(is_utf8 && theirs.is_ok(), "read what is no JSON"),
        Err(ReadError::Json(error)) if error.fault == JsonFault::Depth => {}
        Err(ReadError::Json(error)) => {
            assert!(error.offset <= input.len());
            assert!(!is_utf8 || theirs.is_err(), "did not read what is JSON");
        }
        Err(_) => {}
    }
}
