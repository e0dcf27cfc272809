//! Where the sources of names are: what the configuration says, and the environment of a pod where it says nothing.

use super::watch::Watched;
use crate::config::{ApiServer, Cri, HttpsAddress, Identity, Kubernetes, KubernetesNode};
use crate::config::{SERVICE_ACCOUNT_CA, SERVICE_ACCOUNT_TOKEN};
use crate::identity::cri::Runtime;

/// The API server's address, in the environment of every pod.
const HOST_VARIABLE: &str = "KUBERNETES_SERVICE_HOST";
/// The API server's port.
const PORT_VARIABLE: &str = "KUBERNETES_SERVICE_PORT";
/// The node's name, which the agent's pod has from `spec.nodeName`.
const NODE_VARIABLE: &str = "NODE_NAME";

/// The API server cannot be watched.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WhereaboutsError {
    /// Which node's pods?
    #[error(
        "identity.kubernetes names no node, and {NODE_VARIABLE} is not set; set `node`, or the variable from the pod's spec.nodeName"
    )]
    NoNode,
    /// Which server?
    #[error(
        "identity.kubernetes names no API server, and {HOST_VARIABLE} and {PORT_VARIABLE} are not set as in a pod; set `api`"
    )]
    NoServer,
}

/// Who is asked for names.
#[derive(Debug, Default)]
pub struct Whereabouts {
    pub(super) watched: Option<Watched>,
    pub(super) cri: Option<Runtime>,
    pub(super) kubelet: Option<ApiServer>,
    pub(super) trust_domain: Option<String>,
}

impl Whereabouts {
    /// Works out what `config` means here.
    ///
    /// # Errors
    /// The API server is to be watched, and neither `config` nor the environment says where it is, or which node this is.
    pub fn find(config: &Identity) -> Result<Self, WhereaboutsError> {
        Self::find_with(config, |variable| std::env::var(variable).ok())
    }

    /// `variable` reads the environment.
    fn find_with(
        config: &Identity,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, WhereaboutsError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let of_pod = KubernetesNode {
            node: None,
            api: None,
            token_file: SERVICE_ACCOUNT_TOKEN.into(),
            ca_file: SERVICE_ACCOUNT_CA.into(),
        };
        let watched = match &config.kubernetes {
            Kubernetes::Off => None,
            Kubernetes::Auto => watched(&of_pod, variable).ok(),
            Kubernetes::On(node) => Some(watched(node, variable)?),
        };
        let cri = match &config.cri {
            Cri::Off => None,
            Cri::Auto => Some(Runtime::usual()),
            Cri::Socket(path) => Some(Runtime::at(path.clone())),
        };
        Ok(Self {
            watched,
            cri,
            kubelet: config.kubelet.clone(),
            trust_domain: config.spiffe.as_ref().map(|spiffe| spiffe.trust_domain.clone()),
        })
    }
}

fn watched(
    config: &KubernetesNode,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Watched, WhereaboutsError> {
    let from_environment = || {
        Some(HttpsAddress {
            host: variable(HOST_VARIABLE)?,
            port: variable(PORT_VARIABLE)?.parse().ok()?,
        })
    };
    let api = config.api.clone().or_else(from_environment);
    Ok(Watched {
        server: ApiServer {
            api: api.ok_or(WhereaboutsError::NoServer)?,
            token_file: config.token_file.clone(),
            ca_file: config.ca_file.clone(),
        },
        node: config
            .node
            .clone()
            .or_else(|| variable(NODE_VARIABLE))
            .ok_or(WhereaboutsError::NoNode)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(
        kubernetes: Kubernetes,
        environment: &[(&str, &str)],
    ) -> Result<Option<Watched>, WhereaboutsError> {
        let config = Identity {
            kubernetes,
            ..Identity::default()
        };
        let variable = |name: &str| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Whereabouts::find_with(&config, variable).map(|found| found.watched)
    }

    const POD: [(&str, &str); 3] = [
        (HOST_VARIABLE, "10.0.0.1"),
        (PORT_VARIABLE, "6443"),
        (NODE_VARIABLE, "w1"),
    ];

    #[test]
    fn a_pod_knows_from_its_environment() {
        let watched = find(Kubernetes::Auto, &POD).unwrap().unwrap();
        assert_eq!(watched.node, "w1");
        assert_eq!(watched.server.api.to_string(), "https://10.0.0.1:6443");
        assert_eq!(
            watched.server.token_file,
            std::path::Path::new(SERVICE_ACCOUNT_TOKEN)
        );
        for missing in 0..POD.len() {
            let mut environment = POD;
            environment[missing].1 = "";
            assert_eq!(find(Kubernetes::Auto, &environment), Ok(None));
        }
        assert_eq!(find(Kubernetes::Off, &POD), Ok(None));
    }

    #[test]
    fn what_is_configured_counts_and_what_is_missing_is_said() {
        let node = |node: Option<&str>, host: Option<&str>| {
            Kubernetes::On(KubernetesNode {
                node: node.map(str::to_owned),
                api: host.map(|host| HttpsAddress {
                    host: host.to_owned(),
                    port: 1,
                }),
                token_file: "/t".into(),
                ca_file: "/c".into(),
            })
        };
        let watched = find(node(Some("a"), Some("h")), &POD).unwrap().unwrap();
        assert_eq!(
            (watched.node.as_str(), watched.server.api.host.as_str()),
            ("a", "h")
        );
        assert_eq!(find(node(None, Some("h")), &[]), Err(WhereaboutsError::NoNode));
        assert_eq!(find(node(Some("a"), None), &[]), Err(WhereaboutsError::NoServer));
        assert_eq!(find(node(None, None), &POD).unwrap().unwrap().node, "w1");
    }
}
