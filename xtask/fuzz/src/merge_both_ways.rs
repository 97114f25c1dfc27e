//! Two payloads, split at the first byte that no UTF-8 holds, merged both ways:
//! a refusal changes nothing, a second merge neither, and the two sides meet.

use lattice_presence::{Dot, PresenceState, ReplicaId};
use lattice_presence_json::{JsonMeta, from_json_slice};

type State = PresenceState<JsonMeta>;

/// Between the two payloads.
pub const SEPARATOR: u8 = 0xFF;

/// Panics where the two states in `data` do not merge as they must.
pub fn check(data: &[u8]) {
    let Some(middle) = data.iter().position(|&byte| byte == SEPARATOR) else {
        return;
    };
    let (Ok(a), Ok(b)) = (
        from_json_slice(&data[..middle]),
        from_json_slice(&data[middle + 1..]),
    ) else {
        return;
    };
    let merged = merge(&a, &b).zip(merge(&b, &a));
    if let Some((a, b)) = merged
        && are_unrelated(&a, &b)
    {
        converge(a, b);
    }
}

/// `ours` with `theirs` merged in, unless that is refused.
fn merge(ours: &State, theirs: &State) -> Option<State> {
    let mut merged = ours.clone();
    let before = merged.snapshot();
    let Ok(diff) = merged.merge_with_diff(theirs) else {
        assert_eq!(
            merged.snapshot(),
            before,
            "a refused merge changed something"
        );
        return None;
    };
    replay(ours, &merged, &diff);

    // The delta that a peer would send instead brings the same, as far as a digest tells
    // what is lacking: of deaths here that the peer cannot know it is silent.
    let mut by_delta = ours.clone();
    let delta = theirs.delta_since(&ours.digest());
    if by_delta.merge_delta(&delta).is_ok() {
        let holds =
            |state: &State, dot: &Dot<ReplicaId>| state.entries().any(|entry| entry.dot() == dot);
        let foreign = |dot: &Dot<ReplicaId>| dot.replica != *ours.replica();
        for entry in merged.entries().filter(|entry| foreign(entry.dot())) {
            assert!(holds(&by_delta, entry.dot()), "the delta lacks {entry:?}");
        }
        if by_delta.merge(theirs).is_ok() {
            let (by_delta, merged) = (by_delta.snapshot(), merged.snapshot());
            assert_eq!(by_delta, merged, "the delta does otherwise");
        }
    }

    let once = merged.snapshot();
    let again = merged
        .merge_with_diff(theirs)
        .expect("it was accepted before");
    assert!(again.is_empty(), "a second merge reports {again:?}");
    assert_eq!(merged.snapshot(), once, "a second merge changed something");
    Some(merged)
}

/// The diff is the difference of the views.
fn replay(before: &State, after: &State, diff: &lattice_presence::Diff<JsonMeta>) {
    let dots = |state: &State| -> Vec<_> { state.online_list().map(|e| e.dot().clone()).collect() };
    let mut view = dots(before);
    view.retain(|dot| diff.leaves().all(|entry| entry.dot() != dot));
    view.extend(diff.joins().map(|entry| entry.dot().clone()));
    view.sort();
    assert_eq!(view, dots(after), "the diff is not the difference");
}

/// Two incarnations of one base keep entries apart on purpose (S7).
fn are_unrelated(a: &State, b: &State) -> bool {
    let mut replicas: Vec<&ReplicaId> = [a, b]
        .iter()
        .flat_map(|state| state.context().replicas().chain([state.replica()]))
        .collect();
    replicas.sort();
    replicas.dedup();
    let mut bases: Vec<&str> = replicas.iter().map(|replica| replica.base()).collect();
    bases.sort_unstable();
    bases.windows(2).all(|pair| pair[0] != pair[1]) && a.replica() != b.replica()
}

fn converge(mut a: State, mut b: State) {
    // Each side may issue its own entries anew once (S5), and the other must
    // hear of that.
    for _ in 0..3 {
        if a.merge(&b).is_err() || b.merge(&a).is_err() {
            return;
        }
    }
    assert_eq!(a.digest(), b.digest(), "{a:?} and {b:?} stay apart");
    let view = |state: &State| -> Vec<_> { state.online_list().map(|e| e.dot().clone()).collect() };
    assert_eq!(view(&a), view(&b));
}
