//! The key of the hash tables.

use super::PresenceState;
use crate::index::{Hashing, Index};

impl<M> PresenceState<M> {
    /// Hashes what clients choose, topics, keys and pids, under `seed`: two random numbers
    /// that the node draws when it starts, and tells nobody.
    ///
    /// A client that knows the key can choose names that collide, and each of its entries
    /// then costs as many steps as there are others. This crate draws no random numbers.
    /// Until this call the key comes from where the process lies in memory, which is enough
    /// if the system lays processes out at random, and little elsewhere.
    ///
    /// Nothing that can be observed changes. O(entries), so it is for an empty state, or one
    /// that was just restored. A clone has the same key.
    ///
    /// ```
    /// use std::hash::{BuildHasher, RandomState};
    /// use lattice_presence::PresenceState;
    ///
    /// // The standard library draws the keys of its own maps at random.
    /// let seed = [0, 1].map(|n| RandomState::new().hash_one(n));
    /// let mut state = PresenceState::new("a");
    /// state.reseed(seed);
    /// state.join("pid-1", "room", "alice", ())?;
    /// assert_eq!(state.get_by_key("room", "alice").count(), 1);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn reseed(&mut self, seed: [u64; 2]) {
        self.refill(Index::new(Hashing::keyed(seed)));
        debug_assert!(self.check_invariants());
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    fn hashes(state: &PresenceState<()>) -> String {
        format!("{:?}", state.index.hash(b"pid-1"))
    }

    #[test]
    fn the_seed_is_the_key_and_stays_it() {
        let seeded = |seed| {
            let mut state = PresenceState::<()>::new("a");
            state.reseed(seed);
            state
        };
        let mut state = seeded([1, 2]);
        assert_eq!(hashes(&state), hashes(&seeded([1, 2])));
        assert_ne!(hashes(&state), hashes(&seeded([1, 3])));
        let before = hashes(&state);
        state.rebuild_index();
        assert_eq!(hashes(&state), before);
        assert_eq!(hashes(&state.clone()), before);
    }
}
