//! What the first bytes of an input choose, and the way back.

use monitor_protocol::{Api, Call, Operation};

/// Models whose names decide whose shapes Bedrock's bodies have, and one that says nothing.
pub const MODELS: &[Option<&str>] = &[
    None,
    Some("anthropic.claude-sonnet-4-5-20250929-v1:0"),
    Some("amazon.nova-lite-v1:0"),
    Some("amazon.titan-text-express-v1"),
    Some("meta.llama3-70b-instruct-v1:0"),
    Some("mistral.mistral-large-2407-v1:0"),
    Some("cohere.command-r-plus-v1:0"),
    Some("openai.gpt-oss-120b-1:0"),
];

/// A call, by the first three bytes; and the rest.
pub fn call(input: &[u8]) -> Option<(Call, &[u8])> {
    let (&[api, operation, model], rest) = input.split_first_chunk()?;
    let api = Api::ALL[usize::from(api) % Api::ALL.len()];
    let operation = Operation::ALL[usize::from(operation) % Operation::ALL.len()];
    let flags = model >> 6;
    let model = MODELS[usize::from(model & 63) % MODELS.len()];
    let mut call = Call::new(api, operation)
        .with_model(model.map(str::to_owned))
        .with_streams(flags & 1 != 0);
    call.websocket = flags & 2 != 0;
    Some((call, rest))
}

/// The bytes that choose `call` ([`call`] undone, but for the model).
pub fn bytes_of(call: &Call) -> [u8; 3] {
    let place = |found: Option<usize>| found.map_or(0, |at| at as u8);
    [
        place(Api::ALL.iter().position(|api| *api == call.shape)),
        place(
            Operation::ALL
                .iter()
                .position(|operation| *operation == call.operation),
        ),
        0,
    ]
}
