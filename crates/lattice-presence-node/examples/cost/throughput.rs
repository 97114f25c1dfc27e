//! Two nodes over zenoh, on the loopback. It counts the joins and leaves that each sees of
//! the other in a second.

use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use lattice_presence_node::engine::Zenoh;
use lattice_presence_node::{JsonMeta, Node};

use crate::{Effort, Result};

/// How many users join, and leave again, at a time. The program waits until the other node
/// has seen each of them.
const BATCH: usize = 500;

/// How many such topics each node has.
const TOPICS: usize = 4;

pub(crate) fn run(effort: Effort) -> Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(Duration::from_secs(effort.seconds)))
}

async fn measure(length: Duration) -> Result<()> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port();
    let address = format!("tcp/127.0.0.1:{port}");
    let a: Node = Node::builder("a")
        .engine(Zenoh::new().listen(&address))
        .start()
        .await?;
    let b: Node = Node::builder("b")
        .engine(Zenoh::new().listen("tcp/127.0.0.1:0").connect([&address]))
        .start()
        .await?;
    let both = |node: &Node| node.status().peers.iter().any(|peer| peer.status == "up");
    let start = Instant::now();
    while !(both(&a) && both(&b)) {
        if start.elapsed() > Duration::from_secs(30) {
            return Err("the nodes do not meet".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (work, start) = (ProcessTime::try_now()?, Instant::now());
    let mut turns = tokio::task::JoinSet::new();
    for topic in 0..TOPICS {
        for (writer, reader) in [(&a, &b), (&b, &a)] {
            let name = format!("{}-{topic}", writer.id().base());
            turns.spawn(come_and_go(
                writer.clone(),
                reader.clone(),
                name,
                start + length,
            ));
        }
    }
    let mut changes = 0;
    while let Some(count) = turns.join_next().await {
        changes += count?;
    }
    let (took, work) = (start.elapsed(), work.try_elapsed()?);
    let repairs = a.status().counts.repairs + b.status().counts.repairs;
    let rate = |over: Duration| changes as f64 / over.as_secs_f64();
    println!("| what | changes/s | changes for each second of a core | repairs |");
    println!("|---|---:|---:|---:|");
    println!(
        "| two nodes over zenoh, loopback: joins and leaves that the other node saw | {:.0} | {:.0} | {repairs} |",
        rate(took),
        rate(work)
    );
    println!("\n{changes} changes in {took:.1?}, {work:.1?} on cores; floor 50,000/s, aim 200,000");
    a.shutdown().await;
    b.shutdown().await;
    Ok(())
}

async fn come_and_go(writer: Node, reader: Node, topic: String, until: Instant) -> usize {
    let meta = JsonMeta::new("online").unwrap_or_default();
    let seen = reader.topic(topic.as_str());
    let mut updates = seen.subscribe();
    let mut changes = 0;
    while Instant::now() < until {
        let connection = writer.connect();
        for number in 0..BATCH {
            let tracked = connection.track(&topic, &format!("user-{number}"), &meta);
            assert!(tracked.is_ok(), "{tracked:?}");
        }
        while seen.len() < BATCH {
            let _ = updates.next().await;
        }
        drop(connection);
        while !seen.is_empty() {
            let _ = updates.next().await;
        }
        changes += 2 * BATCH;
    }
    changes
}
