//! A long history must not make repairs long. The bytes of a repair depend on what is alive
//! and what is new, and never on what has come and left.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use lattice_presence::PresenceState;
use lattice_presence_json::{Encoder, JsonMeta, delta_from_json};

/// More dots than the default form would list in a cloud.
const PAST: usize = 1_100_000;

type State = PresenceState<JsonMeta>;

fn meta() -> JsonMeta {
    "{}".parse().unwrap()
}

/// A node on which one user stayed while a million others came and left. And a peer that
/// knows all of this.
fn pair() -> (State, State) {
    let (mut a, mut b) = (State::new("a"), State::new("b"));
    let _ = a.join("first", "room", "old", meta()).unwrap();
    for _ in 0..PAST {
        let _ = a.join("p", "room", "guest", meta()).unwrap();
        let _ = a.leave("p", "room", "guest");
    }
    b.merge(&a).unwrap();
    let _ = a.take_delta();
    (a, b)
}

fn repair(a: &State, b: &mut State) -> usize {
    let delta = a.delta_since(&b.digest());
    let compact = Encoder::new().compact(true).encode(&delta).unwrap();
    assert!(compact.left_out.is_empty() && compact.text.len() < 200);
    // Peers that know no intervals are told in other words.
    let encoder = Encoder::new();
    let encoded = encoder.encode(&encoder.told(a, delta)).unwrap();
    assert!(encoded.left_out.is_empty());
    b.merge_delta(&delta_from_json(&encoded.text).unwrap())
        .unwrap();
    assert_eq!(a.digest(), b.digest());
    encoded.text.len()
}

#[test]
fn s13_repairs_stay_short_after_a_long_history() {
    let (mut a, mut b) = pair();
    // A join that got lost: one entry.
    let _ = a.join("q", "room", "new", meta()).unwrap();
    let _ = a.take_delta();
    assert!(repair(&a, &mut b) < 200);
    // A leave that got lost: the digest does not say which, so all that lives.
    let _ = a.leave("q", "room", "new");
    assert!(repair(&a, &mut b) < 200);
    // Many events that got lost.
    for _ in 0..1000 {
        let _ = a.join("p", "room", "guest", meta()).unwrap();
        let _ = a.leave("p", "room", "guest");
    }
    assert!(repair(&a, &mut b) < 200);
    // A peer that knows nothing.
    assert!(repair(&a, &mut State::new("c")) < 200);
}

#[test]
fn s13_what_was_not_taken_for_long_stays_short() {
    let (mut a, _) = pair();
    for _ in 0..PAST {
        let _ = a.join("p", "room", "guest", meta()).unwrap();
        let _ = a.leave("p", "room", "guest");
    }
    let delta = a.take_delta().unwrap();
    let encoder = Encoder::new();
    // Without the state, what would be a million clocks is left out, and only that.
    assert_eq!(encoder.encode(&delta).unwrap().left_out.claims, PAST as u64);
    let told = encoder.encode(&encoder.told(&a, delta)).unwrap();
    assert!(told.left_out.is_empty() && told.text.len() < 200);
}
