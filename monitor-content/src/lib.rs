//! What Weir finds in text, and how it counts it.
//!
//! The crate knows nothing of protocols, HTTP or the kernel: text goes in, values come out.
//!
//! 1. [`Detectors`] is the compiled set of rules a policy selected; [`Detectors::scan`] reads a whole text.
//! 2. [`Window`] reads a text that arrives in pieces and finds the same, holding back a short tail.
//! 3. [`redact`] replaces what was found by placeholders.
//! 4. [`Encoding`] counts tokens as a model does, [`Meter`] counts a text that is still growing.

#![forbid(unsafe_code)]

mod bytes;
mod detectors;
mod finding;
mod redact;
mod tokens;
mod window;

pub use detectors::{Detectors, UnknownDetector, known_names, placeholder};
pub use finding::Finding;
pub use redact::redact;
pub use tokens::{Certainty, Encoding, Meter, Tally, Vocabulary, Weights};
pub use window::{MAX_HOLD_BYTES, MIN_HOLD_BYTES, Window};
