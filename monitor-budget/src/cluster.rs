//! Budgets of a whole cluster, by leases of tokens from Redis.

mod script;
mod server;
