//! The inputs: the same for every operation, floor and peer, and the same in
//! every run.

use std::ops::Range;

use lattice_presence::{Presence, PresenceDelta, PresenceState};
use lattice_presence_json::JsonMeta;

/// Topic, key and pid.
pub type Slot = (String, String, String);

/// What one user joins with.
pub type Join = (Slot, JsonMeta);

/// The state that is measured.
pub type State = PresenceState<JsonMeta>;

/// What travels between states.
pub type Delta = PresenceDelta<JsonMeta>;

/// The replica of `range`s that start at 0.
pub const LOCAL: &str = "node-a";

/// The replica of the others.
pub const REMOTE: &str = "node-b";

/// Members of one topic.
pub const MEMBERS: usize = 10;

/// The slot of user `i` where there are `n` of them per replica.
#[must_use]
pub fn slot(i: usize, n: usize) -> Slot {
    let room = i % (n / MEMBERS).max(1);
    (
        format!("room:{room}"),
        format!("user{i}"),
        format!("pid-{i}"),
    )
}

/// The metadata of user `i`.
///
/// # Panics
///
/// Never: the text is JSON.
#[must_use]
pub fn meta(i: usize) -> JsonMeta {
    let text = format!(r#"{{"name":"user {i}","online_at":{i}}}"#);
    JsonMeta::from_text(&text).expect("metadata is JSON")
}

/// The users of `range`, in order, with strings and metadata of their own.
#[must_use]
pub fn joins(range: Range<usize>, n: usize) -> Vec<Join> {
    range.map(|i| (slot(i, n), meta(i))).collect()
}

/// The slots of `range` in an order that no table and no run likes.
#[must_use]
pub fn shuffled_slots(range: Range<usize>, n: usize) -> Vec<Slot> {
    let mut order: Vec<usize> = range.collect();
    Random::new(n as u64).shuffle(&mut order);
    order.into_iter().map(|i| slot(i, n)).collect()
}

/// Makes every join.
///
/// # Panics
///
/// Never: no run gets near the last clock.
pub fn join_all(state: &mut State, slots: &[Slot], metas: impl IntoIterator<Item = JsonMeta>) {
    for ((topic, key, pid), meta) in slots.iter().zip(metas) {
        // A join's diff owns nothing that the state does not share.
        drop(state.join(pid, topic, key, meta).expect("clocks last"));
    }
}

/// The state of `replica` after the users of `range` joined there, with nothing
/// left to take.
#[must_use]
pub fn joined(replica: &str, range: Range<usize>, n: usize) -> State {
    let mut state = State::new(replica);
    let (slots, metas): (Vec<_>, Vec<_>) = joins(range, n).into_iter().unzip();
    join_all(&mut state, &slots, metas);
    let _ = state.take_delta();
    state
}

/// N users at [`LOCAL`].
#[must_use]
pub fn local(n: usize) -> State {
    joined(LOCAL, 0..n, n)
}

/// N other users at [`REMOTE`], in the same topics.
#[must_use]
pub fn remote(n: usize) -> State {
    joined(REMOTE, n..2 * n, n)
}

/// `delta` as if it had just come in: equal, and no memory shared.
///
/// # Panics
///
/// Never: the parts of a delta make a delta.
#[must_use]
pub fn received(delta: &Delta) -> Delta {
    let mut topics = hashbrown::HashMap::new();
    let entries = delta.entries().map(|entry| {
        let topic: &std::sync::Arc<str> = topics
            .entry(entry.topic().to_owned())
            .or_insert_with_key(|topic| topic.as_str().into());
        let meta = JsonMeta::from_text(entry.meta().as_str()).expect("metadata is JSON");
        let (key, pid) = (entry.key(), entry.pid());
        Presence::new(entry.dot().clone(), topic.clone(), key, pid, meta)
    });
    let entries = entries.collect();
    let (replica, context) = (delta.replica().clone(), delta.context().clone());
    Delta::from_parts(replica, context, entries).expect("parts of a delta")
}

/// Steele, Lea and Flood's SplitMix64: seeded, so that every run shuffles alike.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0. The bias of the remainder is
    /// below what a shuffle can show.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Puts `items` into any order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
