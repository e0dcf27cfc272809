//! The capabilities the programs need, checked first: the kernel's own answer would be a bare EPERM.

use std::fs;

use super::KernelError;

/// Capabilities and their bits (`linux/capability.h`).
const NEEDED: [(&str, u32); 3] = [("CAP_BPF", 39), ("CAP_NET_ADMIN", 12), ("CAP_PERFMON", 38)];
const SYS_ADMIN: u32 = 21;

/// Fails with the names of what is missing. Where the process's status cannot be read, the kernel decides.
pub(super) fn check() -> Result<(), KernelError> {
    let Some(effective) = fs::read_to_string("/proc/self/status")
        .ok()
        .as_deref()
        .and_then(effective)
    else {
        return Ok(());
    };
    let missing = missing(effective);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(KernelError::Capabilities {
            missing: missing.join(", "),
        })
    }
}

fn effective(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(value.trim(), 16).ok()
}

fn missing(effective: u64) -> Vec<&'static str> {
    let has = |bit: u32| effective >> bit & 1 == 1;
    // CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON, and not CAP_NET_ADMIN (capabilities(7)).
    let is_met = |name: &str, bit: u32| has(bit) || (has(SYS_ADMIN) && name != "CAP_NET_ADMIN");
    NEEDED
        .iter()
        .filter(|(name, bit)| !is_met(name, *bit))
        .map(|(name, _)| *name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_set_is_read() {
        assert_eq!(
            effective("Name:\tx\nCapEff:\t000001fffeffffff\n"),
            Some(0x1ff_feff_ffff)
        );
        assert_eq!(effective("Name:\tx\n"), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(missing(0x1ff_ffff_ffff).is_empty());
        assert_eq!(missing(0), ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]);
        assert_eq!(missing(1 << SYS_ADMIN), ["CAP_NET_ADMIN"]);
        assert!(missing(1 << 39 | 1 << 12 | 1 << 38).is_empty());
    }
}
