//! Presence for browsers.
mod json;
pub mod phoenix;
