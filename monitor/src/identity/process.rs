//! The processes and what is known of each: its program, its ancestors, and the workloads built for its connections.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use monitor_common::{COMM_BYTES, FlowRecord};
use parking_lot::RwLock;
use smallvec::SmallVec;

use super::hash::Files;
use super::program::Program;
use super::workload::{Ancestor, Workload};
use super::{AttributionReason, EvidenceOptions, ExeHash, ancestry, procfs};
use crate::kernel::{Kernel, KernelError, boottime_ns};

/// Processes that are remembered: as many as the kernel's own table holds. One that does not fit is looked up anew for
/// each connection.
const MAX_PROCESSES: usize = monitor_common::capacity::PROCESSES;
/// Processes that ended and are still remembered, because their last connection may not be resolved yet.
const MAX_ENDED: usize = 4_096;
/// Workloads remembered of one process. Its threads may have their own names, users, cgroups and namespaces.
const MAX_WORKLOADS: usize = 8;

/// One program executed by one process. Ids are used again; the times tell their processes and programs apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessKey {
    /// The process, in the initial pid namespace.
    pub tgid: u32,
    /// When it was forked, nanoseconds of `CLOCK_BOOTTIME`; 0 when that was before the agent.
    pub start_boottime_ns: u64,
    /// When it executed its program, nanoseconds of `CLOCK_BOOTTIME`; 0 when that was before the agent.
    pub exec_boottime_ns: u64,
}

impl ProcessKey {
    /// The process that opened a flow.
    #[must_use]
    pub fn of(flow: &FlowRecord) -> Self {
        Self {
            tgid: flow.tgid,
            start_boottime_ns: flow.start_boottime_ns,
            exec_boottime_ns: flow.exec_boottime_ns,
        }
    }
}

/// The kernel's table of processes.
pub trait ProcessRows: std::fmt::Debug + Send + Sync {
    /// The process that has an id now; one from before the agent has zeros for its times.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    fn current(&self, tgid: u32) -> Result<ProcessKey, KernelError>;

    /// Whether the kernel reports processes at all. If not, nothing is remembered, because nothing would say when it is
    /// no longer true.
    fn is_kept(&self) -> bool;
}

impl ProcessRows for Kernel {
    fn current(&self, tgid: u32) -> Result<ProcessKey, KernelError> {
        let row = self.process(tgid)?;
        Ok(ProcessKey {
            tgid,
            start_boottime_ns: row.map_or(0, |row| row.start_boottime_ns),
            exec_boottime_ns: row.map_or(0, |row| row.exec_boottime_ns),
        })
    }

    fn is_kept(&self) -> bool {
        self.tracks_processes()
    }
}

/// What a process's connections may differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FlowTraits {
    uid: u32,
    cgroup_id: u64,
    netns_cookie: u64,
    comm: [u8; COMM_BYTES],
}

impl FlowTraits {
    pub(super) fn of(flow: &FlowRecord) -> Self {
        Self {
            uid: flow.uid,
            cgroup_id: flow.cgroup_id,
            netns_cookie: flow.netns_cookie,
            comm: flow.comm,
        }
    }
}

/// What is known of a process.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    /// The executable's absolute path.
    pub(super) exe: Option<Arc<str>>,
    /// Its digest.
    pub(super) exe_sha256: ExeHash,
    /// When the process was forked, nanoseconds of `CLOCK_BOOTTIME`, rounded down to a tick.
    pub(super) start_boottime_ns: Option<u64>,
    /// Effective user.
    pub(super) euid: Option<u32>,
    /// Arguments, where they are asked for.
    pub(super) command_line: Option<Arc<str>>,
    /// The processes that led to it, nearest first.
    pub(super) ancestors: Arc<[Ancestor]>,
    /// Why it is not certain that this is of the program the key names; nothing of another one is shown.
    pub(super) missing: Option<AttributionReason>,
}

impl Evidence {
    fn missing(reason: AttributionReason) -> Self {
        Self {
            missing: Some(reason),
            ..Self::default()
        }
    }
}

/// What of a process stays as long as it runs one program.
#[derive(Debug, Clone)]
struct Known {
    program: Arc<Program>,
    start_boottime_ns: u64,
    /// As the program began.
    euid: Option<u32>,
    ancestors: Arc<[Ancestor]>,
}

#[derive(Debug)]
struct Process {
    key: ProcessKey,
    known: Known,
    /// The ancestors of its children: itself and its own. Made for the first child, and shared by all.
    lineage: Option<Arc<[Ancestor]>>,
    workloads: SmallVec<[(FlowTraits, Arc<Workload>); 1]>,
}

impl Process {
    fn new(key: ProcessKey, known: Known) -> Self {
        Self {
            key,
            known,
            lineage: None,
            workloads: SmallVec::new(),
        }
    }

    fn lineage(&mut self) -> Arc<[Ancestor]> {
        let Self {
            key, known, lineage, ..
        } = self;
        let of_children = || ancestry::extend(key.tgid, &known.program.exe, &known.ancestors);
        Arc::clone(lineage.get_or_insert_with(of_children))
    }
}

/// The table. Only certain evidence is in it.
#[derive(Debug)]
pub(super) struct Processes {
    rows: Arc<dyn ProcessRows>,
    files: Files,
    command_lines: bool,
    /// Nanoseconds of `CLOCK_BOOTTIME`: the kernel has a row of every process that was forked later, unless its table is
    /// full.
    since_boottime_ns: u64,
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    processes: HashMap<u32, Process>,
    /// Those that ended, oldest first.
    ended: VecDeque<ProcessKey>,
}

impl Processes {
    pub(super) fn new(rows: Arc<dyn ProcessRows>, options: EvidenceOptions) -> Self {
        Self {
            rows,
            files: Files::new(options.hash_limit_bytes),
            command_lines: options.command_lines,
            since_boottime_ns: boottime_ns(),
            table: RwLock::default(),
        }
    }

    /// Reads every process that is there.
    pub(super) fn seed(&self) {
        for tgid in procfs::processes() {
            self.executed(tgid);
        }
    }

    /// A process executed a program, or is new to us. Read at once, because it may be gone soon.
    pub(super) fn executed(&self, tgid: u32) {
        if let Ok(key) = self.rows.current(tgid)
            && self.known(&key).is_none()
        {
            // What cannot be read now is asked for again by the process's first connection.
            let _read = self.read(&key, u64::MAX);
        }
    }

    /// A process was forked: it runs its parent's program until it executes another.
    pub(super) fn forked(&self, tgid: u32, parent_tgid: u32, boottime_ns: u64) {
        let mut table = self.table.write();
        let Some(parent) = table.processes.get_mut(&parent_tgid) else {
            return;
        };
        let key = ProcessKey {
            tgid,
            start_boottime_ns: boottime_ns,
            exec_boottime_ns: parent.key.exec_boottime_ns,
        };
        let known = Known {
            start_boottime_ns: boottime_ns,
            ancestors: parent.lineage(),
            ..parent.known.clone()
        };
        table.insert(key, known);
    }

    /// A process ended. It stays known until others have ended after it or its id is used again.
    pub(super) fn exited(&self, tgid: u32) {
        let mut table = self.table.write();
        let Some(key) = table.processes.get(&tgid).map(|process| process.key) else {
            return;
        };
        table.ended.push_back(key);
        if table.ended.len() > MAX_ENDED {
            table.forget_oldest();
        }
    }

    /// The workload of an earlier connection like this one.
    pub(super) fn workload(&self, key: &ProcessKey, traits: &FlowTraits) -> Option<Arc<Workload>> {
        let table = self.table.read();
        let process = table
            .processes
            .get(&key.tgid)
            .filter(|process| process.key == *key)?;
        process
            .workloads
            .iter()
            .find(|(known, _)| known == traits)
            .map(|(_, workload)| Arc::clone(workload))
    }

    /// Whether the process that has the id now is the one the key names, running the same program.
    pub(super) fn is_running(&self, key: &ProcessKey) -> bool {
        self.rows.current(key.tgid).is_ok_and(|current| current == *key)
    }

    /// What is known of a process that did something at `at_ns`, nanoseconds of `CLOCK_BOOTTIME`.
    pub(super) fn evidence(&self, key: &ProcessKey, at_ns: u64) -> Evidence {
        let (known, missing) = match self.known(key) {
            Some(known) => (known, None),
            None => match self.read(key, at_ns) {
                Ok(read) => read,
                Err(reason) => return Evidence::missing(reason),
            },
        };
        let euid = procfs::euid(key.tgid).filter(|_| self.is_running(key));
        Evidence {
            exe: Some(Arc::clone(&known.program.exe)),
            exe_sha256: known.program.hash(&self.files, key.tgid, || self.is_running(key)),
            start_boottime_ns: Some(procfs::whole_ticks(known.start_boottime_ns)),
            // A program may change it while it runs.
            euid: euid.or(known.euid),
            command_line: known.program.command_line.clone(),
            ancestors: known.ancestors,
            missing,
        }
    }

    fn known(&self, key: &ProcessKey) -> Option<Known> {
        let table = self.table.read();
        let process = table.processes.get(&key.tgid)?;
        (process.key == *key).then(|| process.known.clone())
    }

    /// Reads what `/proc` says of a process that did something at `at_ns`, and remembers it where it stays true. Beside it
    /// stands why it may not be of the program the key names after all; an error is why it is not.
    fn read(
        &self,
        key: &ProcessKey,
        at_ns: u64,
    ) -> Result<(Known, Option<AttributionReason>), AttributionReason> {
        let program = Program::read(key.tgid, &self.files, self.command_lines);
        let program = program.ok_or(AttributionReason::ProcessGone)?;
        let euid = procfs::euid(key.tgid);
        let stat = procfs::stat(key.tgid).ok_or(AttributionReason::ProcessGone)?;
        // A process that started later has taken over the id. One that started earlier and has the key's row after all
        // was read is the one the key names. Another program is not shown: that would be to accuse it.
        if stat.start_boottime_ns > at_ns {
            return Err(AttributionReason::ProcessGone);
        }
        match self.rows.current(key.tgid) {
            Ok(current) if current == *key => {}
            Ok(current) if current.start_boottime_ns == key.start_boottime_ns => {
                return Err(AttributionReason::ProgramChanged);
            }
            Ok(_) => return Err(AttributionReason::ProcessGone),
            Err(_) => return Err(AttributionReason::NotTracked),
        }
        let start_boottime_ns = match key.start_boottime_ns {
            0 => stat.start_boottime_ns,
            start_ns => start_ns,
        };
        let known = Known {
            program: Arc::new(program),
            start_boottime_ns,
            euid,
            ancestors: self.ancestors(key, stat.parent_tgid, start_boottime_ns),
        };
        // Without a row nothing would say when the process executes another program.
        let is_tracked = self.rows.is_kept()
            && (key.start_boottime_ns != 0 || stat.start_boottime_ns <= self.since_boottime_ns);
        if is_tracked {
            self.table.write().insert(*key, known.clone());
        }
        Ok((known, (!is_tracked).then_some(AttributionReason::NotTracked)))
    }

    /// The ancestors of a process: those it had before it executed its program, or those its parent has now.
    fn ancestors(&self, key: &ProcessKey, parent_tgid: u32, start_boottime_ns: u64) -> Arc<[Ancestor]> {
        let mut table = self.table.write();
        if let Some(before) = table.processes.get(&key.tgid)
            && before.key.start_boottime_ns == key.start_boottime_ns
        {
            return Arc::clone(&before.known.ancestors);
        }
        let parent = table.processes.get_mut(&parent_tgid);
        // One that is younger than its child only has the id of the parent.
        let parent = parent.filter(|parent| parent.known.start_boottime_ns <= start_boottime_ns);
        if let Some(parent) = parent {
            return parent.lineage();
        }
        drop(table);
        ancestry::read(parent_tgid)
    }

    /// What is known of a process that did something at `at_ns`, nanoseconds of `CLOCK_BOOTTIME`, of which there is no
    /// key: certain when its row, if the kernel keeps one, says that it has run no other program since.
    pub(super) fn evidence_at(&self, tgid: u32, at_ns: u64) -> Evidence {
        if !self.rows.is_kept() {
            return Evidence::missing(AttributionReason::NotTracked);
        }
        match self.rows.current(tgid) {
            Ok(key) if key.start_boottime_ns > at_ns => Evidence::missing(AttributionReason::ProcessGone),
            Ok(key) if key.exec_boottime_ns > at_ns => Evidence::missing(AttributionReason::ProgramChanged),
            Ok(key) => self.evidence(&key, at_ns),
            Err(_) => Evidence::missing(AttributionReason::NotTracked),
        }
    }

    /// Remembers a workload for further connections of its process.
    pub(super) fn keep(&self, key: &ProcessKey, traits: FlowTraits, workload: &Arc<Workload>) {
        let mut table = self.table.write();
        let Some(process) = table
            .processes
            .get_mut(&key.tgid)
            .filter(|process| process.key == *key)
        else {
            return;
        };
        // One whose placement is no longer the current one makes room.
        process.workloads.retain(|(known, _)| *known != traits);
        if process.workloads.len() == MAX_WORKLOADS {
            process.workloads.remove(0);
        }
        process.workloads.push((traits, Arc::clone(workload)));
    }
}

impl Table {
    fn insert(&mut self, key: ProcessKey, known: Known) {
        while self.processes.len() >= MAX_PROCESSES && !self.processes.contains_key(&key.tgid) {
            if !self.forget_oldest() {
                return;
            }
        }
        self.processes.insert(key.tgid, Process::new(key, known));
    }

    /// Forgets the process that ended first, unless its id is in use again. False when there is none.
    fn forget_oldest(&mut self) -> bool {
        let Some(key) = self.ended.pop_front() else {
            return false;
        };
        if self
            .processes
            .get(&key.tgid)
            .is_some_and(|process| process.key == key)
        {
            self.processes.remove(&key.tgid);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A kernel whose every process executed its program at one time.
    #[derive(Debug, Default)]
    struct Rows {
        exec_boottime_ns: AtomicU64,
    }

    impl ProcessRows for Rows {
        fn current(&self, tgid: u32) -> Result<ProcessKey, KernelError> {
            let exec_boottime_ns = self.exec_boottime_ns.load(Ordering::Relaxed);
            Ok(ProcessKey {
                tgid,
                start_boottime_ns: 0,
                exec_boottime_ns,
            })
        }

        fn is_kept(&self) -> bool {
            true
        }
    }

    fn own(exec_boottime_ns: u64) -> ProcessKey {
        ProcessKey {
            tgid: std::process::id(),
            start_boottime_ns: 0,
            exec_boottime_ns,
        }
    }

    #[test]
    fn a_process_is_certain_while_its_row_has_the_flows_stamp() {
        let rows = Arc::new(Rows::default());
        let processes = Processes::new(
            Arc::clone(&rows) as Arc<dyn ProcessRows>,
            EvidenceOptions::default(),
        );
        let evidence = processes.evidence(&own(0), u64::MAX);
        assert_eq!(evidence.missing, None);
        assert_eq!(evidence.exe.as_deref(), std::env::current_exe().unwrap().to_str());
        // The process executes another program: connections of before are told by what is remembered of it,
        // connections of programs in between by nothing.
        rows.exec_boottime_ns.store(9, Ordering::Relaxed);
        assert!(processes.evidence(&own(0), u64::MAX).missing.is_none());
        assert!(processes.evidence(&own(5), u64::MAX).missing.is_some());
        processes.executed(std::process::id());
        assert!(processes.evidence(&own(9), u64::MAX).missing.is_none());
        assert!(processes.evidence(&own(0), u64::MAX).missing.is_some());
    }

    #[test]
    fn a_program_executed_later_is_not_what_was_seen() {
        let rows = Arc::new(Rows::default());
        let processes = Processes::new(
            Arc::clone(&rows) as Arc<dyn ProcessRows>,
            EvidenceOptions::default(),
        );
        let now_ns = crate::kernel::boottime_ns();
        assert!(processes.evidence_at(std::process::id(), now_ns).exe.is_some());
        rows.exec_boottime_ns.store(now_ns + 1, Ordering::Relaxed);
        assert_eq!(processes.evidence_at(std::process::id(), now_ns).exe, None);
        assert_eq!(processes.evidence_at(u32::MAX, now_ns).exe, None);
    }

    #[test]
    fn a_process_that_started_after_the_flow_is_another_one() {
        let processes = Processes::new(Arc::new(Rows::default()), EvidenceOptions::default());
        let evidence = processes.evidence(&own(0), 1);
        assert!(evidence.missing.is_some());
        assert_eq!(evidence.exe, None);
    }

    #[test]
    fn a_child_has_its_parents_program_and_outlives_its_exit() {
        let processes = Processes::new(Arc::new(Rows::default()), EvidenceOptions::default());
        processes.executed(std::process::id());
        // No such process: only the table can know it.
        let child = ProcessKey {
            tgid: u32::MAX,
            start_boottime_ns: 77,
            exec_boottime_ns: 0,
        };
        processes.forked(child.tgid, std::process::id(), 77);
        processes.exited(child.tgid);
        assert!(processes.evidence(&child, 78).missing.is_none());
        // Its id is used again by a process the table does not know.
        let another = ProcessKey {
            start_boottime_ns: 99,
            ..child
        };
        assert!(processes.evidence(&another, 100).missing.is_some());
    }

    #[test]
    fn what_ended_is_forgotten_in_order() {
        let processes = Processes::new(Arc::new(Rows::default()), EvidenceOptions::default());
        processes.executed(std::process::id());
        let first = u32::MAX - MAX_ENDED as u32;
        for tgid in first..=u32::MAX {
            processes.forked(tgid, std::process::id(), 1);
            processes.exited(tgid);
        }
        let table = processes.table.read();
        assert!(!table.processes.contains_key(&first));
        assert!(table.processes.contains_key(&(first + 1)));
        assert_eq!(table.ended.len(), MAX_ENDED);
    }
}
