//! The token ledger: reserve, meter, settle.
