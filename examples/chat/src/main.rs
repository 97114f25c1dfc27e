//! A chat room with presence: `cargo run --release -p chat`, then two browser tabs.
//!
//! One task, [`Hub`], owns the [`PresenceState`]; sockets send it [`Event`]s. A
//! browser that enters a room is an entry: the room is its topic, the name its
//! key, the connection its pid. Every diff goes to the browsers of its topic, in
//! the messages of Phoenix' JavaScript client. When a socket closes, for whatever
//! reason, its pid leaves.
//!
//! Several nodes share the rooms. Each dials all others (`--peer`), since each
//! judges for itself who is down: here, whoever it has no link to.
#![allow(
    clippy::print_stdout,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program has standard output and the standard library"
)]

use std::collections::HashMap;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::{Html, IntoResponse};
use axum::{Router, extract, routing};
use lattice_presence::{Diff, PresenceState, ReplicaId};
use lattice_presence_json::{
    JsonMeta, delta_from_json, delta_to_json_string, digest_from_json, digest_to_json_string,
    phoenix,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep, timeout};

/// Messages that may wait for one socket; who reads more slowly is cut off.
const BACKLOG: usize = 256;
/// How long a socket may take to accept a message.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a browser is asked whether it is there. Two questions without an
/// answer, and it is not: a laptop that was closed sends no goodbye.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often nodes compare digests, which is their heartbeat as well.
const GOSSIP: Duration = Duration::from_millis(500);
/// How long a node may be silent before its users leave.
const SILENCE: Duration = Duration::from_secs(3);
/// How long a name, a room or a line may be.
const MAX_NAME: usize = 32;
const MAX_TEXT: usize = 1000;

type Failure = Box<dyn Error + Send + Sync>;
type Outbox = mpsc::Sender<String>;

/// What happens to the hub.
enum Event {
    Entered {
        pid: String,
        name: String,
        room: String,
        out: Outbox,
    },
    Said {
        pid: String,
        text: String,
    },
    Status {
        pid: String,
        away: bool,
    },
    Closed {
        pid: String,
    },
    Linked {
        link: u64,
        peer: ReplicaId,
        out: Outbox,
    },
    Received {
        link: u64,
        line: String,
    },
    Unlinked {
        link: u64,
        peer: ReplicaId,
    },
    Tick,
}

/// What a browser sends.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Request {
    Enter { name: String, room: String },
    Say { text: String },
    Status { away: bool },
}

/// A line of chat, as browsers and nodes get it.
#[derive(Serialize, Deserialize)]
struct Line {
    room: String,
    name: String,
    text: String,
}

struct Client {
    name: String,
    room: String,
    out: Outbox,
}

/// The state, and whom to tell.
struct Hub {
    state: PresenceState<JsonMeta>,
    clients: HashMap<String, Client>,
    /// By number: two nodes that dial each other have two links.
    links: HashMap<u64, (ReplicaId, Outbox)>,
}

impl Hub {
    async fn run(mut self, mut events: mpsc::Receiver<Event>) {
        while let Some(event) = events.recv().await {
            // An error changed nothing: the state goes on as it was.
            if let Err(error) = self.handle(event).and_then(|()| self.push()) {
                eprintln!("{error}");
            }
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Entered {
                pid,
                name,
                room,
                out,
            } => {
                let diff = self.state.join(&pid, &room, &name, status(false)?)?;
                self.show(&diff)?;
                // Entered after the diff, so the newcomer gets itself once.
                let everybody = phoenix::presence_state(&self.state, &room)?;
                if out.try_send(message("presence_state", &everybody)).is_ok() {
                    self.clients.insert(pid, Client { name, room, out });
                }
                Ok(())
            }
            Event::Said { pid, text } => self.say(&pid, text),
            Event::Status { pid, away } => {
                let Some(Client { name, room, .. }) = self.clients.get(&pid) else {
                    return Ok(());
                };
                let diff = self.state.update(&pid, room, name, status(away)?)?;
                self.show(&diff)
            }
            Event::Closed { pid } => {
                self.clients.remove(&pid);
                let diff = self.state.leave_by_pid(&pid);
                self.show(&diff)
            }
            Event::Linked { link, peer, out } => self.linked(link, peer, out),
            Event::Received { link, line } => self.received(link, &line),
            Event::Unlinked { link, peer } => {
                self.links.remove(&link);
                let linked = self.links.values().any(|(other, _)| *other == peer);
                if linked || peer.same_base(self.state.replica()) {
                    return Ok(());
                }
                let diff = self.state.replica_down(&peer);
                self.show(&diff)
            }
            Event::Tick => {
                let digest = digest_to_json_string(&self.state.digest())?;
                self.tell_nodes(&format!("digest {digest}"));
                Ok(())
            }
        }
    }

    fn say(&mut self, pid: &str, text: String) -> Result<(), Failure> {
        let Some(Client { name, room, .. }) = self.clients.get(pid) else {
            return Ok(());
        };
        let (room, name) = (room.clone(), name.clone());
        let line = serde_json::to_string(&Line {
            room: room.clone(),
            name,
            text,
        })?;
        self.tell_room(&room, &message("said", &line));
        self.tell_nodes(&format!("said {line}"));
        Ok(())
    }

    /// A node is there: a new incarnation retires those before it (S10), and one
    /// that comes back is up again (S8).
    fn linked(&mut self, link: u64, peer: ReplicaId, out: Outbox) -> Result<(), Failure> {
        if peer.same_base(self.state.replica()) {
            return Err(format!("`{peer}` has this node's name, or is this node").into());
        }
        let retired = self.state.supersede(&peer)?;
        self.show(&retired)?;
        let returned = self.state.replica_up(&peer);
        self.show(&returned)?;
        self.links.insert(link, (peer, out));
        self.handle(Event::Tick)
    }

    fn received(&mut self, link: u64, line: &str) -> Result<(), Failure> {
        let Some((_, out)) = self.links.get(&link) else {
            return Ok(()); // refused, or cut off
        };
        let (kind, json) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "delta" => {
                let diff = self.state.merge_delta_with_diff(&delta_from_json(json)?)?;
                self.show(&diff)
            }
            "digest" => {
                let lacks = self.state.delta_since(&digest_from_json(json)?);
                if !lacks.is_empty() {
                    // Full: the next digest asks again.
                    let _ = out.try_send(format!("delta {}", delta_to_json_string(&lacks)?));
                }
                Ok(())
            }
            "said" => {
                let line: Line = serde_json::from_str(json)?;
                self.tell_room(&line.room, &message("said", json));
                Ok(())
            }
            _ => Err(format!("a node said `{kind}`, which means nothing").into()),
        }
    }

    /// Sends what was written here to the other nodes.
    fn push(&mut self) -> Result<(), Failure> {
        if let Some(delta) = self.state.take_delta() {
            self.tell_nodes(&format!("delta {}", delta_to_json_string(&delta)?));
        }
        Ok(())
    }

    /// Sends a diff to the browsers that it concerns.
    fn show(&mut self, diff: &Diff<JsonMeta>) -> Result<(), Failure> {
        for topic in phoenix::presence_diff(diff)? {
            self.tell_room(&topic.topic, &message("presence_diff", &topic.payload));
        }
        Ok(())
    }

    /// Without its outbox, a socket closes itself, and reports it.
    fn tell_room(&mut self, room: &str, text: &str) {
        self.clients.retain(|_, client| {
            client.room != room || client.out.try_send(text.to_owned()).is_ok()
        });
    }

    fn tell_nodes(&mut self, text: &str) {
        self.links
            .retain(|_, (_, out)| out.try_send(text.to_owned()).is_ok());
    }
}

fn status(away: bool) -> Result<JsonMeta, Failure> {
    let status = if away { "away" } else { "online" };
    Ok(JsonMeta::new(&HashMap::from([("status", status)]))?)
}

fn message(event: &str, payload: &str) -> String {
    format!(r#"{{"event":"{event}","payload":{payload}}}"#)
}

/// What sockets need: the way to the hub, and names for themselves.
struct Node {
    replica: ReplicaId,
    hub: mpsc::Sender<Event>,
    sockets: AtomicU64,
}

impl Node {
    fn next_number(&self) -> u64 {
        self.sockets.fetch_add(1, Ordering::Relaxed)
    }

    /// The hub lives as long as the program.
    async fn tell(&self, event: Event) {
        let _ = self.hub.send(event).await;
    }
}

async fn upgrade(
    extract::State(node): extract::State<Arc<Node>>,
    upgrade: WebSocketUpgrade,
) -> impl IntoResponse {
    upgrade
        .max_message_size(16 << 10)
        .on_upgrade(|socket| async move {
            let pid = format!("{}#{}", node.replica.base(), node.next_number());
            converse(&node, &pid, socket).await;
            node.tell(Event::Closed { pid }).await;
        })
}

/// Talks with a browser until it goes, falls silent, or is cut off.
async fn converse(node: &Node, pid: &str, mut socket: WebSocket) {
    let (out, mut inbox) = mpsc::channel::<String>(BACKLOG);
    let mut out = Some(out);
    let mut heartbeat = interval(HEARTBEAT);
    let mut unanswered = 0;
    loop {
        tokio::select! {
            text = inbox.recv() => {
                let Some(text) = text else { return };
                if !send(&mut socket, Message::Text(text.into())).await { return }
            }
            _ = heartbeat.tick() => {
                if unanswered == 2 { return }
                unanswered += 1;
                if !send(&mut socket, Message::Ping(Vec::new().into())).await { return }
            }
            received = socket.recv() => {
                unanswered = 0;
                let text = match received {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => continue,
                };
                let Some(event) = event_of(pid, &text, &mut out) else { return };
                node.tell(event).await;
            }
        }
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(timeout(PATIENCE, socket.send(message)).await, Ok(Ok(())))
}

/// What a browser's message means; nothing where it is nonsense. The first one
/// has to enter, which takes `out`.
fn event_of(pid: &str, text: &str, out: &mut Option<Outbox>) -> Option<Event> {
    let pid = pid.to_owned();
    match serde_json::from_str(text).ok()? {
        Request::Enter { name, room } if is_name(&name) && is_name(&room) => Some(Event::Entered {
            pid,
            name,
            room,
            out: out.take()?,
        }),
        Request::Say { text } if out.is_none() && text.chars().count() <= MAX_TEXT => {
            Some(Event::Said { pid, text })
        }
        Request::Status { away } if out.is_none() => Some(Event::Status { pid, away }),
        _ => None,
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= MAX_NAME
}

/// Accepts the links of other nodes.
async fn accept(node: Arc<Node>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(link(node.clone(), stream));
            }
            Err(error) => {
                eprintln!("{error}");
                sleep(GOSSIP).await;
            }
        }
    }
}

/// Keeps a link to another node.
async fn dial(node: Arc<Node>, address: String) {
    loop {
        if let Ok(stream) = TcpStream::connect(&address).await {
            link(node.clone(), stream).await;
        }
        sleep(GOSSIP).await;
    }
}

/// One line per message, the first one a name, until the other node goes or falls
/// silent. Nodes trust each other: nothing here authenticates them.
async fn link(node: Arc<Node>, stream: TcpStream) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let (out, mut inbox) = mpsc::channel::<String>(BACKLOG);
    let hello = format!("hello {}", node.replica);
    let writer = tokio::spawn(async move {
        let mut next = Some(hello);
        while let Some(mut line) = next {
            line.push('\n');
            match timeout(PATIENCE, write.write_all(line.as_bytes())).await {
                Ok(Ok(())) => next = inbox.recv().await,
                _ => break,
            }
        }
    });
    let mut next = async || timeout(SILENCE, lines.next_line()).await.ok()?.ok()?;
    let peer = next()
        .await
        .and_then(|line| Some(ReplicaId::new(line.strip_prefix("hello ")?)));
    if let Some(peer) = peer {
        let number = node.next_number();
        let linked = Event::Linked {
            link: number,
            peer: peer.clone(),
            out,
        };
        node.tell(linked).await;
        while let Some(line) = next().await {
            node.tell(Event::Received { link: number, line }).await;
        }
        node.tell(Event::Unlinked { link: number, peer }).await;
    }
    writer.abort();
}

const USAGE: &str = "usage: chat [--listen ADDR] [--name NAME] [--nodes ADDR] [--peer ADDR]…
  --listen  where browsers connect (127.0.0.1:3000)
  --name    what this node is called (chat), unlike any other
  --nodes   where other nodes connect
  --peer    where another node accepts nodes";

struct Options {
    listen: String,
    name: String,
    nodes: Option<String>,
    peers: Vec<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self {
            listen: "127.0.0.1:3000".into(),
            name: "chat".into(),
            nodes: None,
            peers: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let value = arguments.next().ok_or(USAGE)?;
            match argument.as_str() {
                "--listen" => options.listen = value,
                "--name" => options.name = value,
                "--nodes" => options.nodes = Some(value),
                "--peer" => options.peers.push(value),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let served = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => serve(options).await,
        Err(error) => Err(error),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: Options) -> Result<(), Failure> {
    // A name of its own for each life of the process (S1).
    let replica = ReplicaId::new_incarnation(&options.name);
    let (hub, events) = mpsc::channel(BACKLOG);
    let state = Hub {
        state: PresenceState::new(replica.clone()),
        clients: HashMap::new(),
        links: HashMap::new(),
    };
    tokio::spawn(state.run(events));
    let node = Arc::new(Node {
        replica,
        hub,
        sockets: AtomicU64::new(1),
    });

    if let Some(address) = options.nodes {
        let listener = TcpListener::bind(address).await?;
        println!("nodes connect to {}", listener.local_addr()?);
        tokio::spawn(accept(node.clone(), listener));
    }
    for peer in options.peers {
        tokio::spawn(dial(node.clone(), peer));
    }
    let ticking = node.clone();
    tokio::spawn(async move {
        let mut gossip = interval(GOSSIP);
        loop {
            gossip.tick().await;
            ticking.tell(Event::Tick).await;
        }
    });

    let listener = TcpListener::bind(options.listen).await?;
    println!("open http://{} in two tabs", listener.local_addr()?);
    let app = Router::new()
        .route(
            "/",
            routing::get(|| async { Html(include_str!("index.html")) }),
        )
        .route("/socket", routing::get(upgrade))
        .with_state(node);
    Ok(axum::serve(listener, app).await?)
}
