//! The one script that runs in the store, as typed arguments and replies.

use redis::{Cmd, FromRedisValue, ParsingError, Script, Value};

/// The script's text. It needs Redis 7, or something that speaks like it: `TIME` and `INFO server` within scripts.
pub(crate) const TEXT: &str = include_str!("lease.lua");

/// Which charges count, by the store's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// Those of the last `hold_ms`, in sub-windows.
    Rolling { hold_ms: u64, sub_ms: u64 },
    /// Those of a period, in Unix milliseconds. The next one ends at `next_end_ms`.
    Calendar {
        start_ms: u64,
        end_ms: u64,
        next_end_ms: u64,
    },
    /// None: only what is held.
    Open,
}

/// What a node says and asks in one exchange about one budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    /// Number of this exchange, one more than that of the last that was answered.
    pub(crate) seq: u64,
    /// Tells exchanges of one number apart that two nodes of one identity make.
    pub(crate) nonce: u64,
    pub(crate) ttl_ms: u64,
    pub(crate) limit: u64,
    pub(crate) span: Span,
    /// Spent since the last exchange that was answered.
    pub(crate) spent: u64,
    /// Leased and not wanted any more.
    pub(crate) returned: u64,
    /// The least that helps, and how much would be good to have.
    pub(crate) need: u64,
    pub(crate) want: u64,
    /// What the node knows of the store, for a store that has forgotten.
    pub(crate) claim: Claim,
}

/// What a node remembers of the last reply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The life of the budget in which it was; empty if there was none.
    pub(crate) life: String,
    /// Used, leased and owed over all nodes, as far as that still counts.
    pub(crate) total: u64,
    /// The node's own lease, as far as that still counts.
    pub(crate) lease: u64,
    /// The node's own charges that the store has had, by their age in milliseconds.
    pub(crate) own: Vec<(u64, u64)>,
}

/// The store's epoch in which a budget's life began.
pub(crate) fn epoch_of(life: &str) -> &str {
    life.split('/').next().unwrap_or_default()
}

/// The newest of the store that a node has seen, over all budgets: a store that is older than this has lost something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) epoch: String,
    pub(crate) version: u64,
}

impl Seen {
    /// Takes note of a reply.
    pub(crate) fn note(&mut self, reply: &Reply) {
        let epoch = epoch_of(&reply.life);
        if self.epoch == epoch {
            self.version = self.version.max(reply.version);
        } else {
            (self.epoch, self.version) = (epoch.to_owned(), reply.version);
        }
    }
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// It was carried out, now or by an earlier try; the reply has the lease.
    Done,
    /// Nothing was carried out: the store gathers from its nodes what it has forgotten, for so long.
    Seeding { wait_ms: u64 },
    /// Nothing was carried out: the period is not the store's present one.
    OtherPeriod,
    /// Nothing was carried out: another node has used this one's identity.
    Replaced,
}

/// What the store answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: Status,
    /// The life of the budget: another one after each loss of the store's data.
    pub(crate) life: String,
    /// Of the store, over all budgets; counts the exchanges.
    pub(crate) version: u64,
    /// The node's lease after the exchange.
    pub(crate) lease: u64,
    /// Over all nodes.
    pub(crate) used: u64,
    pub(crate) leased: u64,
    pub(crate) debt: u64,
    /// Nodes whose leases are live, this one among them.
    pub(crate) nodes: u64,
    /// Another node waits for tokens.
    pub(crate) hungry: bool,
    /// The store's wall clock, in Unix milliseconds.
    pub(crate) store_ms: u64,
}

/// The key under which the store's epoch is kept. All keys of a cluster have one hash tag: the script needs a budget's and this
/// at once.
pub(crate) fn store_key(cluster: &str) -> String {
    format!("weir:{{{cluster}}}:store")
}

/// The key of a budget.
pub(crate) fn budget_key(cluster: &str, unit: &str, account: &str) -> String {
    format!("weir:{{{cluster}}}:{unit}:{account}")
}

/// The exchange as a command. The store must have the script.
pub(crate) fn command(script: &Script, keys: [&str; 2], node: &str, seen: &Seen, ask: &Ask) -> Cmd {
    let (kind, numbers) = match ask.span {
        Span::Rolling { hold_ms, sub_ms } => ("rolling", [hold_ms, sub_ms, 0, 0, 0]),
        Span::Calendar {
            start_ms,
            end_ms,
            next_end_ms,
        } => ("calendar", [0, 1, start_ms, end_ms, next_end_ms]),
        Span::Open => ("open", [0, 1, 0, 0, 0]),
    };
    let mut command = redis::cmd("EVALSHA");
    command.arg(script.get_hash()).arg(2).arg(&keys).arg(node);
    command
        .arg(ask.seq)
        .arg(format!("{:016x}", ask.nonce))
        .arg(ask.ttl_ms);
    command.arg(&seen.epoch).arg(seen.version);
    command.arg(ask.limit).arg(kind).arg(&numbers);
    command.arg(&[ask.spent, ask.returned, ask.need, ask.want]);
    command
        .arg(&ask.claim.life)
        .arg(ask.claim.total)
        .arg(ask.claim.lease);
    let own: Vec<_> = ask
        .claim
        .own
        .iter()
        .map(|(age, tokens)| format!("{age}:{tokens}"))
        .collect();
    command.arg(own.join(","));
    command
}

/// An exchange about no budget.
pub(crate) fn touch(script: &Script, store: &str, node: &str, seen: &Seen, ttl_ms: u64) -> Cmd {
    let mut command = redis::cmd("EVALSHA");
    command.arg(script.get_hash()).arg(1).arg(store).arg(node);
    // No exchange has this number. The nonce names the epoch where this begins one.
    command
        .arg(0)
        .arg(format!("{:016x}", super::random()))
        .arg(ttl_ms);
    command.arg(&seen.epoch).arg(seen.version);
    command
}

impl FromRedisValue for Reply {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let (status, life, version, lease, used, leased, debt, nodes, hungry, wait_ms, store_ms): Fields =
            redis::from_redis_value(value)?;
        let status = match status.as_str() {
            "ok" | "store" => Status::Done,
            "seeding" => Status::Seeding { wait_ms },
            "period" => Status::OtherPeriod,
            "replaced" => Status::Replaced,
            _ => return Err("a reply of an unknown kind".into()),
        };
        Ok(Self {
            status,
            life,
            version,
            lease,
            used,
            leased,
            debt,
            nodes,
            hungry: hungry > 0,
            store_ms,
        })
    }
}

type Fields = (String, String, u64, u64, u64, u64, u64, u64, u64, u64, u64);

#[cfg(test)]
mod tests;
