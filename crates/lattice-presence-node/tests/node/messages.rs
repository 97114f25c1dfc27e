//! Bytes of the application, from node to node.

use bytes::Bytes;
use lattice_presence_node::engine::Memory;
use lattice_presence_node::{BroadcastError, Messages, Node, Received};

use crate::support::{PATIENCE, node};

async fn next(messages: &mut Messages) -> (String, String, Bytes) {
    let next = tokio::time::timeout(PATIENCE, messages.next());
    match next.await.unwrap() {
        Some(Received::Message(message)) => (
            message.from.base().to_string(),
            message.topic.to_string(),
            message.payload,
        ),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_broadcast_reaches_every_node_and_the_own_one() {
    let memory = Memory::new();
    let (a, b) = (
        node::<u32>("a", &memory).await,
        node::<u32>("b", &memory).await,
    );
    let (mut at_a, mut at_b) = (a.messages(), b.messages());
    a.broadcast("room é", &b"hello"[..]).unwrap();
    b.broadcast("", Vec::new()).unwrap();
    let hello = ("a".to_string(), "room é".to_string(), Bytes::from("hello"));
    assert_eq!(next(&mut at_a).await, hello);
    assert_eq!(
        next(&mut at_b).await,
        ("b".into(), String::new(), Bytes::new())
    );
    assert_eq!(next(&mut at_b).await, hello);
}

#[tokio::test]
async fn the_limit_is_the_engines_to_the_byte() {
    let memory = Memory::new();
    memory.set_max_payload(2_000);
    let (a, b) = (
        node::<u32>("a", &memory).await,
        node::<u32>("b", &memory).await,
    );
    let mut at_b = b.messages();
    let most = a.max_broadcast() - "room".len();
    a.broadcast("room", vec![7; most]).unwrap();
    assert_eq!(next(&mut at_b).await.2, vec![7; most]);
    let error = a.broadcast("room", vec![7; most + 1]).unwrap_err();
    let limit = a.max_broadcast();
    assert_eq!(
        error,
        BroadcastError::TooLong {
            length: limit + 1,
            limit
        }
    );
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_missed_and_a_full_queue_refuses() {
    let memory = Memory::new();
    let a: Node<u32> = node("a", &memory).await;
    let mut slow = a.messages();
    // No other task runs meanwhile: the queue fills.
    let mut sent = 0;
    let full = loop {
        match a.broadcast("room", "x") {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 100_000);
    };
    assert_eq!(full, BroadcastError::Full);
    tokio::time::sleep(core::time::Duration::from_millis(50)).await;
    for _ in 0..2_000 {
        let _ = a.broadcast("room", "y");
        tokio::task::yield_now().await;
    }
    assert!(matches!(slow.next().await, Some(Received::Missed(1..))));
    a.shutdown().await;
    assert_eq!(a.broadcast("room", "z"), Err(BroadcastError::Stopped));
}
