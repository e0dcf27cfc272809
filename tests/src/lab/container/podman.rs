//! Containers of podman with runc, on the host's network and on a bridge of netavark.

use std::fs;
use std::process::Command as StdCommand;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use super::node::printed;
use super::{CLIENT, Gate, Network, Node, Running, image};
use crate::lab::Lab;

/// The image's name; nothing is ever pulled.
pub(crate) const IMAGE: &str = "localhost/weir-lab-client:1";

/// The bridged network's name.
const BRIDGE: &str = "lab";

/// Podman, installed in a node.
pub(crate) struct Podman<'a> {
    lab: &'a Lab,
    node: &'a Node,
}

/// The network of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attach {
    /// The machine's own netns.
    Host,
    /// A netns of its own on a bridge in the node's.
    Bridge,
}

impl<'a> Podman<'a> {
    /// Imports the image and makes the bridged network.
    pub(crate) async fn install(lab: &'a Lab, node: &'a Node) -> Result<Self> {
        let podman = Self { lab, node };
        // runc, because crun refuses hybrid cgroups; limits that need no CAP_SYS_RESOURCE; all state in the node's /run.
        fs::write(
            node.dir().join("containers.conf"),
            format!(
                "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n\
                 dns_servers = [\"{dns}\"]\nlog_driver = \"none\"\n\
                 [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n\
                 [network]\nnetwork_backend = \"netavark\"\nnetwork_config_dir = \"/run/networks\"\n",
                dns = lab.plan.dns_v4()
            ),
        )?;
        fs::write(
            node.dir().join("storage.conf"),
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"/run/storage\"\nrunroot = \"/run/containers\"\n",
        )?;
        let archive = node.dir().join("image.tar");
        let packed = StdCommand::new("tar")
            .arg("-C")
            .arg(image::rootfs(lab)?)
            .arg("-cf")
            .args([archive.as_os_str(), ".".as_ref()])
            .status()
            .context("running tar")?;
        ensure!(packed.success(), "packing the image: {packed}");
        let mut import = podman.command(Network::Node)?;
        import.args(["import", "--quiet"]).arg(&archive).arg(IMAGE);
        printed(import).await?;
        fs::remove_file(archive)?;
        let mut network = podman.command(Network::Node)?;
        network.args([
            "network",
            "create",
            "--disable-dns",
            "--subnet",
            &lab.plan.bridge(),
        ]);
        network.arg(BRIDGE);
        printed(network).await?;
        Ok(podman)
    }

    /// Starts a container whose client will ask `url`, in a child of the lab's cgroup `parent`.
    pub(crate) async fn start(&self, name: &str, attach: Attach, parent: &str, url: &str) -> Result<Running> {
        let gate = Gate::new(self.lab, name)?;
        let (network, attach) = match attach {
            Attach::Host => (Network::Host, "host"),
            Attach::Bridge => (Network::Node, BRIDGE),
        };
        let mut run = self.command(network)?;
        run.args([
            "run",
            "--rm",
            "--pull",
            "never",
            "--name",
            name,
            "--network",
            attach,
        ])
        .arg(format!("--cgroup-parent={}", self.lab.cgroup.below(parent)?))
        .arg(format!("--volume={}:{}:ro", gate.path().display(), super::GATE))
        .arg(IMAGE)
        .args(gate.command(CLIENT, url));
        let child = run.spawn().context("starting podman")?;
        Running::wait(name, CLIENT, child, gate, || self.reported(name)).await
    }

    /// Id and process of a container, as podman has them.
    async fn reported(&self, name: &str) -> Result<(String, u32)> {
        let mut inspect = self.command(Network::Node)?;
        inspect.args(["container", "inspect", name]);
        let said: Value = serde_json::from_str(&printed(inspect).await?)?;
        let container = &said[0];
        ensure!(
            container["State"]["Status"] == "running",
            "{}",
            container["State"]
        );
        let id = container["Id"].as_str().context("no id")?.to_owned();
        let pid = container["State"]["Pid"].as_u64().context("no pid")?;
        Ok((id, u32::try_from(pid)?))
    }

    fn command(&self, network: Network) -> Result<Command> {
        let mut command = self.node.command(network, "podman")?;
        command
            .env("CONTAINERS_CONF", self.node.dir().join("containers.conf"))
            .env("CONTAINERS_STORAGE_CONF", self.node.dir().join("storage.conf"));
        Ok(command)
    }
}
