//! Every map, with who writes it and who reads it. Capacities and their reasons are in `monitor_common::capacity`.

use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::btf_maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf, SkStorage};
use aya_ebpf::macros::btf_map;
use monitor_common::event::CgroupEvent;
use monitor_common::process::ProcessRow;
use monitor_common::{AgentRow, FlowRecord, ListenerPorts, NormalAddr, Reason, Scope, TupleKey, capacity};

use crate::bypass::{Passed, Report, ReportKey};
use crate::hello;
use crate::scratch::Scratch;

/// LLM hosts' addresses → until when they are marked, nanoseconds of `CLOCK_BOOTTIME`. Written by `dns` and the agent.
#[btf_map]
pub(crate) static ADDRESSES: HashMap<NormalAddr, u64, { capacity::ADDRESSES }> = HashMap::new();

/// Hash of a listed name → `MATCH_EXACT`, `MATCH_BELOW`. Written by the agent.
#[btf_map]
pub(crate) static NAMES: HashMap<u64, u32, { capacity::NAMES }> = HashMap::new();

/// One bit for each intercepted port. Written by the agent.
#[btf_map]
pub(crate) static PORTS: Array<u64, { capacity::PORT_WORDS }> = Array::new();

/// Cookie of a network namespace → the agent's listeners in it. Written by the agent.
#[btf_map]
pub(crate) static LISTENERS: HashMap<u64, ListenerPorts, { capacity::LISTENERS }> = HashMap::new();

/// Cgroup id → how its connections are treated, and those of its descendants without a row. Written by the agent.
#[btf_map]
pub(crate) static SCOPES: HashMap<u64, Scope, { capacity::SCOPES }, { BPF_F_NO_PREALLOC as usize }> =
    HashMap::new();

/// The agent that accepts connections. Written by the agent.
#[btf_map]
pub(crate) static AGENT: Array<AgentRow, 1> = Array::new();

/// Process id of each agent, the one that accepts and those that drain: their connections pass. Written by the agents.
#[btf_map]
pub(crate) static AGENTS: HashMap<u32, u32, { capacity::AGENTS }> = HashMap::new();

/// The record of a flow, on the client's socket and on the accepted one. Read by the agent.
#[btf_map]
pub(crate) static FLOWS: SkStorage<FlowRecord> = SkStorage::new();

/// The record between the two sockets. Only the programs use it.
#[btf_map]
pub(crate) static TUPLES: HashMap<TupleKey, FlowRecord, { capacity::TUPLES }> = HashMap::new();

/// What was let pass knowingly, on its socket. Only the programs use it.
#[btf_map]
pub(crate) static PASSED: SkStorage<Passed> = SkStorage::new();

/// Cgroup and reason → the last report of a bypass. Bounds the reports. Only the programs use it.
#[btf_map]
pub(crate) static REPORTED: LruHashMap<ReportKey, Report, { capacity::REPORTED }> = LruHashMap::new();

/// Process id → what it executed when. Read by the agent.
#[btf_map]
pub(crate) static PROCESSES: HashMap<
    u32,
    ProcessRow,
    { capacity::PROCESSES },
    { BPF_F_NO_PREALLOC as usize },
> = HashMap::new();

/// A row under construction: too large for the stack beside the rest.
#[btf_map]
pub(crate) static ROW_SCRATCH: PerCpuArray<ProcessRow, 1> = PerCpuArray::new();

/// A DNS message under examination.
#[btf_map]
pub(crate) static DNS_SCRATCH: PerCpuArray<Scratch, 1> = PerCpuArray::new();

/// ClientHellos under examination: one each for a process, what interrupts it, and what interrupts that.
#[btf_map]
pub(crate) static HELLO_SCRATCH: PerCpuArray<Scratch, { hello::DEPTH }> = PerCpuArray::new();

/// How many ClientHellos a processor has under examination.
#[btf_map]
pub(crate) static HELLO_DEPTH: PerCpuArray<u32, 1> = PerCpuArray::new();

/// One counter for each `Reason`.
#[btf_map]
pub(crate) static COUNTERS: PerCpuArray<u64, { Reason::ALL.len() }> = PerCpuArray::new();

/// What happened, for the agent. The type only names the largest record.
#[btf_map]
pub(crate) static EVENTS: RingBuf<CgroupEvent, { capacity::EVENT_RING_BYTES }> = RingBuf::new();
