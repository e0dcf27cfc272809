//! How sure it is that a connection belongs to its workload.

/// How sure it is that a connection belongs to its workload, and why it is not surer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attribution {
    /// The kernel recorded the process as it connected, and all that is known of the process is known to be of it.
    Exact,
    /// The process connected, and others may use the connection too.
    Ambiguous(AttributionReason),
    /// The process connected, and something could not be known of it any more when it was looked up.
    Late(AttributionReason),
    /// No process is known.
    Unknown(AttributionReason),
}

impl Attribution {
    /// The name in records and labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Ambiguous(_) => "ambiguous",
            Self::Late(_) => "late",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Why it is not exact.
    #[must_use]
    pub const fn reason(self) -> Option<AttributionReason> {
        match self {
            Self::Exact => None,
            Self::Ambiguous(reason) | Self::Late(reason) | Self::Unknown(reason) => Some(reason),
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal,)+) => {
        /// Why an attribution is not exact.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum AttributionReason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl AttributionReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in records and labels.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

reasons! {
    /// Late: the process had ended when it was looked up, and its start had not been seen.
    ProcessGone => "process_gone",
    /// Late: the process had executed another program when it was looked up, or another process had its id.
    /// Ambiguous: it executed another program later and kept the connection.
    ProgramChanged => "program_changed",
    /// Late: the kernel does not report processes, so that nothing proves that what was read is of the process that
    /// connected.
    NotTracked => "not_tracked",
    /// Late: the cgroup was gone when its path was looked up.
    CgroupUnknown => "cgroup_unknown",
    /// Late: the network namespace was gone when it was looked up.
    NamespaceGone => "namespace_gone",
    /// Ambiguous: the process forked with the connection open, and its child is in the same cgroup.
    SharedByFork => "shared_by_fork",
    /// Ambiguous: the process forked with the connection open, and its child is in another cgroup.
    SharedByForkAcrossCgroups => "shared_by_fork_across_cgroups",
    /// Ambiguous: a process that is no child of the one that connected has the socket too, in the same cgroup.
    PassedDescriptor => "passed_descriptor",
    /// Ambiguous: a process that is no child of the one that connected has the socket too, in another cgroup.
    PassedDescriptorAcrossCgroups => "passed_descriptor_across_cgroups",
    /// Only a socket was seen. Late: one process has it open, which may have been given it; ambiguous: several have, or
    /// at best its cgroup is known; unknown: not even that.
    ProcessNotSeen => "process_not_seen",
    /// Unknown: the connection reached the agent without a record of the kernel.
    NoRecord => "no_record",
}

impl AttributionReason {
    /// Whether processes of more than one cgroup may use the connection: even its principal is uncertain.
    #[must_use]
    pub const fn crosses_cgroups(self) -> bool {
        matches!(
            self,
            Self::SharedByForkAcrossCgroups | Self::PassedDescriptorAcrossCgroups
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn only_what_is_exact_has_no_reason() {
        assert_eq!(Attribution::Exact.reason(), None);
        let late = Attribution::Late(AttributionReason::ProcessGone);
        assert_eq!(
            (late.name(), late.reason()),
            ("late", Some(AttributionReason::ProcessGone))
        );
        let names: HashSet<_> = AttributionReason::ALL
            .iter()
            .map(|reason| reason.name())
            .collect();
        assert_eq!(names.len(), AttributionReason::ALL.len());
    }
}
