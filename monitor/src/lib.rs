//! The Weir node agent. The modules are listed in the order of a connection; blank lines keep rustfmt from sorting them.

pub mod config;

pub mod kernel;

pub mod identity;

pub mod event;

pub mod api;

pub mod metrics;

pub mod cli;
