//! The detectors there are: the built-in ones and an operator's own.

use std::sync::Arc;

use super::{CustomDetector, CustomError};
use crate::detectors::{Detectors, Judgement, UnknownDetector};

/// Most detectors of an operator's own: each reads every text once.
pub const MAX_CUSTOM: usize = 100;

/// The detectors that a configuration knows.
#[derive(Debug, Clone, Default)]
pub struct DetectorCatalog {
    custom: Vec<Arc<CustomDetector>>,
}

impl DetectorCatalog {
    /// The built-in detectors and these.
    ///
    /// # Errors
    /// [`CustomError::Name`] of one whose name another has; [`CustomError::TooMany`] for more than [`MAX_CUSTOM`].
    pub fn with_custom(custom: Vec<Arc<CustomDetector>>) -> Result<Self, CustomError> {
        if custom.len() > MAX_CUSTOM {
            return Err(CustomError::TooMany);
        }
        for (index, detector) in custom.iter().enumerate() {
            let earlier = custom.get(..index).unwrap_or_default();
            if earlier.iter().any(|other| other.name() == detector.name()) {
                return Err(CustomError::Twice(detector.name()));
            }
        }
        Ok(Self { custom })
    }

    /// Compiles those that `patterns` select: a name, a family (`corp.*`) or `*`.
    ///
    /// # Errors
    /// [`UnknownDetector`] for the first pattern that selects nothing.
    pub fn compile<P: AsRef<str>>(
        &self,
        patterns: &[P],
        judgement: Judgement,
    ) -> Result<Detectors, UnknownDetector> {
        Detectors::compile_from(patterns, judgement, &self.custom)
    }
}
