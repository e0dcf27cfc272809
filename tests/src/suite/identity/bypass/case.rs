//! The words of the table.

/// One way to an LLM host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// What a reader calls it.
    pub(super) route: &'static str,
    /// The first argument of `routes.py`.
    pub(super) program: &'static str,
    /// Its other arguments.
    pub(super) arguments: &'static [&'static str],
    /// Where it goes.
    pub(super) to: To,
    /// Where and when it is started.
    pub(super) start: Start,
    /// What becomes of it.
    pub(super) cases: &'static [Case],
}

/// Where a way leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// An LLM host, resolved by the workload over UDP: its address is marked.
    Marked,
    /// An LLM host at an address that is not marked, which the workload is given.
    Unmarked,
    /// An LLM host at an address that is not marked, which the workload finds out itself.
    UnmarkedName,
    /// A site that is no LLM host.
    Foreign,
}

/// Where and when a way begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// In the host's network namespace.
    Host,
    /// In the host's, and enters one in which other workloads are.
    EntersVisited,
    /// In the host's, and enters one in which no process has been.
    EntersUnvisited,
    /// In a namespace whose loopback interface is down.
    LoopbackDown,
    /// In the host's, before the agent is started.
    BeforeAgent,
}

/// What the operator has configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Nothing: `match: resolved`, `on_bypass: pass`, `quic: refuse`, `older_connections: report`.
    Resolved,
    /// `on_bypass: deny`.
    Deny,
    /// `match: all-tls`.
    AllTls,
    /// `match: all-tls` and `on_bypass: deny`.
    AllTlsDeny,
    /// `quic: pass`.
    PassQuic,
    /// `older_connections: close`.
    Close,
}

/// What becomes of a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The agent reads it.
    Intercepted,
    /// The agent carries it untouched.
    Spliced,
    /// It goes where it was going, past the agent.
    Passed,
    /// It fails, with this errno or in this way.
    Refused(&'static str),
}

/// What tells of it, once each but where it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// `weir_kernel_events_total{reason}` of this name, `weir_bypasses_total` and a bypass record.
    Kernel(&'static str),
    /// The same, any number of times.
    Repeated(&'static str),
    /// `weir_bypasses_total{reason,verdict}` and a bypass record.
    Agent(&'static str, &'static str),
    /// `weir_kernel_events_total{reason}` of this name alone.
    Counter(&'static str),
    /// A connection record with this outcome.
    Connection(&'static str),
}

/// One way under one configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    /// What is configured.
    pub(super) scope: Scope,
    /// What becomes of it.
    pub(super) outcome: Outcome,
    /// What tells of it: these, and no other counter of its kind.
    pub(super) told: &'static [Told],
}

impl Case {
    pub(super) const fn new(scope: Scope, outcome: Outcome, told: &'static [Told]) -> Self {
        Self { scope, outcome, told }
    }
}

impl Row {
    pub(super) const fn new(route: &'static str, program: &'static str, cases: &'static [Case]) -> Self {
        Self {
            route,
            program,
            arguments: &[],
            to: To::Marked,
            start: Start::Host,
            cases,
        }
    }

    pub(super) const fn to(mut self, to: To) -> Self {
        self.to = to;
        self
    }

    pub(super) const fn started(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    pub(super) const fn with(mut self, arguments: &'static [&'static str]) -> Self {
        self.arguments = arguments;
        self
    }
}

impl Scope {
    /// What the names of cgroups with this configuration begin with.
    pub(super) fn cgroup(self) -> &'static str {
        match self {
            Self::Resolved | Self::Close => "way-plain",
            Self::Deny => "way-deny",
            Self::AllTls => "way-all",
            Self::AllTlsDeny => "way-strict",
            Self::PassQuic => "way-quic",
        }
    }

    /// The keys of a policy that configures it; `None` where there is no policy.
    pub(super) fn policy(self) -> Option<&'static str> {
        match self {
            Self::Resolved | Self::Close => None,
            Self::Deny => Some("on_bypass: deny"),
            Self::AllTls => Some("match: all-tls, on_untrusted_ca: pass"),
            Self::AllTlsDeny => Some("match: all-tls, on_bypass: deny"),
            Self::PassQuic => Some("quic: pass"),
        }
    }
}
