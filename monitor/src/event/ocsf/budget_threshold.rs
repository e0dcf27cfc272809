//! Budget threshold → Detection Finding.

use serde::Serialize;

use super::class::{Class, Control};
use super::objects::{Metadata, PolicyName, Severity};
use crate::event::BudgetThreshold;

const PROFILES: &[&str] = &["security_control"];
/// `activity_id` of a finding that is new.
const CREATE: u32 = 1;
/// `status_id` of a finding that nobody has looked at.
const STATUS_NEW: u8 = 1;

#[derive(Serialize)]
pub(super) struct DetectionFinding<'a> {
    #[serde(flatten)]
    class: Class,
    severity_id: u8,
    time: u64,
    status_id: u8,
    is_alert: bool,
    metadata: Metadata,
    finding_info: FindingInfo,
    resources: [Resource<'a>; 1],
    #[serde(flatten)]
    control: Control,
    policy: PolicyName<'a>,
}

#[derive(Serialize)]
struct FindingInfo {
    uid: String,
    title: &'static str,
    desc: String,
    created_time: u64,
}

/// `resource_details`.
#[derive(Serialize)]
struct Resource<'a> {
    uid: &'a str,
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    unit: &'static str,
    limit: u64,
    settled: u64,
    percent: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
}

impl<'a> From<&'a BudgetThreshold> for DetectionFinding<'a> {
    fn from(threshold: &'a BudgetThreshold) -> Self {
        let BudgetThreshold {
            at_ms,
            key,
            unit,
            limit,
            settled,
            percent,
            window,
            owner,
        } = threshold;
        let (policy, budget) = threshold.policy_and_budget();
        // At the whole limit work stops or money is gone; below, somebody has time to look.
        let severity = if *percent < 100 {
            Severity::Low
        } else {
            Severity::Medium
        };
        Self {
            class: Class::detection_finding(CREATE, "Create"),
            severity_id: severity as u8,
            time: *at_ms,
            status_id: STATUS_NEW,
            is_alert: true,
            metadata: Metadata::new(PROFILES, None),
            finding_info: FindingInfo {
                uid: format!("{key}#{percent}@{at_ms}"),
                title: "A budget's spending has passed a threshold",
                desc: format!(
                    "{policy}/{budget}: {settled} of {limit} {}, {percent}% or more",
                    unit.name()
                ),
                created_time: *at_ms,
            },
            resources: [Resource {
                uid: key,
                name: budget,
                kind: "Budget",
                data: Data {
                    unit: unit.name(),
                    limit: *limit,
                    settled: *settled,
                    percent: *percent,
                    window: window.as_ref().map(ToString::to_string),
                    owner: owner.as_deref(),
                },
            }],
            // Passing a threshold changes nothing: what the limit does is on record with its exchanges.
            control: Control::new((3, "Observed"), (15, "Detected")),
            policy: PolicyName { name: policy },
        }
    }
}
