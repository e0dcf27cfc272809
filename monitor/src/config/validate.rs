//! Specification → configuration. Each rule here has one message that says what to write instead.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use monitor_content::DetectorCatalog;
use monitor_protocol::{Api, Operation};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_saphyr::{Location, Spanned};

use super::error::{ConfigError, Problems};
use super::spec::{
    ConfigSpec, EndpointSpec, EventsSpec, InterceptSpec, NamesSpec, NodeSpec, OneOrMany, PolicySpec,
    SelectorSpec, SinkSpec,
};
use super::{
    Config, Coverage, DEFAULT_DRAIN_MS, DEFAULT_LISTEN, DEFAULT_PIN_DIR, DEFAULT_PLAIN_PORTS, DEFAULT_PORTS,
    DEFAULT_REQUEST_LIMIT_BYTES, DEFAULT_RUN_DIR, DEFAULT_STATE_DIR, Endpoint, Events, FileSink, Glob,
    Guardrail, Intercept, MAX_DRAIN_MS, MAX_REQUEST_LIMIT_BYTES, MIN_REQUEST_LIMIT_BYTES, NameRule, Node,
    Policy, Selector, Sink, budget, cluster, condition, detectors, guardrail, identity, prices, quantity,
    usage, users,
};

use crate::expression::Scope;

/// Longest name of a policy or provider; it becomes a label of records.
const MAX_NAME_BYTES: usize = 63;
/// Where the kernel says the host's name (proc_sys_kernel(5)).
const HOST_NAME: &str = "/proc/sys/kernel/hostname";
/// Longest name of an owner.
const MAX_OWNER_BYTES: usize = 128;
/// Longest host name (RFC 1035 section 2.3.4).
const MAX_HOST_BYTES: usize = 253;
/// Longest label of a host name (RFC 1035 section 2.3.4).
const MAX_LABEL_BYTES: usize = 63;

/// What policies may name of the rest of the configuration.
#[derive(Clone, Copy)]
struct Known<'a> {
    detectors: &'a DetectorCatalog,
    guardrails: &'a [Guardrail],
}

pub(super) fn config(spec: ConfigSpec, path: &Path) -> Result<Config, ConfigError> {
    let mut problems = Problems::new(path);
    let is_clustered = spec.cluster.is_some();
    let cluster = spec
        .cluster
        .and_then(|cluster| cluster::cluster(cluster, &mut problems));
    let around = budget::Surroundings {
        models: None,
        cluster: is_clustered,
        shared_fingerprints: cluster
            .as_ref()
            .is_some_and(|cluster| cluster.fingerprint_key_file.is_some()),
    };
    let own = detectors::detectors(spec.detectors.unwrap_or_default(), &mut problems);
    let guardrails = guardrail::guardrails(spec.guardrails.unwrap_or_default(), &mut problems);
    let known = Known {
        detectors: &own.catalog,
        guardrails: &guardrails,
    };
    let policies = policies(spec.policies.unwrap_or_default(), around, known, &mut problems);
    let config = Config {
        node: node(spec.node.unwrap_or_default(), &mut problems),
        intercept: intercept(spec.intercept.unwrap_or_default(), &mut problems),
        identity: identity::identity(spec.identity.unwrap_or_default(), &mut problems),
        cluster,
        prices: prices::prices(spec.prices.unwrap_or_default(), &mut problems),
        policies,
        detectors: own,
        guardrails,
        usage: usage::usage(spec.usage.unwrap_or_default(), &mut problems),
        events: events(spec.events.unwrap_or_default(), &mut problems),
    };
    problems.finish(config)
}

fn node(spec: NodeSpec, problems: &mut Problems<'_>) -> Node {
    let cgroup = spec
        .cgroup
        .filter(|cgroup| cgroup.value != "auto")
        .and_then(|cgroup| absolute(cgroup, problems));
    let mut directory = |spec: Option<Spanned<String>>, default: &str| {
        spec.and_then(|spec| absolute(spec, problems))
            .unwrap_or_else(|| PathBuf::from(default))
    };
    let state_dir = directory(spec.state_dir, DEFAULT_STATE_DIR);
    let run_dir = directory(spec.run_dir, DEFAULT_RUN_DIR);
    let pin_dir = directory(spec.pin_dir, DEFAULT_PIN_DIR);
    Node {
        name: node_name(spec.name, problems),
        cgroup,
        state_dir,
        run_dir,
        listen: listen(spec.listen, problems),
        api_users: api_users(spec.api_users, problems),
        pin_dir,
        drain_ms: drain(spec.drain, problems),
    }
}

/// The host's name where none is given; it becomes a part of keys.
fn node_name(spec: Option<Spanned<String>>, problems: &mut Problems<'_>) -> String {
    let Some(spec) = spec else {
        let name = std::fs::read_to_string(HOST_NAME).unwrap_or_default();
        return name.trim_end().to_owned();
    };
    name_within(spec, "node", MAX_HOST_BYTES, problems).unwrap_or_default()
}

fn drain(spec: Option<Spanned<String>>, problems: &mut Problems<'_>) -> u64 {
    let Some(spec) = spec else {
        return DEFAULT_DRAIN_MS;
    };
    let Some(drain_ms) = problems.take(spec.referenced, quantity::duration_ms(&spec.value)) else {
        return DEFAULT_DRAIN_MS;
    };
    if drain_ms > MAX_DRAIN_MS {
        problems.add(
            spec.referenced,
            format_args!("a drain of `{}` is out of range; give at most 24h", spec.value),
        );
    }
    drain_ms
}

fn listen(spec: Option<Spanned<String>>, problems: &mut Problems<'_>) -> SocketAddr {
    let (text, at) = spec.map_or((DEFAULT_LISTEN.to_owned(), Location::UNKNOWN), |spec| {
        (spec.value, spec.referenced)
    });
    let default = SocketAddr::from(([127, 0, 0, 1], 0));
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => address,
        Ok(address) => {
            problems.add(at, format_args!(
                "{} is not a loopback address; metrics and health are served to this host only: write for example `{DEFAULT_LISTEN}`",
                address.ip()
            ));
            default
        }
        Err(_) => {
            problems.add(
                at,
                format_args!("`{text}` is not an address and port; write for example `{DEFAULT_LISTEN}`"),
            );
            default
        }
    }
}

fn api_users(spec: Option<OneOrMany>, problems: &mut Problems<'_>) -> Vec<users::Uid> {
    let Some(spec) = spec else { return Vec::new() };
    let passwd = problems.take(
        spec.at,
        std::fs::read_to_string("/etc/passwd")
            .map_err(|error| format!("cannot read /etc/passwd: {error}; give users by number")),
    );
    let passwd = passwd.unwrap_or_default();
    let mut uids = Vec::with_capacity(spec.values.len());
    for user in spec.values {
        match users::uid(&user.value, &passwd) {
            Some(uid) => uids.push(uid),
            None => problems.add(
                user.referenced,
                format_args!(
                    "no user `{}` on this host; give a name from /etc/passwd or a number",
                    user.value
                ),
            ),
        }
    }
    uids
}

fn intercept(spec: InterceptSpec, problems: &mut Problems<'_>) -> Intercept {
    let mut seen = HashSet::new();
    let (matches, older_connections) = (
        spec.matches.unwrap_or_default(),
        spec.older_connections.unwrap_or_default(),
    );
    let mut endpoints = Vec::new();
    for spec in spec.endpoints.unwrap_or_default() {
        let at = spec.host.referenced;
        let Some(endpoint) = endpoint(spec, problems) else {
            continue;
        };
        for port in &endpoint.ports {
            if !seen.insert((endpoint.host.clone(), *port)) {
                problems.add(
                    at,
                    format_args!(
                        "{}:{port} is already an endpoint above; remove one",
                        endpoint.host
                    ),
                );
            }
        }
        endpoints.push(endpoint);
    }
    let files = spec.upstream_ca.map(|list| list.values).unwrap_or_default();
    Intercept {
        matches,
        older_connections,
        endpoints,
        upstream_ca: files
            .into_iter()
            .filter_map(|file| ca_file(file, problems))
            .collect(),
        request_limit_bytes: request_limit(spec.request_limit, problems),
    }
}

fn endpoint(spec: EndpointSpec, problems: &mut Problems<'_>) -> Option<Endpoint> {
    let host = host(&spec.host, problems);
    let api = problems.take(spec.api.referenced, spec.api.value.parse::<Api>());
    let tls = spec.tls.unwrap_or(true);
    if let (false, Some(file)) = (tls, &spec.upstream_ca) {
        problems.add(
            file.referenced,
            "there is no certificate to verify where `tls` is false; remove `upstream_ca`",
        );
    }
    let ports = match spec.ports {
        None if tls => DEFAULT_PORTS.to_vec(),
        None => DEFAULT_PLAIN_PORTS.to_vec(),
        Some(list) => {
            if list.value.is_empty() {
                problems.add(
                    list.referenced,
                    "the list names no port; write for example `ports: [443]`, or leave it out",
                );
            }
            list.value
                .iter()
                .filter_map(|port| {
                    let number = u16::try_from(port.value).ok().filter(|&number| number != 0);
                    if number.is_none() {
                        problems.add(
                            port.referenced,
                            format_args!("{} is not a port; give a number from 1 to 65535", port.value),
                        );
                    }
                    number
                })
                .collect()
        }
    };
    let name = spec.name.and_then(|spec| name(spec, "provider", problems));
    let upstream_ca = spec.upstream_ca.and_then(|file| ca_file(file, problems));
    Some(Endpoint {
        host: host?,
        ports,
        tls,
        api: api?,
        upstream_ca,
        name,
    })
}

/// A host name in lower case, or `*.` and one.
fn host(spec: &Spanned<String>, problems: &mut Problems<'_>) -> Option<String> {
    let host = spec.value.to_ascii_lowercase();
    let name = host.strip_prefix("*.").unwrap_or(&host);
    let label = |label: &str| {
        (1..=MAX_LABEL_BYTES).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.len() <= MAX_HOST_BYTES
        && name.split('.').all(label)
        && name.parse::<std::net::Ipv4Addr>().is_err()
    {
        return Some(host);
    }
    problems.add(spec.referenced, format_args!(
        "`{}` is not a host name; write the name that clients connect to, as in `llm.corp.example`, or `*.llm.corp.example` (no scheme, port or address)",
        spec.value
    ));
    None
}

fn request_limit(spec: Option<Spanned<String>>, problems: &mut Problems<'_>) -> u64 {
    let Some(spec) = spec else {
        return DEFAULT_REQUEST_LIMIT_BYTES;
    };
    let Some(bytes) = problems.take(spec.referenced, quantity::bytes(&spec.value)) else {
        return DEFAULT_REQUEST_LIMIT_BYTES;
    };
    if !(MIN_REQUEST_LIMIT_BYTES..=MAX_REQUEST_LIMIT_BYTES).contains(&bytes) {
        problems.add(
            spec.referenced,
            format_args!(
                "a request limit of `{}` is out of range; give 64 KiB to 1 GiB",
                spec.value
            ),
        );
    }
    bytes
}

fn policies(
    specs: Vec<PolicySpec>,
    around: budget::Surroundings<'_>,
    known: Known<'_>,
    problems: &mut Problems<'_>,
) -> Vec<Policy> {
    let mut seen = HashSet::new();
    let mut policies = Vec::with_capacity(specs.len());
    for spec in specs {
        let at = spec.name.referenced;
        let coverage = coverage(&spec, problems);
        let name = name(spec.name, "policy", problems).unwrap_or_default();
        if !name.is_empty() && !seen.insert(name.clone()) {
            problems.add(at, format_args!("a policy `{name}` already exists above; records tell policies apart by name: give this one another"));
        }
        let models = spec.models.map(|models| {
            const EMPTY: &str =
                "allows no model, which would deny every request; name the allowed ones, or remove `models`";
            globs(models.allow, EMPTY, problems)
        });
        let around = budget::Surroundings {
            models: models.as_deref(),
            ..around
        };
        policies.push(Policy {
            name,
            owner: spec.owner.and_then(|spec| owner(spec, problems)),
            workloads: selector(spec.workloads.unwrap_or_default(), problems),
            mode: spec.mode.unwrap_or_default(),
            operations: operations(spec.operations.unwrap_or_default(), problems),
            when: spec
                .when
                .and_then(|when| condition::expression(&when, Scope::Exchange, problems)),
            deny: condition::denials(spec.deny.unwrap_or_default(), problems),
            max_prompt: spec
                .max_prompt
                .and_then(|limit| condition::prompt_limit(&limit, problems)),
            languages: spec
                .languages
                .map(|languages| condition::languages(languages, problems)),
            tools: tools(spec.tools.unwrap_or_default(), problems),
            meter: spec.meter.unwrap_or_default(),
            on_detector_limit: spec.on_detector_limit.unwrap_or_default(),
            budgets: budget::budgets(spec.budgets.unwrap_or_default(), around, problems),
            models,
            content: spec
                .content
                .unwrap_or_default()
                .into_iter()
                .enumerate()
                .map(|(index, spec)| spec.check(index, known.detectors, problems))
                .collect(),
            guardrails: spec
                .guardrails
                .unwrap_or_default()
                .into_iter()
                .map(|spec| spec.check(known.guardrails, problems))
                .collect(),
            coverage,
        });
    }
    policies
}

/// Who answers for a policy: a name or an address, which records carry as it is written.
fn owner(spec: Spanned<String>, problems: &mut Problems<'_>) -> Option<String> {
    let fits = (1..=MAX_OWNER_BYTES).contains(&spec.value.len()) && !spec.value.chars().any(char::is_control);
    if !fits {
        problems.add(
            spec.referenced,
            format_args!("`{}` is not an owner; use 1 to {MAX_OWNER_BYTES} bytes without control characters, as in `team-payments`", shown(&spec.value)),
        );
    }
    fits.then_some(spec.value)
}

/// What the kernel decides without the agent, it decides by the cgroup: a policy that asks for it must choose whole cgroups.
fn coverage(spec: &PolicySpec, problems: &mut Problems<'_>) -> Coverage {
    let by_process = spec
        .workloads
        .as_ref()
        .is_some_and(|workloads| workloads.user.is_some() || workloads.exe.is_some());
    let mut by_cgroup = |key: &str, at: Option<Location>| {
        if let Some(at) = at.filter(|_| by_process) {
            problems.add(at, format_args!(
                "`{key}` is decided in the kernel, by the cgroup; a policy with it cannot select by `user` or `exe`: select by `cgroup`, `unit`, `namespace` or another property of the whole cgroup"
            ));
        }
    };
    by_cgroup("match", spec.matches.as_ref().map(|value| value.referenced));
    by_cgroup(
        "on_agent_down",
        spec.on_agent_down.as_ref().map(|value| value.referenced),
    );
    by_cgroup("on_bypass", spec.on_bypass.as_ref().map(|value| value.referenced));
    by_cgroup("quic", spec.quic.as_ref().map(|value| value.referenced));
    Coverage {
        matches: spec.matches.as_ref().map(|value| value.value),
        on_agent_down: spec.on_agent_down.as_ref().map(|value| value.value),
        on_bypass: spec.on_bypass.as_ref().map(|value| value.value),
        quic: spec.quic.as_ref().map(|value| value.value),
        on_untrusted_ca: spec.on_untrusted_ca.as_ref().map(|value| value.value),
        on_unknown: spec.on_unknown.as_ref().map(|value| value.value),
    }
}

/// Patterns of operations, each of which names one at least.
pub(super) fn operation_globs(list: OneOrMany, empty: &str, problems: &mut Problems<'_>) -> Vec<Glob> {
    for pattern in &list.values {
        let known = Glob::new(&pattern.value).is_ok_and(|glob| {
            Operation::ALL
                .iter()
                .any(|operation| glob.matches(operation.name()))
        });
        if !known {
            let names: Vec<_> = Operation::ALL.iter().map(|operation| operation.name()).collect();
            problems.add(
                pattern.referenced,
                format_args!(
                    "`{}` is no operation; write one of {}, or a pattern of them",
                    pattern.value,
                    names.join(", ")
                ),
            );
        }
    }
    globs(list, empty, problems)
}

fn operations(spec: NamesSpec, problems: &mut Problems<'_>) -> NameRule {
    let mut list = |spec: Option<OneOrMany>, empty: &str| Some(operation_globs(spec?, empty, problems));
    NameRule {
        allow: list(
            spec.allow,
            "allows no operation, which would deny every request; name the allowed ones, or remove `allow`",
        ),
        deny: list(
            spec.deny,
            "denies nothing; name the denied operations, or remove `deny`",
        )
        .unwrap_or_default(),
    }
}

fn tools(spec: NamesSpec, problems: &mut Problems<'_>) -> NameRule {
    let mut list = |spec: Option<OneOrMany>, empty: &str| Some(globs(spec?, empty, problems));
    NameRule {
        allow: list(
            spec.allow,
            "allows no tool; name the allowed ones, write `deny: [\"*\"]` to deny all, or remove `allow`",
        ),
        deny: list(
            spec.deny,
            "denies nothing; name the denied tools, or remove `deny`",
        )
        .unwrap_or_default(),
    }
}

fn selector(spec: SelectorSpec, problems: &mut Problems<'_>) -> Selector {
    let mut list = |spec: Option<OneOrMany>| {
        let empty =
            "lists nothing and would select no workload; name at least one, or remove the key to select all";
        spec.map(|spec| globs(spec, empty, problems)).unwrap_or_default()
    };
    Selector {
        users: list(spec.user),
        exes: list(spec.exe),
        cgroups: list(spec.cgroup),
        units: list(spec.unit),
        namespaces: list(spec.namespace),
        pods: list(spec.pod),
        labels: spec
            .labels
            .unwrap_or_default()
            .into_iter()
            .map(|(key, values)| (key, list(Some(values))))
            .collect(),
        service_accounts: list(spec.service_account),
        containers: list(spec.container),
        images: list(spec.image),
        spiffe: list(spec.spiffe),
    }
}

fn events(spec: EventsSpec, problems: &mut Problems<'_>) -> Events {
    let mut seen = HashSet::new();
    let mut sinks = Vec::new();
    for SinkSpec::File(spec) in spec.sinks.unwrap_or_default() {
        let at = spec.path.referenced;
        let Some(path) = absolute(spec.path, problems) else {
            continue;
        };
        if !seen.insert(path.clone()) {
            problems.add(
                at,
                format_args!(
                    "another sink above writes to {} already; give each its own file",
                    path.display()
                ),
            );
        }
        sinks.push(Sink::File(FileSink {
            path,
            format: spec.format.unwrap_or_default(),
        }));
    }
    Events { sinks }
}

pub(super) fn globs(list: OneOrMany, empty: &str, problems: &mut Problems<'_>) -> Vec<Glob> {
    if list.values.is_empty() {
        problems.add(list.at, format_args!("the list {empty}"));
    }
    list.values
        .into_iter()
        .filter_map(|value| problems.take(value.referenced, Glob::new(&value.value)))
        .collect()
}

/// A name that records and labels can carry.
pub(super) fn name(spec: Spanned<String>, what: &str, problems: &mut Problems<'_>) -> Option<String> {
    name_within(spec, what, MAX_NAME_BYTES, problems)
}

fn name_within(
    spec: Spanned<String>,
    what: &str,
    most_bytes: usize,
    problems: &mut Problems<'_>,
) -> Option<String> {
    let fits = (1..=most_bytes).contains(&spec.value.len())
        && spec
            .value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !fits {
        problems.add(
            spec.referenced,
            format_args!(
                "`{}` is not a {what} name; use 1 to {most_bytes} letters, digits, `-`, `_` or `.`",
                shown(&spec.value)
            ),
        );
    }
    fits.then_some(spec.value)
}

/// The beginning of a text, for a message.
fn shown(text: &str) -> String {
    text.chars().take(MAX_NAME_BYTES).collect()
}

pub(super) fn absolute(spec: Spanned<String>, problems: &mut Problems<'_>) -> Option<PathBuf> {
    let path = PathBuf::from(spec.value);
    if path.is_absolute() {
        return Some(path);
    }
    problems.add(
        spec.referenced,
        format_args!("`{}` is not an absolute path; begin it with `/`", path.display()),
    );
    None
}

/// A PEM file that holds at least one certificate usable as a root, and nothing unusable.
pub(super) fn ca_file(spec: Spanned<String>, problems: &mut Problems<'_>) -> Option<PathBuf> {
    let at = spec.referenced;
    let path = absolute(spec, problems)?;
    problems.take(at, usable_roots(&path))?;
    Some(path)
}

fn usable_roots(path: &Path) -> Result<(), String> {
    let pem = std::fs::read(path).map_err(|error| {
        format!(
            "cannot read the CA file {}: {error}; give a PEM file that the agent may read",
            path.display()
        )
    })?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()))
            .map_err(|error| {
                format!(
                    "the CA file {} has an unusable certificate: {error}; replace or remove it",
                    path.display()
                )
            })?;
    }
    if roots.is_empty() {
        return Err(format!(
            "the CA file {} holds no certificate; give one or more in PEM form",
            path.display()
        ));
    }
    Ok(())
}
