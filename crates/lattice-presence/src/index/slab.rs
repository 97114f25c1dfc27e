//! Things by small numbers.

use alloc::vec::Vec;
use core::mem;

/// A number that a [`Slab`] gave out.
pub(crate) type Id = u32;

/// Things that keep their number while they are in it; numbers of what went are
/// given out again. It grows and shrinks by blocks: no call moves more than one, and
/// one that is empty is given back.
///
/// # Invariants
///
/// - `len` things are in it, in `places` places.
/// - The free places of a block form a list that starts at its `free`.
/// - Every block with room is in `open`, which may name others, too.
/// - The last block is not empty.
#[derive(Clone, Debug)]
pub(super) struct Slab<T> {
    blocks: Vec<Block<T>>,
    open: Vec<u32>,
    len: usize,
    places: usize,
}

#[derive(Clone, Debug)]
struct Block<T> {
    places: Vec<Place<T>>,
    free: u16,
    live: u16,
    /// Whether it is in `open`.
    listed: bool,
}

#[derive(Clone, Debug)]
enum Place<T> {
    Full(T),
    Free { next: u16 },
}

const BITS: u32 = 8;

/// Places of a block.
const BLOCK: usize = 1 << BITS;

/// No place.
const NONE: u16 = u16::MAX;

impl<T> Block<T> {
    const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: NONE,
            live: 0,
            listed: true,
        }
    }

    /// Takes a thing in, if there is room; says where.
    fn put(&mut self, thing: T, least: usize) -> Result<usize, T> {
        let at = if self.free != NONE {
            let at = usize::from(self.free);
            if let Place::Free { next } = mem::replace(&mut self.places[at], Place::Full(thing)) {
                self.free = next;
            }
            at
        } else if self.places.len() < BLOCK {
            let len = self.places.len();
            if len == self.places.capacity() {
                self.places.reserve_exact(len.max(least).min(BLOCK - len));
            }
            self.places.push(Place::Full(thing));
            len
        } else {
            return Err(thing);
        };
        self.live += 1;
        Ok(at)
    }
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self {
            blocks: Vec::new(),
            open: Vec::new(),
            len: 0,
            places: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many places there are, free ones among them.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.places
    }

    /// Two billion things at the most: entries would fill hundreds of gigabytes first.
    pub(super) fn insert(&mut self, mut thing: T) -> Id {
        self.len += 1;
        loop {
            let Some(&open) = self.open.last() else {
                self.open.push(self.blocks.len() as u32);
                self.blocks.push(Block::new());
                continue;
            };
            if let Some(block) = self.blocks.get_mut(open as usize) {
                let before = block.places.len();
                // Where there is one block already, another is half full before long.
                let least = if open == 0 { 4 } else { BLOCK / 4 };
                match block.put(thing, least) {
                    Ok(at) => {
                        self.places += block.places.len() - before;
                        assert!(
                            open < 1 << (31 - BITS),
                            "an index holds two billion entries at the most"
                        );
                        return open << BITS | at as u32;
                    }
                    Err(back) => thing = back,
                }
                block.listed = false;
            }
            self.open.pop();
        }
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<T> {
        let number = id >> BITS;
        let block = self.blocks.get_mut(number as usize)?;
        let at = id as usize % BLOCK;
        let place = block.places.get_mut(at)?;
        if matches!(place, Place::Free { .. }) {
            return None;
        }
        let Place::Full(thing) = mem::replace(place, Place::Free { next: block.free }) else {
            return None;
        };
        block.free = at as u16;
        block.live -= 1;
        self.len -= 1;
        if !block.listed {
            block.listed = true;
            self.open.push(number);
        }
        if block.live == 0 {
            self.places -= block.places.len();
            block.places = Vec::new();
            block.free = NONE;
            self.trim();
        }
        Some(thing)
    }

    /// Lets go of empty blocks at the end.
    fn trim(&mut self) {
        while self.blocks.last().is_some_and(|block| block.live == 0) {
            self.blocks.pop();
        }
        if self.blocks.capacity() > 4 * self.blocks.len() {
            self.blocks.shrink_to(2 * self.blocks.len());
            let blocks = self.blocks.len() as u32;
            self.open.retain(|open| *open < blocks);
            self.open.shrink_to(2 * self.open.len());
        }
    }

    /// Whether more than seven eighths of the places lie idle.
    pub(super) fn is_sparse(&self) -> bool {
        self.places > 8 * self.len + BLOCK
    }

    /// The numbers in the last block, which gives out no more until it is empty: the
    /// caller moves what is in it, one by one.
    pub(super) fn seal_last_block(&mut self) -> Vec<Id> {
        let number = self.blocks.len().saturating_sub(1) as u32;
        let Some(last) = self.blocks.last_mut() else {
            return Vec::new();
        };
        last.listed = true;
        let full = |(at, place): (usize, &Place<T>)| matches!(place, Place::Full(_)).then_some(at);
        let places = last.places.iter().enumerate().filter_map(full);
        self.open.retain(|open| *open != number);
        // What moves goes as far down as it can, so that it moves once.
        self.open.sort_unstable_by(|a, b| b.cmp(a));
        places.map(|at| number << BITS | at as u32).collect()
    }

    /// Lets the last block take things in again, after all others.
    pub(super) fn unseal_last_block(&mut self) {
        let number = self.blocks.len().saturating_sub(1) as u32;
        let is_open = self.open.contains(&number);
        if let Some(last) = self.blocks.last_mut()
            && !is_open
        {
            last.listed = true;
            self.open.insert(0, number);
        }
    }

    pub(super) fn get(&self, id: Id) -> Option<&T> {
        let block = self.blocks.get((id >> BITS) as usize)?;
        match block.places.get(id as usize % BLOCK)? {
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
        let block = &mut self.blocks[(id >> BITS) as usize];
        match &mut block.places[id as usize % BLOCK] {
            Place::Full(thing) => thing,
            Place::Free { .. } => unreachable!("a number stands for a thing"),
        }
    }

    /// Everything, in the order of the numbers.
    pub(super) fn for_each(&mut self, mut visit: impl FnMut(&mut T)) {
        for place in self.blocks.iter_mut().flat_map(|block| &mut block.places) {
            if let Place::Full(thing) = place {
                visit(thing);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        let blocks = self.blocks.iter().zip(0_u32..);
        let places = blocks.flat_map(|(block, at)| block.places.iter().zip(at << BITS..));
        places.filter_map(|(place, id)| match place {
            Place::Full(thing) => Some((id, thing)),
            Place::Free { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

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
        assert_eq!((slab.len(), slab.places(), slab.blocks.len()), (0, 0, 0));
    }

    #[test]
    fn it_is_a_map_in_whatever_order_things_go_and_gives_back_its_pieces() {
        let mut slab = Slab::new();
        let mut oracle = BTreeMap::new();
        let mut next = 0;
        // Grows to some thousands, shrinks to some, several times.
        for turn in 0..20_000_u32 {
            let grows = turn / 2500 % 2 == 0;
            if grows || oracle.is_empty() {
                next += 1;
                assert_eq!(oracle.insert(slab.insert(next), next), None);
            } else {
                let pick = turn.wrapping_mul(0x9E37_79B9) % 5000;
                let id = oracle.range(pick..).next().or_else(|| oracle.iter().next());
                let id = id.map(|(&id, _)| id).unwrap_or_default();
                assert_eq!(slab.remove(id), oracle.remove(&id));
            }
            while slab.is_sparse() {
                for old in slab.seal_last_block() {
                    let thing = slab.remove(old).unwrap_or_default();
                    assert_eq!(oracle.remove(&old), Some(thing));
                    assert_eq!(oracle.insert(slab.insert(thing), thing), None);
                }
            }
            assert_eq!(slab.len(), oracle.len());
            assert!(slab.places() <= 8 * slab.len() + BLOCK);
            if turn % 1000 == 0 {
                let all: BTreeMap<_, _> = slab.iter().map(|(id, &thing)| (id, thing)).collect();
                assert_eq!(all, oracle);
                assert!(slab.open.len() <= 2 * slab.blocks.len() + 4);
            }
        }
    }
}
