//! How much each kernel map holds, and why.

/// Addresses known to belong to LLM hosts. A node's providers resolve to a few hundred at a time; the rest is room for
/// short-lived CDN answers until they expire. 16,384 entries cost about 1.3 MB. When full, a new address is not
/// marked and `address_map_full` counts it.
pub const ADDRESSES: usize = 16_384;

/// Names and suffixes the operator listed, the built-in catalog included.
pub const NAMES: usize = 4_096;

/// Words of the port bitmap: one bit for each of the 65,536 ports.
pub const PORT_WORDS: usize = 1_024;

/// Network namespaces with a listener. A node runs at most a few hundred pods.
pub const LISTENERS: usize = 4_096;

/// Flows between `connect` and `accept`: half-open connections only, not open ones. Four listen queues of 4,096.
/// When full, the flow arrives without its record and `tuple_full` counts it.
pub const TUPLES: usize = 16_384;

/// Processes known to the kernel side, threads not counted. Rows are allocated as they are used. When full, a new
/// process has no row, `process_table_full` counts it, and its flows cannot be graded exact.
pub const PROCESSES: usize = 65_536;

/// Bytes of the event ring. About 1,400 exec events: a burst of process starts while the agent is not scheduled.
/// When full, the event is lost and `ring_full` counts it.
pub const EVENT_RING_BYTES: usize = 256 * 1024;

/// Cgroups with a scope of their own. Rows are allocated as they are used. When full, `scope_table_full` is reported and
/// the cgroup has its ancestor's scope, or the default.
pub const SCOPES: usize = 65_536;

/// Agents at a time: the one that accepts, and those that still drain after an upgrade.
pub const AGENTS: usize = 8;

/// Cgroups and reasons whose last report is remembered, to bound the reports.
pub const REPORTED: usize = 4_096;
