//! Connection → Network Activity.

use serde::Serialize;

use super::objects::{Actor, Endpoint, Metadata, STATUS_FAILURE, STATUS_SUCCESS, Severity, Workload};
use crate::event::workload::view;
use crate::event::{Connection, Outcome};
use crate::identity::AttributionReason;

pub(super) const CATEGORY_UID: u32 = 4;
pub(super) const CLASS_UID: u32 = 4001;
pub(super) const PROFILES: &[&str] = &["container", "host", "security_control"];

#[derive(Serialize)]
pub(super) struct NetworkActivity<'a> {
    category_uid: u32,
    category_name: &'static str,
    class_uid: u32,
    class_name: &'static str,
    activity_id: u32,
    activity_name: &'static str,
    type_uid: u32,
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
    action_id: u8,
    action: &'static str,
    disposition_id: u8,
    disposition: &'static str,
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
        let (action_id, action, disposition_id, disposition) = if carried {
            (1, "Allowed", 1, "Allowed")
        } else if matches!(connection.outcome, Outcome::Refused(_) | Outcome::EchRejected) {
            (2, "Denied", 2, "Blocked")
        } else {
            (2, "Denied", 27, "Error")
        };
        Self {
            category_uid: CATEGORY_UID,
            category_name: "Network Activity",
            class_uid: CLASS_UID,
            class_name: "Network Activity",
            activity_id,
            activity_name,
            type_uid: CLASS_UID * 100 + activity_id,
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
            action_id,
            action,
            disposition_id,
            disposition,
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
