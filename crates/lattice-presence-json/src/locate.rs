//! Finds the place of a value that was refused after the pass over the payload.

use lattice_presence::{Dot, ReplicaId};

use crate::cursor::{Cursor, Result};
use crate::error::{Category, DecodeError};

/// The error for the `nth` value (from 0) that carries `dot`, with its path.
///
/// This is a second pass, over a payload that is known to be well-formed. To remember the
/// place of each value would cost memory for every payload that is accepted.
#[cold]
pub(crate) fn tag(
    text: &str,
    dot: &Dot<ReplicaId>,
    nth: usize,
    category: Category,
    reason: &'static str,
) -> DecodeError {
    let mut search = Search {
        cursor: Cursor::new(text),
        dot,
        left: nth,
    };
    match search.payload() {
        Ok(Some((index, offset))) => DecodeError::new(category, offset, reason)
            .within_field("tag")
            .within_index(index)
            .within_field("values"),
        _ => DecodeError::new(category, 0, reason).within_field("values"),
    }
}

struct Search<'a, 'd> {
    cursor: Cursor<'a>,
    dot: &'d Dot<ReplicaId>,
    left: usize,
}

impl Search<'_, '_> {
    fn payload(&mut self) -> Result<Option<(usize, usize)>> {
        let mut fields = self.cursor.fields()?;
        while let Some((name, _)) = fields.next(&mut self.cursor)? {
            if name == "values" {
                return self.values();
            }
            self.cursor.skip_unknown()?;
        }
        Ok(None)
    }

    fn values(&mut self) -> Result<Option<(usize, usize)>> {
        let mut items = self.cursor.items()?;
        while let Some(index) = items.next(&mut self.cursor)? {
            let Some(offset) = self.value()? else {
                continue;
            };
            if self.left == 0 {
                return Ok(Some((index, offset)));
            }
            self.left -= 1;
        }
        Ok(None)
    }

    /// The offset of the tag, if it is the right one.
    fn value(&mut self) -> Result<Option<usize>> {
        let mut found = None;
        let mut fields = self.cursor.fields()?;
        while let Some((name, _)) = fields.next(&mut self.cursor)? {
            if name == "tag" {
                self.cursor.skip_space();
                let offset = self.cursor.offset();
                found = self.tag()?.then_some(offset);
            } else {
                self.cursor.skip_unknown()?;
            }
        }
        Ok(found)
    }

    fn tag(&mut self) -> Result<bool> {
        let (mut replica, mut clock) = (false, false);
        let mut fields = self.cursor.fields()?;
        while let Some((name, _)) = fields.next(&mut self.cursor)? {
            match &*name {
                "replica" => replica = self.cursor.string()? == self.dot.replica.as_str(),
                "clock" => clock = self.cursor.clock(1)? == self.dot.clock,
                _ => self.cursor.skip_unknown()?,
            }
        }
        Ok(replica && clock)
    }
}
