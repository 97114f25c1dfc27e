//! Two tabs, on one node and on two, as browsers would have them: by hand, and in
//! headless Chromium.
#![allow(
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test that unwraps fails with a backtrace"
)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
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
    address: String,
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Node {
    async fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chat"))
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(LIMIT, lines.next_line()).await.unwrap();
        let line = line.unwrap().unwrap();
        let (_, address) = line.split_once("http://").unwrap();
        Self {
            child,
            address: address.into(),
            _lines: lines,
        }
    }
}

struct Tab(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Tab {
    async fn enter(node: &Node, name: &str) -> Self {
        let address = format!("ws://{}/socket/websocket?vsn=2.0.0", node.address);
        let mut tab = Self(connect_async(address).await.unwrap().0);
        tab.send("phx_join", &json!({"name": name})).await;
        assert_eq!(tab.expect("phx_reply").await["status"], "ok");
        tab
    }

    async fn send(&mut self, event: &str, payload: &Value) {
        let frame = json!(["1", "1", "room:lobby", event, payload]).to_string();
        self.0.send(Message::text(frame)).await.unwrap();
    }

    /// The payload of the next message of that event.
    async fn expect(&mut self, event: &str) -> Value {
        loop {
            let message = timeout(LIMIT, self.0.next()).await.expect(event);
            if let Message::Text(text) = message.unwrap().unwrap() {
                let mut frame: Value = serde_json::from_str(&text).unwrap();
                if frame[3] == event {
                    return frame[4].take();
                }
            }
        }
    }

    /// The first change in which the key joins, or leaves.
    async fn change(&mut self, side: &str, key: &str) -> Value {
        loop {
            let diff = self.expect("presence_diff").await;
            if !diff[side][key].is_null() {
                return diff;
            }
        }
    }
}

#[tokio::test]
async fn on_one_node() {
    let node = Node::start(&[]).await;
    let mut ada = Tab::enter(&node, "ada").await;
    assert_eq!(
        ada.expect("presence_state").await["ada"]["metas"][0]["status"],
        "online"
    );
    let mut bob = Tab::enter(&node, "bob").await;
    ada.change("joins", "bob").await;
    bob.send("say", &json!("hello")).await;
    assert_eq!(
        ada.expect("said").await,
        json!({"name": "bob", "text": "hello"})
    );
    bob.send("away", &json!(true)).await;
    let diff = ada.change("joins", "bob").await;
    let (before, after) = (
        &diff["leaves"]["bob"]["metas"][0],
        &diff["joins"]["bob"]["metas"][0],
    );
    assert_eq!(
        (&after["status"], &after["phx_ref_prev"]),
        (&json!("away"), &before["phx_ref"])
    );
    for (payload, reason) in [
        (json!({}), "missing field `name`"),
        (json!({"name": " "}), "names of rooms and people have"),
    ] {
        let mut tab = Tab(connect_async(format!(
            "ws://{}/socket/websocket?vsn=2.0.0",
            node.address
        ))
        .await
        .unwrap()
        .0);
        tab.send("phx_join", &payload).await;
        let reply = tab.expect("phx_reply").await;
        assert!(
            reply["response"]["reason"]
                .as_str()
                .unwrap()
                .starts_with(reason),
            "{reply}"
        );
    }
    drop(bob);
    ada.change("leaves", "bob").await; // after the time of grace
}

#[tokio::test]
async fn on_two_nodes_of_which_one_is_killed_and_one_is_stopped() {
    let (one, mut two) = (
        Node::start(&["--cluster-name", "by hand"]).await,
        Node::start(&["--cluster-name", "by hand"]).await,
    );
    let mut ada = Tab::enter(&one, "ada").await;
    let mut bob = Tab::enter(&two, "bob").await;
    let diff = ada.change("joins", "bob").await;
    assert_eq!(diff["joins"]["bob"]["metas"][0]["node"], *two.address);
    bob.send("say", &json!("over there")).await;
    assert_eq!(ada.expect("said").await["text"], "over there");
    two.child.kill().await.unwrap();
    ada.change("leaves", "bob").await;

    let three = Node::start(&["--cluster-name", "by hand"]).await;
    let mut eve = Tab::enter(&three, "eve").await;
    ada.change("joins", "eve").await;
    let pid = three.child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .await
            .unwrap()
            .success()
    );
    let code = loop {
        match timeout(LIMIT, eve.0.next()).await.unwrap() {
            Some(Ok(Message::Close(frame))) => break u16::from(frame.unwrap().code),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, 1012);
    ada.change("leaves", "eve").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_chromium_on_two_nodes_of_which_one_is_killed() {
    let folder = match installed() {
        Ok(folder) => folder,
        Err(reason) => {
            // Straight to the descriptor: the harness would swallow it. `cargo xtask
            // ci` looks for this line.
            let _ = writeln!(std::io::stderr(), "\nSKIPPED browser: {reason}");
            return;
        }
    };
    let (one, mut two) = (
        Node::start(&["--cluster-name", "chromium"]).await,
        Node::start(&["--cluster-name", "chromium"]).await,
    );
    let pictures = folder.join("pictures");
    fs::create_dir_all(&pictures).unwrap();
    let mut browser = Command::new("node")
        .args(["browser.mjs", CHROMIUM, &one.address, &two.address])
        .arg(&pictures)
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(browser.stdout.take().unwrap()).lines();
    let mut input = browser.stdin.take().unwrap();
    let mut done = false;
    while let Some(line) = lines.next_line().await.unwrap() {
        match &*line {
            "kill" => {
                two.child.kill().await.unwrap();
                input.write_all(b"go\n").await.unwrap();
            }
            "done" => done = true,
            other => panic!("{other}"),
        }
    }
    assert!(browser.wait().await.unwrap().success() && done);
    for name in ["room", "phone", "phone-people", "after"] {
        assert!(pictures.join(name).with_extension("png").exists(), "{name}");
    }
}

const CHROMIUM: &str = "/usr/bin/chromium";

/// The folder in which the driver is installed, or what is missing for that.
fn installed() -> Result<PathBuf, &'static str> {
    let runs = |program: &str| {
        let output = std::process::Command::new(program)
            .arg("--version")
            .output();
        output.is_ok_and(|output| output.status.success())
    };
    if !runs(CHROMIUM) {
        return Err("no Chromium here; `apt-get install chromium` brings it");
    }
    if !(runs("node") && runs("npm")) {
        return Err("node and npm are not both here");
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    fs::create_dir_all(&folder).unwrap();
    for file in ["package.json", "package-lock.json", "browser.mjs"] {
        fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    let output = std::process::Command::new("npm")
        .args([
            "ci",
            "--no-audit",
            "--no-fund",
            "--prefer-offline",
            "--ignore-scripts",
        ])
        .args(["--fetch-retries", "1"])
        .current_dir(&folder)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && NETWORK.iter().any(|code| errors.contains(code)) {
        return Err("npm cannot reach its registry");
    }
    assert!(output.status.success(), "npm ci failed: {errors}");
    Ok(folder)
}

/// What npm reports where it is the network that fails, and not the package.
const NETWORK: [&str; 9] = [
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ENOTCACHED",
    "ENOTFOUND",
    "ERR_SOCKET_TIMEOUT",
    "ETIMEDOUT",
];
