//! The clocks behind a prefix, as a payload lists them.

use lattice_presence::ClockSet;

use crate::cursor::{Cursor, Result};
use crate::decoder::Decoder;
use crate::error::{Category, DecodeError};

/// Reads clouds and counts their items against the limit of the payload.
pub(crate) struct Clouds<'l> {
    limits: &'l Decoder,
    items: usize,
    /// The intervals of the cloud being read. Kept between clouds.
    intervals: Vec<(u64, u64)>,
}

impl<'l> Clouds<'l> {
    pub(crate) const fn new(limits: &'l Decoder) -> Self {
        Self {
            limits,
            items: 0,
            intervals: Vec::new(),
        }
    }

    /// An array of clocks and `[first, last]` pairs, in any order.
    /// O(n log n) at worst, O(n) where it ascends.
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<ClockSet> {
        self.intervals.clear();
        let mut ascending = true;
        let mut items = cursor.items()?;
        while let Some(index) = items.next(cursor)? {
            let (first, last) = self.item(cursor).map_err(|e| e.within_index(index))?;
            ascending &= self.push(first, last);
        }
        if !ascending {
            self.intervals.sort_unstable();
        }
        let mut clocks = ClockSet::new();
        for &(first, last) in &self.intervals {
            clocks.insert_range(first..=last);
        }
        Ok(clocks)
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

    /// Takes an interval; whether the intervals still ascend. A run of clocks
    /// becomes one interval on the spot.
    fn push(&mut self, first: u64, last: u64) -> bool {
        match self.intervals.last_mut() {
            Some(top) if top.0 <= first && first <= top.1 + 1 => {
                top.1 = top.1.max(last);
                true
            }
            top => {
                let ascends = top.is_none_or(|top| top.1 < first);
                self.intervals.push((first, last));
                ascends
            }
        }
    }
}

fn pair(cursor: &mut Cursor<'_>) -> Result<(u64, u64)> {
    let start = cursor.offset();
    let mut ends = [0; 2];
    let mut count = 0;
    let mut items = cursor.items()?;
    while let Some(index) = items.next(cursor)? {
        let Some(end) = ends.get_mut(index) else {
            break;
        };
        *end = cursor.clock(1).map_err(|e| e.within_index(index))?;
        count = index + 1;
        if count == 2 {
            break;
        }
    }
    if count < 2 || items.next(cursor)?.is_some() {
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
