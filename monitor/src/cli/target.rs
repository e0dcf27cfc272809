//! Which agent is asked.

use std::path::{Path, PathBuf};

use super::CliError;
use super::client::Client;
use crate::config::{Config, DEFAULT_CONFIG, DEFAULT_RUN_DIR, SOCKET_NAME};

/// How the agent's socket is found.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Target {
    /// The agent's socket [default: the one of the configuration, else /run/weir/weir.sock]
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    pub(super) socket: Option<PathBuf>,
    /// The agent's configuration, which names its socket
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

impl Target {
    pub(super) fn client(&self) -> Result<Client, CliError> {
        Ok(Client::new(self.path()?))
    }

    fn path(&self) -> Result<PathBuf, CliError> {
        match (&self.socket, &self.config) {
            (Some(socket), _) => Ok(socket.clone()),
            (None, Some(config)) => Ok(Config::load(config)?.node.socket()),
            // The default configuration may be unreadable to this user, and the agent may run without it.
            (None, None) => Ok(Config::load(Path::new(DEFAULT_CONFIG)).map_or_else(
                |_unusable| Path::new(DEFAULT_RUN_DIR).join(SOCKET_NAME),
                |config| config.node.socket(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_named_or_found_in_the_configuration() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("weir.yaml");
        std::fs::write(&config, "node: {run_dir: /tmp/weir-test}").unwrap();
        let target = Target {
            socket: None,
            config: Some(config.clone()),
        };
        assert_eq!(target.path().unwrap(), Path::new("/tmp/weir-test/weir.sock"));
        let target = Target {
            socket: Some("/x.sock".into()),
            config: None,
        };
        assert_eq!(target.path().unwrap(), Path::new("/x.sock"));
        std::fs::write(&config, "nodes: {}").unwrap();
        let target = Target {
            socket: None,
            config: Some(config),
        };
        assert_eq!(target.path().unwrap_err().exit(), crate::cli::Exit::InvalidConfig);
    }
}
