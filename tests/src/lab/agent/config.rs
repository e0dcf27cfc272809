//! The configuration an agent in the lab is given.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::lab::Lab;
use crate::lab::address::{BENCH, DEAD, EXPIRED, SCRIPTED, UNKNOWN_CA, WRONG_NAME};
use crate::lab::wall_clock::WallClock;

/// What differs between the agents of the tests.
#[derive(Clone, Debug, Default)]
pub(crate) struct AgentConfig {
    policies: Vec<String>,
    keys: Vec<(&'static str, String)>,
    endpoints: Vec<String>,
    resolves_in_lab: bool,
    pin_dir: Option<PathBuf>,
    wall_clock: Option<WallClock>,
}

impl AgentConfig {
    /// No policy: everything is recorded, nothing decided.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a policy for the workloads whose cgroup ends in `cgroup` (a pattern); `rules` are its keys in flow style.
    pub(crate) fn policy(self, name: &str, cgroup: &str, rules: &str) -> Self {
        self.policy_for(name, &format!("cgroup: \"*/{cgroup}\""), rules)
    }

    /// Adds a policy for the workloads that `selector` selects; selector and rules are keys in flow style.
    pub(crate) fn policy_for(mut self, name: &str, selector: &str, rules: &str) -> Self {
        self.policies.push(format!(
            "  - {{name: {name}, workloads: {{{selector}}}, {rules}}}\n"
        ));
        self
    }

    /// Adds a key to a section of the file, such as `match: all-tls` to `intercept`.
    pub(crate) fn key(mut self, section: &'static str, key: &str) -> Self {
        self.keys.push((section, format!("  {key}\n")));
        self
    }

    /// Adds an endpoint of the operator's own, its keys in flow style.
    pub(crate) fn endpoint(mut self, keys: &str) -> Self {
        self.endpoints.push(format!("    - {keys}\n"));
        self
    }

    /// Lets the agent itself ask the lab's DNS server, as workloads do. Without it, it knows the host's resolver only,
    /// which knows nothing of the lab.
    pub(crate) fn resolves_in_lab(mut self) -> Self {
        self.resolves_in_lab = true;
        self
    }

    /// The resolv.conf that the agent is shown, where it is not the host's.
    pub(super) fn resolver(&self, lab: &Lab) -> Option<PathBuf> {
        self.resolves_in_lab.then(|| lab.resolv_conf())
    }

    /// Gives the agent a wall clock of its own.
    pub(crate) fn wall_clock(mut self, clock: &WallClock) -> Self {
        self.wall_clock = Some(clock.clone());
        self
    }

    /// What its process has in its environment beside the machine's.
    pub(super) fn variables(&self) -> Vec<(&'static str, OsString)> {
        self.wall_clock.iter().flat_map(WallClock::variables).collect()
    }

    /// Another directory for pinned programs than the lab's own.
    pub(crate) fn pin_dir(mut self, path: &Path) -> Self {
        self.pin_dir = Some(path.to_path_buf());
        self
    }

    /// The file: the lab's attach point, CA and own providers, these policies, both sinks.
    pub(super) fn yaml(&self, lab: &Lab, dir: &Path, listen: &str) -> String {
        let endpoints: String = [SCRIPTED, EXPIRED, WRONG_NAME, UNKNOWN_CA, DEAD, BENCH]
            .iter()
            .map(|host| host.name)
            .chain(["\"*.route.test\""])
            .map(|host| format!("    - {{host: {host}, api: openai}}\n"))
            .chain(self.endpoints.iter().cloned())
            .collect();
        let policies = if self.policies.is_empty() {
            String::new()
        } else {
            format!("policies:\n{}", self.policies.concat())
        };
        let mut more: Vec<&str> = self.keys.iter().map(|(section, _)| *section).collect();
        more.retain(|section| !["node", "intercept"].contains(section));
        more.sort_unstable();
        more.dedup();
        let more: String = more
            .into_iter()
            .map(|section| format!("{section}:\n{}", self.keys_of(section)))
            .collect();
        format!(
            "node:\n  cgroup: {cgroup}\n  state_dir: {dir}/state\n  run_dir: {dir}/run\n  pin_dir: {pins}\n  listen: {listen}\n{node}\
             intercept:\n  upstream_ca: {ca}\n{intercept}  endpoints:\n{endpoints}{policies}{more}\
             events:\n  sinks:\n    - {{file: {{path: {dir}/events.jsonl}}}}\n    - {{file: {{path: {dir}/ocsf.jsonl, format: ocsf}}}}\n",
            cgroup = lab.cgroup.path().display(),
            dir = dir.display(),
            pins = self.pin_dir.clone().unwrap_or_else(|| lab.pin_dir(dir)).display(),
            node = self.keys_of("node"),
            intercept = self.keys_of("intercept"),
            ca = lab.lab_bundle().display(),
        )
    }

    /// The keys added to a section, as lines.
    fn keys_of(&self, section: &str) -> String {
        self.keys
            .iter()
            .filter(|(of, _)| *of == section)
            .map(|(_, key)| key.as_str())
            .collect()
    }
}
