//! Counting tokens as a model's provider counts them.
//!
//! Text counts as text: a special token's spelling (`<|endoftext|>`) inside a message is ordinary text to the APIs, and
//! is counted so here.
//!
//! 1. A text is split into pieces by the vocabulary's pattern: words with the space before them, numbers, punctuation.
//! 2. A piece that is a token is one; most are.
//! 3. The bytes of any other are merged pair by pair.
//!
//! The tables lie in the program file and are read in place: nothing is loaded, nothing is cached, no text is kept.

mod boundary;
mod class;
mod encoding;
mod families;
pub(crate) mod hash;
mod merge;
mod meter;
mod ranks;
mod split;
mod vocabulary;

pub use class::{Tally, Weights};
pub use encoding::{Certainty, Encoding};
pub use meter::Meter;
pub use vocabulary::Vocabulary;
