//! Connections that cannot be intercepted: what passes, what is refused, and that each is on record and counted.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::super::runner::Test;
use super::super::stage::{Stage, check_attribution, shown};
use crate::client::replay::{Ech, Heard, Talk, Turn, Until};
use crate::lab::address::{ANTHROPIC, BENCH, Host, OPENAI, ORDINARY};
use crate::lab::agent::AgentConfig;
use crate::lab::workload::{Launch, Truth};
use crate::provider::page;

/// Bytes each way: far more than a socket's buffers.
const BULK_BYTES: usize = 3_000_000;
/// Bytes of the page that is asked for.
const PAGE_BYTES: usize = 100_000;

const MODELS: &str = "https://api.openai.com/v1/models";

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new(
            "path::a_refused_certificate_passes_the_next_time",
            distrust_passes,
        ),
        Test::new("path::a_refused_certificate_is_refused_again", distrust_denied),
        Test::new("path::a_client_that_pins_is_not_guessed_at", pinned),
        Test::new("path::foreign_bytes_and_half_closes", foreign),
        Test::new("path::grease_is_ordinary", grease),
        Test::new("path::a_hidden_name_behind_an_llm_host", hidden_behind_listed),
        Test::new("path::a_hidden_name_behind_a_foreign_host", hidden_behind_foreign),
        Test::new("path::no_server_name", no_server_name),
        Test::new("path::not_tls", not_tls),
        Test::new("path::a_request_for_another_host", another_host),
    ]
}

/// `open-*` passes what cannot be intercepted, `strict-*` refuses it.
pub(super) fn policies(config: AgentConfig) -> AgentConfig {
    config
        .policy(
            "path-open",
            "path-open-*",
            "on_untrusted_ca: pass, on_bypass: pass",
        )
        .policy(
            "path-strict",
            "path-strict-*",
            "on_untrusted_ca: deny, on_bypass: deny",
        )
}

async fn distrust_passes(stage: Arc<Stage>) -> Result<()> {
    // The first refuses the certificate, the second process of the same program is not shown it.
    for outcome in ["client_distrusts_ca", "spliced_untrusted_ca"] {
        let truth = distrusting(&stage, "path-open-distrust", MODELS, outcome).await?;
        let verdict = if outcome.starts_with("spliced") {
            "passed"
        } else {
            "refused"
        };
        bypass(&stage, &truth, "untrusted_ca", verdict).await?;
    }
    // What it refused for one name says nothing of another.
    let other = "https://api.anthropic.com/v1/models";
    distrusting(&stage, "path-open-distrust", other, "client_distrusts_ca").await?;
    let metrics = stage.agent().await.page("/metrics").await?.1;
    for verdict in ["passed", "refused"] {
        let counter = format!(r#"weir_bypasses_total{{reason="untrusted_ca",verdict="{verdict}"}} "#);
        let count = metrics.lines().find_map(|line| line.strip_prefix(&counter));
        ensure!(count.is_some_and(|count| count != "0"), "{counter}{count:?}");
    }
    Ok(())
}

async fn distrust_denied(stage: Arc<Stage>) -> Result<()> {
    for _ in 0..2 {
        let truth = distrusting(&stage, "path-strict-distrust", MODELS, "client_distrusts_ca").await?;
        bypass(&stage, &truth, "untrusted_ca", "refused").await?;
    }
    Ok(())
}

/// curl that trusts the lab's CA alone: it gets an answer only from the provider itself.
async fn distrusting(stage: &Stage, name: &str, url: &str, outcome: &str) -> Result<Truth> {
    let launch = stage
        .curl(name, &["-o", "/dev/null", url])
        .trust(&stage.lab.lab_bundle());
    let (truth, output) = launch.run(&stage.lab).await?;
    let connection = connection(stage, &truth).await?;
    ensure!(connection["outcome"] == outcome, "{connection}");
    ensure!(
        output.status.success() == outcome.starts_with("spliced"),
        "{outcome}: {}",
        shown(&output)
    );
    Ok(truth)
}

async fn pinned(stage: Arc<Stage>) -> Result<()> {
    // A pin is checked after the handshake, and curl leaves without a word: so do clients that opened a connection in vain.
    let pin = [
        "--pinnedpubkey",
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ];
    for _ in 0..2 {
        let (truth, output) = stage
            .curl(
                "path-open-pinned",
                &[&pin[..], &["-o", "/dev/null", MODELS]].concat(),
            )
            .run(&stage.lab)
            .await?;
        ensure!(output.status.code() == Some(90), "{}", shown(&output));
        let connection = connection(&stage, &truth).await?;
        ensure!(connection["outcome"] == "unused", "{connection}");
    }
    Ok(())
}

/// A client of a foreign name at an LLM host's address: what it sends is not even TLS after the first message.
async fn foreign(stage: Arc<Stage>) -> Result<()> {
    let address = SocketAddr::from((stage.lab.plan.v4(BENCH), 443));
    let listener = stage
        .lab
        .internet()
        .inside(|| std::net::TcpListener::bind(address).with_context(|| format!("binding {address}")))?;
    // Reads to the end, and only then says everything back.
    let echo = std::thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard)?;
        stream.write_all(&heard)?;
        stream.shutdown(Shutdown::Write)
    });
    resolve(&stage, "path-foreign", BENCH).await?;
    let sent = [client_hello(ORDINARY.name)?, page(BULK_BYTES)].concat();
    let turn = Turn {
        finish: true,
        ..Turn::new(&sent, Until::Close).within_ms(30_000)
    };
    let (truth, heard) = stage
        .talk(
            "path-foreign",
            &[Talk::bare(ORDINARY.name, vec![turn]).at(address)],
        )
        .await?;
    let heard = one(&heard)?;
    ensure!(heard.error.is_none() && heard.closed, "{:?}", heard.error);
    ensure!(
        heard.turns.concat() == sent,
        "what came back is not what was sent"
    );
    echo.join()
        .map_err(|_| anyhow::anyhow!("the server panicked"))??;
    let connection = connection(&stage, &truth).await?;
    ensure!(
        connection["outcome"] == "spliced_not_listed"
            && connection["server_name"] == ORDINARY.name
            && connection["bytes_up"] == sent.len()
            && connection["bytes_down"] == sent.len(),
        "{connection}"
    );
    ensure!(
        no_bypass(&stage, &truth).await?,
        "an ordinary connection is no bypass"
    );
    Ok(())
}

async fn grease(stage: Arc<Stage>) -> Result<()> {
    let request = format!(
        "GET /v1/models HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        OPENAI.name
    );
    let turns = vec![Turn::new(request.as_bytes(), Until::Close)];
    let talk = Talk::tls(OPENAI.name, stage.trust.clone(), turns).ech(Ech::Grease);
    let (truth, heard) = stage.talk("path-strict-grease", &[talk]).await?;
    ensure!(
        one(&heard)?.turns.concat().starts_with(b"HTTP/1.1 200"),
        "{heard:?}"
    );
    let connection = connection(&stage, &truth).await?;
    ensure!(connection["outcome"] == "intercepted", "{connection}");
    ensure!(no_bypass(&stage, &truth).await?, "GREASE is no bypass");

    // To a foreign name at an LLM host's address it might hide something: counted, and passed or looked at.
    for (name, outcome) in [
        ("path-open-grease", "spliced_ech"),
        ("path-strict-grease", "relayed"),
    ] {
        resolve(&stage, name, OPENAI).await?;
        let request = format!(
            "GET /bytes/{PAGE_BYTES} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            ORDINARY.name
        );
        let turns = vec![Turn::new(request.as_bytes(), Until::Close)];
        let talk = Talk::tls(ORDINARY.name, stage.trust.clone(), turns).ech(Ech::Grease);
        let (truth, heard) = stage.talk(name, &[talk]).await?;
        ensure!(one(&heard)?.turns.concat().ends_with(&page(PAGE_BYTES)), "{name}");
        let connection = self::connection(&stage, &truth).await?;
        ensure!(connection["outcome"] == outcome, "{connection}");
        if outcome == "spliced_ech" {
            bypass(&stage, &truth, "ech", "passed").await?;
        } else {
            ensure!(no_bypass(&stage, &truth).await?, "what was relayed hid nothing");
        }
    }
    Ok(())
}

async fn hidden_behind_listed(stage: Arc<Stage>) -> Result<()> {
    let talk = Talk::tls(ANTHROPIC.name, stage.trust.clone(), Vec::new())
        .at(format!("{}:443", OPENAI.name))
        .ech(Ech::Behind(OPENAI.name.to_owned()));
    let (truth, heard) = stage.talk("path-open-hidden", &[talk]).await?;
    // The client takes the certificate for the outer name, and with it that there is no Encrypted Client Hello here.
    rejected(one(&heard)?)?;
    let connection = connection(&stage, &truth).await?;
    ensure!(
        connection["outcome"] == "ech_rejected" && connection["server_name"] == OPENAI.name,
        "{connection}"
    );
    Ok(())
}

async fn hidden_behind_foreign(stage: Arc<Stage>) -> Result<()> {
    let hidden =
        || Talk::tls(OPENAI.name, stage.trust.clone(), Vec::new()).ech(Ech::Behind(ORDINARY.name.to_owned()));
    resolve(&stage, "path-open-hidden", OPENAI).await?;
    let (truth, _) = stage.talk("path-open-hidden", &[hidden()]).await?;
    let passed = connection(&stage, &truth).await?;
    ensure!(passed["outcome"] == "spliced_ech", "{passed}");
    bypass(&stage, &truth, "ech", "passed").await?;

    // Refused, the client finds that nothing is hidden here, and comes back with the name in clear.
    let request = format!(
        "GET /v1/models HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        OPENAI.name
    );
    let turns = vec![Turn::new(request.as_bytes(), Until::Close)];
    let clear = Talk::tls(OPENAI.name, stage.trust.clone(), turns);
    resolve(&stage, "path-strict-hidden", OPENAI).await?;
    let (truth, heard) = stage.talk("path-strict-hidden", &[hidden(), clear]).await?;
    rejected(heard.first().context("nothing heard")?)?;
    let answer = heard.get(1).context("one talk is missing")?.turns.concat();
    ensure!(answer.starts_with(b"HTTP/1.1 200"), "{heard:?}");
    let records = stage.agent().await.records().connections_of(truth.pid, 2).await?;
    let outcomes: Vec<_> = records.iter().map(|record| &record["outcome"]).collect();
    ensure!(outcomes == ["ech_rejected", "intercepted"], "{outcomes:?}");
    bypass(&stage, &truth, "ech", "refused").await
}

fn rejected(heard: &Heard) -> Result<()> {
    let error = heard.error.as_deref().unwrap_or_default();
    ensure!(error.contains("EncryptedClientHello"), "{heard:?}");
    Ok(())
}

async fn no_server_name(stage: Arc<Stage>) -> Result<()> {
    // A client of an address names no server (RFC 6066, section 3).
    let address = stage.lab.plan.v4(OPENAI).to_string();
    let talk = || Talk::tls(&address, stage.trust.clone(), Vec::new());
    either_way(&stage, "no-name", talk, "no_server_name").await
}

async fn not_tls(stage: Arc<Stage>) -> Result<()> {
    let talk = || {
        let turn = Turn::new(b"GET / HTTP/1.1\r\nhost: api.openai.com\r\n\r\n", Until::Close);
        Talk::bare(OPENAI.name, vec![turn])
    };
    either_way(&stage, "not-tls", talk, "not_tls").await
}

/// What cannot be intercepted at an LLM host's address passes from one workload and is refused to the other.
async fn either_way(stage: &Stage, name: &str, talk: impl Fn() -> Talk, reason: &str) -> Result<()> {
    for (policy, verb, verdict) in [("open", "spliced", "passed"), ("strict", "refused", "refused")] {
        let name = format!("path-{policy}-{name}");
        resolve(stage, &name, OPENAI).await?;
        let (truth, _) = stage.talk(&name, &[talk()]).await?;
        let connection = connection(stage, &truth).await?;
        ensure!(
            connection["outcome"] == format!("{verb}_{reason}"),
            "{connection}"
        );
        bypass(stage, &truth, reason, verdict).await?;
    }
    Ok(())
}

async fn another_host(stage: Arc<Stage>) -> Result<()> {
    for version in ["--http1.1", "--http2"] {
        let arguments = [
            version,
            "-w",
            "%{http_code}",
            "-H",
            "host: api.anthropic.com:443",
            MODELS,
        ];
        let (truth, output) = stage.curl("path-strict-host", &arguments).run(&stage.lab).await?;
        let said = shown(&output);
        ensure!(
            said.ends_with("421") && said.contains("misdirected_request"),
            "{version}: {said}"
        );
        let exchange = stage.exchange(&truth).await?;
        ensure!(
            exchange["verdict"] == "denied"
                && exchange["reason"] == "server_name_mismatch"
                && exchange["host"] == OPENAI.name,
            "{exchange}"
        );
        let record = bypass(&stage, &truth, "server_name_mismatch", "refused").await;
        record?;
        // Without a policy it goes its way, on record.
        let (truth, _) = stage.curl("path-free-host", &arguments).run(&stage.lab).await?;
        let exchange = stage.exchange(&truth).await?;
        ensure!(
            exchange["verdict"] == "allowed" && exchange["reason"] == "server_name_mismatch",
            "{exchange}"
        );
        bypass(&stage, &truth, "server_name_mismatch", "passed").await?;
    }
    Ok(())
}

/// The answer of the lab's DNS marks the host's addresses.
async fn resolve(stage: &Stage, name: &str, host: Host) -> Result<()> {
    // It must live long enough to be looked at.
    let command = format!("sleep 0.2; getent ahosts {}", host.name);
    let launch = Launch::new(name, "sh").args(["-c", &command]);
    let output = launch.output(&stage.lab).await?;
    ensure!(output.status.success(), "{}: {}", host.name, shown(&output));
    Ok(())
}

/// The one connection of a process.
async fn connection(stage: &Stage, truth: &Truth) -> Result<Value> {
    let records = stage.agent().await.records();
    let mut connections = records.connections_of(truth.pid, 1).await?;
    ensure!(connections.len() == 1, "{connections:?}");
    let connection = connections.pop().context("none")?;
    check_attribution(&connection, truth)?;
    Ok(connection)
}

/// Checks the one bypass of a process.
async fn bypass(stage: &Stage, truth: &Truth, reason: &str, verdict: &str) -> Result<()> {
    let records = stage.agent().await.records();
    let bypasses = records.bypasses_of(truth.pid, 1).await?;
    ensure!(
        bypasses.len() == 1 && bypasses[0]["reason"] == reason && bypasses[0]["verdict"] == verdict,
        "expected {reason}, {verdict}: {bypasses:?}"
    );
    check_attribution(&bypasses[0], truth)
}

/// Whether none is on record; to be asked when the connection, which is recorded after it, is.
async fn no_bypass(stage: &Stage, truth: &Truth) -> Result<bool> {
    let records = stage.agent().await.records();
    Ok(records.bypasses_of(truth.pid, 0).await?.is_empty())
}

fn one(heard: &[Heard]) -> Result<&Heard> {
    heard.first().context("nothing heard")
}

/// A real ClientHello for `name`.
fn client_hello(name: &str) -> Result<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(name.to_owned())?;
    let mut client = rustls::ClientConnection::new(Arc::new(config), name)?;
    let mut hello = Vec::new();
    client.write_tls(&mut hello)?;
    Ok(hello)
}
