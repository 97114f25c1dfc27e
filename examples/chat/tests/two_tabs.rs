//! Two tabs, on one node and on two, as browsers would have them.
#![allow(
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test that unwraps fails with a backtrace"
)]

use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Far above what anything here takes, and far below patience.
const LIMIT: Duration = Duration::from_secs(30);

/// A node, killed when it goes out of scope.
struct Node {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Node {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chat"))
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The address in the next line that it prints.
    async fn address(&mut self) -> String {
        let line = timeout(LIMIT, self.lines.next_line()).await.unwrap();
        let line = line.unwrap().unwrap();
        let mut words = line
            .split(' ')
            .map(|word| word.trim_start_matches("http://"));
        words.find(|word| word.starts_with("127.")).unwrap().into()
    }
}

struct Tab(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Tab {
    async fn enter(address: &str, name: &str) -> Self {
        let (socket, _) = connect_async(format!("ws://{address}/socket"))
            .await
            .unwrap();
        let mut tab = Self(socket);
        tab.send(json!({"event": "enter", "name": name, "room": "lobby"}))
            .await;
        tab
    }

    async fn send(&mut self, message: Value) {
        let text = message.to_string();
        self.0.send(Message::Text(text.into())).await.unwrap();
    }

    /// The payload of the next message, which is an `event`.
    async fn expect(&mut self, event: &str) -> Value {
        loop {
            let message = timeout(LIMIT, self.0.next()).await.unwrap();
            if let Message::Text(text) = message.unwrap().unwrap() {
                let mut message: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(message["event"], event, "{message}");
                return message["payload"].take();
            }
        }
    }

    /// The keys that join and leave with the next diff.
    async fn diff(&mut self) -> (Vec<String>, Vec<String>) {
        let diff = self.expect("presence_diff").await;
        (keys(&diff["joins"]), keys(&diff["leaves"]))
    }
}

fn keys(presences: &Value) -> Vec<String> {
    presences.as_object().unwrap().keys().cloned().collect()
}

fn names<const J: usize, const L: usize>(
    joins: [&str; J],
    leaves: [&str; L],
) -> (Vec<String>, Vec<String>) {
    (joins.map(Into::into).into(), leaves.map(Into::into).into())
}

#[tokio::test]
async fn each_tab_sees_the_other_come_change_speak_and_go() {
    let mut node = Node::start(&[]);
    let address = node.address().await;

    let mut alice = Tab::enter(&address, "alice").await;
    assert_eq!(keys(&alice.expect("presence_state").await), ["alice"]);
    let mut bob = Tab::enter(&address, "bob").await;
    assert_eq!(keys(&bob.expect("presence_state").await), ["alice", "bob"]);
    assert_eq!(alice.diff().await, names(["bob"], []));

    bob.send(json!({"event": "status", "away": true})).await;
    let diff = alice.expect("presence_diff").await;
    assert_eq!(diff["joins"]["bob"]["metas"][0]["status"], "away");
    assert_eq!(keys(&diff["leaves"]), ["bob"]);
    bob.expect("presence_diff").await;

    alice.send(json!({"event": "say", "text": "hello"})).await;
    let said = json!({"room": "lobby", "name": "alice", "text": "hello"});
    assert_eq!(bob.expect("said").await, said);
    assert_eq!(alice.expect("said").await, said);

    bob.0.close(None).await.unwrap();
    assert_eq!(alice.diff().await, names([], ["bob"]));
    // No goodbye, as when a browser crashes.
    let mut carol = Tab::enter(&address, "carol").await;
    assert_eq!(
        keys(&carol.expect("presence_state").await),
        ["alice", "carol"]
    );
    assert_eq!(alice.diff().await, names(["carol"], []));
    drop(carol);
    assert_eq!(alice.diff().await, names([], ["carol"]));
}

#[tokio::test]
async fn nonsense_closes_the_socket_and_leaves_nobody_behind() {
    let mut node = Node::start(&[]);
    let address = node.address().await;
    let mut alice = Tab::enter(&address, "alice").await;
    alice.expect("presence_state").await;

    let mut bob = Tab::enter(&address, "bob").await;
    bob.expect("presence_state").await;
    assert_eq!(alice.diff().await, names(["bob"], []));
    bob.send(json!({"event": "enter", "name": "bob", "room": "twice"}))
        .await;
    assert_eq!(alice.diff().await, names([], ["bob"]));

    // The name is too long: it never enters.
    let mut long = Tab::enter(&address, &"n".repeat(33)).await;
    let end = timeout(LIMIT, long.0.next()).await.unwrap();
    assert!(!matches!(end, Some(Ok(Message::Text(_)))), "{end:?}");
}

#[tokio::test]
async fn tabs_on_two_nodes_share_the_room_until_one_node_dies() {
    let mut a = Node::start(&["--name", "a", "--nodes", "127.0.0.1:0"]);
    let nodes = a.address().await;
    let at_a = a.address().await;
    let mut alice = Tab::enter(&at_a, "alice").await;
    alice.expect("presence_state").await;

    for _life in 0..2 {
        let mut b = Node::start(&["--name", "b", "--peer", &nodes]);
        let at_b = b.address().await;
        let mut bob = Tab::enter(&at_b, "bob").await;
        // Whichever comes first: the link, or the tab.
        if keys(&bob.expect("presence_state").await) == ["bob"] {
            assert_eq!(bob.diff().await, names(["alice"], []));
        }
        assert_eq!(alice.diff().await, names(["bob"], []));
        bob.send(json!({"event": "say", "text": "from b"})).await;
        assert_eq!(alice.expect("said").await["text"], "from b");

        b.child.kill().await.unwrap();
        assert_eq!(alice.diff().await, names([], ["bob"]));
    }
}
