//! Records shared by the kernel programs and the agent: their layouts, the address form both sides compare, the
//! names of the counters, the hash of a DNS name and the capacities of the maps.
//!
//! Everything here is `no_std`. The `user` feature adds what only user space needs: `aya::Pod` for the records and
//! conversions from `std::net`.

#![cfg_attr(not(any(feature = "user", test)), no_std)]

pub mod address;
pub mod bypass;
pub mod capacity;
pub mod dns;
pub mod event;
pub mod flow;
#[cfg(feature = "user")]
mod pod;
pub mod process;
pub mod reason;
pub mod scope;

pub use address::NormalAddr;
pub use bypass::Bypass;
pub use flow::{FlowRecord, ListenerPorts, TupleKey};
pub use reason::Reason;
pub use scope::{AgentRow, Scope};

/// The version of every layout in this crate. Raised when any of them changes, so that an agent never reads records
/// of another build's programs.
pub const ABI_VERSION: u32 = 3;

/// Bytes of a process's command name, its NUL included: the kernel's `TASK_COMM_LEN`.
pub const COMM_BYTES: usize = 16;
