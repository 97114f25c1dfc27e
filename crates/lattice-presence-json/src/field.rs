//! Fields that must be there, and only once.

use crate::cursor::Result;
use crate::error::{Category, DecodeError};

/// Stores the value of a field that may come only once.
#[inline]
pub(crate) fn set<T>(
    place: &mut Option<T>,
    at: usize,
    read: impl FnOnce() -> Result<T>,
) -> Result<()> {
    once(place.is_some(), at)?;
    *place = Some(read()?);
    Ok(())
}

/// Refuses the field at an offset, if it `came` already.
#[inline]
pub(crate) fn once(came: bool, at: usize) -> Result<()> {
    if came { Err(repeated(at)) } else { Ok(()) }
}

#[cold]
fn repeated(at: usize) -> DecodeError {
    DecodeError::new(Category::Duplicate, at, "comes twice in one object")
}

/// The value of a field that must be there, in the object that opens at `start`.
#[inline]
pub(crate) fn required<T>(value: Option<T>, field: &'static str, start: usize) -> Result<T> {
    value.ok_or_else(|| missing(field, start))
}

#[cold]
fn missing(field: &'static str, start: usize) -> DecodeError {
    DecodeError::new(Category::Shape, start, "the field is missing").within_field(field)
}
