//! The clocks behind a prefix, as a payload lists them.

use core::ops::RangeInclusive;

use lattice_presence::ClockSet;

use crate::cursor::{Cursor, Result};
use crate::error::{Category, DecodeError};
use crate::limits::Limits;
use crate::room;

/// Bytes that an item takes at least: `,1`.
const ITEM: usize = 2;

/// Reads clouds and counts their items against the limit of the payload.
pub(crate) struct CloudReader<'l> {
    limits: &'l Limits,
    items: usize,
}

impl<'l> CloudReader<'l> {
    pub(crate) const fn new(limits: &'l Limits) -> Self {
        Self { limits, items: 0 }
    }

    /// An array of clocks and `[first, last]` pairs, in any order.
    /// O(n log n) at worst, O(n) if it ascends.
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<ClockSet> {
        let mut ascending = ClockSet::new();
        // Inserting into the middle costs O(intervals): what does not ascend
        // waits here to be sorted.
        let mut others = Vec::new();
        let mut items = cursor.items()?;
        while let Some(index) = items.next(cursor)? {
            let (first, last) = self.item(cursor).map_err(|e| e.within_index(index))?;
            if first > ascending.max() {
                // The usual clock of its own is an append.
                if first < last {
                    ascending.insert_range(first..=last);
                } else {
                    ascending.insert(first);
                }
            } else {
                push(&mut others, (first, last), cursor.left());
            }
        }
        if others.is_empty() {
            return Ok(ascending);
        }
        // Never three copies at a time: one list is the peak of a hostile cloud.
        others.reserve_exact(ascending.interval_count());
        others.extend(ascending.intervals().map(RangeInclusive::into_inner));
        drop(ascending);
        others.shrink_to_fit();
        others.sort_unstable();
        let mut sorted = ClockSet::new();
        for (first, last) in others {
            sorted.insert_range(first..=last);
        }
        Ok(sorted)
    }

    fn item(&mut self, cursor: &mut Cursor<'_>) -> Result<(u64, u64)> {
        if self.items >= self.limits.max_clouds {
            let reason = format!("more than {} cloud items", self.limits.max_clouds);
            return Err(DecodeError::new(Category::Limit, cursor.offset(), reason));
        }
        self.items += 1;
        if cursor.peek() == Some(b'[') {
            pair(cursor)
        } else {
            let clock = cursor.clock(1)?;
            Ok((clock, clock))
        }
    }
}

/// Appends an interval, which becomes one with the last if they touch. The payload has
/// `left` bytes behind it.
fn push(intervals: &mut Vec<(u64, u64)>, (first, last): (u64, u64), left: usize) {
    match intervals.last_mut() {
        Some(top) if top.0 <= first && first <= top.1 + 1 => top.1 = top.1.max(last),
        _ => room::push(intervals, (first, last), left, ITEM),
    }
}

fn pair(cursor: &mut Cursor<'_>) -> Result<(u64, u64)> {
    let start = cursor.offset();
    let mut ends = [0; 2];
    let mut count = 0;
    let mut items = cursor.items()?;
    while let Some(index) = items.next(cursor)? {
        match ends.get_mut(index) {
            Some(end) => *end = cursor.clock(1).map_err(|e| e.within_index(index))?,
            None => cursor.skip_unknown()?,
        }
        count = index + 1;
    }
    if count != 2 {
        let reason = "an interval is [first, last]";
        return Err(DecodeError::new(Category::Shape, start, reason));
    }
    let [first, last] = ends;
    if first > last {
        let reason = "an interval whose first clock is above its last";
        return Err(DecodeError::new(Category::Clock, start, reason));
    }
    Ok((first, last))
}
