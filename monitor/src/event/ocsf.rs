//! OCSF 1.8.0: an exchange is an API Activity (class 6003) with the `ai_operation` and `security_control` profiles, a
//! connection or a bypass a Network Activity (class 4001) with `host` and `security_control`, a change of a budget by hand an Entity
//! Management (class 3004) with `security_control`, all with `container`; the passing of a budget's threshold is a Detection Finding
//! (class 2004) with `security_control`.
//!
//! Facts about classes, identifiers and required attributes are those of the compiled schema of version 1.8.0
//! (<https://schema.ocsf.io/1.8.0>). What the schema has no attribute for stands under `unmapped`.

mod api_activity;
mod audit;
mod budget_threshold;
mod bypass;
mod class;
mod network_activity;
mod objects;

use self::api_activity::ApiActivity;
use self::audit::EntityManagement;
use self::budget_threshold::DetectionFinding;
use self::bypass::BypassActivity;
use self::network_activity::NetworkActivity;
use super::Event;

/// Version of the schema.
pub const VERSION: &str = "1.8.0";

/// Appends the record of an event and a line feed.
///
/// # Errors
///
/// None that can occur: every key is a string and every number finite. The error is passed on rather than hidden.
pub fn encode(event: &Event, line: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    match event {
        Event::Exchange(exchange) => serde_json::to_writer(&mut *line, &ApiActivity::from(&**exchange))?,
        Event::Connection(connection) => {
            serde_json::to_writer(&mut *line, &NetworkActivity::from(&**connection))?
        }
        Event::Bypass(bypass) => serde_json::to_writer(&mut *line, &BypassActivity::from(&**bypass))?,
        Event::Audit(audit) => serde_json::to_writer(&mut *line, &EntityManagement::from(&**audit))?,
        Event::BudgetThreshold(threshold) => {
            serde_json::to_writer(&mut *line, &DetectionFinding::from(&**threshold))?
        }
    }
    line.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests;
