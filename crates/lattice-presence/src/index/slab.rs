//! Things by small numbers.

use alloc::vec::Vec;

/// A number that a [`Slab`] gave out.
pub(crate) type Id = u32;

/// Things that keep their number while they are in it; numbers of what went are
/// given out again.
///
/// # Invariants
///
/// `free` holds the numbers of the empty places, each once.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<Id>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// How many places there are, empty ones among them.
    pub(crate) fn places(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn reserve(&mut self, more: usize) {
        self.places.reserve(more.saturating_sub(self.free.len()));
    }

    /// Two billion things at the most: entries would fill half a terabyte first.
    pub(crate) fn insert(&mut self, thing: T) -> Id {
        if let Some(id) = self.free.pop() {
            self.places[id as usize] = Some(thing);
            return id;
        }
        let id = self.places.len();
        assert!(
            id < 1 << 31,
            "an index holds two billion entries at the most"
        );
        self.places.push(Some(thing));
        id as Id
    }

    pub(crate) fn remove(&mut self, id: Id) -> Option<T> {
        let thing = self.places[id as usize].take()?;
        if self.free.len() + 1 == self.places.len() {
            // Nothing is left: no place has to be remembered.
            self.places.clear();
            self.free.clear();
        } else {
            self.free.push(id);
        }
        Some(thing)
    }

    pub(crate) fn get(&self, id: Id) -> Option<&T> {
        self.places.get(id as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        self.places.get_mut(id as usize)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_hold_while_the_thing_is_in_and_are_given_out_again() {
        let mut slab = Slab::new();
        let (a, b, c) = (slab.insert('a'), slab.insert('b'), slab.insert('c'));
        assert_eq!(slab.remove(b), Some('b'));
        assert_eq!((slab.remove(b), slab.get(b), slab.len()), (None, None, 2));
        assert_eq!(slab.insert('d'), b);
        assert_eq!(
            (slab.get(a), slab.get(b), slab.get(c)),
            (Some(&'a'), Some(&'d'), Some(&'c'))
        );
        for id in [a, b, c] {
            slab.remove(id);
        }
        assert_eq!((slab.len(), slab.places.len(), slab.free.len()), (0, 0, 0));
    }
}
