//! A chat. Run `cargo run --release -p chat`, and open two browser tabs.
//!
//! A tab that joins `room:NAME` is an entry. The room is its topic, and the name of the
//! user is its key. Several tabs of one user count as one person. With `--cluster` several
//! servers find each other, and share the rooms. If the server of a tab dies, the tab
//! connects to another one.
#![allow(
    clippy::print_stdout,
    clippy::std_instead_of_core,
    reason = "a program has standard output and the standard library"
)]

use std::error::Error;
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
    Channel, Channels, Config, Connect, Join, Joined, Origins, Refused, Reply, Web, stop_signal,
};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;

use self::options::{Options, USAGE};

mod options;

/// How long a name, a room or a line may be, in characters.
const MAX_NAME: usize = 32;
const MAX_LINE: usize = 1000;

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

    /// Sends a line to everybody in the room, on every node.
    async fn say(&self, channel: &Channel<()>, name: &str, text: &str) -> Result<(), Refused> {
        if text.trim().is_empty() || text.chars().count() > MAX_LINE {
            return Err(Refused::new("a line has 1 to 1000 characters"));
        }
        let line = Payload::new(&json!({"name": name, "text": text}))?;
        channel.broadcast("said", line).await;
        Ok(())
    }
}

impl Channels for Chat {
    type User = ();

    async fn connect(&self, _: Connect) -> Result<(), Refused> {
        Ok(()) // everybody may
    }

    async fn join(&self, (): &(), join: Join) -> Result<Joined, Refused> {
        let room = join.topic().strip_prefix("room:").unwrap_or_default();
        let enter: Enter = join.payload().parse()?;
        if !is_name(room) || !is_name(&enter.name) {
            return Err(Refused::new(
                "names of rooms and people have 1 to 32 characters",
            ));
        }
        let entry = Joined::new().entry(enter.name, self.meta(enter.away)?);
        Ok(entry.sees(join.asked_to_see()))
    }

    async fn event(&self, channel: &Channel<()>, event: &str, payload: Payload) -> Reply {
        let Some(name) = channel.key() else {
            return Reply::error("enter first");
        };
        let done = async {
            match event {
                "say" => self.say(channel, &name, &payload.parse::<String>()?).await,
                "away" => channel.track(&name, self.meta(payload.parse()?)?),
                _ => Err(Refused::new("unknown event")),
            }
        };
        done.await.into()
    }
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= MAX_NAME
}

/// The page asks this every two seconds: is the view complete, and which other nodes are
/// there?
async fn status(State(node): State<Node>) -> impl IntoResponse {
    let topics = node.topics().into_iter().take(50);
    let rooms = topics.map(|topic| (node.topic(&*topic).len(), topic));
    let status = json!({"node": node.status(), "rooms": rooms.collect::<Vec<_>>()});
    // If a node is gone, its page asks another node.
    ([(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")], Json(status))
}

async fn script(text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript")], text)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::read(std::env::args().skip(1)).ok_or(USAGE)?;
    let listener = TcpListener::bind(options.listen()).await?;
    let address = listener.local_addr()?;
    // If another node is gone, its pages find this node by this name.
    let name = options.name(address);
    let mut node = Node::builder(name.clone());
    if let Some(cluster) = options.cluster {
        let engine = Zenoh::new().multicast().connect(options.peers);
        node = node.cluster(cluster).engine(engine);
    }
    let node = node.start().await?;

    let mut config = Config::default();
    config.grace = Duration::from_secs(5);
    // A page of one node may connect to another node. This is safe, because it has no
    // cookies.
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
        .with_state(node)
        .nest("/socket", web.router());
    println!("chat on http://{address}");
    // If it is told to stop, it closes the sockets over two seconds, and says goodbye.
    let drain = Duration::from_secs(2);
    web.serve(listener, app, stop_signal(), drain).await?;
    Ok(())
}
