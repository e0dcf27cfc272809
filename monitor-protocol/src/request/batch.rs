//! Requests that hold several.

use std::borrow::Cow;

use super::{OutputLimit, Request};

/// What the requests of a batch ask for together.
#[derive(Default)]
pub(crate) struct Batch<'b> {
    model: Option<Cow<'b, str>>,
    choices: u32,
    most: Option<OutputLimit>,
    is_unlimited: bool,
}

impl<'b> Batch<'b> {
    /// Takes what the request read last asks for out of `request`.
    pub(crate) fn add(&mut self, request: &mut Request<'b>) {
        let choices = std::mem::replace(&mut request.choices, 1);
        self.choices = self.choices.saturating_add(choices);
        match (request.max_output_tokens.take(), &self.most) {
            (Some(limit), Some(most)) if limit.tokens <= most.tokens => {}
            (Some(limit), _) => self.most = Some(limit),
            (None, _) => self.is_unlimited = true,
        }
        match (request.model.take(), &self.model) {
            (Some(model), None) => self.model = Some(model),
            // Only the one before is compared: a batch of a hundred thousand models must not cost their square.
            (Some(model), Some(first)) if model != *first && request.more_models.last() != Some(&model) => {
                request.more_models.push(model);
            }
            _ => {}
        }
    }

    /// Writes it into `request`: the first model, and the largest limit for as many answers as all of them ask for; none
    /// if one has none.
    pub(crate) fn finish(self, request: &mut Request<'b>) {
        request.model = self.model;
        request.choices = self.choices.max(1);
        request.max_output_tokens = self.most.filter(|_| !self.is_unlimited);
    }
}
