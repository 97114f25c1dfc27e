//! S13: what a client can do who chooses its names so that fingerprints collide.

use super::support::{State, assert_diff, exchange, id, join, online, state};
use lattice_causal::{dot_fingerprint, identity_of};

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// `docs/wire-format.md` defines it; it is no secret.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn step(hash: u64, word: u64) -> u64 {
    let hash = (hash ^ word).wrapping_mul(STEP);
    hash ^ (hash >> 32)
}

/// The word that takes `hash` to `target`: each step can be undone.
fn word_between(hash: u64, target: u64) -> u64 {
    let mut inverse = 1_u64;
    for _ in 0..6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(STEP.wrapping_mul(inverse)));
    }
    (target ^ (target >> 32)).wrapping_mul(inverse) ^ hash
}

/// A key and a pid in topic `t` that add nothing to a fingerprint under `clock`.
fn hidden_under(clock: u64) -> (String, String) {
    let names = (0..100_000).map(|n| {
        let key = format!("mallory{n}");
        let hash = step(identity_of(["t", &key]), 8);
        let pid = word_between(hash, mix(clock)).to_le_bytes();
        (key, String::from_utf8(pid.to_vec()))
    });
    let found = names
        .filter_map(|(key, pid)| pid.ok().map(|pid| (key, pid)))
        .next();
    let (key, pid) = found.expect("one text in some hundreds is UTF-8");
    assert_eq!(dot_fingerprint(clock, identity_of(["t", &key, &pid])), 0);
    (key, pid)
}

/// A node and a peer that know `p`, `q` and the hidden entry.
fn pair() -> (State, State, String) {
    let (mut a, mut b) = (state("a"), state("b"));
    join(&mut a, "p");
    join(&mut a, "q");
    let (key, pid) = hidden_under(3);
    let before = a.line(&id("a")).unwrap();
    a.join(&pid, "t", &key, "m").unwrap();
    let after = a.line(&id("a")).unwrap();
    assert_eq!(before.fingerprint, after.fingerprint);
    assert_ne!(
        a.digest(),
        b.digest(),
        "its join is no secret: the clock was seen"
    );
    exchange(&mut a, &mut b);
    a.take_delta();
    (a, b, pid)
}

#[test]
fn s13_a_name_that_is_built_to_hide_hides_its_own_leave_until_the_owner_speaks() {
    let (mut a, mut b, pid) = pair();
    a.leave_by_pid(&pid);
    a.take_delta(); // and is lost
    assert_eq!(a.digest(), b.digest(), "the digests do not show it");
    assert!(b.contains_pid(&pid));
    // The owner sees that the peer holds one more.
    let word = a.delta_since(&b.digest());
    assert_eq!(word.len(), 0);
    let diff = b.merge_delta_with_diff(&word).unwrap();
    assert_eq!(
        diff.leaves().map(|entry| entry.pid()).collect::<Vec<_>>(),
        [&*pid]
    );
    assert!(a.delta_since(&b.digest()).is_empty());
}

#[test]
fn s13_a_name_that_is_built_to_hide_hides_nothing_of_others() {
    let (mut a, mut b, pid) = pair();
    a.leave_by_pid(&pid);
    a.leave_by_pid("p");
    join(&mut a, "r");
    a.take_delta(); // all of it is lost
    assert_ne!(a.digest(), b.digest());
    let diff = b
        .merge_delta_with_diff(&a.delta_since(&b.digest()))
        .unwrap();
    let mut gone: Vec<_> = diff.leaves().map(|entry| entry.pid()).collect();
    gone.retain(|gone| *gone != pid);
    assert_eq!(gone, ["p"]);
    assert!(online(&b).contains(&"r") && !online(&b).contains(&"p"));
    // Its ghost, if it is one, goes with the next word.
    let diff = b
        .merge_delta_with_diff(&a.delta_since(&b.digest()))
        .unwrap();
    assert!(diff.joins().count() == 0);
    assert!(!b.contains_pid(&pid));
    assert_diff(&b.merge_with_diff(&a).unwrap(), &[], &[]);
}

trait Holds {
    fn contains_pid(&self, pid: &str) -> bool;
}

impl Holds for State {
    fn contains_pid(&self, pid: &str) -> bool {
        self.get_by_pid(pid).next().is_some()
    }
}
