//! `identity`: specification → configuration.

use std::path::PathBuf;

use serde_saphyr::Spanned;

use super::spec::{IdentitySpec, KubeletSpec, KubernetesSpec, SpiffeSpec, WordOr};
use super::{
    ApiServer, Cri, DEFAULT_HASH_LIMIT_BYTES, HttpsAddress, Identity, Kubernetes, KubernetesNode,
    MAX_HASH_LIMIT_BYTES, MIN_HASH_LIMIT_BYTES, SERVICE_ACCOUNT_CA, SERVICE_ACCOUNT_TOKEN, Spiffe,
};
use crate::config::error::Problems;
use crate::config::quantity;
use crate::config::validate::{absolute, ca_file};

/// Longest name of a node (a DNS subdomain, RFC 1123).
const MAX_NODE_BYTES: usize = 253;

/// Longest trust domain (SPIFFE-ID section 2.1).
const MAX_TRUST_DOMAIN_BYTES: usize = 255;

/// The port of a URL that names none.
const HTTPS_PORT: u16 = 443;

pub(in crate::config) fn identity(spec: IdentitySpec, problems: &mut Problems<'_>) -> Identity {
    Identity {
        kubernetes: kubernetes(spec.kubernetes, problems),
        cri: cri(spec.cri, problems),
        kubelet: kubelet(spec.kubelet, problems),
        spiffe: spec.spiffe.and_then(|spec| spiffe(&spec, problems)),
        command_line: spec.command_line.unwrap_or_default(),
        hash_limit_bytes: hash_limit(spec.hash_limit, problems),
    }
}

fn kubernetes(spec: Option<Spanned<WordOr<KubernetesSpec>>>, problems: &mut Problems<'_>) -> Kubernetes {
    let Some(spec) = spec else {
        return Kubernetes::default();
    };
    match spec.value {
        WordOr::Word(word) if word == "auto" => Kubernetes::Auto,
        WordOr::Word(word) if word == "off" => Kubernetes::Off,
        WordOr::Word(word) => {
            problems.add(spec.referenced, format_args!(
                "`{word}` is not a way to find pods; write `auto`, `off`, or for example `{{node: worker-1, api: https://10.0.0.1:6443, token_file: /…, ca_file: /…}}`"
            ));
            Kubernetes::default()
        }
        WordOr::Mapping(spec) => Kubernetes::On(KubernetesNode {
            node: spec.node.and_then(|node| node_name(node, problems)),
            api: spec.api.and_then(|api| https(&api, problems)),
            token_file: token_file(spec.token_file, problems),
            ca_file: roots(spec.ca_file, problems),
        }),
    }
}

fn kubelet(spec: Option<Spanned<WordOr<KubeletSpec>>>, problems: &mut Problems<'_>) -> Option<ApiServer> {
    let spec = spec?;
    let (api, token, ca) = match spec.value {
        WordOr::Word(word) if word == "off" => return None,
        WordOr::Word(word) => (Spanned::new(word, spec.referenced, spec.defined), None, None),
        WordOr::Mapping(spec) => (spec.api, spec.token_file, spec.ca_file),
    };
    let (token_file, ca_file) = (token_file(token, problems), roots(ca, problems));
    Some(ApiServer {
        api: https(&api, problems)?,
        token_file,
        ca_file,
    })
}

fn cri(spec: Option<Spanned<String>>, problems: &mut Problems<'_>) -> Cri {
    match spec {
        None => Cri::default(),
        Some(spec) if spec.value == "auto" => Cri::Auto,
        Some(spec) if spec.value == "off" => Cri::Off,
        Some(spec) if spec.value.starts_with('/') => Cri::Socket(PathBuf::from(spec.value)),
        Some(spec) => {
            problems.add(spec.referenced, format_args!(
                "`{}` is not a container runtime's socket; write `auto`, `off` or an absolute path such as `/run/containerd/containerd.sock`",
                spec.value
            ));
            Cri::default()
        }
    }
}

fn node_name(spec: Spanned<String>, problems: &mut Problems<'_>) -> Option<String> {
    // What may stand in a field selector without being read as a part of it.
    let fits = (1..=MAX_NODE_BYTES).contains(&spec.value.len())
        && spec
            .value
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte));
    if !fits {
        problems.add(spec.referenced, format_args!(
            "`{}` is not a node's name; give it as `kubectl get nodes` prints it: lower-case letters, digits, `-` and `.`",
            spec.value.chars().take(MAX_NODE_BYTES).collect::<String>()
        ));
    }
    fits.then_some(spec.value)
}

/// `https://host[:port]`, and nothing after it.
fn https(spec: &Spanned<String>, problems: &mut Problems<'_>) -> Option<HttpsAddress> {
    let address = spec.value.parse::<http::Uri>().ok().and_then(|uri| {
        let host = uri.host().filter(|host| !host.is_empty())?;
        // Neither a user before the host nor anything but a port after it.
        let port = match uri.authority()?.as_str().strip_prefix(host)? {
            "" => HTTPS_PORT,
            _ => uri.port_u16()?,
        };
        let bare =
            uri.scheme_str() == Some("https") && matches!(uri.path(), "" | "/") && uri.query().is_none();
        bare.then(|| HttpsAddress {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
        })
    });
    if address.is_none() {
        problems.add(
            spec.referenced,
            format_args!(
                "`{}` is not an HTTPS server; write for example `https://10.0.0.1:6443`",
                spec.value
            ),
        );
    }
    address
}

/// Not read here: the token is the node's, and changes.
fn token_file(spec: Option<Spanned<String>>, problems: &mut Problems<'_>) -> PathBuf {
    spec.and_then(|spec| absolute(spec, problems))
        .unwrap_or_else(|| PathBuf::from(SERVICE_ACCOUNT_TOKEN))
}

fn roots(spec: Option<Spanned<String>>, problems: &mut Problems<'_>) -> PathBuf {
    spec.and_then(|spec| ca_file(spec, problems))
        .unwrap_or_else(|| PathBuf::from(SERVICE_ACCOUNT_CA))
}

fn spiffe(spec: &SpiffeSpec, problems: &mut Problems<'_>) -> Option<Spiffe> {
    let domain = &spec.trust_domain;
    let fits = (1..=MAX_TRUST_DOMAIN_BYTES).contains(&domain.value.len())
        && domain
            .value
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte));
    if !fits {
        problems.add(domain.referenced, format_args!(
            "`{}` is not a trust domain; write its name alone, as in `example.org`: lower-case letters, digits, `.`, `-` and `_`",
            domain.value.chars().take(MAX_TRUST_DOMAIN_BYTES).collect::<String>()
        ));
    }
    fits.then(|| Spiffe {
        trust_domain: domain.value.clone(),
    })
}

fn hash_limit(spec: Option<Spanned<String>>, problems: &mut Problems<'_>) -> u64 {
    let Some(spec) = spec else {
        return DEFAULT_HASH_LIMIT_BYTES;
    };
    let Some(bytes) = problems.take(spec.referenced, quantity::bytes(&spec.value)) else {
        return DEFAULT_HASH_LIMIT_BYTES;
    };
    if !(MIN_HASH_LIMIT_BYTES..=MAX_HASH_LIMIT_BYTES).contains(&bytes) {
        problems.add(
            spec.referenced,
            format_args!(
                "a hash limit of `{}` is out of range; give 1 MiB to 64 GiB",
                spec.value
            ),
        );
    }
    bytes
}
