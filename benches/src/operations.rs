//! Every row of the table.

pub mod codec;
pub mod extremes;
pub mod liveness;
pub mod local;
pub mod memory;
pub mod merging;
pub mod reads;
pub mod sync;
pub mod web;

use crate::case::Operation;

/// All that is timed, in the order of the table.
pub fn all() -> impl Iterator<Item = &'static Operation> {
    [
        local::OPERATIONS,
        reads::OPERATIONS,
        merging::OPERATIONS,
        liveness::OPERATIONS,
        codec::OPERATIONS,
        sync::OPERATIONS,
        extremes::OPERATIONS,
    ]
    .into_iter()
    .flatten()
}
