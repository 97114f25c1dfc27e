//! lattice-causal: an `OrMap` of registers.

use lattice_causal::{Digest, MvRegister, OrMap};

use crate::peer::Peer;

pub(crate) struct Map {
    replica: u8,
    map: OrMap<String, MvRegister<u8, String>>,
}

impl Map {
    fn changed(&mut self, key: &str, value: &str) -> OrMap<String, MvRegister<u8, String>> {
        let replica = self.replica;
        let write = |register: lattice_causal::View<'_, MvRegister<u8, String>>| {
            register.write(&replica, value.to_owned())
        };
        self.map
            .apply(key.to_owned(), write)
            .expect("a clock is left")
    }
}

impl Peer for Map {
    const NAME: &'static str = "lattice-causal 0.1";
    const FEATURES: [&'static str; 8] = [
        "sets, registers, flag, counter, maps of these",
        "yes: stores, views, edits, checked laws",
        "states and deltas",
        "any order, any number of times",
        "digest per replica, removals included",
        "nothing",
        "no",
        "yes",
    ];

    fn new(replica: u8) -> Self {
        let map = OrMap::new();
        Self { replica, map }
    }

    fn put(&mut self, key: &str, value: &str) {
        let _delta = self.changed(key, value);
    }

    fn remove(&mut self, key: &str) {
        let _delta = self.map.remove(&key.to_owned());
    }

    fn put_message(&mut self, key: &str, value: &str) -> Vec<u8> {
        bytes(&self.changed(key, value))
    }

    fn remove_message(&mut self, key: &str) -> Vec<u8> {
        bytes(&self.map.remove(&key.to_owned()))
    }

    fn receive(&mut self, message: &[u8]) {
        let delta = rmp_serde::from_slice(message).expect("what this crate wrote");
        self.map.merge(&delta);
    }

    fn merge(&mut self, other: &mut Self) {
        self.map.merge(&other.map);
    }

    fn catch_up(&mut self, other: &mut Self) -> Option<usize> {
        let question = bytes(&self.map.digest());
        let digest: Digest<u8> = rmp_serde::from_slice(&question).expect("a digest");
        let answer = bytes(&other.map.delta_since(&digest));
        self.receive(&answer);
        Some(question.len() + answer.len())
    }

    fn encode(&mut self) -> Vec<u8> {
        bytes(&self.map)
    }

    fn get(&mut self, key: &str) -> Option<String> {
        let register = self.map.get(&key.to_owned())?;
        register.values().next().cloned()
    }

    fn len(&mut self) -> usize {
        self.map.len()
    }
}

fn bytes<T: serde::Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("it can be written")
}
