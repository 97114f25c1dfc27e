//! A chat: `cargo run --release -p chat`, then two browser tabs.
//!
//! A tab that joins `room:NAME` is an entry: the room is its topic, the name its key.
//! Whoever has several tabs is one person. With `--cluster` several of these find each
//! other and share the rooms; a tab whose node dies goes on at another one.
#![allow(
    clippy::print_stdout,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program has standard output and the standard library"
)]

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use axum::{Json, Router};
use lattice_presence_json::JsonMeta;
use lattice_presence_node::Node;
use lattice_presence_node::engine::Zenoh;
use lattice_presence_web::phoenix::Payload;
use lattice_presence_web::{
    Channel, Channels, Config, Connect, Join, Joined, Origins, Refused, Reply, Web,
};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;

/// How long a name, a room or a line may be, in characters.
const MAX_NAME: usize = 32;
const MAX_LINE: usize = 1000;
/// Over how long the sockets are closed when the server stops.
const DRAIN: Duration = Duration::from_secs(2);

/// What the chat decides.
struct Chat {
    node: String,
}

#[derive(Deserialize)]
struct Enter {
    name: String,
    #[serde(default)]
    away: bool,
}

impl Chat {
    /// What others see of a tab.
    fn meta(&self, away: bool) -> Result<JsonMeta, Refused> {
        let status = if away { "away" } else { "online" };
        JsonMeta::new(&json!({"status": status, "node": self.node})).map_err(Refused::new)
    }
}

impl Channels for Chat {
    type User = ();

    async fn connect(&self, _: Connect) -> Result<(), Refused> {
        Ok(()) // everybody may
    }

    async fn join(&self, (): &(), join: Join) -> Result<Joined, Refused> {
        let room = join.topic().strip_prefix("room:").unwrap_or_default();
        let Ok(enter) = join.payload().parse::<Enter>() else {
            return Err(Refused::new("say {\"name\": …} to enter"));
        };
        if !is_name(room) {
            return Err(Refused::new("a room has a name of 1 to 32 characters"));
        }
        if !is_name(&enter.name) {
            return Err(Refused::new("a name has 1 to 32 characters"));
        }
        Ok(Joined::new()
            .entry(enter.name, self.meta(enter.away)?)
            .sees(join.asked_to_see()))
    }

    async fn event(&self, channel: &Channel<()>, event: &str, payload: Payload) -> Reply {
        let Some(name) = channel.key() else {
            return Reply::error("enter first");
        };
        let done = match event {
            "say" => say(channel, &name, &payload).await,
            "away" => payload
                .parse()
                .map_err(Refused::new)
                .and_then(|away| channel.track(&name, self.meta(away)?)),
            _ => Err(Refused::new("unknown event")),
        };
        done.map_or_else(
            |refused| Reply::error(&refused.to_string()),
            |()| Reply::ok(),
        )
    }
}

/// A line to everybody in the room, on every node.
async fn say(channel: &Channel<()>, name: &str, payload: &Payload) -> Result<(), Refused> {
    let text: String = payload.parse().map_err(Refused::new)?;
    if text.trim().is_empty() || text.chars().count() > MAX_LINE {
        return Err(Refused::new("a line has 1 to 1000 characters"));
    }
    let line = Payload::new(&json!({"name": name, "text": text})).map_err(Refused::new)?;
    channel.broadcast("said", line).await;
    Ok(())
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= MAX_NAME
}

/// What the page asks every other second: is the view complete, who else is there.
async fn status(State(node): State<Node>) -> impl IntoResponse {
    let status = node.status();
    let room = |topic: String| {
        let name = topic.strip_prefix("room:")?;
        Some(json!({"name": name, "tabs": node.topic(topic.clone()).len()}))
    };
    let up = status.peers.iter().filter(|peer| peer.status == "up");
    let status = json!({
        "node": status.node,
        "view": status.view,
        "nodes": up.map(|peer| &peer.node).collect::<Vec<_>>(),
        "rooms": node.topics().into_iter().filter_map(room).take(50).collect::<Vec<_>>(),
    });
    // The page of a node that is gone asks another one.
    ([(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")], Json(status))
}

async fn script(text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript")], text)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::read(std::env::args().skip(1))?;
    let listener = TcpListener::bind(&options.listen).await?;
    let address = listener.local_addr()?;
    // Under this name the pages of other nodes find this one when theirs is gone.
    let name = options.name.unwrap_or_else(|| name_of(address));
    let mut node = Node::builder(name.clone());
    if let Some(cluster) = options.cluster {
        node = node
            .cluster(cluster)
            .engine(Zenoh::new().multicast().connect(options.peers));
    }
    let node = node.start().await?;

    let mut config = Config::default();
    config.grace = Duration::from_secs(5);
    // A page of one node may turn to another one; it has no cookies to lose.
    config.origins = Origins::Any;
    let web = Web::new(node.clone(), Chat { node: name }, config);
    let app = Router::new()
        .route("/", get(|| async { Html(include_str!("index.html")) }))
        .route("/chat.js", get(|| script(include_str!("chat.js"))))
        .route(
            "/phoenix.mjs",
            get(|| script(include_str!("../vendor/phoenix.mjs"))),
        )
        .route("/status", get(status))
        .with_state(node.clone())
        .nest("/socket", web.router());
    println!("chat on http://{address}");
    let (closing, stopping) = (web.clone(), node.clone());
    let stop = async move {
        stop_signal().await;
        closing.drain(DRAIN).await;
        stopping.shutdown().await;
        std::process::exit(0); // the pages' open connections would hold it up
    };
    axum::serve(listener, app)
        .with_graceful_shutdown(stop)
        .await?;
    Ok(())
}

/// The address, or where all of them are listened on, the host's name: two nodes of one
/// name would retire each other.
fn name_of(address: SocketAddr) -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    match host.trim() {
        host if address.ip().is_unspecified() && !host.is_empty() => {
            format!("{host}:{}", address.port())
        }
        _ => address.to_string(),
    }
}

/// Ctrl-C, or what a service manager sends.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// The command line.
struct Options {
    listen: String,
    /// The name of the cluster.
    cluster: Option<String>,
    /// The name of this node: where browsers reach it.
    name: Option<String>,
    peers: Vec<String>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            listen: "127.0.0.1:3000".into(),
            cluster: None,
            name: None,
            peers: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("{argument} needs a value"))
            };
            match &*argument {
                "--listen" => options.listen = value()?,
                "--cluster" => options.cluster = Some("chat".into()),
                "--cluster-name" => options.cluster = Some(value()?),
                "--name" => options.name = Some(value()?),
                "--peer" => options.peers.push(value()?),
                _ => {
                    return Err(
                        "usage: chat [--listen ADDR] [--name HOST:PORT] [--cluster] [--cluster-name NAME]\n            [--peer tcp/HOST:PORT]…".into(),
                    );
                }
            }
        }
        Ok(options)
    }
}
