//! The engine in memory, and its faults.

use core::time::Duration;

use lattice_presence_node::engine::conformance::{self, Harness, NAMES};
use lattice_presence_node::engine::{
    BoxedEngine, Event, EventStream, Faults, Link, Memory, MemoryLink, To,
};

struct Cable(Memory);

impl Harness for Cable {
    type Engine = BoxedEngine;

    fn engine(&mut self) -> BoxedEngine {
        BoxedEngine::new(self.0.clone())
    }

    async fn cut(&mut self) -> bool {
        for node in NAMES {
            self.0.disconnect(node);
        }
        true
    }

    async fn mend(&mut self) {
        for node in NAMES {
            self.0.reconnect(node);
        }
    }
}

#[tokio::test]
async fn memory_conforms_boxed() {
    let report = conformance::check_with(&mut Cable(Memory::new())).await;
    super::whole(&report.unwrap());
}

#[tokio::test]
async fn memory_conforms_where_messages_are_lost_late_and_doubled() {
    let memory = Memory::seeded(5);
    let (least, most) = (Duration::from_millis(1), Duration::from_millis(15));
    let faults = Faults::none().with_loss(0.3).with_duplicates(0.3);
    memory.set_faults(faults.with_reordering(0.3).with_delay(least, most));
    let report = conformance::check(|| memory.clone()).await;
    println!("{}", report.unwrap());
}

async fn start(memory: &Memory, name: &str) -> (MemoryLink, EventStream) {
    crate::start(memory.clone(), name).await
}

fn payloads(received: &mut EventStream) -> Vec<String> {
    std::iter::from_fn(|| received.try_next())
        .filter_map(|event| match event {
            Event::Message { payload, .. } => Some(String::from_utf8_lossy(&payload).into()),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn a_cut_one_way_leaves_the_other_direction() {
    let memory = Memory::new();
    let (mut a, mut at_a) = start(&memory, "a").await;
    let (mut b, mut at_b) = start(&memory, "b").await;
    memory.cut_one_way("a", "b");
    a.send(To::All, "1".into()).await.unwrap();
    b.send(To::All, "2".into()).await.unwrap();
    assert_eq!(
        (payloads(&mut at_a), payloads(&mut at_b)),
        (vec!["2".into()], vec![])
    );
    memory.mend();
    a.send(To::One("b"), "3".into()).await.unwrap();
    assert_eq!(payloads(&mut at_b), ["3"]);
}

#[tokio::test]
async fn a_cut_holds_for_the_next_incarnation_of_a_name() {
    use lattice_presence::ReplicaId;

    let memory = Memory::new();
    memory.cut("berlin", "tokyo");
    let berlin = ReplicaId::new_incarnation("berlin");
    let tokyo = ReplicaId::new_incarnation("tokyo");
    let (mut link, _at_berlin) = start(&memory, berlin.as_str()).await;
    let (_link, mut at_tokyo) = start(&memory, tokyo.as_str()).await;
    link.send(To::All, "lost".into()).await.unwrap();
    assert!(payloads(&mut at_tokyo).is_empty());
}

#[tokio::test]
async fn a_seed_repeats_the_losses() {
    async fn run(seed: u64) -> Vec<String> {
        let memory = Memory::seeded(seed);
        memory.set_faults(Faults::none().with_loss(0.5));
        let (mut a, _at_a) = start(&memory, "a").await;
        let (_b, mut at_b) = start(&memory, "b").await;
        for number in 0..100 {
            a.send(To::All, format!("{number}").into()).await.unwrap();
        }
        payloads(&mut at_b)
    }
    assert_eq!(run(1).await, run(1).await);
    assert_ne!(run(1).await, run(2).await);
}

#[tokio::test]
async fn one_name_cannot_be_taken_twice() {
    let memory = Memory::new();
    let (_link, _received) = start(&memory, "a").await;
    let error = crate::refused(memory.clone(), "a").await;
    assert!(error.to_string().contains("`a`"), "{error}");
}
