//! The engine over NATS, on a server of the test's own.

use async_nats::ConnectOptions;
use lattice_presence_node::engine::conformance;
use lattice_presence_node::engine::{Link, Nats, StartError, To};

use crate::support::{Server, free_port};
use crate::{Broker, heard, refused, start};

#[tokio::test]
async fn nats_conforms_and_outlives_its_server() {
    let Some(server) = Server::nats("nats_conforms") else {
        return;
    };
    let make = |url: String| Nats::new(url);
    let report = conformance::check_with(&mut Broker { server, make }).await;
    super::whole(&report.unwrap());
}

#[tokio::test]
async fn the_limit_of_payloads_is_the_servers() {
    let Some(server) = Server::nats_with("nats_limit", "max_payload: 5000\n") else {
        return;
    };
    let (link, _received) = start(Nats::new(server.url()), "a").await;
    assert_eq!(link.max_payload(), 5_000);
}

#[tokio::test]
async fn without_a_server_the_start_is_an_error_in_time() {
    let server = format!("nats://bob:secret@127.0.0.1:{}", free_port());
    let error = refused(Nats::new(server), "a").await;
    assert!(matches!(error, StartError::Connect { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
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
    let options = |user: &str| ConnectOptions::with_user_and_password(user.into(), user.into());
    let engine = |user: &str| Nats::with_options(server.url(), options(user));
    let (mut honest, _a) = start(engine("a"), "a").await;
    let (_b, mut at_b) = start(engine("b"), "c").await;
    // Under a name that is not its own a node does not start, and the error says why.
    let error = refused(engine("a"), "b").await;
    assert!(error.to_string().contains("lattice.c.one.*.b.b"), "{error}");
    // Without our code its user cannot lie either.
    let liar = options("a").connect(server.url()).await.unwrap();
    let lie = liar.publish("lattice.c.all.b.b", "a lie".into()).await;
    lie.unwrap();
    liar.flush().await.unwrap();
    honest.send(To::All, "the truth".into()).await.unwrap();
    assert_eq!(heard(&mut at_b).await, ("a".into(), "the truth".into()));
}
