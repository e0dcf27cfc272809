//! The Weir node agent. The modules are listed in the order of a connection; blank lines keep rustfmt from sorting them.

pub mod config;

pub mod agent;

pub mod kernel;

pub mod selftest;

pub mod identity;

pub mod trust;

pub mod intercept;

pub mod exchange;

pub mod guardrail;

pub mod policy;

pub mod expression;

pub mod event;

pub mod history;

pub mod api;

pub mod metrics;

pub mod cli;
