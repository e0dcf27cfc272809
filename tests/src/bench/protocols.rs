//! The whole exchange by protocol: nothing, the bare relay and the agent between, one right after the other.

use anyhow::{Result, ensure};
use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::exchange::{self, Exchange, PIECES};
use super::lane::Lane;
use super::middle::Middle;
use super::report::Figures;
use crate::lab::Lab;
use crate::lab::address::BENCH;
use crate::lab::agent::Agent;

/// Cgroups of the agent's clients, one an exchange, as the bench's policy selects them.
pub(super) const CGROUPS: &str = "exchange-*";

/// One exchange through every lane.
#[derive(Debug)]
pub(super) struct Protocol {
    name: &'static str,
    direct: Figures,
    relay: Figures,
    weir: Figures,
}

/// Measures every exchange.
pub(super) async fn measure(lab: &Lab, agent: &Agent) -> Result<Vec<Protocol>> {
    let relay = Middle::relay(lab).await?;
    let weir = Middle::agent(agent)?;
    let mut protocols = Vec::new();
    for exchange in &exchange::ALL {
        let direct = Lane::new("direct", &lab.plan.v4(BENCH).to_string(), lab.lab_bundle()).outside();
        let floor = Lane::new("relay", &relay.address(), lab.lab_bundle()).outside();
        let cgroup = CGROUPS.replace('*', exchange.name);
        let inspected = Lane::new("weir", BENCH.name, agent.trust(lab)?).workload(cgroup.clone());
        protocols.push(Protocol {
            name: exchange.name,
            direct: direct.exchange(lab, exchange, None).await?,
            relay: floor.exchange(lab, exchange, Some(&relay)).await?,
            weir: inspected.exchange(lab, exchange, Some(&weir)).await?,
        });
        check(agent, exchange, &cgroup)?;
    }
    Ok(protocols)
}

/// Fails when the agent has not read what the exchange is: a lane of bytes that nobody read measures nothing.
fn check(agent: &Agent, exchange: &Exchange, cgroup: &str) -> Result<()> {
    let records = agent.records().holding(&format!("{cgroup}\""))?;
    let read = records
        .iter()
        .filter(|record| record["operation"] == exchange.operation && record["usage"]["output"] == PIECES);
    let (read, all) = (
        read.count(),
        records
            .iter()
            .filter(|record| record["kind"] == "exchange")
            .count(),
    );
    // The last ones were cut short when the windows were over, or are still being written.
    ensure!(
        read > 0 && read * 10 > all * 9,
        "{}: {read} of {all} exchanges are on record with their tokens, such as {:?}",
        exchange.name,
        records.last()
    );
    Ok(())
}

/// A row an exchange; what the agent costs as a multiple of the relay's.
pub(super) fn table(protocols: &[Protocol]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "exchange (answers of 64 pieces)",
        "direct p50 µs",
        "p99",
        "relay p50 µs",
        "p99",
        "weir p50 µs",
        "p99",
        "relay CPU µs/exchange (min-max)",
        "weir (min-max)",
        "× relay",
        "void",
    ]);
    for protocol in protocols {
        let Protocol {
            name,
            direct,
            relay,
            weir,
        } = protocol;
        let mut row = vec![(*name).to_owned()];
        for lane in [direct, relay, weir] {
            row.extend([lane.p50_us().median, lane.p99_us().median].map(|us| format!("{us:.0}")));
        }
        let (floor, cpu) = (relay.cpu_us(), weir.cpu_us());
        row.extend([
            format!("{:.1} ({:.1}-{:.1})", floor.median, floor.min, floor.max),
            format!("{:.1} ({:.1}-{:.1})", cpu.median, cpu.min, cpu.max),
            format!("{:.2}", cpu.median / floor.median),
            (direct.void() + relay.void() + weir.void()).to_string(),
        ]);
        table.add_row(row);
    }
    table
}

/// The same as JSON.
pub(super) fn json(protocols: &[Protocol]) -> Vec<Value> {
    protocols
        .iter()
        .map(|protocol| {
            json!({"exchange": protocol.name, "direct": protocol.direct.json(), "relay": protocol.relay.json(),
                "weir": protocol.weir.json(),
                "cpu_ratio": protocol.weir.cpu_us().median / protocol.relay.cpu_us().median})
        })
        .collect()
}
