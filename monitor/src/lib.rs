//! The Weir node agent.
