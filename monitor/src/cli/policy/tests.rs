use std::path::Path;

use super::*;

const CONFIG: &str = r#"
policies:
  - name: billing
    workloads: {unit: billing.service}
    mode: observe
    content:
      - {name: test-cards, detect: [pii.email], in: [document], action: allow}
      - {name: cards, detect: [pii.credit_card], in: [prompt], action: redact}
      - {name: mail, detect: [pii.email], action: alert}
      - {name: keys, detect: ["secret.*"], in: [prompt], action: block}
  - name: silent
"#;

const CASES: &str = r#"
- {name: clean, text: "nothing here", expect: allow, findings: []}
- {name: card, text: "Charge 4111 1111 1111 1111", expect: redact, findings: [pii.credit_card]}
- {name: card of the answer, part: text, text: "4111 1111 1111 1111", expect: allow}
- {name: mail, policy: billing, part: text, text: "a@example.org", expect: alert}
- {name: excepted, part: document, text: "a@example.org", expect: allow, findings: []}
- {name: strictest, text: "a@example.org 4111 1111 1111 1111", expect: redact, findings: ["pii.*"]}
- {name: key, text: "4111 1111 1111 1111 and glpat-Xv7Qm2LkP9sRt4WzB8nY", expect: block, findings: [pii.credit_card, "secret.*"]}
- {name: silent, policy: silent, text: "4111 1111 1111 1111", expect: allow}
"#;

/// Writes a configuration and cases, and runs the test.
fn policy_test(config: &str, cases: &str) -> (Result<(), CliError>, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let arguments = Test {
        cases: file("cases.yaml", cases),
        config: file("weir.yaml", config),
    };
    let mut out = Vec::new();
    let result = test(&arguments, &mut out);
    (result, String::from_utf8(out).unwrap())
}

#[test]
fn cases_pass_as_the_rules_decide() {
    let (result, out) = policy_test(CONFIG, CASES);
    assert!(result.is_ok(), "{result:?}\n{out}");
    assert_eq!(out, "8 passed, 0 failed\n");
}

#[test]
fn cases_may_be_json() {
    let cases = r#"[{"name": "card", "text": "Charge 4111 1111 1111 1111", "expect": "redact"}]"#;
    assert_eq!(policy_test(CONFIG, cases).1, "1 passed, 0 failed\n");
}

#[test]
fn tells_each_failure_and_fails() {
    let cases = r#"
- {name: right, text: "a@example.org", expect: alert}
- {name: no card, text: "4111 1111 1111 1112", expect: redact}
- name: something else
  text: "a@example.org"
  expect: alert
  findings: [pii.credit_card]
- {name: too much, text: "a@example.org 4111 1111 1111 1111", expect: redact, findings: [pii.credit_card]}
- {name: too strict, text: "4111 1111 1111 1111", expect: block}
"#;
    let (result, out) = policy_test(CONFIG, cases);
    let error = result.unwrap_err();
    assert_eq!(error.exit(), crate::cli::Exit::Failure);
    assert_eq!(error.to_string(), "4 of 5 cases failed");
    let expected = "\
CASE            LINE  EXPECTED                   GOT     FOUND
no card         3     redact                     allow   nothing
something else  4     alert of pii.credit_card   alert   pii.email (billing/mail)
too much        8     redact of pii.credit_card  redact  pii.credit_card (billing/cards), pii.email (billing/mail)
too strict      9     block                      redact  pii.credit_card (billing/cards)

1 passed, 4 failed
";
    assert_eq!(out, expected);
}

#[test]
fn a_file_that_makes_no_sense_is_told_with_line_and_column() {
    for (cases, expected) in [
        ("[]", "there is no case in it"),
        ("- {name: a, text: b}", "expect"),
        ("- {name: a, text: b, expect: pass}", "pass"),
        ("- {name: a, text: b, expect: allow, polcy: billing}", "polcy"),
        (
            "- {name: a, text: b, expect: allow, policy: none}",
            ":1:45: the configuration has no policy `none`",
        ),
        (
            "- {name: a, text: b, expect: allow, part: prompt}",
            "no such part; write one of system, user",
        ),
    ] {
        let (result, out) = policy_test(CONFIG, cases);
        let error = result.unwrap_err();
        assert_eq!(error.exit(), crate::cli::Exit::InvalidConfig, "{cases}");
        let told = error.to_string();
        assert!(
            told.contains("cases.yaml:1:") && told.contains(expected),
            "{told}"
        );
        assert_eq!(out, "");
    }
}

#[test]
fn a_missing_file_is_named() {
    let config = Config::parse(CONFIG, Path::new("weir.yaml")).unwrap();
    let error = cases::load(Path::new("/nowhere/cases.yaml"), &config).unwrap_err();
    assert!(error.to_string().contains("/nowhere/cases.yaml"), "{error}");
}

#[test]
fn the_example_is_a_valid_configuration() {
    let config = Config::parse(EXAMPLE, Path::new("example.yaml")).unwrap();
    assert!(!config.policies.is_empty());
    // It shall be safe to start with: nothing is refused or changed before somebody says so.
    for policy in &config.policies {
        assert_eq!(policy.mode, config::Mode::Observe, "{}", policy.name);
    }
}

#[test]
fn the_example_decides_as_its_comments_say() {
    let cases = include_str!("example-cases.yaml");
    let (result, out) = policy_test(EXAMPLE, cases);
    assert!(result.is_ok(), "{result:?}\n{out}");
}
