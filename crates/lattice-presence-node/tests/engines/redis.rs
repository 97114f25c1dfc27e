//! The engine over Redis, on a server of the test's own.

use core::time::Duration;
use std::time::Instant;

use lattice_presence_node::engine::conformance;
use lattice_presence_node::engine::{Event, Link, Redis, RedisLink, SendError, StartError, To};

use crate::support::{Proxy, Server, free_port};
use crate::{Broker, heard, refused, soon, start, until};

#[tokio::test]
async fn redis_conforms_and_outlives_its_server() {
    let Some(server) = Server::redis("redis_conforms") else {
        return;
    };
    let make = |url: String| Redis::new(url);
    let report = conformance::check_with(&mut Broker { server, make }).await;
    super::whole(&report.unwrap());
}

#[tokio::test]
async fn without_a_server_the_start_is_an_error_in_time() {
    let server = format!("redis://:secret@127.0.0.1:{}/", free_port());
    let error = refused(Redis::new(server), "a").await;
    assert!(matches!(error, StartError::Connect { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn an_address_that_is_none_is_an_error_of_the_settings() {
    let error = refused(Redis::new("no address"), "a").await;
    assert!(matches!(error, StartError::Settings { .. }), "{error}");
}

#[tokio::test]
async fn while_the_server_is_away_sending_is_refused_soon() {
    let Some(mut server) = Server::redis("redis_away") else {
        return;
    };
    let (mut link, _received) = start(Redis::new(server.url()), "a").await;
    server.kill();
    for _ in 0..5 {
        let start = Instant::now();
        let sent = link.send(To::All, "?".into()).await;
        assert!(matches!(sent, Err(SendError::Disconnected)), "{sent:?}");
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}

/// The node gives up on a send after a second. A server that needs longer than that to let
/// somebody in must be reached all the same.
#[tokio::test]
async fn a_server_that_is_slow_to_connect_to_is_reached_in_spite_of_short_sends() {
    let Some(server) = Server::redis("redis_slow_to_connect") else {
        return;
    };
    let proxy = Proxy::to(server.port()).await;
    let address = format!("redis://127.0.0.1:{}", proxy.port());
    let (mut link, _received) = start(Redis::new(address), "a").await;
    proxy.cut();
    proxy.slow_down(Duration::from_secs(2));
    let send = async |link: &mut RedisLink| {
        let sent = tokio::time::timeout(Duration::from_secs(1), link.send(To::All, "?".into()));
        sent.await.unwrap_or(Err(SendError::Disconnected))
    };
    until("it is noticed", async || send(&mut link).await.is_err()).await;
    proxy.mend();
    until("it is back", async || send(&mut link).await.is_ok()).await;
}

/// If a node does not read, the server closes its connection. The node learns that it lost
/// something.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_was_cut_off_is_told_that_it_lost_something() {
    let Some(server) = Server::redis("redis_cut_off") else {
        return;
    };
    let (_b, mut at_b) = start(Redis::new(server.url()), "b").await;
    // The server does this if the output buffer of a subscriber is full.
    let client = redis::Client::open(server.url()).unwrap();
    let mut admin = client.get_multiplexed_async_connection().await.unwrap();
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL").arg("TYPE").arg("pubsub");
    let _: i64 = kill.query_async(&mut admin).await.unwrap();

    let mut seen = Vec::new();
    let lagged = async {
        while let Some(event) = at_b.next().await {
            let is_lagged = matches!(event, Event::Lagged { .. });
            seen.push(event);
            if is_lagged {
                break;
            }
        }
    };
    soon("it learns of the loss", lagged).await;
    let is_cut = |event: &Event| matches!(event, Event::Disconnected { .. });
    assert!(seen.iter().any(is_cut), "{seen:?}");
    assert_eq!(seen[seen.len() - 2], Event::Connected, "{seen:?}");

    let (mut a, _at_a) = start(Redis::new(server.url()), "a").await;
    a.send(To::All, "after".into()).await.unwrap();
    assert_eq!(heard(&mut at_b).await, ("a".into(), "after".into()));
}
