//! What Weir finds in text, and how it counts it.
//!
//! The crate knows nothing of protocols, HTTP or the kernel: text goes in, values come out.
//!
//! 1. [`Detectors`] is the compiled set of rules a policy selected; [`Detectors::scan`] reads a whole text.
//! 2. [`Window`] reads a text that arrives in pieces and finds the same, holding back a short tail.
//! 3. Both read text as it is meant, not as it is disguised: [`Folded`].
//! 4. [`redact`] replaces what was found by placeholders, [`mask`] shows what is customary of it.
//! 5. [`language`] tells which language a text is written in.
//! 6. [`Encoding`] counts tokens as a model does, [`Meter`] counts a text that is still growing.

#![forbid(unsafe_code)]

mod bytes;
mod custom;
mod detectors;
mod finding;
mod fold;
mod injection;
mod language;
mod mask;
mod pseudonym;
mod redact;
mod tokens;
mod window;

pub use custom::{
    CustomDetector, CustomError, CustomSpec, DetectorCatalog, MAX_CUSTOM, MAX_KEYWORD_BYTES, MAX_KEYWORDS,
    MAX_PATTERN_BYTES,
};
pub use detectors::{
    Detectors, Judgement, MAX_FINDINGS, MAX_LAYERS, Profile, Scanned, UnknownDetector, known_names,
    placeholder, selects,
};
pub use finding::Finding;
pub use fold::{Folded, Joined};
pub use injection::injection_score;
pub use language::{LANGUAGES, language};
pub use mask::mask;
pub use pseudonym::{
    Keyed, MAX_ORIGINAL_BYTES, MAX_ORIGINALS_BYTES, MAX_PSEUDONYMS, Pseudonyms, Restoration, Restored,
    Restorer,
};
pub use redact::redact;
pub use tokens::{Certainty, Encoding, Meter, Tally, Vocabulary, Weights};
pub use window::{MAX_HOLD_BYTES, MAX_HOLD_ORIGINAL_BYTES, MIN_HOLD_BYTES, Window};
