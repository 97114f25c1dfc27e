//! The rules S1 to S14: what presence promises.
//!
#![doc = include_str!("rules.md")]
