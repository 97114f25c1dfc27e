//! The engine over zenoh: peers of one machine, by addresses, without scouting.

use lattice_presence_node::engine::conformance::{self, Harness};
use lattice_presence_node::engine::{Event, EventStream, Link, PeerHint, To, Zenoh};
use zenoh::Config;

use crate::support::{Proxy, free_port};
use crate::{heard, refused, soon, start};

/// Every peer listens at a port of its own, and the others reach it through a cable. They
/// must not tell each other of the port behind it.
struct Cables {
    whole: Vec<(u16, Proxy)>,
    started: usize,
}

impl Cables {
    async fn new() -> Self {
        let mut whole = Vec::new();
        for _ in conformance::NAMES {
            let port = free_port();
            whole.push((port, Proxy::to(port).await));
        }
        Self { whole, started: 0 }
    }
}

fn config(listen: u16, connect: &[u16]) -> Config {
    let mut config = Config::default();
    let address = |port: &u16| format!("\"tcp/127.0.0.1:{port}\"");
    let connect: Vec<String> = connect.iter().map(address).collect();
    let mut set = |key, value: &str| config.insert_json5(key, value).unwrap();
    set("mode", "\"peer\"");
    set("scouting/multicast/enabled", "false");
    set("scouting/gossip/enabled", "false");
    set("listen/endpoints", &format!("[{}]", address(&listen)));
    set("connect/endpoints", &format!("[{}]", connect.join(",")));
    config
}

impl Harness for Cables {
    type Engine = Zenoh;

    fn engine(&mut self) -> Zenoh {
        let (before, rest) = self.whole.split_at(self.started);
        let connect: Vec<u16> = before.iter().map(|(_, proxy)| proxy.port()).collect();
        self.started += 1;
        Zenoh::with_config(config(rest[0].0, &connect))
    }

    async fn cut(&mut self) -> bool {
        for (_, proxy) in &self.whole {
            proxy.cut();
        }
        true
    }

    async fn mend(&mut self) {
        for (_, proxy) in &self.whole {
            proxy.mend();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zenoh_conforms_and_connects_again() {
    let report = conformance::check_with(&mut Cables::new().await).await;
    super::whole(&report.unwrap());
}

async fn hint_of(received: &mut EventStream, peer: &str) -> PeerHint {
    let next = async {
        loop {
            match received.next().await.unwrap() {
                Event::Hint { peer: of, hint } if *of == *peer => return hint,
                _ => {}
            }
        }
    };
    soon("a hint", next).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_hint_who_is_there_and_who_has_gone() {
    let port = free_port();
    let address = format!("tcp/127.0.0.1:{port}");
    let (_a, mut at_a) = start(Zenoh::new().listen(&address), "a").await;
    let local = Zenoh::new().listen("tcp/127.0.0.1:0").connect([&address]);
    let (b, mut at_b) = start(local, "b").await;
    assert_eq!(hint_of(&mut at_a, "b").await, PeerHint::Up);
    assert_eq!(hint_of(&mut at_b, "a").await, PeerHint::Up);
    b.close().await;
    assert_eq!(hint_of(&mut at_a, "b").await, PeerHint::Lost);
}

/// Two nodes of one process, on the session that the application has: it stays open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_the_application_is_shared_and_left_open() {
    let session = zenoh::open(config(free_port(), &[])).await.unwrap();
    let (mut a, _at_a) = start(Zenoh::with_session(session.clone()), "a").await;
    let (b, mut at_b) = start(Zenoh::with_session(session.clone()), "b").await;
    a.send(To::All, "hello".into()).await.unwrap();
    assert_eq!(heard(&mut at_b).await.0, "a");
    b.close().await;
    assert!(!session.is_closed());
    session.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_taken_is_an_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp/127.0.0.1:{}", taken.local_addr().unwrap().port());
    let error = refused(Zenoh::new().listen(address), "a").await;
    assert!(error.to_string().contains("zenoh"), "{error}");
}
