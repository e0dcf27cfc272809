//! A purse in the journal and in the store.

use std::fmt;

use super::{Pending, Purse, Run};
use crate::budget::Scope;
use crate::cluster::view::View;

impl fmt::Display for Purse {
    /// `scope seq lease unreported pending life used leased debt nodes at until window ttl`, where pending is `nonce/spent/returned` and
    /// what there is none of is `-`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {}",
            self.scope().name(),
            self.seq,
            self.lease,
            self.unreported
        )?;
        match self.pending {
            Some(Pending {
                nonce,
                spent,
                returned,
            }) => write!(f, " {nonce}/{spent}/{returned}")?,
            None => f.write_str(" -")?,
        }
        let View {
            life,
            used,
            leased,
            debt,
            nodes,
            at_ms,
            until_ms,
            window_ms,
            ttl_ms,
        } = &self.view;
        let life = if life.is_empty() { "-" } else { life };
        write!(
            f,
            " {life} {used} {leased} {debt} {nodes} {at_ms} {until_ms} {window_ms} {ttl_ms}"
        )
    }
}

impl Purse {
    /// Reads what it is written as. Its lease is not live until the store has renewed it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let mut purse = Self::of(Scope::parse(parts.next()?)?)?;
        let number = |text: &str| text.parse().ok();
        purse.seq = number(parts.next()?)?;
        purse.lease = number(parts.next()?)?;
        purse.unreported = number(parts.next()?)?;
        purse.pending = match parts.next()? {
            "-" => None,
            pending => {
                let mut parts = pending.split('/').map(number);
                Some(Pending {
                    nonce: parts.next()??,
                    spent: parts.next()??,
                    returned: parts.next()??,
                })
            }
        };
        if purse
            .pending
            .is_some_and(|pending| pending.returned > purse.lease)
        {
            return None;
        }
        let life = parts.next().filter(|life| *life != "-").unwrap_or_default();
        let mut next = || number(parts.next()?);
        purse.view = View {
            life: life.to_owned(),
            used: next()?,
            leased: next()?,
            debt: next()?,
            nodes: next()?,
            at_ms: next()?,
            until_ms: next()?,
            window_ms: next()?,
            ttl_ms: next()?,
        };
        purse.run = Run::default();
        Some(purse)
    }
}
