//! The maps the agent writes: names, ports, marked addresses, listeners.

use std::collections::HashMap as Table;
use std::net::IpAddr;

use aya::Ebpf;
use aya::maps::{Array, HashMap, Map, MapData, MapError};
use monitor_common::dns::{MATCH_BELOW, MATCH_EXACT, MAX_NAME_BYTES, NameHash};
use monitor_common::{ListenerPorts, NormalAddr, capacity};

use super::KernelError;

/// Handles on the maps, taken out of the loaded object.
pub(super) struct ConfigMaps {
    names: HashMap<MapData, u64, u32>,
    ports: Array<MapData, u64>,
    addresses: HashMap<MapData, NormalAddr, u64>,
    listeners: HashMap<MapData, u64, ListenerPorts>,
    /// The ports this agent has set.
    port_words: Box<[u64; capacity::PORT_WORDS]>,
}

/// Takes a map out of the loaded object.
pub(super) fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, KernelError> {
    ebpf.take_map(name).ok_or(KernelError::Missing { name })
}

impl ConfigMaps {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        Ok(Self {
            names: HashMap::try_from(take(ebpf, "NAMES")?).map_err(KernelError::map("NAMES"))?,
            ports: Array::try_from(take(ebpf, "PORTS")?).map_err(KernelError::map("PORTS"))?,
            addresses: HashMap::try_from(take(ebpf, "ADDRESSES")?).map_err(KernelError::map("ADDRESSES"))?,
            listeners: HashMap::try_from(take(ebpf, "LISTENERS")?).map_err(KernelError::map("LISTENERS"))?,
            port_words: Box::new([0; capacity::PORT_WORDS]),
        })
    }

    /// New names first, gone ones last: a name on both lists is matched throughout.
    pub(super) fn set_names(&mut self, names: &[String]) -> Result<(), KernelError> {
        let wanted = hashed(names)?;
        for (hash, kinds) in &wanted {
            self.names
                .insert(hash, kinds, 0)
                .map_err(KernelError::map("NAMES"))?;
        }
        let known: Vec<u64> = self
            .names
            .keys()
            .collect::<Result<_, _>>()
            .map_err(KernelError::map("NAMES"))?;
        for hash in known.iter().filter(|hash| !wanted.contains_key(hash)) {
            absent_is_fine(self.names.remove(hash)).map_err(KernelError::map("NAMES"))?;
        }
        Ok(())
    }

    pub(super) fn set_ports(&mut self, ports: &[u16]) -> Result<(), KernelError> {
        self.port_words = port_words(ports);
        self.reassert_ports()
    }

    /// Compared with the map itself, which another agent may have written.
    pub(super) fn reassert_ports(&mut self) -> Result<(), KernelError> {
        for (index, word) in (0_u32..).zip(self.port_words.iter()) {
            if self.ports.get(&index, 0).map_err(KernelError::map("PORTS"))? != *word {
                self.ports
                    .set(index, word, 0)
                    .map_err(KernelError::map("PORTS"))?;
            }
        }
        Ok(())
    }

    /// Whether connections to a port are intercepted.
    pub(super) fn has_port(&self, port: u16) -> bool {
        self.port_words
            .get(usize::from(port >> 6))
            .is_some_and(|word| word & (1 << (port & 63)) != 0)
    }

    pub(super) fn set_listener(
        &mut self,
        netns_cookie: u64,
        listener: ListenerPorts,
    ) -> Result<(), KernelError> {
        self.listeners
            .insert(netns_cookie, listener, 0)
            .map_err(KernelError::map("LISTENERS"))
    }

    pub(super) fn remove_listener(&mut self, netns_cookie: u64) -> Result<(), KernelError> {
        absent_is_fine(self.listeners.remove(&netns_cookie)).map_err(KernelError::map("LISTENERS"))
    }

    pub(super) fn listeners(&self) -> Result<Vec<(u64, ListenerPorts)>, KernelError> {
        self.listeners
            .iter()
            .collect::<Result<_, _>>()
            .map_err(KernelError::map("LISTENERS"))
    }

    pub(super) fn mark_address(&mut self, address: IpAddr, expires_ns: u64) -> Result<(), KernelError> {
        self.addresses
            .insert(NormalAddr::from(address), expires_ns, 0)
            .map_err(KernelError::map("ADDRESSES"))
    }

    /// Marks an address at least until a time; a longer mark stays. True when it had no mark.
    pub(super) fn extend_mark(&mut self, address: IpAddr, expires_ns: u64) -> Result<bool, KernelError> {
        let known = match self.addresses.get(&NormalAddr::from(address), 0) {
            Ok(known) => Some(known),
            Err(MapError::KeyNotFound) => None,
            Err(error) => return Err(KernelError::map("ADDRESSES")(error)),
        };
        if known.is_none_or(|known| known < expires_ns) {
            self.mark_address(address, expires_ns)?;
        }
        Ok(known.is_none())
    }

    pub(super) fn unmark_address(&mut self, address: IpAddr) -> Result<(), KernelError> {
        absent_is_fine(self.addresses.remove(&NormalAddr::from(address)))
            .map_err(KernelError::map("ADDRESSES"))
    }

    pub(super) fn marked_addresses(&self) -> Result<Vec<(IpAddr, u64)>, KernelError> {
        self.addresses
            .iter()
            .map(|entry| entry.map(|(address, expires_ns)| (address.into(), expires_ns)))
            .collect::<Result<_, _>>()
            .map_err(KernelError::map("ADDRESSES"))
    }

    pub(super) fn sweep_expired(&mut self, now_ns: u64) -> Result<usize, KernelError> {
        let marked = self.marked_addresses()?;
        let expired = marked.iter().filter(|(_, expires_ns)| *expires_ns <= now_ns);
        let mut swept = 0;
        for (address, _) in expired {
            self.unmark_address(*address)?;
            swept += 1;
        }
        Ok(swept)
    }
}

/// Hash of each name → what it matches. `openai.com` and `*.openai.com` share a hash.
fn hashed(names: &[String]) -> Result<Table<u64, u32>, KernelError> {
    let mut hashed = Table::with_capacity(names.len());
    for name in names {
        let (bare, kind) = match name.strip_prefix("*.") {
            Some(suffix) => (suffix, MATCH_BELOW),
            None => (name.as_str(), MATCH_EXACT),
        };
        let bare = bare.strip_suffix('.').unwrap_or(bare);
        if !is_host_name(bare) {
            return Err(KernelError::Name { name: name.clone() });
        }
        *hashed.entry(NameHash::of(bare).key()).or_default() |= kind;
    }
    if hashed.len() > capacity::NAMES {
        return Err(KernelError::TooManyNames {
            count: hashed.len(),
            limit: capacity::NAMES,
        });
    }
    Ok(hashed)
}

/// Letters, digits, hyphens and underscores in labels of 1 to 63 bytes.
fn is_host_name(name: &str) -> bool {
    let label_is_fine = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.len() < MAX_NAME_BYTES && name.split('.').all(label_is_fine)
}

fn port_words(ports: &[u16]) -> Box<[u64; capacity::PORT_WORDS]> {
    let mut words = Box::new([0; capacity::PORT_WORDS]);
    for port in ports {
        if let Some(word) = words.get_mut(usize::from(port >> 6)) {
            *word |= 1 << (port & 63);
        }
    }
    words
}

pub(super) fn absent_is_fine(outcome: Result<(), MapError>) -> Result<(), MapError> {
    match outcome {
        Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error)) if error.io_error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_name_and_its_suffix_form_share_an_entry() {
        let table = hashed(&names(&["openai.com", "*.OpenAI.com.", "api.anthropic.com"])).unwrap();
        assert_eq!(table.len(), 2);
        assert_eq!(
            table[&NameHash::of("openai.com").key()],
            MATCH_EXACT | MATCH_BELOW
        );
        assert_eq!(table[&NameHash::of("api.anthropic.com").key()], MATCH_EXACT);
    }

    #[test]
    fn what_is_no_host_name_is_refused() {
        for wrong in [
            "",
            "*",
            "*.",
            "a..b",
            "*.*.com",
            "a b.com",
            "api.openai.com/v1",
            ".com",
            &"a".repeat(64),
        ] {
            let outcome = hashed(&names(&[wrong]));
            assert!(
                matches!(outcome, Err(KernelError::Name { ref name }) if name == wrong),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn too_many_names_are_refused() {
        let many: Vec<String> = (0..=capacity::NAMES).map(|n| format!("h{n}.example")).collect();
        assert!(matches!(hashed(&many), Err(KernelError::TooManyNames { .. })));
    }

    #[test]
    fn ports_become_bits() {
        let words = port_words(&[0, 443, 65_535]);
        assert_eq!(words[0], 1);
        assert_eq!(words[443 / 64], 1 << (443 % 64));
        assert_eq!(words[1_023], 1 << 63);
        assert_eq!(words.iter().map(|word| word.count_ones()).sum::<u32>(), 3);
    }
}
