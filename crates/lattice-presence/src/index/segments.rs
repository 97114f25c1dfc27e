//! A vector in pieces.

use alloc::vec::Vec;

/// A vector that grows and shrinks piece by piece: no call moves more than one
/// piece, and what is empty is given back.
///
/// # Invariants
///
/// All pieces but the last one hold `1 << BITS` things; none is empty.
#[derive(Clone, Debug)]
pub(super) struct Segments<T, const BITS: u32> {
    pieces: Vec<Vec<T>>,
}

impl<T, const BITS: u32> Segments<T, BITS> {
    const PIECE: usize = 1 << BITS;

    pub(super) const fn new() -> Self {
        Self { pieces: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        match self.pieces.last() {
            None => 0,
            Some(last) => (self.pieces.len() - 1 << BITS) + last.len(),
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.pieces.get(at >> BITS)?.get(at & Self::PIECE - 1)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.pieces
            .get_mut(at >> BITS)?
            .get_mut(at & Self::PIECE - 1)
    }

    pub(super) fn push(&mut self, thing: T) {
        // Where there is one piece already, another is half full before long.
        let least = if self.pieces.len() > 1 {
            Self::PIECE / 4
        } else {
            4
        };
        let last = match self.pieces.last_mut() {
            Some(last) if last.len() < Self::PIECE => last,
            _ => {
                self.pieces.push(Vec::new());
                let last = self.pieces.len() - 1;
                &mut self.pieces[last]
            }
        };
        if last.len() == last.capacity() {
            // Never beyond the piece.
            let more = last.len().max(least).min(Self::PIECE - last.len());
            last.reserve_exact(more);
        }
        last.push(thing);
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let last = self.pieces.last_mut()?;
        let thing = last.pop();
        if last.is_empty() {
            self.pieces.pop();
            if self.pieces.capacity() > 4 * self.pieces.len() {
                self.pieces.shrink_to(2 * self.pieces.len());
            }
        } else if last.capacity() > 4 * last.len() {
            last.shrink_to(2 * last.len());
        }
        thing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_vector_and_gives_back_what_is_empty() {
        let mut pieces = Segments::<usize, 4>::new();
        for n in 0..100 {
            assert_eq!(pieces.len(), n);
            pieces.push(n);
        }
        assert_eq!((pieces.get(17), pieces.get(100)), (Some(&17), None));
        for n in (0..100).rev() {
            assert_eq!(pieces.get(n), Some(&n));
            assert_eq!(pieces.pop(), Some(n));
            let room: usize = pieces.pieces.iter().map(Vec::capacity).sum();
            assert!(room <= 2 * n + 16, "{room} places for {n}");
        }
        assert_eq!((pieces.pop(), pieces.pieces.capacity()), (None, 0));
    }
}
