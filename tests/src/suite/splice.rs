//! What is not LLM traffic passes untouched, though it goes to the very same address.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::runner::Test;
use super::stage::{Stage, check_attribution};
use crate::client::replay::{Talk, Turn, Until};
use crate::lab::address::ORDINARY;
use crate::provider::page;

/// Bytes each way: far more than a socket's buffers.
const PAGE_BYTES: usize = 3_000_000;

pub(super) fn tests() -> Vec<Test> {
    vec![Test::new(
        "splice::an_ordinary_site_on_a_providers_address",
        ordinary,
    )]
}

async fn ordinary(stage: Arc<Stage>) -> Result<()> {
    // Resolving the provider marks the address the two names share.
    let output = stage
        .curl(
            "ordinary",
            &["-o", "/dev/null", "https://api.openai.com/v1/models"],
        )
        .output(&stage.lab)
        .await?;
    ensure!(output.status.success(), "no answer from the provider");
    let down = format!(
        "GET /bytes/{PAGE_BYTES} HTTP/1.1\r\nhost: {}\r\n\r\n",
        ORDINARY.name
    );
    let mut up = format!(
        "POST /echo HTTP/1.1\r\nhost: {}\r\ncontent-length: {PAGE_BYTES}\r\nconnection: close\r\n\r\n",
        ORDINARY.name
    )
    .into_bytes();
    up.extend(page(PAGE_BYTES));
    let turns = vec![
        Turn::new(down.as_bytes(), Until::Bytes(PAGE_BYTES)),
        Turn::new(&up, Until::Close).within_ms(30_000),
    ];
    // The lab's CA alone: an intercepted connection would not verify.
    let talk = Talk::tls(ORDINARY.name, stage.lab.lab_bundle(), turns);
    let (truth, heard) = stage.talk("ordinary", &[talk]).await?;
    let heard = heard.first().context("nothing heard")?;
    ensure!(heard.error.is_none(), "{:?}", heard.error);
    let own = stage.lab.authority.leaf(ORDINARY.name).context("no leaf")?;
    ensure!(
        heard.certificate.as_deref() == Some(own.as_ref()),
        "not the site's own certificate"
    );
    let heard = heard.turns.concat();
    let first = heard
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .context("no head")?
        + 4;
    ensure!(
        heard.get(first..first + PAGE_BYTES) == Some(&page(PAGE_BYTES)[..]),
        "the page is not the site's"
    );
    ensure!(
        heard.ends_with(&page(PAGE_BYTES)),
        "what was echoed is not what was sent"
    );

    let records = stage.agent().await.records();
    let connection = records
        .connections_of(truth.pid, 1)
        .await?
        .pop()
        .context("none")?;
    check_attribution(&connection, &truth)?;
    ensure!(
        connection["outcome"] == "spliced_not_listed" && connection["server_name"] == ORDINARY.name,
        "{connection}"
    );
    Ok(())
}
