//! The token ledger: reserve, meter, settle.
//!
//! # The rules
//!
//! A [`Budget`] is a limit of one [`Unit`] in a [`Window`]. Its account holds three figures: what is **settled** in the window,
//! what open reservations have **reserved**, and the **debt** that was spent beyond reservations and has not found room yet.
//!
//! 1. [`Ledger::reserve`] takes from every budget, in its own unit, of a request in one step, or from none. It succeeds only where
//!    `settled + reserved + amount ≤ limit`, so that `settled + reserved ≤ limit` holds at every moment. (A limit lowered below what is
//!    outstanding denies until enough has left the window.)
//! 2. [`Reservation::cover`] does the same for what is missing while an answer streams.
//! 3. [`Reservation::settle`] gives the reservation back and charges what was spent, at the moment of settling. The part of the charge within
//!    the reservation is settled. The part beyond it is debt.
//! 4. Debt takes free room before any reservation can: at once when it arises, and then whenever charges leave the window, a reservation is
//!    refunded or the limit is raised, it moves into `settled` as of that moment and stays there for a whole window. So while there is
//!    debt nothing is free; an overspend of half a limit uses half of the next window; none of it is forgiven.
//!    It drains with time, whether or not anybody asks.
//! 5. Charges leave a rolling window after one window's length, in steps of a sixtieth of it, never earlier; a calendar window all at once when
//!    its period ends. A budget of concurrency charges nothing: only what is held counts.
//! 6. [`Certainty`] says what of a reservation may be refunded. A reservation dropped without settling charges all it holds.
//!
//! The sum of `settled` ever charged plus `debt` equals the sum of charges for every budget, but for what somebody clears by
//! [`Ledger::reset`]. That and [`Ledger::set_override`] are on record in [`Ledger::audit`].
//!
//! # What survives
//!
//! [`Ledger::open`] keeps the accounts in a directory: `ledger.db` (SQLite, to be opened and read by anybody at any time), in front of it
//! `ledger.journal.N` (each change, by one `write` before the operation returns), and `ledger.lock`.
//!
//! - A kill of the agent loses nothing that was acknowledged, and nothing is counted twice. Reservations open at that moment are charged in
//!   full as of ten seconds after the agent's last sign of life (but not after the next start), and leave the window in their time; they are
//!   never refunded, since nobody will tell what they spent.
//! - A power cut loses what happened since the last checkpoint, by default less than a second.
//! - A disk that takes no writes stops neither reservations nor refusals: they go on from memory, [`Ledger::health`] says that they are not
//!   durable, and the first checkpoint that succeeds writes all of it. What happened since the journal stopped is lost if the agent is killed
//!   before.
//! - A damaged or missing file is an error at opening that says which and where; the ledger never starts empty in its place.
//! - Steps of the wall clock while the agent runs change nothing in rolling windows; between two runs they count forwards only. Calendar windows
//!   and overrides follow the wall clock to within 1.1 seconds. A step back resets nothing: a window that began in what is the future again
//!   goes on, as that of the next period at the most. A step forward into another period begins that period, each time.
//!
//! # Bounds
//!
//! [`MAX_ACCOUNTS`] accounts; one that holds nothing any more is dropped. 61 sub-windows an account, only those in use take memory. 64 MiB of
//! journal. Keys of [`MAX_KEY_BYTES`]. [`MAX_ALERTS`] thresholds a budget. [`MAX_AUDIT_ROWS`] changes by hand. Figures up to [`MAX_AMOUNT`].

#![forbid(unsafe_code)]

mod account;
mod alert;
mod audit;
mod book;
mod budget;
mod calendar;
mod charges;
mod checkpoint;
mod clock;
mod cluster;
mod core;
mod error;
mod fit;
mod glob;
mod handover;
mod health;
mod journal;
mod ledger;
mod overrides;
mod price;
mod recovery;
mod reservation;
mod rolling;
mod state;
mod store;
mod ticker;
mod unit;
mod window;

pub use account::RETRY_WHILE_RESERVED_MS;
pub use alert::{Crossing, MAX_ALERTS};
pub use audit::{AuditEntry, Change, Figures, MAX_AUDIT_ROWS, MAX_BY_BYTES};
pub use book::MAX_ACCOUNTS;
pub use budget::{
    AccountState, Budget, Certainty, Charge, Denied, DenyReason, MAX_AMOUNT, OnStoreLoss, Scope, Settlement,
};
pub use calendar::{Period, UnknownZone, Zone};
pub use clock::{Clock, ManualClock, SystemClock};
pub use cluster::bell::Refill;
pub use cluster::link::{Cluster, ClusterError};
pub use cluster::syncer::{Breaker, ClusterHealth};
pub use error::LedgerError;
pub use fit::Level;
pub use glob::{Glob, GlobError, MAX_PATTERN_BYTES};
pub use handover::{Adopted, Ending, Successor};
pub use health::Health;
pub use journal::record::MAX_KEY_BYTES;
pub use ledger::{Checkpoints, Ledger};
pub use overrides::{ChangeError, Override};
pub use price::{
    Buckets, LongContext, LongContextSpec, MAX_MODEL_BYTES, Media, MicroUsd, MoneyError, PatternList,
    PicoUsd, Price, PriceEntry, PriceError, PriceSpec, PriceTable, Prices, Quantities, Rates, Unknown,
    UnknownPrice,
};
pub use recovery::Recovery;
pub use reservation::Reservation;
pub use unit::{Spend, Unit};
pub use window::{MAX_WINDOW_MS, Window};
