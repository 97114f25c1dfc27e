//! Trouble around a node: floods, clocks that jump, a full disk, an engine that does not
//! start, and a shutdown in the middle of a pull. The node goes on, or stops cleanly.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use lattice_presence_node::engine::{
    Engine, Events, Link, Local, Memory, MemoryLink, StartError, To, events,
};
use lattice_presence_node::{Connection, Node, Phase, Update, View};
use tokio::runtime::Handle;

use crate::support::{Rng, builder, config, keys, node, until};

/// An end of the network that belongs to no node.
async fn raw(memory: &Memory, name: &str) -> MemoryLink {
    let local = Local::new("test", name);
    memory.clone().start(local, events().0).await.unwrap()
}

/// How many tasks the runtime of the test has.
fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn a_flood_is_counted_against_its_sender_and_costs_nobody_else_a_message() {
    let memory = Memory::new();
    let a = node::<u32>("a", &memory).await;
    let (mut mallory, mut honest) = (raw(&memory, "mallory").await, raw(&memory, "b").await);
    // Nothing yields meanwhile: the node reads none of it until the end.
    for _ in 0..20_000 {
        mallory.send(To::All, "x".into()).await.unwrap();
    }
    for _ in 0..100 {
        honest.send(To::All, "y".into()).await.unwrap();
    }
    let read = || a.status().counts.unreadable;
    until("all is read", read, |read| *read == 2_048 + 100).await;
    let status = a.status();
    let lost = [("mallory".to_string(), 20_000 - 2_048)];
    assert_eq!(status.lagged, lost.into(), "{status:?}");
    assert_eq!(status.counts.lagged, 20_000 - 2_048);
    assert_eq!(status.phase, Phase::Running);
}

#[tokio::test]
async fn oversized_and_endless_messages_are_refused_and_honest_peers_go_on() {
    let memory = Memory::new();
    memory.set_max_payload(64 * 1024 * 1024);
    let (a, b) = (
        node::<u32>("a", &memory).await,
        node::<u32>("b", &memory).await,
    );
    assert_eq!(a.status().engine.max_payload, 4 * 1024 * 1024);
    let mut mallory = raw(&memory, "mallory").await;
    let megabyte = 1024 * 1024;
    let text = |start: &str, part: &str, length: usize| -> Bytes {
        let repeated = part.repeat(length / part.len());
        [&[1], start.as_bytes(), repeated.as_bytes()]
            .concat()
            .into()
    };
    // None of them ever ends, but the last, which could be read if it were shorter.
    let endless = [
        text(
            r#"{"v":1,"cluster":"test","from":""#,
            "x",
            4 * megabyte - 100,
        ),
        text("", "[", 3 * megabyte),
        text(r#"{"v":1,"cluster":"test","x":"#, r#"{"x":"#, 3 * megabyte),
        text(r#"{"v":1,"#, r#""x":1,"#, 3 * megabyte),
        text(
            r#"{"v":1,"cluster":"other","from":"b","goodbye":true}"#,
            " ",
            6 * megabyte,
        ),
    ];
    let unreadable = || [a.status().counts.unreadable, b.status().counts.unreadable];
    for (count, message) in (1..).zip(&endless) {
        mallory.send(To::All, message.clone()).await.unwrap();
        until("it is read", unreadable, |read| *read == [count; 2]).await;
    }
    let huge = text("", " ", 20 * megabyte);
    mallory.send(To::All, huge).await.unwrap();
    let lost = || a.status().lagged.get("mallory").copied();
    until("it never found room", lost, |lost| *lost == Some(1)).await;
    assert_eq!(unreadable(), [5; 2]);

    // Messages without end: as fast as this machine sends them.
    let flood = tokio::spawn(async move {
        loop {
            for _ in 0..50 {
                mallory
                    .send(To::All, endless[0].slice(..200))
                    .await
                    .unwrap();
            }
            tokio::task::yield_now().await;
        }
    });
    for round in 0..20 {
        let connection = a.connect();
        connection.track("room", "alice", &round).unwrap();
        until("b sees alice", || b.len(), |len| *len == 1).await;
        drop(connection);
        until("b sees her leave", || b.len(), |len| *len == 0).await;
    }
    assert_eq!(b.status().peers[0].status, "up");
    flood.abort();
}

/// The clock of a node cannot be set. But if a machine was halted, the clock jumps. It must
/// not take its own sleep for the silence of the others.
#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_takes_nobody_down() {
    let memory = Memory::new();
    let (a, b) = (
        node::<u32>("a", &memory).await,
        node::<u32>("b", &memory).await,
    );
    let alice = a.connect();
    alice.track("room", "alice", &1).unwrap();
    let settled = |view: &View| *view == View::Settled;
    until("b sees alice", || b.len(), |len| *len == 1).await;
    until("settled", || b.status().view, settled).await;
    let mut updates = b.topic("room").subscribe();
    assert!(matches!(updates.next().await, Some(Update::Snapshot(_))));

    let day = Duration::from_secs(24 * 60 * 60);
    for jump in [
        Duration::from_millis(500),
        Duration::from_secs(5),
        day,
        day * 365,
    ] {
        tokio::time::advance(jump).await;
        assert_eq!(b.len(), 1, "alice is there after {jump:?}");
        until("settled", || b.status().view, settled).await;
        assert!(
            updates.try_next().is_none(),
            "{jump:?} changed what is seen"
        );
    }
    // The timers run on: who is really gone is hidden.
    memory.cut("a", "b");
    until("alice is hidden", || b.len(), |len| *len == 0).await;
    memory.mend();
    until("alice is back", || b.len(), |len| *len == 1).await;
}

/// A disk on which there is no room for a line of the log.
#[derive(Clone, Default)]
struct FullDisk(Arc<AtomicU64>);

impl Write for FullDisk {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

#[tokio::test]
async fn a_full_disk_for_logs_stops_nothing() {
    let disk = FullDisk::default();
    let written = disk.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || disk.clone())
        .log_internal_errors(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let memory = Memory::new();
    let (a, b) = (
        node::<u32>("a", &memory).await,
        node::<u32>("b", &memory).await,
    );
    let mut mallory = raw(&memory, "mallory").await;
    for _ in 0..10 {
        mallory.send(To::All, "garbage".into()).await.unwrap();
    }
    let alice = a.connect();
    alice.track("room", "alice", &1).unwrap();
    until("b sees alice", || b.len(), |len| *len == 1).await;
    memory.disconnect("a");
    until("lost", || b.status().view, |view| *view == View::Isolated).await;
    memory.reconnect("a");
    until("back", || b.status().view, |view| *view == View::Settled).await;
    assert_eq!(b.len(), 1);
    a.shutdown().await;
    b.shutdown().await;
    let lines = written.0.load(Ordering::Relaxed);
    assert!(lines > 5, "{lines} lines were tried: the test sees no log");
}

/// An engine that has begun, and then cannot go on.
struct HalfStarted(Arc<Mutex<Option<Events>>>);

impl Engine for HalfStarted {
    type Link = MemoryLink;

    async fn start(self, _: Local, events: Events) -> Result<MemoryLink, StartError> {
        events.connected();
        *self.0.lock().unwrap() = Some(events);
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(StartError::failed("the cable", "it is not plugged in"))
    }
}

#[tokio::test]
async fn an_engine_that_fails_to_start_is_a_clear_error_and_leaves_nothing_running() {
    let before = tasks();
    let kept = Arc::new(Mutex::new(None));
    let builder = Node::<u32>::builder("a").config(config());
    let started = builder.engine(HalfStarted(Arc::clone(&kept))).start().await;
    let error = started.unwrap_err();
    assert!(
        matches!(error, lattice_presence_node::StartError::Engine(_)),
        "{error:?}"
    );
    let mut shown = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        shown = format!("{shown}: {cause}");
        source = cause.source();
    }
    for part in ["the cable", "it is not plugged in"] {
        assert!(shown.contains(part), "{shown}");
    }
    let events = kept.lock().unwrap().take().unwrap();
    assert!(events.is_closed(), "somebody still reads");
    until("no task is left", tasks, |count| *count == before).await;

    // So does a start that its caller gives up on.
    let builder = Node::<u32>::builder("a").config(config());
    let starting = builder.engine(HalfStarted(Arc::clone(&kept))).start();
    let given_up = tokio::time::timeout(Duration::from_millis(5), starting).await;
    assert!(given_up.is_err());
    let events = kept.lock().unwrap().take().unwrap();
    assert!(events.is_closed(), "somebody still reads");
    until("no task is left", tasks, |count| *count == before).await;
}

/// So many that a pull takes some messages, and a test does not take minutes.
const MANY: usize = 20_000;

fn fill(node: &Node<u32>) -> Vec<Connection<u32>> {
    let track = |number: usize| {
        let connection = node.connect();
        let room = format!("room-{}", number % 100);
        connection
            .track(&room, &format!("user-{number}"), &1)
            .unwrap();
        connection
    };
    (0..MANY).map(track).collect()
}

/// Waits until a node has pulled a part, and not all.
async fn in_the_middle(node: &Node<u32>) {
    while node.is_empty() {
        tokio::task::yield_now().await;
    }
    let len = node.len();
    assert!(len < MANY, "the pull is over already: {len}");
}

#[tokio::test]
async fn a_shutdown_in_the_middle_of_a_pull_ends_soon_and_loses_nothing() {
    let memory = Memory::new();
    // Small messages: the pull takes many.
    memory.set_max_payload(8 * 1024);
    let a = node::<u32>("a", &memory).await;
    let kept = fill(&a);
    let mut rng = Rng(5);
    let before = tasks();
    // Who pulls goes away, again and again.
    for round in 0..5 {
        let b = node::<u32>(&format!("b{round}"), &memory).await;
        in_the_middle(&b).await;
        tokio::time::sleep(Duration::from_millis(rng.below(5))).await;
        let mut updates = b.topic("room-1").subscribe();
        b.shutdown().await;
        assert_eq!(b.status().phase, Phase::Stopped);
        let left = format!("{memory:?}");
        assert!(!left.contains(b.id().as_str()), "the engine runs: {left}");
        while updates.next().await.is_some() {}
        drop((b, updates));
        until("no task is left", tasks, |count| *count == before).await;
    }
    let b = node::<u32>("b", &memory).await;
    until("all is there in the end", || b.len(), |len| *len == MANY).await;
    assert_eq!(a.len(), MANY);

    // Who is asked goes away, in the middle of its answers.
    let c = builder::<u32>("c", &memory)
        .trust(lattice_presence_node::Trust::Owners)
        .start()
        .await
        .unwrap();
    in_the_middle(&c).await;
    a.shutdown().await;
    drop((a, kept));
    for node in [&b, &c] {
        until("who is gone is hidden", || node.len(), |len| *len == 0).await;
        let views = || node.status().view;
        until("settled", views, |view| *view == View::Settled).await;
    }
    let connection = b.connect();
    connection.track("room", "bob", &1).unwrap();
    until(
        "the others go on",
        || keys(&c, "room").len(),
        |len| *len == 1,
    )
    .await;
}
