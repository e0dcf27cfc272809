//! What an exchange costs: a dated table of prices, and costs in integer micro-USD.
//!
//! # The rules
//!
//! 1. A [`PriceEntry`] holds for providers and models by pattern, from a day on. [`PriceTable::price`] takes, of the entries that match and are
//!    in force at a moment (days are UTC's), the most specific one: the operator's before the built-in ones; an exact model
//!    before a pattern, then the pattern with the longer literal beginning; then likewise by provider; then the latest day.
//! 2. A rate that an entry leaves out is that of the bucket the tokens would else be billed in: a cached prompt token costs what
//!    an uncached one costs, reasoning what output costs. Nothing becomes free by omission.
//! 3. Rates are integers of pico-USD per token (a millionth of a USD per million tokens), so that a sum of them is exact. The cost of an exchange
//!    is rounded up once: never below what the figures come to, and less than one micro-USD above.
//! 4. A model that no entry names has no price; [`Unknown`] says what then.

mod cost;
mod entry;
mod money;
mod table;
mod unknown;

pub use cost::{Buckets, LongContext, Media, Price, Quantities, Rates};
pub use entry::{LongContextSpec, PatternList, PriceEntry, PriceError, PriceSpec};
pub use money::{MicroUsd, MoneyError, PicoUsd};
pub use table::{MAX_MODEL_BYTES, PriceTable};
pub use unknown::{Prices, Unknown, UnknownPrice};
