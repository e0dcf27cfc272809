//! The records as plain bytes, which is what user space copies out of the maps.

#![expect(unsafe_code, reason = "aya::Pod is an unsafe trait: a promise about layout")]

use crate::event::{BypassEvent, CgroupEvent, ExecEvent, ExitEvent, ForkEvent};
use crate::process::ProcessRow;
use crate::{AgentRow, FlowRecord, ListenerPorts, NormalAddr, Scope, TupleKey};

macro_rules! pod {
    ($($record:ty),+ $(,)?) => {$(
        // SAFETY: `repr(C)`, `Copy`, made of integers and arrays of them, without implicit padding (the sizes are
        // asserted where the types are), so every byte pattern is a valid value and no byte is uninitialised.
        unsafe impl aya::Pod for $record {}
    )+};
}

pod!(
    NormalAddr,
    FlowRecord,
    TupleKey,
    ListenerPorts,
    ProcessRow,
    ExecEvent,
    ForkEvent,
    ExitEvent,
    BypassEvent,
    CgroupEvent,
    AgentRow,
    Scope
);
