//! Connection → Network Activity.

use serde::Serialize;

use super::class::{Class, Control};
use super::objects::{Actor, Endpoint, Metadata, STATUS_FAILURE, STATUS_SUCCESS, Severity, Workload};
use crate::event::workload::view;
use crate::event::{Connection, Outcome};
use crate::identity::AttributionReason;

pub(super) const PROFILES: &[&str] = &["container", "host", "security_control"];

#[derive(Serialize)]
pub(super) struct NetworkActivity<'a> {
    #[serde(flatten)]
    class: Class,
    severity_id: u8,
    time: u64,
    start_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<u64>,
    status_id: u8,
    status_detail: &'static str,
    metadata: Metadata,
    actor: Actor<'a>,
    src_endpoint: Endpoint<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_endpoint: Option<Endpoint<'a>>,
    traffic: Traffic,
    #[serde(flatten)]
    control: Control,
    unmapped: Unmapped<'a>,
}

#[derive(Serialize)]
struct Traffic {
    bytes_out: u64,
    bytes_in: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Unmapped<'a> {
    attribution: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribution_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workload: Option<Workload<'a>>,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpn: Option<&'static str>,
    exchanges: u64,
}

impl<'a> From<&'a Connection> for NetworkActivity<'a> {
    fn from(connection: &'a Connection) -> Self {
        let workload = view(&connection.workload);
        let carried = connection.outcome.is_carried();
        let (activity_id, activity_name) = match (carried, connection.closed_ms) {
            (false, _) => (4, "Fail"),
            (true, Some(_)) => (2, "Close"),
            (true, None) => (1, "Open"),
        };
        let control = if carried {
            Control::new((1, "Allowed"), (1, "Allowed"))
        } else if matches!(connection.outcome, Outcome::Refused(_) | Outcome::EchRejected) {
            Control::new((2, "Denied"), (2, "Blocked"))
        } else {
            Control::new((2, "Denied"), (27, "Error"))
        };
        Self {
            class: Class::network_activity(activity_id, activity_name),
            severity_id: if carried {
                Severity::Informational
            } else {
                Severity::Low
            } as u8,
            time: connection.closed_ms.unwrap_or(connection.opened_ms),
            start_time: connection.opened_ms,
            end_time: connection.closed_ms,
            status_id: if carried { STATUS_SUCCESS } else { STATUS_FAILURE },
            status_detail: connection.outcome.name(),
            metadata: Metadata::new(PROFILES, None),
            actor: Actor::new(workload),
            src_endpoint: Endpoint::new(connection.client),
            dst_endpoint: Endpoint::named(connection.original_destination, connection.server_name.as_deref()),
            traffic: Traffic {
                bytes_out: connection.bytes_up,
                bytes_in: connection.bytes_down,
                bytes: connection.bytes_up.saturating_add(connection.bytes_down),
            },
            control,
            unmapped: Unmapped {
                attribution: connection.attribution.name(),
                attribution_reason: connection.attribution.reason().map(AttributionReason::name),
                workload: workload.map(Workload::from),
                outcome: connection.outcome,
                alpn: connection.alpn,
                exchanges: connection.exchanges,
            },
        }
    }
}
