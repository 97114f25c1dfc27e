//! Nodes with short timers, and waiting with a bound.

use core::time::Duration;
use std::collections::BTreeSet;

use lattice_presence_node::engine::Memory;
use lattice_presence_node::{Builder, Config, Meta, Node};

/// Short timers: a test takes seconds.
pub(crate) fn config() -> Config {
    let ms = Duration::from_millis;
    let mut config = Config::new("test");
    config.heartbeat = ms(50);
    config.compare = ms(200);
    config.repair_delay = ms(30);
    config.answer_timeout = ms(100);
    config.down_after = ms(400);
    config.hint_grace = ms(100);
    config.isolation_grace = ms(800);
    config.forget_after = ms(2_000);
    config.handover = ms(300);
    config.settle_after = ms(200);
    config.patience = ms(500);
    config
}

pub(crate) fn builder<M: Meta>(name: &str, memory: &Memory) -> Builder<M> {
    Node::builder(name).config(config()).engine(memory.clone())
}

pub(crate) async fn node<M: Meta>(name: &str, memory: &Memory) -> Node<M> {
    builder(name, memory).start().await.unwrap()
}

/// How long anything may take that must happen: a machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until it is so, or fails with what is seen.
pub(crate) async fn until<T: core::fmt::Debug>(
    what: &str,
    mut see: impl FnMut() -> T,
    is_so: impl Fn(&T) -> bool,
) {
    let start = tokio::time::Instant::now();
    loop {
        let seen = see();
        if is_so(&seen) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: {seen:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The keys in a topic, as a node sees them.
pub(crate) fn keys<M: Meta>(node: &Node<M>, topic: &str) -> BTreeSet<String> {
    let members = node.topic(topic).members();
    members.iter().map(|entry| entry.key().to_owned()).collect()
}

/// `SplitMix64`.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
