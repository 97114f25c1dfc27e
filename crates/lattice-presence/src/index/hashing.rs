//! The hashes of slots.

use core::hash::{BuildHasher, Hasher};

use hashbrown::DefaultHashBuilder;

use crate::presence::Slot;

/// The one place that hashes: keys come from users, so it is seeded, per state.
/// Nothing that can be observed depends on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Hashing {
    builder: DefaultHashBuilder,
}

/// The hashes of a slot, computed once for all that a call does with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hashes {
    pub(super) topic: u32,
    /// Of the key within its topic.
    pub(super) key: u32,
    pub(super) pid: u32,
}

impl Hashes {
    /// Of the whole slot.
    pub(super) fn slot(self) -> u32 {
        self.key.rotate_left(16) ^ self.pid
    }
}

impl Hashing {
    pub(super) fn of(&self, slot: Slot<'_>) -> Hashes {
        let topic = self.text(slot.topic);
        Hashes {
            topic,
            key: self.key(topic, slot.key),
            pid: self.text(slot.pid),
        }
    }

    pub(super) fn text(&self, text: &[u8]) -> u32 {
        let mut state = self.builder.build_hasher();
        state.write(text);
        folded(state.finish())
    }

    pub(super) fn key(&self, topic: u32, key: &[u8]) -> u32 {
        let mut state = self.builder.build_hasher();
        state.write_u32(topic);
        state.write(key);
        folded(state.finish())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "both halves are in it")]
fn folded(hash: u64) -> u32 {
    (hash ^ hash >> 32) as u32
}
