//! crdts: a `Map` of `MVReg`.

use crdts::{CmRDT, CvRDT, MVReg};

use crate::peer::Peer;

type Inner = crdts::Map<String, MVReg<String, u8>, u8>;
type Op = <Inner as CmRDT>::Op;

pub(crate) struct Map {
    replica: u8,
    map: Inner,
}

impl Map {
    fn put_op(&mut self, key: &str, value: &str) -> Op {
        let context = self.map.read_ctx().derive_add_ctx(self.replica);
        let op = self.map.update(key, context, |register, context| {
            register.write(value.to_owned(), context)
        });
        self.map.apply(op.clone());
        op
    }

    fn remove_op(&mut self, key: &str) -> Op {
        let context = self.map.get(&key.to_owned()).derive_rm_ctx();
        let op = self.map.rm(key, context);
        self.map.apply(op.clone());
        op
    }
}

impl Peer for Map {
    const NAME: &'static str = "crdts 7.3";
    const FEATURES: [&'static str; 8] = [
        "sets, registers, counters, map, list",
        "traits to implement",
        "states and operations",
        "states: any; operations: each actor's in order",
        "none: the whole state",
        "nothing",
        "no",
        "no",
    ];

    fn new(replica: u8) -> Self {
        let map = Inner::new();
        Self { replica, map }
    }

    fn put(&mut self, key: &str, value: &str) {
        let _op = self.put_op(key, value);
    }

    fn remove(&mut self, key: &str) {
        let _op = self.remove_op(key);
    }

    fn put_message(&mut self, key: &str, value: &str) -> Vec<u8> {
        bytes(&self.put_op(key, value))
    }

    fn remove_message(&mut self, key: &str) -> Vec<u8> {
        bytes(&self.remove_op(key))
    }

    fn receive(&mut self, message: &[u8]) {
        let op = rmp_serde::from_slice(message).expect("what this crate wrote");
        self.map.apply(op);
    }

    fn merge(&mut self, other: &mut Self) {
        self.map.merge(other.map.clone());
    }

    fn catch_up(&mut self, _: &mut Self) -> Option<usize> {
        None
    }

    fn encode(&mut self) -> Vec<u8> {
        bytes(&self.map)
    }

    fn get(&mut self, key: &str) -> Option<String> {
        let register = self.map.get(&key.to_owned()).val?;
        register.read().val.into_iter().next()
    }

    fn len(&mut self) -> usize {
        self.map.len().val
    }
}

fn bytes<T: serde::Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("it can be written")
}
