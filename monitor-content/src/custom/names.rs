//! Names of operators' detectors, which records hold as they hold those of the built-in ones.
//!
//! A name lives as long as the process: a reload that brings the same names costs nothing more, and there is an end to
//! how many there can be.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Names that a process can have seen; many times those of a large configuration.
const MAX_NAMES: usize = 10_000;

/// By name, its placeholder.
static NAMES: Mutex<BTreeMap<&'static str, &'static str>> = Mutex::new(BTreeMap::new());

/// The name for the life of the process; `None` when there have been too many.
pub(super) fn intern(name: &str) -> Option<&'static str> {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((known, _)) = names.get_key_value(name) {
        return Some(known);
    }
    if names.len() == MAX_NAMES {
        return None;
    }
    let kind = name.rsplit('.').next().unwrap_or(name);
    let kept: &'static str = Box::leak(name.into());
    let placeholder: &'static str = Box::leak(format!("[REDACTED:{kind}]").into_boxed_str());
    names.insert(kept, placeholder);
    Some(kept)
}

/// What replaces a finding of the detector of this name.
pub(crate) fn placeholder(name: &str) -> Option<&'static str> {
    let names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    names.get(name).copied()
}
