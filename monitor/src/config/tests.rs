use std::path::{Path, PathBuf};

use monitor_budget::Window;

use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("weir.yaml"))
}

/// The problems of a text, each as `line:column: message`.
fn problems(text: &str) -> Vec<String> {
    let error = parse(text).expect_err("the text is not valid");
    let displayed = error.to_string();
    error
        .problems()
        .iter()
        .map(|problem| {
            assert!(displayed.contains(&problem.to_string()));
            assert_eq!(problem.path, Path::new("weir.yaml"));
            format!("{}:{}: {}", problem.line, problem.column, problem.message)
        })
        .collect()
}

#[track_caller]
fn refuses(text: &str, at: &str, says: &str) {
    let found = problems(text);
    assert!(
        found
            .iter()
            .any(|problem| problem.starts_with(&format!("{at}: ")) && problem.contains(says)),
        "no `{at}: …{says}…` in {found:#?}"
    );
}

#[test]
fn an_empty_file_is_the_default() {
    for text in [
        "",
        "# nothing yet\n",
        "node:\npolicies:\nevents:\nintercept:\n",
        "{}",
    ] {
        let config = parse(text).unwrap();
        assert_eq!(config.node.cgroup, None);
        assert_eq!(config.node.state_dir, Path::new("/var/lib/weir"));
        assert_eq!(config.node.socket(), Path::new("/run/weir/weir.sock"));
        assert_eq!(config.node.listen, "127.0.0.1:9469".parse().unwrap());
        assert_eq!(config.intercept.request_limit_bytes, 32 << 20);
        assert!(config.policies.is_empty() && config.events.sinks.is_empty());
    }
}

#[test]
fn reads_everything() {
    let config = parse(
        r#"
node: {cgroup: /sys/fs/cgroup/demo, state_dir: /tmp/s, run_dir: /tmp/r, listen: "[::1]:9000", api_users: [root, 1234]}
intercept:
  endpoints:
    - {host: VLLM.models.svc, api: openai, ports: [443, 8443], name: vllm}
    - {host: "*.llm.corp.example", api: anthropic}
    - {host: llama.svc, api: openai, tls: false}
  request_limit: 8 MiB
policies:
  - name: billing-bots
    workloads: {user: [bot, 1001], exe: "*/python3*", cgroup: ["/kubepods/*", "/user.slice/*"]}
    mode: observe
    models: {allow: ["gpt-4o-mini", "claude-*"]}
    operations: {allow: ["*completions", messages, other], deny: completions}
    meter: passive
    budgets:
      - {limit: 200k tokens, window: 1h, per: workload}
      - {limit: 2M tokens, window: 30d}
    content:
      - {detect: [pii.credit_card], in: [prompt], action: redact}
      - {detect: "secret.*", action: block}
  - name: everyone
events:
  sinks:
    - file: {path: /var/log/weir/events.jsonl}
    - file: {path: /var/log/weir/ocsf.jsonl, format: ocsf}
"#,
    )
    .unwrap();
    assert_eq!(config.node.cgroup, Some(PathBuf::from("/sys/fs/cgroup/demo")));
    assert_eq!(config.node.api_users, [Uid(0), Uid(1234)]);
    assert_eq!(config.intercept.endpoints[0].host, "vllm.models.svc");
    assert_eq!(config.intercept.endpoints[0].ports, [443, 8443]);
    assert_eq!(config.intercept.endpoints[1].ports, [443]);
    assert!(config.intercept.endpoints[1].tls && !config.intercept.endpoints[2].tls);
    assert_eq!(config.intercept.endpoints[2].ports, [80]);
    assert_eq!(config.intercept.request_limit_bytes, 8 << 20);
    let [bots, everyone] = &config.policies[..] else {
        panic!("two policies")
    };
    let users: Vec<_> = bots.workloads.users.iter().map(Glob::as_str).collect();
    assert_eq!(users, ["bot", "1001"]);
    assert_eq!(bots.workloads.exes.len(), 1);
    assert_eq!(bots.workloads.cgroups.len(), 2);
    assert_eq!(bots.mode, Mode::Observe);
    assert!(
        bots.models
            .as_ref()
            .unwrap()
            .iter()
            .any(|model| model.matches("claude-sonnet-4"))
    );
    let allowed: Vec<_> = monitor_protocol::Operation::ALL
        .iter()
        .map(|operation| operation.name())
        .filter(|name| bots.operations.allows(name))
        .collect();
    assert_eq!(allowed, ["chat_completions", "messages", "other"]);
    assert_eq!((bots.meter, everyone.meter), (Meter::Passive, Meter::Exact));
    assert!(everyone.operations.is_empty() && everyone.operations.allows("realtime"));
    assert_eq!(bots.budgets[0], BudgetRule::tokens(200_000, 3_600_000));
    assert_eq!(bots.budgets[1].window, Window::rolling(MAX_WINDOW_MS));
    assert_eq!(bots.content[0].parts, PartSet::prompt());
    assert_eq!(bots.content[1].parts, PartSet::ALL);
    assert_eq!(bots.content[1].action, Action::Block);
    assert_eq!(everyone.workloads, Selector::default());
    assert_eq!((everyone.mode, &everyone.models), (Mode::Enforce, &None));
    let formats: Vec<_> = config
        .events
        .sinks
        .iter()
        .map(|Sink::File(file)| file.format)
        .collect();
    assert_eq!(formats, [Format::Native, Format::Ocsf]);
}

#[test]
fn unknown_keys_and_shapes() {
    refuses(
        "node: {cgroups: auto}",
        "1:8",
        "unknown field `cgroups`, expected one of name, cgroup, state_dir",
    );
    refuses(
        "policies:\n  - name: a\n    budget: []",
        "3:5",
        "unknown field `budget`",
    );
    refuses("policies:\n  - mode: enforce", "2:5", "missing field `name`");
    refuses(
        "policies:\n  - {name: a, mode: enforced}",
        "2:21",
        "expected one of enforce, observe",
    );
    refuses("policies: [", "1:11", "");
    refuses(
        "policies:\n  - name: a\n    workloads: {exe: */python}",
        "3:22",
        "must be quoted",
    );
    refuses(
        "events:\n  sinks: [{kafka: {}}]",
        "2:12",
        "unknown variant `kafka`, expected one of file",
    );
    refuses("node: 5", "1:7", "");
    let twice = problems("node: {}\nnode: {}");
    assert!(twice[0].starts_with("2:1: duplicate"), "{twice:?}");
    for found in [problems("nodes: {}"), twice] {
        assert!(!found[0].contains("at line"), "the place is said once: {found:?}");
    }
}

#[test]
fn addresses_and_paths() {
    refuses(
        "node: {listen: 0.0.0.0:9469}",
        "1:16",
        "0.0.0.0 is not a loopback address",
    );
    refuses("node: {listen: localhost}", "1:16", "not an address and port");
    refuses("node:\n  run_dir: run", "2:12", "not an absolute path");
    refuses(
        "node: {api_users: [root, no-such-user-here]}",
        "1:26",
        "no user `no-such-user-here`",
    );
    refuses(
        "events: {sinks: [{file: {path: a.jsonl}}]}",
        "1:32",
        "not an absolute path",
    );
    refuses(
        "events:\n  sinks:\n    - file: {path: /a}\n    - file: {path: /a, format: ocsf}",
        "4:20",
        "writes to /a already",
    );
}

#[test]
fn endpoints() {
    let endpoint = |fields: &str| format!("intercept:\n  endpoints:\n    - {{{fields}}}");
    for host in [
        "https://a.example",
        "a.example:443",
        "a..b",
        "10.0.0.1",
        "*",
        "a.*.b",
        "''",
    ] {
        refuses(
            &endpoint(&format!("host: '{}', api: openai", host.trim_matches('\''))),
            "3:14",
            "not a host name",
        );
    }
    refuses(
        &endpoint("host: a.example, api: openai, ports: [0]"),
        "3:46",
        "not a port",
    );
    refuses(
        &endpoint("host: a.example, api: openai, ports: [70000]"),
        "3:46",
        "not a port",
    );
    refuses(
        &endpoint("host: a.example, api: openai, ports: []"),
        "3:45",
        "names no port",
    );
    refuses(
        &endpoint("host: a.example, api: openai, name: 'a b'"),
        "3:44",
        "not a provider name",
    );
    refuses(
        "intercept:\n  endpoints:\n  - {host: a.example, api: openai}\n  - {host: A.example, api: openai}",
        "4:12",
        "a.example:443 is already an endpoint",
    );
    refuses(
        &endpoint("host: a.example, api: telnet"),
        "3:30",
        "use one of openai, anthropic",
    );
    refuses(
        &endpoint("host: a.example, api: openai, tls: false, upstream_ca: /etc/ca.pem"),
        "3:63",
        "no certificate to verify",
    );
    refuses("intercept: {request_limit: 1 KiB}", "1:28", "64 KiB to 1 GiB");
    refuses("intercept: {request_limit: lots}", "1:28", "32 MiB");
}

#[test]
fn ca_files_must_hold_certificates() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let key = rcgen::generate_simple_self_signed(["ca.example".to_owned()]).unwrap();
    let good = file("good.pem", &key.cert.pem());
    let config = parse(&format!("intercept: {{upstream_ca: {good}}}")).unwrap();
    assert_eq!(config.intercept.upstream_ca, [PathBuf::from(&good)]);

    let empty = file("empty.pem", "nothing here");
    refuses(
        &format!("intercept: {{upstream_ca: ['{empty}']}}"),
        "1:27",
        "holds no certificate",
    );
    let broken = file(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    refuses(
        &format!("intercept: {{upstream_ca: ['{broken}']}}"),
        "1:27",
        "unusable certificate",
    );
    refuses(
        "intercept: {upstream_ca: /nonexistent/ca.pem}",
        "1:26",
        "cannot read the CA file /nonexistent/ca.pem",
    );
}

#[test]
fn policies_say_what_they_mean() {
    refuses(
        "policies: [{name: a}, {name: a}]",
        "1:30",
        "a policy `a` already exists",
    );
    refuses("policies: [{name: 'a b'}]", "1:19", "not a policy name");
    refuses(
        "policies: [{name: a, models: {allow: []}}]",
        "1:38",
        "allows no model",
    );
    refuses(
        "policies: [{name: a, workloads: {user: []}}]",
        "1:40",
        "select no workload",
    );
    refuses(
        "policies: [{name: a, workloads: {exe: ['']}}]",
        "1:40",
        "pattern is empty",
    );
    let budget = |fields: &str| format!("policies:\n- name: a\n  budgets:\n  - {{{fields}}}");
    refuses(&budget("limit: 200k, window: 1h"), "4:13", "200k tokens");
    refuses(&budget("limit: 25 EUR, window: 1h"), "4:13", "is not a limit");
    refuses(
        &budget("limit: 0 tokens, window: 1h"),
        "4:13",
        "deny every request",
    );
    refuses(&budget("limit: 1 token, window: 59s"), "4:30", "1m to 30d");
    refuses(&budget("limit: 1 token, window: 31d"), "4:30", "1m to 30d");
    refuses(
        &budget("limit: 1 token, window: 1 month"),
        "4:30",
        "not a duration",
    );
    refuses(
        &budget("limit: 1 token, window: 1h, per: team"),
        "4:39",
        "one or more of `workload`",
    );
    let content = |fields: &str| format!("policies:\n- name: a\n  content:\n  - {{{fields}}}");
    refuses(
        &content("detect: [pii.email, pii.credit_cart], action: block"),
        "4:26",
        "pii.credit_card",
    );
    refuses(
        &content("detect: 'pii*', action: block"),
        "4:14",
        "no detector is called 'pii*'",
    );
    refuses(&content("detect: [], action: block"), "4:14", "names no detector");
    refuses(
        &content("detect: [pii.email], in: [], action: block"),
        "4:31",
        "looks nowhere",
    );
    refuses(
        &content("detect: [pii.email], in: [answer], action: block"),
        "4:32",
        "write `prompt`, `response` or",
    );
    refuses(&content("detect: [pii.email]"), "4:6", "missing field `action`");
    refuses(
        &content("detect: [pii.email], in: [user, response], action: {redact: reversible}"),
        "4:31",
        "another rule for the response",
    );
    refuses(
        &content("detect: [pii.email], action: {redact: backwards}"),
        "4:35",
        "{redact: placeholder | mask | hash | reversible}",
    );
}

#[test]
fn what_is_reversible_is_in_the_prompt() {
    let rule = |action: &str| {
        let text = format!("policies:\n- name: a\n  content:\n  - {{detect: [pii.email], action: {action}}}");
        Config::parse(&text, Path::new("weir.yaml")).unwrap().policies[0].content[0].parts
    };
    assert_eq!(rule("{redact: reversible}"), PartSet::prompt());
    assert_eq!(rule("{redact: hash}"), PartSet::ALL);
}

#[test]
fn all_problems_at_once_and_in_order() {
    let found = problems("events: {sinks: [{file: {path: x}}]}\nnode: {listen: nowhere, run_dir: y}\n");
    let places: Vec<_> = found
        .iter()
        .map(|problem| problem.split(": ").next().unwrap())
        .collect();
    assert_eq!(places, ["1:32", "2:16", "2:34"]);
}

#[test]
fn files() {
    let missing = Config::load(Path::new("/nonexistent/weir.yaml")).unwrap_err();
    assert!(
        missing
            .to_string()
            .contains("cannot read the configuration /nonexistent/weir.yaml")
    );
    assert!(missing.problems().is_empty());

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("weir.yaml");
    std::fs::write(&path, "a: b").unwrap();
    assert!(
        Config::load(&path)
            .unwrap_err()
            .to_string()
            .starts_with(&format!("{}:1:1: ", path.display()))
    );
    std::fs::write(&path, vec![b'#'; 1 << 21]).unwrap();
    assert!(matches!(Config::load(&path), Err(ConfigError::TooLarge { .. })));
}

#[test]
fn reads_what_is_done_where_an_exchange_cannot_be_seen() {
    let config = parse(
        r#"
node: {pin_dir: /sys/fs/bpf/other, drain: 30m}
intercept: {match: all-tls, older_connections: close}
policies:
  - name: bots
    workloads: {namespace: billing, service_account: "bot-*", labels: {tier: [gold, silver]}, unit: "*.service"}
    match: all-tls
    on_agent_down: closed
    on_bypass: deny
    quic: pass
    on_untrusted_ca: pass
    on_unknown: hold
"#,
    )
    .unwrap();
    assert_eq!(config.node.pin_dir, Path::new("/sys/fs/bpf/other"));
    assert_eq!(config.node.drain_ms, 1_800_000);
    assert_eq!(config.intercept.matches, Match::AllTls);
    assert_eq!(config.intercept.older_connections, OlderConnections::Close);
    let policy = &config.policies[0];
    assert_eq!(
        policy.coverage,
        Coverage {
            matches: Some(Match::AllTls),
            on_agent_down: Some(OnAgentDown::Closed),
            on_bypass: Some(OnBypass::Deny),
            quic: Some(Quic::Pass),
            on_untrusted_ca: Some(OnUntrustedCa::Pass),
            on_unknown: Some(OnUnknown::Hold),
        }
    );
    assert!(policy.workloads.is_of_cgroups());
    assert_eq!(policy.workloads.labels["tier"].len(), 2);
}

#[test]
fn what_the_kernel_decides_is_decided_by_the_cgroup() {
    refuses(
        "policies:\n  - name: a\n    workloads: {exe: /bin/x}\n    on_agent_down: closed\n",
        "4:20",
        "select by `cgroup`",
    );
}

#[test]
fn tools_are_listed_by_patterns() {
    let config = parse("policies:\n  - {name: a, tools: {allow: [\"search_*\"], deny: shell}}\n").unwrap();
    let tools = &config.policies[0].tools;
    assert!(tools.allows("search_web") && !tools.allows("shell") && !tools.allows("exec"));
    refuses(
        "policies:\n  - {name: a, tools: {allow: []}}\n",
        "2:30",
        "allows no tool",
    );
}

#[test]
fn conditions_are_compiled_and_sizes_and_languages_read() {
    let config = parse(
        r#"
policies:
  - name: a
    when: 'request.operation == "chat_completions" && workload.labels["tier"] != "gold"'
    max_prompt: 32k tokens
    languages: {allow: [en, de]}
    on_detector_limit: allow
    deny:
      - {name: tools-after-injection, when: 'findings.exists(f, f.detector == "prompt_injection") && size(request.tools) > 0', owasp: LLM06}
  - {name: b, max_prompt: 256 KiB}
"#,
    )
    .unwrap();
    let [a, b] = &config.policies[..] else {
        panic!("two policies")
    };
    assert!(a.when.is_some() && b.when.is_none());
    let on_limit = [a.on_detector_limit, b.on_detector_limit];
    assert_eq!(on_limit, [OnDetectorLimit::Allow, OnDetectorLimit::Deny]);
    assert_eq!(a.max_prompt, Some(PromptLimit::Tokens(32_000)));
    assert_eq!(b.max_prompt, Some(PromptLimit::Bytes(256 << 10)));
    assert_eq!(a.languages.as_deref(), Some(&["en", "de"][..]));
    assert_eq!(
        (a.deny[0].name.as_str(), a.deny[0].owasp),
        ("tools-after-injection", Some(crate::event::Owasp::Llm06))
    );
    let shown = serde_json::to_value(a).unwrap();
    assert!(shown["when"].as_str().unwrap().starts_with("request.operation"));
}

#[test]
fn conditions_that_can_never_hold_have_a_place() {
    for (policy, at, says) in [
        ("when: 'request.model =='", "2:21", "is not CEL"),
        (
            "when: 'requst.model == \"x\"'",
            "2:21",
            "reads `requst`, which there is not",
        ),
        ("when: 'request.modle == \"x\"'", "2:21", "`request.model`"),
        ("when: 'size(findings) > 0'", "2:21", "reads `findings`"),
        ("when: '\"yes\"'", "2:21", "is no condition"),
        (
            "deny: [{name: r, when: 'nothing > 1'}]",
            "2:38",
            "may read `request`, `workload`, `findings`",
        ),
        (
            "deny: [{name: 'a b', when: 'request.stream'}]",
            "2:29",
            "is no name of a rule",
        ),
        (
            "deny: [{name: r, when: 'request.stream', owasp: LLM11}]",
            "2:63",
            "LLM01 to LLM10",
        ),
        (
            "deny: [{name: r, when: 'request.stream'}, {name: r, when: 'request.stream'}]",
            "2:64",
            "already",
        ),
        ("max_prompt: 32k", "2:27", "is not the size of a prompt"),
        ("max_prompt: 25 USD", "2:27", "is not the size of a prompt"),
        ("max_prompt: 0 tokens", "2:27", "is not the size of a prompt"),
        ("languages: {allow: [english]}", "2:35", "ISO 639-1"),
        ("languages: {allow: []}", "2:34", "allows no language"),
    ] {
        refuses(&format!("policies:\n  - {{name: a, {policy}}}\n"), at, says);
    }
}
