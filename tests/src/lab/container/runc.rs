//! Containers of runc alone, at any cgroup path: those of kubelets with either cgroup driver.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::node::printed;
use super::{CLIENT, Gate, Network, Node, Running, image};
use crate::lab::Lab;

/// runc in a node.
pub(crate) struct Runc<'a> {
    lab: &'a Lab,
    node: &'a Node,
}

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    /// The container's id.
    pub(crate) id: String,
    /// Its cgroup, below the lab's.
    pub(crate) cgroup: String,
    /// A process whose netns it joins, as a pod's containers join that of the pod's first.
    pub(crate) pause: u32,
}

impl<'a> Runc<'a> {
    /// runc in this node.
    pub(crate) fn new(lab: &'a Lab, node: &'a Node) -> Self {
        Self { lab, node }
    }

    /// Starts a container whose client will ask `url`.
    pub(crate) async fn start(&self, name: &str, bundle: &Bundle, url: &str) -> Result<Running> {
        let gate = Gate::new(self.lab, name)?;
        let dir = self.node.dir().join(format!("bundle-{name}"));
        fs::create_dir(&dir)?;
        let config = json!({
            "ociVersion": "1.0.2",
            // No rlimits: setting one needs CAP_SYS_RESOURCE where it is above the hard limit.
            "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": gate.command(CLIENT, url), "env": ["PATH=/bin"]},
            "root": {"path": image::rootfs(self.lab)?, "readonly": true},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                {"destination": super::GATE, "type": "bind", "source": gate.path(), "options": ["bind", "ro"]},
            ],
            "linux": {
                "cgroupsPath": self.lab.cgroup.below(&bundle.cgroup)?,
                "namespaces": [
                    {"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                    {"type": "network", "path": format!("/proc/{}/ns/net", bundle.pause)},
                ],
            },
        });
        fs::write(dir.join("config.json"), serde_json::to_vec_pretty(&config)?)?;
        let mut run = self.node.command(Network::Node, "runc")?;
        run.arg("run").arg("--bundle").arg(&dir).arg(&bundle.id);
        let child = run.spawn().context("starting runc")?;
        Running::wait(name, CLIENT, child, gate, || self.reported(&bundle.id)).await
    }

    /// Id and process of a container, as runc has them.
    async fn reported(&self, id: &str) -> Result<(String, u32)> {
        let mut state = self.node.command(Network::Node, "runc")?;
        state.args(["state", id]);
        let said: Value = serde_json::from_str(&printed(state).await?)?;
        ensure!(said["status"] == "running", "{said}");
        let id = said["id"].as_str().context("no id")?.to_owned();
        let pid = said["pid"].as_u64().context("no pid")?;
        Ok((id, u32::try_from(pid)?))
    }
}
