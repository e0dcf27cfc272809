use super::*;

/// Keys are put together here, so that no scanner takes this file for a leak.
const A: &str = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0";
const HEX: &str = "0123456789abcdef0123456789abcdef";
const DIGITS: &str = "123456789012";

fn a(n: usize) -> String {
    A.chars().cycle().take(n).collect()
}

/// For every detector: keys it finds whole, and texts it lets pass.
fn cases() -> Vec<(&'static str, Vec<String>, Vec<String>)> {
    let s = |parts: &[&str]| parts.concat();
    let word = "reallylongwordswithoutanydigitsinthem";
    vec![
        (
            "secret.openai",
            vec![
                s(&["sk", "-", &a(20), "T3BlbkFJ", &a(20)]),
                s(&["sk", "-proj-", &a(74), "_T3BlbkFJ-", &a(74)]),
                s(&["sk", "-svcacct-", &a(60)]),
                s(&["sk", "-", HEX]),
            ],
            vec![
                s(&["sk", "-toggleable-control-2-hidden-checkbox"]),
                s(&["sk", "-", &"x".repeat(48)]),
                s(&["task", "-", &a(40)]),
                s(&["sk", "-", &a(12)]),
                s(&["sk", "-ant-api03-", &a(80)]),
                "sk-learn".to_owned(),
            ],
        ),
        (
            "secret.anthropic",
            vec![
                s(&["sk", "-ant-api03-", &a(93), "AA"]),
                s(&["sk", "-ant-oat01-", &a(80)]),
            ],
            vec![s(&["sk", "-ant-", word]), s(&["sk", "-ant-..."])],
        ),
        (
            "secret.openrouter",
            vec![s(&["sk", "-or-v1-", HEX, HEX])],
            vec![s(&["sk", "-or-v1-", "..."])],
        ),
        (
            "secret.google",
            vec![
                s(&["AI", "za", &a(35)]),
                s(&["GOC", "SPX-", &a(28)]),
                s(&["ya", "29.", &a(80), "-_", &a(40)]),
            ],
            vec![s(&["AI", "za", &a(20)]), s(&["xAI", "za", &a(35)])],
        ),
        (
            "secret.hugging_face",
            vec![s(&["hf", "_", &a(34)])],
            vec![s(&["hf", "_", &"x".repeat(34)]), s(&["hf", "_", word])],
        ),
        (
            "secret.groq",
            vec![s(&["gs", "k_", &a(52)])],
            vec![s(&["gs", "k_", &a(10)])],
        ),
        (
            "secret.xai",
            vec![s(&["xa", "i-", &a(80)])],
            vec![s(&["xa", "i-", word])],
        ),
        (
            "secret.perplexity",
            vec![s(&["pp", "lx-", &a(48)])],
            vec![s(&["pp", "lx-", word])],
        ),
        (
            "secret.replicate",
            vec![s(&["r8", "_", &a(37)])],
            vec![s(&["r8", "_", &a(38)]), s(&["r8", "_", &a(36)])],
        ),
        (
            "secret.nvidia",
            vec![s(&["nv", "api-", &a(64)])],
            vec![s(&["nv", "api-", &a(20)])],
        ),
        (
            "secret.fireworks",
            vec![s(&["fw", "_", &a(24)])],
            vec![s(&["fw", "_", word])],
        ),
        (
            "secret.tavily",
            vec![s(&["tv", "ly-", &a(32)]), s(&["tv", "ly-dev-", &a(32)])],
            vec![s(&["tv", "ly-", "YOUR_API_KEY"])],
        ),
        (
            "secret.langsmith",
            vec![s(&["ls", "v2_pt_", HEX, "_", &a(10)])],
            vec![s(&["ls", "v2_pt_", "x"])],
        ),
        (
            "secret.aws",
            vec![
                s(&["AK", "IAIOSFODNN7EXAMPLE"]),
                s(&["AS", "IA", "Y34FZKBOKMUTVV7A"]),
                s(&["ABS", "K", &a(120)]),
                s(&["bedrock-", "api-key-", &a(120)]),
            ],
            vec![
                s(&["AK", "IAIOSFODNN7EXAMPLEX"]),
                s(&["AK", "IAIOSFODNN7EXAMPL"]),
                s(&["XAK", "IAIOSFODNN7EXAMPLE"]),
                s(&["AK", "IA", "ABCDEFGHIJKLMNOP"]),
                s(&["AK", "IAIOSFODNN7EXAMPLe"]),
            ],
        ),
        (
            "secret.digitalocean",
            vec![s(&["do", "p_v1_", HEX, HEX])],
            vec![s(&["do", "p_v1_", HEX])],
        ),
        (
            "secret.databricks",
            vec![s(&["da", "pi", HEX]), s(&["da", "pi", HEX, "-2"])],
            vec![s(&["da", "pi", &a(32)]), s(&["da", "pi", "tests"])],
        ),
        (
            "secret.vault",
            vec![s(&["hv", "s.", &a(90)])],
            vec![s(&["hv", "s.", "short"])],
        ),
        (
            "secret.doppler",
            vec![s(&["dp", ".pt.", &a(43)])],
            vec![s(&["dp", ".pt.", "x"])],
        ),
        (
            "secret.pulumi",
            vec![s(&["pu", "l-", HEX, "01234567"])],
            vec![s(&["pu", "l-", word])],
        ),
        (
            "secret.github",
            vec![
                s(&["gh", "p_", &a(36)]),
                s(&["gh", "o_", &a(36)]),
                s(&["gh", "u_", &a(36)]),
                s(&["gh", "s_", &a(36)]),
                s(&["gh", "r_", &a(76)]),
                s(&["github", "_pat_", &a(22), "_", &a(59)]),
            ],
            vec![
                s(&["gh", "p_", &a(30)]),
                s(&["gh", "p_", &"x".repeat(36)]),
                s(&["xgh", "p_", &a(36)]),
                s(&["github", "_pat_example"]),
            ],
        ),
        (
            "secret.gitlab",
            vec![
                s(&["gl", "pat-", &a(20)]),
                s(&["gl", "pat-", &a(27), ".01.", &a(9)]),
                s(&["gl", "rt-", &a(20)]),
            ],
            vec![s(&["gl", "pat-", word]), s(&["gl", "pat-", &a(10)])],
        ),
        (
            "secret.npm",
            vec![s(&["np", "m_", &a(36)])],
            vec!["npm_config_user_agent_something_long_enough_to_look".to_owned()],
        ),
        (
            "secret.pypi",
            vec![s(&["py", "pi-AgEIcHlwaS5vcmc", &a(100)])],
            vec![s(&["py", "pi-", &a(100)])],
        ),
        (
            "secret.docker",
            vec![s(&["dc", "kr_pat_", &a(27)])],
            vec![s(&["dc", "kr_pat_", "x"])],
        ),
        (
            "secret.rubygems",
            vec![s(&["ruby", "gems_", HEX, "0123456789abcdef"])],
            vec!["rubygems_version".to_owned()],
        ),
        (
            "secret.slack",
            vec![
                s(&["xo", "xb-", DIGITS, "-", DIGITS, "-", &a(24)]),
                s(&["xo", "xp-", DIGITS, "-", DIGITS, "-", DIGITS, "-", HEX]),
                s(&["xa", "pp-1-A0", DIGITS, "-", DIGITS, "-", HEX]),
                s(&[
                    "https://hooks.slack",
                    ".com/services/T00A1B2C3/B00A1B2C3/",
                    &a(24),
                ]),
            ],
            vec![s(&["xo", "xb-your-token-here-please"]), s(&["xo", "xb-", DIGITS])],
        ),
        (
            "secret.sendgrid",
            vec![s(&["S", "G.", &a(22), ".", &a(43)])],
            vec![s(&["S", "G.", &a(22)]), s(&["MS", "G.", &a(22), ".", &a(43)])],
        ),
        (
            "secret.mailgun",
            vec![s(&["ke", "y-", HEX])],
            vec![
                s(&["ke", "y-", HEX, "0"]),
                s(&["ke", "y-", &a(32)]),
                s(&["mon", "key-", HEX]),
            ],
        ),
        (
            "secret.notion",
            vec![s(&["nt", "n_", &a(46)])],
            vec![s(&["nt", "n_", &a(12)])],
        ),
        (
            "secret.linear",
            vec![s(&["li", "n_api_", &a(40)])],
            vec![s(&["li", "n_api_", "x"])],
        ),
        (
            "secret.atlassian",
            vec![s(&["AT", "ATT3xFf", &a(180), "=", "6AB12C3D"])],
            vec![s(&["AT", "ATT3xFf", &a(20)])],
        ),
        (
            "secret.figma",
            vec![s(&["fi", "gd_", &a(40)])],
            vec![s(&["fi", "gd_", &a(12)])],
        ),
        (
            "secret.stripe",
            vec![
                s(&["sk", "_live_", &a(24)]),
                s(&["sk", "_test_", &a(99)]),
                s(&["rk", "_live_", &a(24)]),
                s(&["wh", "sec_", &a(32)]),
            ],
            vec![
                s(&["pk", "_live_", &a(24)]),
                s(&["sk", "_live_", &a(12)]),
                s(&["ri", "sk", "_live_", &a(24)]),
                s(&["sk", "_test_", word]),
            ],
        ),
        (
            "secret.shopify",
            vec![s(&["sh", "pat_", HEX])],
            vec![s(&["sh", "pat_", &a(32)])],
        ),
        (
            "secret.square",
            vec![s(&["sq", "0atp-", &a(22)])],
            vec![s(&["sq", "0atp-", &a(8)])],
        ),
        (
            "secret.grafana",
            vec![s(&["gl", "sa_", &a(32), "_0123abcd"]), s(&["gl", "c_", &a(80)])],
            vec![s(&["gl", "sa_", "x"])],
        ),
        (
            "secret.new_relic",
            vec![s(&["NR", "AK-", "A1B2C3D4E5F6G7H8I9J0K1L2M3N"])],
            vec![s(&["NR", "AK-", "SHORT1"])],
        ),
        (
            "secret.sentry",
            vec![s(&["sn", "trys_", &a(120)])],
            vec![s(&["sn", "trys_", "x"])],
        ),
        (
            "secret.jwt",
            vec![
                s(&[
                    "ey",
                    "JhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ",
                    "zdWIiOiIxMjM0NTY3ODkwIn0.",
                    &a(43),
                ]),
                s(&["ey", "J", &a(40), ".ey", "J", &a(700), ".", &a(342)]),
                s(&["ey", "JhbGciOi", &a(900), ".ey", "J", &a(900), ".", &a(342)]),
                s(&[
                    "ey",
                    "JlbmMiOi",
                    &a(40),
                    ".",
                    &a(80),
                    ".",
                    &a(16),
                    ".",
                    &a(300),
                    ".",
                    &a(22),
                ]),
            ],
            vec![
                s(&["ey", "J", &a(60)]),
                s(&["ey", "Jhb.", &a(60)]),
                s(&["k", "ey", "JhbGciOi", &a(40), ".ey", "J", &a(20)]),
                "eyJust.looking.around".to_owned(),
            ],
        ),
        (
            "secret.age",
            vec![s(&[
                "AGE-SECRET",
                "-KEY-1",
                &"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".repeat(2)[..58],
            ])],
            vec![s(&["AGE-SECRET", "-KEY-1", "..."])],
        ),
        ("secret.private_key", private_keys(), {
            let label = ["-----BEGIN", " RSA PRIVATE KEY-----"].concat();
            vec![
                format!("look for {label} in the file, it marks the key"),
                format!("{label}\nMIIE...\n-----END RSA PRIVATE KEY-----"),
                format!("{}\n{}\n", label.replace("PRIVATE", "PUBLIC"), A.repeat(4)),
                format!(
                    "{}\n{}\n",
                    label.replace("RSA PRIVATE KEY", "CERTIFICATE"),
                    A.repeat(4)
                ),
                label,
            ]
        }),
    ]
}

fn private_keys() -> Vec<String> {
    let body = |lines: usize, end: &str| (a(64) + end).repeat(lines) + &a(11) + "=" + end;
    let pem = |label: &str, head: &str, end: &str| {
        format!(
            "-----BEGIN {label}-----{end}{head}{}-----END {label}-----",
            body(24, end)
        )
    };
    vec![
        pem("RSA PRIVATE KEY", "", "\n"),
        pem("PRIVATE KEY", "", "\r\n"),
        pem("OPENSSH PRIVATE KEY", "", "\\n"),
        pem("EC PRIVATE KEY", "", "\n    "),
        pem(
            "RSA PRIVATE KEY",
            "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF0123456789ABCDEF\n\n",
            "\n",
        ),
        pem("PGP PRIVATE KEY BLOCK", "Version: GnuPG v2 (GNU/Linux)\n\n", "\n"),
        pem("PRIVATE KEY", "", " "),
        pem("RSA PRIVATE KEY", "", "\n    /// "),
        pem("RSA PRIVATE KEY", "", "\n// "),
        pem("RSA PRIVATE KEY", "", "\n# "),
        pem("RSA PRIVATE KEY", "", "\\n\" +\n    \""),
        format!("-----BEGIN PRIVATE KEY-----\n{}\n{}", a(64), a(64)),
    ]
}

#[test]
fn every_detector_has_cases() {
    let cases = cases();
    let covered: Vec<String> = cases
        .iter()
        .map(|case| case.0.to_owned())
        .chain(super::issuers::names())
        .collect();
    for detector in crate::detectors::key_rules::detectors().filter(|d| !d.rules.is_empty()) {
        assert!(
            covered.iter().any(|name| name == detector.name),
            "no case for {}",
            detector.name
        );
    }
    assert!(cases.iter().all(|case| !case.1.is_empty() && !case.2.is_empty()));
}

#[test]
fn keys_are_found_whole() {
    for (detector, keys, _) in cases() {
        for key in keys {
            finds(detector, &key, &key);
            assert_eq!(
                found(&[detector], &key),
                [(detector, key.clone())],
                "selected alone"
            );
            for (before, after) in [
                ("key=", "\n"),
                ("Bearer ", "\r\n"),
                ("\"", "\""),
                ("'", "',"),
                ("`", "`"),
                ("export X=", ";"),
                ("密钥", "。"),
                ("https://x.example/?k=", "&b=c"),
                ("\\n", "\\n"),
                ("%3D", "%26"),
                ("(", ")."),
                ("see ", " and go on"),
            ] {
                if detector == "secret.private_key"
                    && (after.contains(['\\', '"', '\'', ' ', '\r', '\n']) && !key.ends_with("-----"))
                {
                    continue;
                }
                finds(detector, &format!("{before}{key}{after}"), &key);
            }
        }
    }
}

#[test]
fn what_only_looks_like_a_key_passes() {
    for (detector, _, others) in cases() {
        for text in others {
            passes(detector, &text);
            passes(detector, &format!("say {text} again"));
        }
    }
}

#[test]
fn prose_after_an_unfinished_key_stays() {
    let text = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n{}\n\nThat was the key, cut off.",
        a(64),
        a(64)
    );
    let clean = {
        let detectors = Detectors::compile(&["secret.*"]).unwrap();
        let mut out = Vec::new();
        assert_eq!(detectors.scan(&text, &mut out), Scanned::Whole);
        redact(&text, &out)
    };
    assert_eq!(clean, "[REDACTED:private_key]\n\nThat was the key, cut off.");
}
