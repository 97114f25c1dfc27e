//! Walking a run.

use core::fmt;
use core::slice;

use super::chunk::{CHUNK, Chunk, DotCell};

/// The live dots of one replica, ascending: clock and value. See
/// [`DotFun::of`](crate::DotFun::of).
///
/// ```
/// use lattice_causal::{Dot, DotFun, RunIter};
///
/// let store: DotFun<_, _> = [(Dot::new("a", 3), 'x')].into_iter().collect();
/// let mut dots: RunIter<'_, char> = store.of(&"a");
/// assert_eq!((dots.next(), dots.next()), (Some((3, &'x')), None));
/// ```
pub struct RunIter<'a, V> {
    front: slice::Iter<'a, DotCell<V>>,
    /// Whole chunks between front and back.
    chunks: slice::Iter<'a, Chunk<V>>,
    back: slice::Iter<'a, DotCell<V>>,
}

impl<'a, V> RunIter<'a, V> {
    pub(super) fn whole(chunks: &'a [Chunk<V>]) -> Self {
        Self {
            chunks: chunks.iter(),
            ..Self::default()
        }
    }

    /// The cells from one position to before another: a chunk, and a cell in it.
    pub(super) fn between(
        chunks: &'a [Chunk<V>],
        from: (usize, usize),
        to: (usize, usize),
    ) -> Self {
        let cells = |chunk: usize| chunks.get(chunk).map_or(&[][..], Chunk::cells);
        if from >= to {
            return Self::default();
        }
        if from.0 == to.0 {
            return Self {
                front: cells(from.0)[from.1..to.1].iter(),
                ..Self::default()
            };
        }
        Self {
            front: cells(from.0)[from.1..].iter(),
            chunks: chunks[from.0 + 1..to.0].iter(),
            back: cells(to.0)[..to.1].iter(),
        }
    }
}

fn live<V>(cell: &DotCell<V>) -> Option<(u64, &V)> {
    cell.value.as_ref().map(|value| (cell.clock, value))
}

impl<'a, V> Iterator for RunIter<'a, V> {
    type Item = (u64, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(dot) = self.front.find_map(live) {
                return Some(dot);
            }
            match self.chunks.next() {
                Some(chunk) => self.front = chunk.cells().iter(),
                None => return self.back.find_map(live),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let most = self.front.len() + self.chunks.len() * CHUNK + self.back.len();
        (0, Some(most))
    }

    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, start: B, mut f: F) -> B {
        let mut cells =
            |start, cells: slice::Iter<'a, DotCell<V>>| cells.filter_map(live).fold(start, &mut f);
        let mut folded = cells(start, self.front);
        for chunk in self.chunks {
            folded = cells(folded, chunk.cells().iter());
        }
        cells(folded, self.back)
    }
}

impl<V> DoubleEndedIterator for RunIter<'_, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(dot) = self.back.by_ref().rev().find_map(live) {
                return Some(dot);
            }
            match self.chunks.next_back() {
                Some(chunk) => self.back = chunk.cells().iter(),
                None => return self.front.by_ref().rev().find_map(live),
            }
        }
    }
}

impl<V> Default for RunIter<'_, V> {
    fn default() -> Self {
        Self {
            front: [].iter(),
            chunks: [].iter(),
            back: [].iter(),
        }
    }
}

impl<V> Clone for RunIter<'_, V> {
    fn clone(&self) -> Self {
        Self {
            front: self.front.clone(),
            chunks: self.chunks.clone(),
            back: self.back.clone(),
        }
    }
}

impl<V: fmt::Debug> fmt::Debug for RunIter<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}
