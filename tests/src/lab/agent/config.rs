//! The configuration an agent in the lab is given.

use std::path::Path;

use crate::lab::Lab;
use crate::lab::address::{BENCH, DEAD, EXPIRED, SCRIPTED, UNKNOWN_CA, WRONG_NAME};

/// What differs between the agents of the tests.
#[derive(Clone, Debug, Default)]
pub(crate) struct AgentConfig {
    policies: Vec<String>,
}

impl AgentConfig {
    /// No policy: everything is recorded, nothing decided.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a policy for the workloads whose cgroup ends in `cgroup` (a pattern); `rules` are its keys in flow style.
    pub(crate) fn policy(mut self, name: &str, cgroup: &str, rules: &str) -> Self {
        self.policies.push(format!(
            "  - {{name: {name}, workloads: {{cgroup: \"*/{cgroup}\"}}, {rules}}}\n"
        ));
        self
    }

    /// The file: the lab's attach point, CA and own providers, these policies, both sinks.
    pub(super) fn yaml(&self, lab: &Lab, dir: &Path, listen: &str) -> String {
        let endpoints: String = [SCRIPTED, EXPIRED, WRONG_NAME, UNKNOWN_CA, DEAD, BENCH]
            .iter()
            .map(|host| format!("    - {{host: {}, api: openai}}\n", host.name))
            .collect();
        let policies = if self.policies.is_empty() {
            String::new()
        } else {
            format!("policies:\n{}", self.policies.concat())
        };
        format!(
            "node:\n  cgroup: {cgroup}\n  state_dir: {dir}/state\n  run_dir: {dir}/run\n  listen: {listen}\n\
             intercept:\n  upstream_ca: {ca}\n  endpoints:\n{endpoints}{policies}\
             events:\n  sinks:\n    - {{file: {{path: {dir}/events.jsonl}}}}\n    - {{file: {{path: {dir}/ocsf.jsonl, format: ocsf}}}}\n",
            cgroup = lab.cgroup.path().display(),
            dir = dir.display(),
            ca = lab.lab_bundle().display(),
        )
    }
}
