//! One file per command: load, act, report.

pub mod build;
