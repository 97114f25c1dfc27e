//! Values in the layout that every known writer produces.
//!
//! A value is eight fields of known names, nearly always in one order and
//! without white space. Read as that, it costs half as much. Whatever differs in
//! any way, be it only an escape, is left to the general reader, which also
//! words every error: nothing is refused here.

use core::ops::RangeInclusive;

use lattice_presence::{Dot, MAX_CLOCK, Presence};
use serde::de::DeserializeOwned;

use crate::cursor::Cursor;
use crate::meta;
use crate::payload::Payload;
use crate::scan::next_special;

impl<M: DeserializeOwned + 'static> Payload<'_, '_, M> {
    /// The next value, if it has that layout; otherwise the cursor stays.
    #[inline]
    pub(crate) fn shortcut(&mut self) -> Option<Presence<M>> {
        let start = self.cursor.offset();
        let entry = self.in_usual_layout();
        if entry.is_none() {
            self.cursor.rewind(start);
        }
        entry
    }

    #[inline]
    fn in_usual_layout(&mut self) -> Option<Presence<M>> {
        let Self { cursor, limits, .. } = self;
        let start = cursor.offset();
        let max = limits.max_string_bytes;
        let replica = cursor.field(b"{\"tag\":{\"replica\":\"", max)?;
        let clock = cursor.plain_clock(b",\"clock\":")?;
        let topic = cursor.field(b"},\"entry\":{\"topic\":\"", max)?;
        let key = cursor.field(b",\"key\":\"", max)?;
        let pid = cursor.field(b",\"pid\":\"", max)?;
        let meta = cursor.plain_meta::<M>(limits.max_meta_depth, limits.max_meta_bytes)?;
        let place = self.replicas.intern(replica, start, limits).ok()?;
        let dot = Dot::new(self.replicas.id(place).clone(), clock);
        Some(Presence::new(
            dot,
            self.topics.intern(topic),
            key,
            pid,
            meta,
        ))
    }
}

impl<'a> Cursor<'a> {
    /// `opening`, which ends with a quote, and the string behind it.
    #[inline]
    fn field(&mut self, opening: &[u8], max_bytes: usize) -> Option<&'a str> {
        if !self.eat(opening) {
            return None;
        }
        let start = self.offset();
        let end = next_special(self.bytes(), start);
        self.rewind(end);
        let string = self.text_since(start);
        (self.eat(b"\"") && string.len() <= max_bytes).then_some(string)
    }

    /// `opening`, and digits that are a clock.
    #[inline]
    fn plain_clock(&mut self, opening: &[u8]) -> Option<u64> {
        const CLOCKS: RangeInclusive<u64> = 1..=MAX_CLOCK;
        // One digit more than MAX_CLOCK has, and still no overflow.
        const DIGITS: usize = 17;
        if !self.eat(opening) || self.peek() == Some(b'0') {
            return None;
        }
        let mut clock = 0;
        for _ in 0..DIGITS {
            let Some(digit @ b'0'..=b'9') = self.peek() else {
                break;
            };
            clock = clock * 10 + u64::from(digit - b'0');
            self.advance();
        }
        CLOCKS.contains(&clock).then_some(clock)
    }

    /// The metadata up to the end of the value.
    #[inline]
    fn plain_meta<M>(&mut self, max_depth: usize, max_bytes: usize) -> Option<M>
    where
        M: DeserializeOwned + 'static,
    {
        if !self.eat(b",\"meta\":") {
            return None;
        }
        let skipped = self.skip_value(max_depth).ok()?;
        if !self.eat(b"}}") || skipped.text.len() > max_bytes {
            return None;
        }
        meta::decode(&skipped).ok()
    }
}
