//! Budgets of a whole cluster, by leases of tokens from Redis.

pub(crate) mod bell;
pub(crate) mod leases;
pub(crate) mod link;
#[cfg(test)]
mod model;
pub(crate) mod purse;
#[cfg(test)]
mod real;
pub(crate) mod script;
#[cfg(test)]
mod server;
pub(crate) mod syncer;
pub(crate) mod tables;
pub(crate) mod view;

/// A number that nobody guesses; the system seeds it.
fn random() -> u64 {
    use std::hash::BuildHasher;
    std::hash::RandomState::new().hash_one(0u8)
}
