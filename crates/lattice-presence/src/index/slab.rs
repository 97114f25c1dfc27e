//! Things by small numbers.

use core::mem;

use super::segments::Segments;

/// A number that a [`Slab`] gave out.
pub(crate) type Id = u32;

/// No number.
const NONE: Id = Id::MAX;

/// Things that keep their number while they are in it; numbers of what went are
/// given out again.
///
/// # Invariants
///
/// - The free places form a list in both directions that starts at `free`.
/// - The last place is not free.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    places: Segments<Place<T>, 9>,
    free: Id,
    len: usize,
}

#[derive(Clone, Debug)]
enum Place<T> {
    Full(T),
    Free { before: Id, after: Id },
}

/// Places that may lie idle in any case.
const SLACK: usize = 64;

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self {
            places: Segments::new(),
            free: NONE,
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many places there are, free ones among them.
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    /// Two billion things at the most: entries would fill hundreds of gigabytes first.
    pub(super) fn insert(&mut self, thing: T) -> Id {
        self.len += 1;
        if self.free != NONE {
            let id = self.free;
            self.unlink(id);
            self.set(id, Place::Full(thing));
            return id;
        }
        let id = self.places.len();
        assert!(
            id < 1 << 31,
            "an index holds two billion entries at the most"
        );
        self.places.push(Place::Full(thing));
        id as Id
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<T> {
        let free = Place::Free {
            before: NONE,
            after: self.free,
        };
        let place = self.places.get_mut(id as usize)?;
        let thing = match mem::replace(place, free) {
            Place::Full(thing) => thing,
            free @ Place::Free { .. } => {
                *place = free;
                return None;
            }
        };
        self.len -= 1;
        if self.free != NONE {
            self.set_before(self.free, id);
        }
        self.free = id;
        self.trim();
        Some(thing)
    }

    /// Whether more than three quarters of the places lie idle.
    pub(super) fn is_sparse(&self) -> bool {
        self.places.len() > 4 * self.len + SLACK
    }

    /// The last number that is given out.
    pub(super) fn last(&self) -> Option<Id> {
        (self.places.len() as Id).checked_sub(1)
    }

    fn set(&mut self, id: Id, place: Place<T>) {
        if let Some(at) = self.places.get_mut(id as usize) {
            *at = place;
        }
    }

    fn set_before(&mut self, id: Id, value: Id) {
        if let Some(Place::Free { before, .. }) = self.places.get_mut(id as usize) {
            *before = value;
        }
    }

    fn unlink(&mut self, id: Id) {
        let Some(&Place::Free { before, after }) = self.places.get(id as usize) else {
            return;
        };
        if after != NONE {
            self.set_before(after, before);
        }
        if before == NONE {
            self.free = after;
        } else if let Some(Place::Free { after: next, .. }) = self.places.get_mut(before as usize) {
            *next = after;
        }
    }

    /// Lets go of the free places at the end.
    fn trim(&mut self) {
        while matches!(self.places.last(), Some(Place::Free { .. })) {
            self.unlink((self.places.len() - 1) as Id);
            self.places.pop();
        }
    }

    pub(super) fn get(&self, id: Id) -> Option<&T> {
        match self.places.get(id as usize)? {
            Place::Full(thing) => Some(thing),
            Place::Free { .. } => None,
        }
    }

    /// The thing of a number that is given out.
    pub(super) fn at(&self, id: Id) -> &T {
        match self.get(id) {
            Some(thing) => thing,
            None => unreachable!("a number stands for a thing"),
        }
    }

    pub(super) fn at_mut(&mut self, id: Id) -> &mut T {
        match self.places.get_mut(id as usize) {
            Some(Place::Full(thing)) => thing,
            _ => unreachable!("a number stands for a thing"),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        self.places
            .iter()
            .zip(0..)
            .filter_map(|(place, id)| match place {
                Place::Full(thing) => Some((id, thing)),
                Place::Free { .. } => None,
            })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

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
        assert_eq!((slab.len(), slab.places(), slab.last()), (0, 0, None));
    }

    #[test]
    fn what_is_free_at_the_end_goes_whatever_the_order() {
        let mut slab = Slab::new();
        let ids: Vec<Id> = (0..1000).map(|n| slab.insert(n)).collect();
        // 7 is prime to 1000: every number goes once, in a scattered order.
        for step in 0..1000 {
            let id = ids[step * 7 % 1000];
            assert_eq!(slab.remove(id), Some(id));
            let highest = slab.iter().map(|(id, _)| id).max();
            assert_eq!(slab.last(), highest);
            let free = slab.places() - slab.len();
            let (mut listed, mut at) = (0, slab.free);
            while let Some(&Place::Free { after, .. }) = slab.places.get(at as usize) {
                (listed, at) = (listed + 1, after);
            }
            assert_eq!(listed, free);
        }
    }
}
