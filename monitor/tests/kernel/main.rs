//! The kernel programs and the identity of flows, on the real kernel.
//!
//! Needs root and a kernel that loads the programs; elsewhere the tests say that they were skipped, and fail where
//! `CI=true` says that they must run.

#[cfg(test)]
mod all_tls;
#[cfg(test)]
mod bypass;
#[cfg(test)]
mod connect;
#[cfg(test)]
mod cost;
#[cfg(test)]
mod dns;
#[cfg(test)]
mod egress;
#[cfg(test)]
mod events;
#[cfg(test)]
mod full;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod namespace;
#[cfg(test)]
mod pin;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod scope;
#[cfg(test)]
mod stress;
#[cfg(test)]
mod watch;
