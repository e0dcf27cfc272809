//! What a model costs that no entry names.

use super::{PicoUsd, Price, PriceTable};

/// The operator's rule for models without a price.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unknown {
    /// A budget in money refuses them.
    #[default]
    Deny,
    /// They cost nothing.
    Free,
    /// They cost this.
    At {
        /// Per token of the prompt.
        input: PicoUsd,
        /// Per token of the answer.
        output: PicoUsd,
    },
}

/// A model that has no price and may not be asked under a budget in money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model has no price; add one to `prices.models`, or say with `prices.unknown` what such models cost"
)]
pub struct UnknownPrice;

/// The table, and the rule for what is not in it.
#[derive(Debug, Clone)]
pub struct Prices {
    table: PriceTable,
    rule: Unknown,
    unknown: Option<Price>,
}

impl Prices {
    /// A table with its rule.
    #[must_use]
    pub fn new(table: PriceTable, unknown: Unknown) -> Self {
        let price = match unknown {
            Unknown::Deny => None,
            Unknown::Free => Some(Price::flat(PicoUsd(0), PicoUsd(0))),
            Unknown::At { input, output } => Some(Price::flat(input, output)),
        };
        Self {
            table,
            rule: unknown,
            unknown: price,
        }
    }

    /// What `model` costs at `provider` at a moment in Unix milliseconds. `None` for a model is one that the request does not name.
    ///
    /// # Errors
    ///
    /// The model has no price and the rule is [`Unknown::Deny`].
    pub fn price(
        &self,
        provider: &str,
        model: Option<&str>,
        at_unix_ms: u64,
    ) -> Result<&Price, UnknownPrice> {
        let listed = model.and_then(|model| self.table.price(provider, model, at_unix_ms));
        listed.or(self.unknown.as_ref()).ok_or(UnknownPrice)
    }

    /// The table alone.
    #[must_use]
    pub fn table(&self) -> &PriceTable {
        &self.table
    }

    /// The rule for models without a price.
    #[must_use]
    pub fn unknown(&self) -> Unknown {
        self.rule
    }
}

impl Default for Prices {
    /// The built-in prices; what they do not name is refused.
    fn default() -> Self {
        Self::new(PriceTable::builtin(), Unknown::Deny)
    }
}
