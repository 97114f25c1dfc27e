//! Bad input from the network: the node goes on, and honest peers are not affected.

use core::time::Duration;

use bytes::Bytes;
use lattice_presence::ReplicaId;
use lattice_presence_node::engine::{
    Engine, Events, Link, Local, Memory, SendError, StartError, To, events,
};
use lattice_presence_node::{Node, Phase, View};

use crate::support::{PATIENCE, Rng, config, keys, node, until};

async fn hostile(memory: &Memory, name: &str) -> lattice_presence_node::engine::MemoryLink {
    let local = Local::new("test", name);
    memory.clone().start(local, events().0).await.unwrap()
}

#[tokio::test]
async fn garbage_of_every_length_is_counted_and_honest_peers_go_on() {
    let memory = Memory::new();
    let (a, b) = (
        node::<u32>("a", &memory).await,
        node::<u32>("b", &memory).await,
    );
    let mut mallory = hostile(&memory, "mallory").await;
    let mut rng = Rng(7);
    let mut sent = 0_u64;
    for round in 0..300_u64 {
        let length = usize::try_from(rng.below(1 << (round % 16))).unwrap();
        let mut bytes: Vec<u8> = (0..length).map(|_| rng.next().to_le_bytes()[0]).collect();
        // Often a kind that exists, and sometimes the beginning of JSON.
        if let Some(first) = bytes.first_mut()
            && round % 2 == 0
        {
            *first = u8::try_from(round % 4).unwrap();
        }
        if round % 5 == 0 {
            bytes = [&[1], &br#"{"v":1,"#[..], &b"[".repeat(length)].concat();
        }
        mallory.send(To::All, bytes.into()).await.unwrap();
        sent += 1;
        if round % 20 == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    let alice = a.connect();
    alice.track("room", "alice", &1).unwrap();
    until("b sees alice", || keys(&b, "room").len(), |len| *len == 1).await;
    let unreadable = || a.status().counts.unreadable;
    until("it is counted", unreadable, |count| *count > sent / 2).await;
    assert_eq!(a.status().phase, Phase::Running);
    assert_eq!(a.status().peers.len(), 1, "mallory is no peer");
}

/// What an honest node said, cut, changed, and said again under another name.
#[tokio::test]
async fn words_of_others_are_refused_by_name() {
    let memory = Memory::new();
    let (a, b) = (
        node::<u32>("a", &memory).await,
        node::<u32>("b", &memory).await,
    );
    let alice = a.connect();
    alice.track("room", "alice", &1).unwrap();
    until("b sees alice", || b.topic("room").len(), |len| *len == 1).await;

    // Mallory records what everybody says, and repeats it.
    let (sender, mut recorded) = events();
    let local = Local::new("test", "mallory");
    let mut mallory = memory.clone().start(local, sender).await.unwrap();
    let bob = a.connect();
    bob.track("room", "bob", &1).unwrap();
    until("b sees bob", || b.topic("room").len(), |len| *len == 2).await;
    drop(bob);
    until("bob left", || b.topic("room").len(), |len| *len == 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut rng = Rng(3);
    let mut repeated = 0;
    while let Some(event) = recorded.try_next() {
        if let lattice_presence_node::engine::Event::Message { payload, .. } = event {
            let mut changed = payload.to_vec();
            let at = usize::try_from(rng.below(changed.len() as u64)).unwrap();
            changed[at] = rng.next().to_le_bytes()[0];
            mallory.send(To::All, payload).await.unwrap();
            mallory.send(To::All, changed.into()).await.unwrap();
            repeated += 1;
        }
    }
    assert!(repeated > 10, "{repeated} messages");
    let refused = |status: &lattice_presence_node::Status| status.counts.refused > 0;
    until("refused", || b.status(), refused).await;
    let strangers = b.status().strangers;
    assert!(strangers.iter().any(|s| s.id == "mallory"), "{strangers:?}");
    assert_eq!(keys(&b, "room").len(), 1, "bob does not come back");
    until("settled", || b.status().view, |view| *view == View::Settled).await;
}

/// A peer with our own name, and one of another cluster with a broken engine.
#[tokio::test]
async fn a_peer_under_our_own_id_is_refused_aloud() {
    let memory = Memory::new();
    let a = node::<u32>("a", &memory).await;
    let (sender, mut recorded) = events();
    let local = Local::new("test", "recorder");
    let _recorder = memory.clone().start(local, sender).await.unwrap();
    let alice = a.connect();
    alice.track("room", "alice", &1).unwrap();
    let heartbeat = loop {
        if let Some(lattice_presence_node::engine::Event::Message { payload, .. }) =
            recorded.next().await
        {
            break payload;
        }
    };
    // An engine that gives any name as the sender, like a broker without access rules.
    #[derive(Debug)]
    struct Liar(Bytes, ReplicaId);
    impl Engine for Liar {
        type Link = Mute;
        async fn start(self, local: Local, events: Events) -> Result<Mute, StartError> {
            for _ in 0..100 {
                events.offer(local.name.clone(), self.0.clone());
                events.offer(self.1.as_str().into(), self.0.clone());
            }
            Ok(Mute(events))
        }
    }
    struct Mute(#[allow(dead_code, reason = "held until the close")] Events);
    impl Link for Mute {
        fn max_payload(&self) -> usize {
            65_536
        }
        async fn send(&mut self, _: To<'_>, _: Bytes) -> Result<(), SendError> {
            Ok(())
        }
        async fn close(self) {}
    }
    let engine = Liar(heartbeat, a.id().clone());
    let node = Node::<u32>::builder("b")
        .config(config())
        .engine(engine)
        .start()
        .await;
    let node = node.unwrap();
    let refused = || node.status().counts.refused;
    until("refused", refused, |count| *count > 0).await;
    let bob = node.connect();
    bob.track("room", "bob", &1).unwrap();
    assert_eq!(node.topic("room").get("bob").len(), 1);
    node.shutdown().await;
}

#[tokio::test]
async fn nodes_of_another_version_or_cluster_are_told_and_shown() {
    let memory = Memory::new();
    let a = node::<u32>("a", &memory).await;
    let (sender, mut at_b) = events();
    let local = Local::new("test", "b");
    let mut b = memory.clone().start(local, sender).await.unwrap();
    let later = br#"{"v":9,"cluster":"test","from":"b","something new":[1,2,3]}"#;
    let other = br#"{"v":1,"cluster":"other","from":"b","goodbye":true}"#;
    for (message, reason) in [(&later[..], "version"), (other, "cluster")] {
        let bytes = Bytes::from([&[1], message].concat());
        b.send(To::All, bytes).await.unwrap();
        let reasons = || format!("{:?}", a.status().strangers);
        until("shown", reasons, |shown: &String| shown.contains(reason)).await;
    }
    let told = tokio::time::timeout(PATIENCE, async {
        loop {
            let event = at_b.next().await.unwrap();
            if let lattice_presence_node::engine::Event::Message { payload, .. } = event {
                let text = String::from_utf8_lossy(&payload[1..]).into_owned();
                if text.contains("refusal") {
                    return text;
                }
            }
        }
    });
    assert!(told.await.unwrap().contains("version"));
    assert_eq!(a.status().counts.unreadable, 0);
}

/// An engine that does not start, hangs, fails every send, panics.
mod engines {
    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Fault {
        Start,
        Hangs,
        Fails,
        Panics,
        Ends,
    }

    struct Broken(Fault);

    struct BrokenLink(Fault, Option<Events>);

    impl Engine for Broken {
        type Link = BrokenLink;
        async fn start(self, _: Local, events: Events) -> Result<BrokenLink, StartError> {
            if matches!(self.0, Fault::Start) {
                return Err(StartError::failed("the test", "on purpose"));
            }
            let kept = (!matches!(self.0, Fault::Ends)).then_some(events);
            Ok(BrokenLink(self.0, kept))
        }
    }

    impl Link for BrokenLink {
        fn max_payload(&self) -> usize {
            65_536
        }
        async fn send(&mut self, _: To<'_>, _: Bytes) -> Result<(), SendError> {
            match self.0 {
                Fault::Hangs => core::future::pending().await,
                Fault::Fails => Err(SendError::failed("on purpose")),
                Fault::Panics => panic!("on purpose"),
                _ => Ok(()),
            }
        }
        async fn close(self) {
            if matches!(self.0, Fault::Hangs) {
                core::future::pending::<()>().await;
            }
            drop(self.1);
        }
    }

    #[tokio::test]
    async fn one_that_does_not_start_is_an_error() {
        let started = Node::<u32>::builder("a")
            .engine(Broken(Fault::Start))
            .start()
            .await;
        let error = started.unwrap_err();
        assert!(error.to_string().contains("the test"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_one_leaves_the_node_readable_and_it_stops_in_time() {
        for fault in [Fault::Hangs, Fault::Fails, Fault::Panics, Fault::Ends] {
            let builder = Node::<u32>::builder("a").config(config());
            let node = builder.engine(Broken(fault)).start().await.unwrap();
            let alice = node.connect();
            for _ in 0..150 {
                alice.track("room", "alice", &1).unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(node.topic("room").len(), 1, "{fault:?}");
            let status = node.status();
            match fault {
                Fault::Hangs | Fault::Fails => assert!(status.counts.unsent > 0, "{status:?}"),
                Fault::Ends => assert!(!status.engine.connected, "{status:?}"),
                _ => {}
            }
            let start = tokio::time::Instant::now();
            node.shutdown().await;
            assert!(start.elapsed() < Duration::from_secs(20), "{fault:?}");
        }
    }
}
