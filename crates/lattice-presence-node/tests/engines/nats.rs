//! The engine over NATS, on a server of the test's own.

use core::time::Duration;

use async_nats::ConnectOptions;
use lattice_presence_node::engine::conformance::{self, Harness};
use lattice_presence_node::engine::{Engine, Event, Link, Local, Nats, StartError, To, events};

use crate::support::{Server, free_port};

/// The server itself goes away and comes back.
struct Broker(Server);

impl Harness for Broker {
    type Engine = Nats;

    fn engine(&mut self) -> Nats {
        Nats::new(self.0.url())
    }

    async fn cut(&mut self) -> bool {
        self.0.kill();
        true
    }

    async fn mend(&mut self) {
        self.0.run();
    }
}

#[tokio::test]
async fn nats_conforms_and_outlives_its_server() {
    let Some(server) = Server::nats("nats_conforms") else {
        return;
    };
    let report = conformance::check_with(&mut Broker(server)).await;
    super::whole(&report.unwrap());
}

#[tokio::test]
async fn the_limit_of_payloads_is_the_servers() {
    let Some(server) = Server::nats_with("nats_limit", "max_payload: 5000\n") else {
        return;
    };
    let local = Local::new("c", "a");
    let link = Nats::new(server.url())
        .start(local, events().0)
        .await
        .unwrap();
    assert_eq!(link.max_payload(), 5_000);
}

#[tokio::test]
async fn without_a_server_the_start_is_an_error_in_time() {
    let engine = Nats::new(format!("nats://bob:secret@127.0.0.1:{}", free_port()));
    let (events, mut received) = events();
    let started = engine.start(Local::new("c", "a"), events);
    let error = started.await.map(|_| ()).unwrap_err();
    assert!(matches!(error, StartError::Connect { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    // Nothing is left running.
    let ended = tokio::time::timeout(Duration::from_secs(60), async {
        while received.next().await.is_some() {}
    });
    assert!(ended.await.is_ok());
}

/// The permissions of a server hold each node to its own name.
#[tokio::test]
async fn permissions_keep_a_node_from_speaking_for_another() {
    let configuration = r#"
        authorization {
          users = [
            { user: a, password: a, permissions: {
                publish: ["lattice.c.all.a.*", "lattice.c.one.*.a.*"], subscribe: "lattice.c.>" } }
            { user: b, password: b }
          ]
        }
    "#;
    let Some(server) = Server::nats_with("nats_permissions", configuration) else {
        return;
    };
    let start = |user: &str, name: &'static str| {
        let options = ConnectOptions::with_user_and_password(user.into(), user.into());
        let engine = Nats::with_options(server.url(), options);
        let (events, received) = events();
        async move { (engine.start(Local::new("c", name), events).await, received) }
    };
    let (honest, _a) = start("a", "a").await;
    let mut honest = honest.unwrap();
    let (_b, mut at_b) = start("b", "c").await;
    // Under a name that is not its own a node does not start, and the error says why.
    let error = start("a", "b").await.0.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("lattice.c.one.*.b.b"), "{error}");
    // Nor can its user lie without us.
    let options = ConnectOptions::with_user_and_password("a".into(), "a".into());
    let liar = options.connect(server.url()).await.unwrap();
    let lie = liar.publish("lattice.c.all.b.b", "a lie".into()).await;
    lie.unwrap();
    liar.flush().await.unwrap();
    honest.send(To::All, "the truth".into()).await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            if let Some(Event::Message { from, payload }) = at_b.next().await {
                return (from, payload);
            }
        }
    });
    let (from, payload) = heard.await.unwrap();
    assert_eq!((&*from, &*payload), ("a", &b"the truth"[..]));
}
