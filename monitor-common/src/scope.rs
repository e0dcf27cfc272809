//! What holds for the connections of a cgroup, and the agent's sign of life: what the programs must know to decide
//! without the agent.

/// How the connections of one cgroup are treated: a set of the `SCOPE_*` flags.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Scope(u32);

impl Scope {
    /// Every connection to an intercepted port is sent to the agent, whatever its address. Without it, only those to
    /// marked addresses are.
    pub const ALL_TLS: Self = Self(1);
    /// While no agent is alive, what would be sent to it is refused. Without it, it passes.
    pub const CLOSED: Self = Self(2);
    /// What should be intercepted and cannot be is refused. Without it, it passes.
    pub const DENY_BYPASS: Self = Self(4);
    /// UDP to an intercepted port passes. Without it, it is refused, so that clients of HTTP/3 use TCP.
    pub const PASS_QUIC: Self = Self(8);

    /// No flag at all.
    pub const NONE: Self = Self(0);

    /// From the flags as the kernel map holds them.
    #[inline(always)]
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The flags as the kernel map holds them.
    #[inline(always)]
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether every flag of `other` is set.
    #[inline(always)]
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// With the flags of `other` as well.
    #[inline(always)]
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The agent as the programs know it; one row, written by the agent that accepts connections now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct AgentRow {
    /// When the agent last said that it is alive, nanoseconds of `CLOCK_BOOTTIME`; 0 when it has ended.
    pub heartbeat_ns: u64,
    /// How old the heartbeat may be before the agent counts as dead, nanoseconds.
    pub patience_ns: u64,
    /// The agent's process, in the initial pid namespace.
    pub tgid: u32,
    /// The scope of a cgroup that has no row of its own and no ancestor with one.
    pub default_scope: Scope,
    /// The flags that any scope has: what none has need not be looked up.
    pub any_scope: Scope,
    /// Keeps the layout free of implicit padding.
    pub reserved: u32,
}

const _: () = assert!(size_of::<AgentRow>() == 32);

impl AgentRow {
    /// Whether the agent was alive a moment ago.
    #[inline(always)]
    #[must_use]
    pub const fn is_alive(&self, now_ns: u64) -> bool {
        self.heartbeat_ns != 0 && now_ns.saturating_sub(self.heartbeat_ns) <= self.patience_ns
    }
}

#[cfg(test)]
mod tests {
    use super::{AgentRow, Scope};

    #[test]
    fn flags_are_a_set() {
        let both = Scope::ALL_TLS.with(Scope::CLOSED);
        assert!(both.has(Scope::CLOSED) && both.has(Scope::ALL_TLS) && !both.has(Scope::DENY_BYPASS));
        assert!(both.has(Scope::NONE));
        assert_eq!(Scope::from_bits(both.bits()), both);
    }

    #[test]
    fn an_agent_is_alive_while_its_heartbeat_is_fresh() {
        let row = AgentRow {
            heartbeat_ns: 100,
            patience_ns: 10,
            ..AgentRow::default()
        };
        assert!(row.is_alive(100) && row.is_alive(110) && row.is_alive(99));
        assert!(!row.is_alive(111));
        assert!(!AgentRow::default().is_alive(0));
    }
}
