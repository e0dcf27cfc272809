//! Small raw clients of the lab's own, for what no SDK or curl does on purpose: thousands of connects from many
//! threads, bytes in chosen pieces, broken bytes; and load by ordinary SDKs. They know nothing of the agent.

pub(crate) mod connects;
pub(crate) mod converse;
pub(crate) mod replay;
pub(crate) mod sdk_load;
pub(crate) mod stress;
