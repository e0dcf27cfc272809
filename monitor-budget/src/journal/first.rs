//! The records of the journal's first format, of ledgers that only counted tokens in rolling windows: read, never written.
//!
//! Frames are those of [`record`](super::record); reservations and settlements have one amount for all slots.

use super::record::{
    Amounts, Frame, KIND_CLOCK, KIND_DEFINE, KIND_EXTEND, KIND_FORGET, KIND_RESERVE, KIND_SETTLE, Record,
    Settles, WindowText, open, take, take_slot,
};
use crate::unit::Unit;

/// Reads the frame at the start of `bytes`; `None` if there is no whole and sound one.
pub(crate) fn read(bytes: &[u8], generation: u64) -> Option<Frame<'_>> {
    let (kind, ledger_ms, mut body, frame_bytes) = open(bytes, generation)?;
    let record = match kind {
        KIND_DEFINE => Record::Define {
            limit: take(&mut body)?,
            window: WindowText::RollingMs(take(&mut body)?),
            slot: take_slot(&mut body)?,
            unit: Unit::Tokens,
            alert_at: &[],
            key: std::str::from_utf8(body).ok()?,
        },
        KIND_FORGET => Record::Forget {
            slot: take_slot(&mut body)?,
        },
        KIND_RESERVE => Record::Reserve {
            amounts: Amounts::Same(take(&mut body)?, body),
        },
        KIND_EXTEND => Record::Extend {
            amounts: Amounts::Same(take(&mut body)?, body),
        },
        KIND_SETTLE => Record::Settle {
            settles: Settles::Same {
                held: take(&mut body)?,
                charge: take(&mut body)?,
                slots: body,
            },
        },
        KIND_CLOCK => Record::Clock {
            unix_ms: take(&mut body)?,
        },
        _ => return None,
    };
    Some(Frame {
        ledger_ms,
        record,
        frame_bytes,
    })
}
