//! What goes through serde comes back, and what no state could hold is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use lattice_presence::{PresenceDelta, PresenceState};
use serde_json::{Value, json};

fn state() -> PresenceState<u32> {
    let mut state = PresenceState::new("node-a");
    for (pid, key) in [("p1", "alice"), ("p2", "bob"), ("p3", "alice")] {
        let _ = state.join(pid, "room", key, 7).unwrap();
    }
    let _ = state.leave("p2", "room", "bob");
    let mut other = PresenceState::new("node-b");
    let _ = other.join("q", "room", "carol", 9).unwrap();
    state.merge(&other).unwrap();
    state
}

#[test]
fn a_delta_and_a_state_come_back() {
    let state = state();
    let delta = state.snapshot();
    let text = serde_json::to_string(&delta).unwrap();
    assert_eq!(
        serde_json::from_str::<PresenceDelta<u32>>(&text).unwrap(),
        delta
    );

    assert_eq!(serde_json::to_string(&state).unwrap(), text);
    let back: PresenceState<u32> = serde_json::from_str(&text).unwrap();
    assert_eq!(back.digest(), state.digest());
    assert!(back.online_list().eq(state.online_list()));
}

#[test]
fn s8_marks_are_not_written() {
    let mut state = state();
    let before = serde_json::to_string(&state).unwrap();
    let _ = state.replica_down(&"node-b".into());
    assert_eq!(serde_json::to_string(&state).unwrap(), before);
}

#[test]
fn an_entry_that_the_context_does_not_cover_is_refused() {
    let mut value = serde_json::to_value(state()).unwrap();
    value["context"] = json!([]);
    refused(&value, "has not seen the dot node-a:1");
}

#[test]
fn two_entries_under_one_dot_are_refused() {
    let mut value = serde_json::to_value(state()).unwrap();
    let first = value["entries"][0].clone();
    value["entries"].as_array_mut().unwrap().push(first);
    refused(&value, "two entries stand under the dot node-a:1");
}

fn refused(value: &Value, why: &str) {
    let error = serde_json::from_value::<PresenceDelta<u32>>(value.clone()).unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
}
