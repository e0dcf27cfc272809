//! Opening a state directory: load the store, replay the journal, count open reservations as spent.

use std::path::Path;

use crate::account::Account;
use crate::audit::AuditLog;
use crate::book::{Book, MAX_ACCOUNTS, SlotNumber};
use crate::budget::Budget;
use crate::clock::{Clock, Moment, Reading, TimeLine, ahead, moment};
use crate::cluster::purse::Purse;
use crate::error::LedgerError;
use crate::journal::Log;
use crate::journal::file::{JournalReader, generations, path_of};
use crate::journal::record::{Frame, Record, WindowText};
use crate::state::State;
use crate::store::{Position, Store, StoredSlot};
use crate::unit::Unit;
use crate::window::Window;

/// How long after the agent's last sign of life a provider may still have been producing for an exchange that the agent's end
/// cut off, in milliseconds. What open reservations held is charged as of that moment.
const EXCHANGE_TAIL_MS: u64 = 10_000;

/// What opening a ledger found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Journal records applied on top of the store.
    pub records_replayed: u64,
    /// Bytes at the journal's end that were no whole record: a write torn by the end of the agent or of the host.
    pub torn_bytes: u64,
    /// Reservations that were open on some account, counted per account.
    pub open_reservations: u64,
    /// Tokens they held on accounts of tokens, counted per account and charged as spent.
    pub open_tokens: u64,
    /// Milliseconds that passed since the last sign of life of the agent before.
    pub downtime_ms: u64,
}

/// What is done with the reservations that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    /// Whoever opened them is gone: they are charged in full.
    Charged,
    /// Whoever opened them will settle them.
    Kept {
        /// How many there are.
        reservations: u64,
    },
}

/// What was recovered.
pub(crate) struct Recovered {
    pub(crate) state: State,
    pub(crate) report: Recovery,
    /// Highest generation of which a file exists or is referred to.
    pub(crate) last_generation: u64,
}

/// Replays into memory; writes nothing.
pub(crate) fn recover(
    dir: &Path,
    store: &Store,
    clock: &dyn Clock,
    boot_id: [u8; 16],
    open: Open,
) -> Result<Recovered, LedgerError> {
    let position = store.position()?;
    let mut replay = Replay {
        book: load(store)?,
        report: Recovery::default(),
        end_lsn: position.lsn,
        last_ms: position.ledger_ms,
        seen: (position.ledger_ms, position.unix_ms),
        ahead_ms: position.ahead_ms,
        audit: AuditLog::after(store.last_audit_number()?),
    };
    let files = generations(dir)?;
    if position.generation > 0 {
        replay.journals(dir, &files, &position, boot_id)?;
    }
    let Replay {
        mut book,
        mut report,
        last_ms,
        seen,
        ahead_ms,
        audit,
        ..
    } = replay;
    let end_lsn = replay.end_lsn.max(book.highest_lsn());

    let reading = Reading::of(clock);
    let unix_ms = reading.unix_ms();
    let fresh = position == Position::default();
    let last_unix_ms = seen.1.saturating_add(last_ms.saturating_sub(seen.0));
    report.downtime_ms = if fresh {
        0
    } else {
        unix_ms.saturating_sub(last_unix_ms)
    };
    let now_ms = if fresh {
        unix_ms
    } else {
        last_ms.saturating_add(report.downtime_ms)
    };

    if open == Open::Charged {
        let at_ms = now_ms.min(last_ms.saturating_add(EXCHANGE_TAIL_MS));
        charge_open_reservations(&mut book, moment(at_ms, ahead_ms), end_lsn, &mut report);
    }
    book.rebuild_free_slots();
    // The wall clock may have been set while nobody looked.
    let time = TimeLine::starting_at(now_ms, reading);
    for slot in book.step(moment(now_ms, ahead_ms), time.moment(now_ms), |_| true) {
        book.touch(slot, end_lsn);
    }
    let mut state = State::new(time);
    state.leases.find(&mut book);
    state.book = book;
    state.audit = audit;
    state.queue_untold();
    state.log = Some(Log::off(end_lsn));
    if let Open::Kept { reservations } = open {
        state.open_reservations = reservations;
    }
    let last_generation = files.last().copied().unwrap_or(0).max(position.generation);
    Ok(Recovered {
        state,
        report,
        last_generation,
    })
}

fn load(store: &Store) -> Result<Book, LedgerError> {
    let mut book = Book::default();
    let mut twice = None;
    store.load(|StoredSlot { slot, lsn, account }| {
        let key = account.as_ref().map(|account| account.key.clone());
        if key.is_some_and(|key| book.find(&key).is_some()) {
            twice = Some(slot);
        }
        book.restore(slot, lsn, account);
    })?;
    match twice {
        Some(slot) => Err(store.corrupt(format!("account slot {slot} has the key of another slot"))),
        None => Ok(book),
    }
}

struct Replay {
    book: Book,
    report: Recovery,
    end_lsn: u64,
    last_ms: u64,
    /// The last pair of ledger time and wall clock.
    seen: (u64, u64),
    /// Calendar time less ledger time.
    ahead_ms: i64,
    /// Changes by hand that the store does not have yet.
    audit: AuditLog,
}

impl Replay {
    /// Replays from the store's position through all files that continue each other.
    fn journals(
        &mut self,
        dir: &Path,
        files: &[u64],
        position: &Position,
        boot_id: [u8; 16],
    ) -> Result<(), LedgerError> {
        if !files.contains(&position.generation) {
            let path = path_of(dir, position.generation);
            return Err(LedgerError::Missing {
                path,
                needed_by: "ledger.db",
            });
        }
        for &generation in files.iter().filter(|&&found| found >= position.generation) {
            let first = generation == position.generation;
            let Some(mut journal) = JournalReader::open(dir, generation)? else {
                if first {
                    let path = path_of(dir, generation);
                    return Err(LedgerError::CorruptJournal {
                        path,
                        offset: 0,
                        what: "its header is gone",
                    });
                }
                // Its creation was cut short, so that nothing was ever acknowledged from it.
                break;
            };
            if !first && !journal.header.continues {
                // It was begun after a failed write and counts only once the store refers to it.
                break;
            }
            if !first && journal.header.base_lsn > self.end_lsn {
                if journal.header.boot_id == boot_id && boot_id != [0; 16] {
                    return Err(journal.corrupt("records between it and the file before are missing"));
                }
                break;
            }
            journal.seek(self.end_lsn);
            self.file(&mut journal)?;
            self.report.torn_bytes += journal.torn_bytes(boot_id)?;
        }
        Ok(())
    }

    fn file(&mut self, journal: &mut JournalReader) -> Result<(), LedgerError> {
        while let Some((frame, lsn)) = journal.next() {
            let applied = self.apply(&frame, lsn);
            applied.map_err(|what| journal.corrupt(what))?;
            self.report.records_replayed += 1;
        }
        self.end_lsn = self.end_lsn.max(journal.lsn());
        Ok(())
    }

    fn apply(&mut self, frame: &Frame<'_>, lsn: u64) -> Result<(), &'static str> {
        let ledger_ms = frame.ledger_ms;
        let now = moment(ledger_ms, self.ahead_ms);
        self.last_ms = self.last_ms.max(ledger_ms);
        match frame.record {
            Record::Define {
                slot,
                limit,
                unit,
                window,
                alert_at,
                key,
            } => {
                if slot as usize >= MAX_ACCOUNTS {
                    return Err("a record opens an account beyond the last slot");
                }
                if !self.book.contains(slot, lsn) {
                    let window = match window {
                        WindowText::Text(text) => Window::parse(text),
                        WindowText::RollingMs(ms) => Some(Window::rolling(ms)),
                    };
                    let window = window.ok_or("a record has a window that is not known")?;
                    let mut budget = Budget::new(key, limit, unit, window);
                    budget.alert_at = alert_at.into();
                    define(&mut self.book, slot, &budget, now)?;
                    self.book.touch(slot, lsn);
                }
            }
            Record::Forget { slot } => {
                if !self.book.contains(slot, lsn) {
                    self.book.forget(slot);
                    self.book.touch(slot, lsn);
                }
            }
            Record::Reserve { amounts } => {
                self.each(amounts.iter(), lsn, |account, amount| {
                    account.advance(now);
                    account.open_reservation(amount);
                })?;
            }
            Record::Extend { amounts } => {
                self.each(amounts.iter(), lsn, |account, amount| {
                    account.advance(now);
                    account.hold(amount);
                })?;
            }
            Record::Settle { settles } => {
                let settles = settles.iter().map(|settle| (settle.slot, settle));
                self.each(settles, lsn, |account, settle| {
                    account.advance(now);
                    account.close_reservation(settle.held, settle.charge);
                    account.pass_alerts(now);
                })?;
            }
            Record::Purse { slot, purse } => {
                let read = (!purse.is_empty()).then(|| Purse::parse(purse).map(Box::new));
                let read = match read {
                    Some(None) => return Err("a record has a lease that is unreadable"),
                    Some(read) => read,
                    None => None,
                };
                self.each(std::iter::once((slot, read)), lsn, |account, read| {
                    account.purse = read
                })?;
            }
            Record::Clock { unix_ms } => self.seen = (ledger_ms, unix_ms),
            Record::ByHand {
                slot,
                number,
                what,
                by,
            } => {
                let mut row = None;
                self.each([(slot, ())].into_iter(), lsn, |account, ()| {
                    row = Some(account.change_by_hand(number, what, by, now));
                    account.pass_alerts(now);
                })?;
                // Where the account contains the change, the store has its row.
                if let Some(row) = row {
                    self.audit.push(row);
                }
            }
            Record::Told { slot } => {
                self.each([(slot, ())].into_iter(), lsn, |account, ()| {
                    drop(account.tell_alerts())
                })?;
            }
            Record::Step { unix_ms } => {
                self.ahead_ms = ahead(ledger_ms, unix_ms);
                self.seen = (ledger_ms, unix_ms);
                let after = moment(ledger_ms, self.ahead_ms);
                for slot in self.book.step(now, after, |place| place.lsn < lsn) {
                    self.book.touch(slot, lsn);
                }
            }
        }
        Ok(())
    }

    fn each<T>(
        &mut self,
        changes: impl Iterator<Item = (SlotNumber, T)>,
        lsn: u64,
        mut change: impl FnMut(&mut Account, T),
    ) -> Result<(), &'static str> {
        for (slot, what) in changes {
            if self.book.contains(slot, lsn) {
                continue;
            }
            let account = self
                .book
                .account_mut(slot)
                .ok_or("a record refers to an account that is not open")?;
            change(account, what);
            self.book.touch(slot, lsn);
        }
        Ok(())
    }
}

fn define(book: &mut Book, slot: SlotNumber, budget: &Budget, now: Moment) -> Result<(), &'static str> {
    let elsewhere = book.find(&budget.key).is_some_and(|found| found != slot);
    match book.account_mut(slot) {
        Some(account) if account.key == budget.key => {
            account.redefine(budget, now);
            account.pass_alerts(now);
        }
        Some(_) => return Err("a record opens an account in a slot that is taken"),
        None if elsewhere => return Err("a record opens an account that is open already"),
        None => book.put(slot, Account::new(budget, now)),
    }
    Ok(())
}

/// The exchanges died with the agent and nobody will tell what they spent: all they held is charged, and never refunded.
fn charge_open_reservations(book: &mut Book, at: Moment, lsn: u64, report: &mut Recovery) {
    for slot in book.slot_numbers() {
        let Some(account) = book
            .account_mut(slot)
            .filter(|account| account.open_reservations > 0)
        else {
            continue;
        };
        report.open_reservations += u64::from(account.open_reservations);
        if account.unit == Unit::Tokens {
            report.open_tokens = report.open_tokens.saturating_add(account.reserved);
        }
        account.advance(at);
        account.charge_held(account.reserved, at);
        account.open_reservations = 0;
        book.touch(slot, lsn);
    }
}
