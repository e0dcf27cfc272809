//! Bypass → Network Activity.

use serde::Serialize;

use super::class::{Class, Control};
use super::network_activity::PROFILES;
use super::objects::{
    Actor, Endpoint, Metadata, Placement, STATUS_FAILURE, STATUS_SUCCESS, Severity, Workload,
};
use crate::event::workload::{PlacementView, view};
use crate::event::{Bypass, BypassReason, Transport};
use crate::identity::AttributionReason;

/// `direction_id` of what goes out of the node.
const OUTBOUND: u8 = 2;

#[derive(Serialize)]
pub(super) struct BypassActivity<'a> {
    #[serde(flatten)]
    class: Class,
    severity_id: u8,
    time: u64,
    count: u64,
    status_id: u8,
    status_detail: BypassReason,
    metadata: Metadata,
    actor: Actor<'a>,
    connection_info: ConnectionInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_endpoint: Option<Endpoint<'a>>,
    #[serde(flatten)]
    control: Control,
    unmapped: Unmapped<'a>,
}

#[derive(Serialize)]
struct ConnectionInfo {
    direction_id: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol_num: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol_name: Option<&'static str>,
}

#[derive(Serialize)]
struct Unmapped<'a> {
    bypass: BypassReason,
    attribution: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribution_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workload: Option<Workload<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    placement: Option<Placement<'a>>,
}

impl<'a> From<&'a Bypass> for BypassActivity<'a> {
    fn from(bypass: &'a Bypass) -> Self {
        let workload = view(&bypass.workload);
        let (activity_id, activity_name) = if bypass.denied {
            (5, "Refuse")
        } else {
            (6, "Traffic")
        };
        let control = if bypass.denied {
            Control::new((2, "Denied"), (2, "Blocked"))
        } else {
            Control::new((1, "Allowed"), (1, "Allowed"))
        };
        Self {
            class: Class::network_activity(activity_id, activity_name),
            // What passed unseen is what a person should look at.
            severity_id: if bypass.denied {
                Severity::Low
            } else {
                Severity::Medium
            } as u8,
            time: bypass.at_ms,
            count: u64::from(bypass.unreported) + 1,
            status_id: if bypass.denied {
                STATUS_FAILURE
            } else {
                STATUS_SUCCESS
            },
            status_detail: bypass.reason,
            metadata: Metadata::new(PROFILES, None),
            actor: Actor::new(workload),
            connection_info: ConnectionInfo::outbound(bypass.transport),
            dst_endpoint: Endpoint::named(bypass.destination, bypass.server_name.as_deref()),
            control,
            unmapped: Unmapped {
                bypass: bypass.reason,
                attribution: bypass.attribution.name(),
                attribution_reason: bypass.attribution.reason().map(AttributionReason::name),
                workload: workload.map(Workload::from),
                placement: bypass
                    .placement
                    .as_deref()
                    .map(|placement| PlacementView::from(placement).into()),
            },
        }
    }
}

impl ConnectionInfo {
    fn outbound(transport: Transport) -> Self {
        let (protocol_num, protocol_name) = match transport {
            Transport::Tcp => (Some(6), Some("tcp")),
            Transport::Udp => (Some(17), Some("udp")),
            Transport::Other => (None, None),
        };
        Self {
            direction_id: OUTBOUND,
            protocol_num,
            protocol_name,
        }
    }
}
