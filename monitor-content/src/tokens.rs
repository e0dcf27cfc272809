//! Counting tokens as a model's provider counts them.
//!
//! Text counts as text: a special token's spelling (`<|endoftext|>`) inside a message is ordinary text to the APIs, and
//! is counted so here.

mod boundary;
mod encoding;
mod meter;
mod vocabulary;

pub use encoding::{Certainty, Encoding};
pub use meter::Meter;
pub use vocabulary::Vocabulary;
