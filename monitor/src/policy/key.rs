//! Keys of accounts: `policy/budget/dimension:value,dimension:value`.
//!
//! # The rules
//!
//! 1. The budget is its name, or its place in the policy; names hold no `/` and are no numbers.
//! 2. Dimensions stand in the order of [`Dimension`], whatever order the configuration has. Without any, `all` stands in their place.
//! 3. In a value, `%`, `,` and control characters are `%` and two hexadecimal digits for each byte, so that every other `,` parts two
//!    dimensions. A value of a single `-` is `%2D`.
//! 4. A value that there is not is `-`; but where it would name who runs ([`Dimension::falls_back`]), `workload:…` stands in its place, once.
//!    A workload that is not known is `workload:unknown`.
//! 5. Dimensions and values of more than [`MAX_GROUPING_BYTES`] are cut, and end with `%#` and 32 hexadecimal digits of the SHA-256 of all
//!    of it.
//!
//! Two combinations of values never have the same key, short of a collision of 128 bits of SHA-256. What is counted is no part of the key.

use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};
use smallvec::SmallVec;

use crate::config::{Dimension, Grouping};
use crate::identity::{Placement, Workload};

/// Longest part of a key behind the budget: paths of cgroups fit, and records stay readable.
pub(super) const MAX_GROUPING_BYTES: usize = 1_024;
/// Bytes of the digest in what is cut.
const DIGEST_BYTES: usize = 16;
/// Bytes of `%#` and the digest's digits.
const MARK_BYTES: usize = 2 + 2 * DIGEST_BYTES;

/// What an exchange adds to what is known of its connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExchangeValues<'a> {
    pub(super) provider: &'a str,
    /// In lower case.
    pub(super) model: &'a str,
    pub(super) operation: &'a str,
    pub(super) api_key: Option<&'a str>,
}

/// A key as far as the connection makes it.
#[derive(Debug, Clone)]
pub(super) struct KeyTemplate {
    /// `policy/budget/`.
    prefix: Box<str>,
    parts: SmallVec<[Part; 2]>,
}

#[derive(Debug, Clone)]
enum Part {
    /// `dimension:value`, as in the key.
    Known(Box<str>),
    OfExchange(Dimension),
}

impl KeyTemplate {
    pub(super) fn new(
        policy: &str,
        budget: &str,
        per: &Grouping,
        node: &str,
        workload: Option<&Workload>,
    ) -> Self {
        let mut parts: SmallVec<[Part; 2]> = SmallVec::new();
        let mut has_workload = false;
        for dimension in per.dimensions() {
            if dimension.is_of_exchange() {
                parts.push(Part::OfExchange(dimension.clone()));
                continue;
            }
            let mut text = String::new();
            match known_value(dimension, node, workload) {
                Some(value) => add(&mut text, dimension, Some(&value)),
                None if dimension.falls_back() || *dimension == Dimension::Workload => {
                    if std::mem::replace(&mut has_workload, true) {
                        continue;
                    }
                    let value = workload_value(workload);
                    add(&mut text, &Dimension::Workload, Some(&value));
                }
                None => add(&mut text, dimension, None),
            }
            parts.push(Part::Known(text.into()));
        }
        Self {
            prefix: format!("{policy}/{budget}/").into(),
            parts,
        }
    }

    /// Whether the connection says all of it.
    pub(super) fn is_whole(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Known(_)))
    }

    /// Whether the model makes a difference.
    pub(super) fn has_model(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::OfExchange(Dimension::Model)))
    }

    /// The key for an exchange.
    pub(super) fn key(&self, exchange: &ExchangeValues<'_>) -> String {
        let mut key = String::with_capacity(128);
        key.push_str(&self.prefix);
        if self.parts.is_empty() {
            key.push_str("all");
        }
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                key.push(',');
            }
            match part {
                Part::Known(text) => key.push_str(text),
                Part::OfExchange(dimension) => add(&mut key, dimension, exchange.value(dimension)),
            }
        }
        shortened(key, self.prefix.len())
    }
}

impl<'a> ExchangeValues<'a> {
    fn value(&self, dimension: &Dimension) -> Option<&'a str> {
        match dimension {
            Dimension::Provider => Some(self.provider),
            Dimension::Model => Some(self.model).filter(|model| !model.is_empty()),
            Dimension::Operation => Some(self.operation),
            Dimension::ApiKey => self.api_key,
            _ => None,
        }
    }
}

/// Whose an account is: its key is taken apart, as far as the configuration needs it.
pub(crate) fn budget_in(key: &str) -> Option<(&str, &str)> {
    let mut parts = key.splitn(3, '/');
    let (policy, budget) = (parts.next()?, parts.next()?);
    parts.next().map(|_| (policy, budget))
}

/// A value that does not depend on the exchange; `None` for [`Dimension::Workload`], which always has one.
fn known_value(dimension: &Dimension, node: &str, workload: Option<&Workload>) -> Option<String> {
    if *dimension == Dimension::Node {
        return Some(node.to_owned());
    }
    let workload = workload?;
    let placement = &*workload.placement;
    let pod = placement.pod.as_deref();
    match dimension {
        Dimension::Exe => workload.exe.clone(),
        Dimension::User => Some(workload.uid.to_string()),
        Dimension::Container => placement.container.as_ref().map(|container| container.id.clone()),
        // The uid is known from the first connection on, the name is not.
        Dimension::Pod => pod.map(|pod| pod.uid.clone()),
        Dimension::Namespace => pod?.namespace.clone(),
        Dimension::ServiceAccount => {
            let (namespace, account) = (pod?.namespace.as_deref()?, pod?.service_account.as_deref()?);
            Some(format!("{namespace}/{account}"))
        }
        Dimension::Unit => placement.unit.clone(),
        Dimension::Spiffe => placement.spiffe.as_ref().map(|spiffe| spiffe.id.clone()),
        Dimension::Label(key) => pod?.labels.get(key).cloned(),
        Dimension::Workload
        | Dimension::Node
        | Dimension::Provider
        | Dimension::Model
        | Dimension::Operation
        | Dimension::ApiKey => None,
    }
}

fn workload_value(workload: Option<&Workload>) -> String {
    let Some(placement) = workload.map(|workload| &*workload.placement) else {
        return "unknown".to_owned();
    };
    let principal = Placement::principal(placement);
    match placement.container_beside_path() {
        // No path has two slashes in a row.
        Some(container) => format!("{principal}//{container}"),
        None => principal.to_owned(),
    }
}

/// Adds `dimension:value`, for a label `label:key=value`.
fn add(key: &mut String, dimension: &Dimension, value: Option<&str>) {
    key.push_str(dimension.name());
    key.push(':');
    if let Dimension::Label(label) = dimension {
        key.push_str(label);
        key.push('=');
    }
    match value {
        None => key.push('-'),
        Some("-") => key.push_str("%2D"),
        Some(value) => escape(key, value),
    }
}

fn escape(key: &mut String, value: &str) {
    for character in value.chars() {
        if matches!(character, '%' | ',') || character.is_control() {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                // Writing to a String never fails.
                let _written = write!(key, "%{byte:02X}");
            }
        } else {
            key.push(character);
        }
    }
}

/// The key, or its beginning and a digest of what follows the prefix.
fn shortened(mut key: String, prefix_bytes: usize) -> String {
    let grouping = key.get(prefix_bytes..).unwrap_or_default();
    if grouping.len() <= MAX_GROUPING_BYTES {
        return key;
    }
    let digest = digest(&SHA256, grouping.as_bytes());
    let mut end = prefix_bytes + MAX_GROUPING_BYTES - MARK_BYTES;
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    key.truncate(end);
    key.push_str("%#");
    for byte in digest.as_ref().iter().take(DIGEST_BYTES) {
        let _written = write!(key, "{byte:02x}");
    }
    key
}

#[cfg(test)]
mod tests;
