//! Audit → Entity Management.

use monitor_budget::Figures;
use serde::Serialize;

use super::class::{Class, Control};
use super::objects::{Actor, Metadata, STATUS_FAILURE, STATUS_SUCCESS, Severity, Workload};
use crate::event::workload::view;
use crate::event::{Audit, AuditOutcome};

const PROFILES: &[&str] = &["container", "security_control"];
/// `type_id` of a managed entity that the schema does not list.
const TYPE_OTHER: u8 = 99;
/// `activity_id` of a change to what exists.
const UPDATE: u32 = 3;

#[derive(Serialize)]
pub(super) struct EntityManagement<'a> {
    #[serde(flatten)]
    class: Class,
    severity_id: u8,
    time: u64,
    status_id: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_detail: Option<&'a str>,
    metadata: Metadata,
    actor: Actor<'a>,
    comment: &'static str,
    entity: Entity<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_result: Option<Entity<'a>>,
    #[serde(flatten)]
    control: Control,
    unmapped: Unmapped<'a>,
}

/// `managed_entity`.
#[derive(Serialize)]
struct Entity<'a> {
    uid: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    type_id: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data>,
}

#[derive(Serialize)]
struct Data {
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
    limit: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    override_until: Option<u64>,
    settled: u64,
    debt: u64,
}

#[derive(Serialize)]
struct Unmapped<'a> {
    uid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workload: Option<Workload<'a>>,
}

impl<'a> Entity<'a> {
    fn new(audit: &'a Audit, figures: Option<Figures>) -> Self {
        Self {
            uid: &audit.budget,
            kind: "Budget",
            type_id: TYPE_OTHER,
            data: figures.map(|figures| Data {
                unit: audit.unit.map(monitor_budget::Unit::name),
                limit: figures.limit,
                override_until: figures.override_until_ms,
                settled: figures.settled,
                debt: figures.debt,
            }),
        }
    }
}

impl<'a> From<&'a Audit> for EntityManagement<'a> {
    fn from(audit: &'a Audit) -> Self {
        let workload = view(&audit.actor.workload);
        let done = audit.outcome == AuditOutcome::Done;
        let denied = audit.outcome == AuditOutcome::Denied;
        let control = if denied {
            Control::new((2, "Denied"), (2, "Blocked"))
        } else {
            Control::new((1, "Allowed"), (1, "Allowed"))
        };
        // A limit that is moved by hand, and above all somebody who may not, is what a person should look at.
        let severity = match audit.outcome {
            AuditOutcome::Done | AuditOutcome::Failed => Severity::Low,
            AuditOutcome::Denied => Severity::Medium,
        };
        Self {
            class: Class::entity_management(UPDATE, "Update"),
            severity_id: severity as u8,
            time: audit.at_ms,
            status_id: if done { STATUS_SUCCESS } else { STATUS_FAILURE },
            status_detail: audit.reason.as_ref().map(|reason| reason.as_str()),
            metadata: Metadata::new(PROFILES, None),
            actor: Actor::new(workload),
            comment: audit.change.name(),
            entity: Entity::new(audit, audit.before),
            entity_result: audit.after.map(|after| Entity::new(audit, Some(after))),
            control,
            unmapped: Unmapped {
                uid: audit.actor.uid,
                login_uid: audit.actor.login_uid,
                pid: audit.actor.pid,
                workload: workload.map(Workload::from),
            },
        }
    }
}
