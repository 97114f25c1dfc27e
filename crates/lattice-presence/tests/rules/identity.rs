//! S1: who a replica is.

use super::support::{id, v4, v7};
use lattice_presence::ReplicaId;

#[test]
fn s1_any_name_is_taken_as_it_is() {
    for name in [
        "node-a",
        "host:4000",
        "lattice-presence:v1:short:x",
        "",
        "ключ",
    ] {
        assert_eq!(id(name).as_str(), name);
        assert_eq!(id(name).base(), name, "any other string is its own base");
    }
}

#[test]
fn s1_an_incarnation_spells_its_token_and_gives_its_base_back() {
    let uuid = [
        0x01, 0x8F, 0x6E, 0x52, 0xD3, 0xFB, 0x7A, 0x1C, 0xBF, 0xEE, 0x40, 0x91, 0x7C, 0x05, 0xE8,
        0x3A,
    ];
    let incarnation = ReplicaId::incarnation("node:4000", uuid);
    assert_eq!(
        incarnation.as_str(),
        "lattice-presence:v1:AY9uUtP7ehy_7kCRfAXoOg:node:4000"
    );
    assert_eq!(incarnation.base(), "node:4000");
}

#[test]
fn s1_a_padded_token_is_read_too() {
    let padded = id("lattice-presence:v1:AAAAAAAAQACAAAAAAAAAAw==:node");
    assert_eq!(padded.base(), "node");
    assert!(padded.same_base(&id("node")));
    assert!(padded.same_base(&v7("node", 1)));
    assert!(!padded.same_base(&v7("node-2", 1)));
}

#[test]
fn s1_a_malformed_token_is_part_of_a_plain_name() {
    for token in [
        "AY9uUtP7ehy_7kCRfAXoO",
        "AY9uUtP7ehy_7kCRfAXoOgg",
        "AY9uUtP7ehy+7kCRfAXoOg",
        "AY9uUtP7ehy_7kCRfAXoOg=",
        "AY9uUtP7ehy_7kCRfAXoOg=A",
        "",
    ] {
        let name = format!("lattice-presence:v1:{token}:node");
        assert_eq!(id(&name).base(), name, "{token}");
    }
}

#[test]
fn s1_version_7_tokens_of_one_base_are_ordered_by_time() {
    assert!(v7("node", 2).is_newer_than(&v7("node", 1)));
    assert!(!v7("node", 1).is_newer_than(&v7("node", 2)));
    assert!(!v7("node", 1).is_newer_than(&v7("node", 1)));
    assert!(
        !v7("other", 2).is_newer_than(&v7("node", 1)),
        "another base"
    );
}

#[test]
fn s1_the_order_is_that_of_the_bytes_and_not_of_the_text() {
    // `z` and `-` stand for 51 and 62: the text sorts the other way round.
    let at = |first: u8| {
        let mut uuid = [0; 16];
        (uuid[0], uuid[6], uuid[8]) = (first, 0x70, 0x80);
        ReplicaId::incarnation("node", uuid)
    };
    let (earlier, later) = (at(51 << 2), at(62 << 2));
    assert!(later < earlier, "as texts");
    assert!(later.is_newer_than(&earlier) && !earlier.is_newer_than(&later));
}

#[test]
fn s1_any_other_pair_has_no_order() {
    for (a, b) in [
        (v4("node", 2), v4("node", 1)),
        (v7("node", 2), v4("node", 1)),
        (v4("node", 2), v7("node", 1)),
        (v7("node", 2), id("node")),
        (id("node"), v7("node", 1)),
        (id("node-2"), id("node-1")),
    ] {
        assert!(!a.is_newer_than(&b) && !b.is_newer_than(&a), "{a} and {b}");
    }
}

#[cfg(feature = "uuid")]
#[test]
fn s1_a_new_incarnation_is_newer_than_those_before() {
    let lives: Vec<_> = (0..100)
        .map(|_| ReplicaId::new_incarnation("node"))
        .collect();
    for pair in lives.windows(2) {
        assert!(
            pair[1].is_newer_than(&pair[0]),
            "{} and {}",
            pair[0],
            pair[1]
        );
        assert_eq!(pair[1].base(), "node");
    }
}
