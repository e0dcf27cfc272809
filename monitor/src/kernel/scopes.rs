//! What the programs know of cgroups and of the agents: the scopes, the agent's row, and whose connections pass.

use std::collections::HashMap as Table;
use std::time::Duration;

use aya::Ebpf;
use aya::maps::{Array, HashMap, MapData, MapError};
use monitor_common::{AgentRow, Scope, capacity};

use super::KernelError;
use super::config::{absent_is_fine, take};

/// Handles on the maps, taken out of the loaded object.
pub(super) struct ScopeMaps {
    scopes: HashMap<MapData, u64, Scope>,
    agent: Array<MapData, AgentRow>,
    agents: HashMap<MapData, u32, u32>,
    /// What `scopes` holds, so that the flags that any scope has follow a removal too. A cgroup that was removed stays
    /// in it until its row is removed here or the map is read again: the flags are then too many, never too few.
    known: Table<u64, Scope>,
}

impl ScopeMaps {
    /// The rows that are there already are kept: the programs and their maps may be older than this agent.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        let mut maps = Self {
            scopes: HashMap::try_from(take(ebpf, "SCOPES")?).map_err(KernelError::map("SCOPES"))?,
            agent: Array::try_from(take(ebpf, "AGENT")?).map_err(KernelError::map("AGENT"))?,
            agents: HashMap::try_from(take(ebpf, "AGENTS")?).map_err(KernelError::map("AGENTS"))?,
            known: Table::new(),
        };
        maps.known = maps.read_scopes()?;
        Ok(maps)
    }

    /// Makes the process the agent that accepts connections, alive now.
    pub(super) fn take_over(
        &mut self,
        tgid: u32,
        now_ns: u64,
        patience: Duration,
    ) -> Result<(), KernelError> {
        self.join(tgid)?;
        self.change_row(|row| {
            row.tgid = tgid;
            row.heartbeat_ns = now_ns;
            row.patience_ns = nanoseconds(patience);
        })
    }

    pub(super) fn row(&self) -> Result<AgentRow, KernelError> {
        self.agent.get(&0, 0).map_err(KernelError::map("AGENT"))
    }

    pub(super) fn beat(&mut self, tgid: u32, now_ns: u64) -> Result<bool, KernelError> {
        if self.row()?.tgid != tgid {
            return Ok(false);
        }
        self.change_row(|row| row.heartbeat_ns = now_ns)?;
        Ok(true)
    }

    pub(super) fn end(&mut self, tgid: u32) -> Result<(), KernelError> {
        if self.row()?.tgid != tgid {
            return Ok(());
        }
        self.change_row(|row| row.heartbeat_ns = 0)
    }

    pub(super) fn set_patience(&mut self, patience: Duration) -> Result<(), KernelError> {
        self.change_row(|row| row.patience_ns = nanoseconds(patience))
    }

    pub(super) fn join(&mut self, tgid: u32) -> Result<(), KernelError> {
        self.agents.insert(tgid, 1, 0).map_err(KernelError::map("AGENTS"))
    }

    pub(super) fn agents(&self) -> Result<Vec<u32>, KernelError> {
        self.agents
            .keys()
            .collect::<Result<_, _>>()
            .map_err(KernelError::map("AGENTS"))
    }

    pub(super) fn leave(&mut self, tgid: u32) -> Result<(), KernelError> {
        absent_is_fine(self.agents.remove(&tgid)).map_err(KernelError::map("AGENTS"))
    }

    /// The flags that any scope has are widened before the row is there: a program never reads a row whose flags it was
    /// told that none has.
    pub(super) fn set(&mut self, cgroup_id: u64, scope: Scope) -> Result<(), KernelError> {
        if self.known.get(&cgroup_id) == Some(&scope) {
            return Ok(());
        }
        if !self.row()?.any_scope.has(scope) {
            self.change_row(|row| row.any_scope = row.any_scope.with(scope))?;
        }
        self.scopes
            .insert(cgroup_id, scope, 0)
            .map_err(|error| match error {
                MapError::SyscallError(error) if error.io_error.raw_os_error() == Some(libc::E2BIG) => {
                    KernelError::ScopeTableFull {
                        limit: capacity::SCOPES,
                    }
                }
                source => KernelError::Map {
                    name: "SCOPES",
                    source,
                },
            })?;
        let narrowed = self.known.insert(cgroup_id, scope);
        if narrowed.is_some_and(|before| !scope.has(before)) {
            self.recompute_any()?;
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, cgroup_id: u64) -> Result<(), KernelError> {
        absent_is_fine(self.scopes.remove(&cgroup_id)).map_err(KernelError::map("SCOPES"))?;
        match self.known.remove(&cgroup_id) {
            Some(scope) if scope != Scope::NONE => self.recompute_any(),
            _ => Ok(()),
        }
    }

    pub(super) fn set_default(&mut self, scope: Scope) -> Result<(), KernelError> {
        if self.row()?.default_scope == scope {
            return Ok(());
        }
        let any = any_of(&self.known);
        self.change_row(|row| {
            row.default_scope = scope;
            row.any_scope = any.with(scope);
        })
    }

    /// Reads the map, and with it the flags that any scope has.
    pub(super) fn all(&mut self) -> Result<Vec<(u64, Scope)>, KernelError> {
        self.known = self.read_scopes()?;
        self.recompute_any()?;
        Ok(self.known.iter().map(|(id, scope)| (*id, *scope)).collect())
    }

    fn read_scopes(&self) -> Result<Table<u64, Scope>, KernelError> {
        self.scopes
            .iter()
            .collect::<Result<_, _>>()
            .map_err(KernelError::map("SCOPES"))
    }

    fn recompute_any(&mut self) -> Result<(), KernelError> {
        let any = any_of(&self.known);
        self.change_row(|row| row.any_scope = any.with(row.default_scope))
    }

    /// Reads the row and writes it back where that changes it. The programs write only when the agent has ended.
    fn change_row(&mut self, change: impl FnOnce(&mut AgentRow)) -> Result<(), KernelError> {
        let before = self.row()?;
        let mut row = before;
        change(&mut row);
        if row == before {
            return Ok(());
        }
        self.agent.set(0, row, 0).map_err(KernelError::map("AGENT"))
    }
}

fn any_of(scopes: &Table<u64, Scope>) -> Scope {
    scopes.values().fold(Scope::NONE, |any, scope| any.with(*scope))
}

/// Half a thousand years at most, which is for ever.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
