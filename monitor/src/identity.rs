//! Who opened a connection: the process, its user and cgroup, as a [`Workload`].

mod workload;

pub use self::workload::{Attribution, Workload};
