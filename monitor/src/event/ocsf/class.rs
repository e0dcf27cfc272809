//! What all events say in the same members: which class and activity, and what was done about it.

use serde::Serialize;

/// What every event says of its class and activity.
#[derive(Serialize)]
pub(super) struct Class {
    category_uid: u32,
    category_name: &'static str,
    class_uid: u32,
    class_name: &'static str,
    activity_id: u32,
    activity_name: &'static str,
    type_uid: u32,
}

impl Class {
    /// An activity of the class Network Activity.
    pub(super) fn network_activity(activity_id: u32, activity_name: &'static str) -> Self {
        Self::new(
            (4, "Network Activity"),
            (4001, "Network Activity"),
            activity_id,
            activity_name,
        )
    }

    /// An activity of the class API Activity.
    pub(super) fn api_activity(activity_id: u32, activity_name: &'static str) -> Self {
        Self::new(
            (6, "Application Activity"),
            (6003, "API Activity"),
            activity_id,
            activity_name,
        )
    }

    /// An activity of the class Entity Management.
    pub(super) fn entity_management(activity_id: u32, activity_name: &'static str) -> Self {
        Self::new(
            (3, "Identity & Access Management"),
            (3004, "Entity Management"),
            activity_id,
            activity_name,
        )
    }

    /// An activity of the class Detection Finding.
    pub(super) fn detection_finding(activity_id: u32, activity_name: &'static str) -> Self {
        Self::new(
            (2, "Findings"),
            (2004, "Detection Finding"),
            activity_id,
            activity_name,
        )
    }

    fn new(
        (category_uid, category_name): (u32, &'static str),
        (class_uid, class_name): (u32, &'static str),
        activity_id: u32,
        activity_name: &'static str,
    ) -> Self {
        Self {
            category_uid,
            category_name,
            class_uid,
            class_name,
            activity_id,
            activity_name,
            type_uid: class_uid * 100 + activity_id,
        }
    }
}

/// What was done about it, of the profile `security_control`.
#[derive(Serialize)]
pub(super) struct Control {
    action_id: u8,
    action: &'static str,
    disposition_id: u8,
    disposition: &'static str,
}

impl Control {
    pub(super) fn new(
        (action_id, action): (u8, &'static str),
        (disposition_id, disposition): (u8, &'static str),
    ) -> Self {
        Self {
            action_id,
            action,
            disposition_id,
            disposition,
        }
    }
}
