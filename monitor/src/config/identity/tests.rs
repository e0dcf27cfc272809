use std::path::Path;

use super::*;
use crate::config::{Config, ConfigError};

fn parse(text: &str) -> Result<Identity, ConfigError> {
    Config::parse(text, Path::new("weir.yaml")).map(|config| config.identity)
}

#[track_caller]
fn refuses(text: &str, at: &str, says: &str) {
    let error = parse(text).expect_err("the text is not valid").to_string();
    assert!(
        error
            .lines()
            .any(|line| line.starts_with(&format!("weir.yaml:{at}: ")) && line.contains(says)),
        "no `{at}: …{says}…` in {error}"
    );
}

#[test]
fn nothing_said_is_automatic() {
    for text in [
        "",
        "identity:\n",
        "identity: {kubernetes: auto, cri: auto, kubelet: off, command_line: false, hash_limit: 1 GiB}",
    ] {
        assert_eq!(parse(text).unwrap(), Identity::default(), "{text}");
    }
}

#[test]
fn everything_can_be_said() {
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    let key = rcgen::generate_simple_self_signed(vec!["ca".to_owned()]).unwrap();
    std::fs::write(&ca, key.cert.pem()).unwrap();
    let identity = parse(&format!(
        "
identity:
  kubernetes: {{node: worker-1.example, api: https://10.0.0.1:6443, token_file: /etc/token, ca_file: {ca}}}
  cri: /run/crio/crio.sock
  kubelet: {{api: 'https://[::1]:10250', ca_file: {ca}}}
  spiffe: {{trust_domain: example.org}}
  command_line: true
  hash_limit: 64 MiB
",
        ca = ca.display()
    ))
    .unwrap();
    let address = |host: &str, port| HttpsAddress {
        host: host.to_owned(),
        port,
    };
    let expected = Identity {
        kubernetes: Kubernetes::On(KubernetesNode {
            node: Some("worker-1.example".to_owned()),
            api: Some(address("10.0.0.1", 6443)),
            token_file: "/etc/token".into(),
            ca_file: ca.clone(),
        }),
        cri: Cri::Socket("/run/crio/crio.sock".into()),
        kubelet: Some(ApiServer {
            api: address("::1", 10250),
            token_file: SERVICE_ACCOUNT_TOKEN.into(),
            ca_file: ca,
        }),
        spiffe: Some(Spiffe {
            trust_domain: "example.org".to_owned(),
        }),
        command_line: true,
        hash_limit_bytes: 64 << 20,
    };
    assert_eq!(identity, expected);
    assert_eq!(address("::1", 10250).to_string(), "https://[::1]:10250");
}

#[test]
fn off_is_off_and_a_kubelet_can_be_an_address_alone() {
    let identity = parse("identity: {kubernetes: off, cri: off, kubelet: \"https://worker-1\"}").unwrap();
    assert_eq!(identity.kubernetes, Kubernetes::Off);
    assert_eq!(identity.cri, Cri::Off);
    assert_eq!(identity.kubelet.unwrap().api.to_string(), "https://worker-1:443");
}

#[test]
fn what_is_wrong_is_said_where_it_is() {
    refuses(
        "identity: {kubernetes: yes please}",
        "1:24",
        "not a way to find pods",
    );
    refuses(
        "identity:\n  kubernetes: {node: Worker_1}",
        "2:22",
        "not a node's name",
    );
    refuses(
        "identity:\n  kubernetes: {node: \"a,b\"}",
        "2:22",
        "not a node's name",
    );
    for wrong in [
        "http://10.0.0.1",
        "10.0.0.1:6443",
        "https://",
        "https://h/api",
        "https://u@h",
        "https://h?q",
        "https://h:99999",
    ] {
        refuses(
            &format!("identity:\n  kubernetes: {{api: \"{wrong}\"}}"),
            "2:21",
            "not an HTTPS server",
        );
    }
    refuses("identity: {kubelet: on}", "1:21", "not an HTTPS server");
    refuses("identity: {kubelet: {token_file: /t}}", "1:22", "api");
    refuses("identity: {kubernetes: {token_file: t}}", "1:37", "absolute path");
    refuses(
        "identity: {kubernetes: {ca_file: /no/such}}",
        "1:34",
        "cannot read the CA file",
    );
    refuses(
        "identity: {cri: containerd}",
        "1:17",
        "not a container runtime's socket",
    );
    refuses(
        "identity: {spiffe: {trust_domain: \"spiffe://a\"}}",
        "1:35",
        "not a trust domain",
    );
    refuses(
        "identity: {spiffe: {socket: /s, trust_domain: a}}",
        "1:21",
        "socket",
    );
    refuses("identity: {hash_limit: 1 KiB}", "1:24", "out of range");
    refuses("identity: {hash_limit: much}", "1:24", "not a size");
    refuses("identity: {kubernetes: {host: x}}", "1:25", "host");
}
