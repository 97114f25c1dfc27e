//! Every engine runs the conformance suite, cuts included, and what each does when its
//! server is slow, away or back.
#![cfg(feature = "conformance")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests print what they did, and unwrap what must be there"
)]

#[path = "../support/mod.rs"]
mod support;

mod memory;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "zenoh")]
mod zenoh;
#[cfg(feature = "zenoh")]
mod zenoh_tls;

use core::time::Duration;

use bytes::Bytes;
use lattice_presence_node::engine::conformance::{Harness, Report};
use lattice_presence_node::engine::{Engine, Event, EventStream, Local, StartError, events};

use crate::support::Server;

/// How long anything may take that must happen: a machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Engines on one server, which goes away and comes back.
struct Broker<E> {
    server: Server,
    make: fn(String) -> E,
}

impl<E: Engine> Harness for Broker<E> {
    type Engine = E;

    fn engine(&mut self) -> E {
        (self.make)(self.server.url())
    }

    async fn cut(&mut self) -> bool {
        self.server.kill();
        true
    }

    async fn mend(&mut self) {
        self.server.run();
    }
}

/// What comes in time.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Tries again until it is so, in time.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let tries = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(what, tries).await;
}

/// A node of that name, which must start.
async fn start<E: Engine>(engine: E, name: &str) -> (E::Link, EventStream) {
    let (events, received) = events();
    let link = engine.start(Local::new("c", name), events).await;
    (link.unwrap(), received)
}

/// Why it does not start. Nothing of it may go on.
async fn refused<E: Engine>(engine: E, name: &str) -> StartError {
    let (events, mut received) = events();
    let started = engine.start(Local::new("c", name), events).await;
    let error = started.err().unwrap();
    let ends = async { while received.next().await.is_some() {} };
    soon("nothing is left running", ends).await;
    error
}

/// The next message, and who says it.
async fn heard(received: &mut EventStream) -> (String, Bytes) {
    let message = async {
        loop {
            if let Event::Message { from, payload } = received.next().await.unwrap() {
                return (from.to_string(), payload);
            }
        }
    };
    soon("a message", message).await
}

/// Prints what was checked, and asks that nothing was left out.
fn whole(report: &Report) {
    println!("{report}");
    assert!(report.skipped().is_empty(), "{report}");
    assert!(report.passed().len() >= 9, "{report}");
}
