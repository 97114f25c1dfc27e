//! Browsers: what a diff costs for each socket, beside a bare broadcast on axum.
//!
//! Each server has a thread of its own, whose processor time is measured. The clients are
//! another process, since ten thousand sockets have two ends.
#![allow(
    clippy::print_stdout,
    reason = "the clients are a process of their own, which answers on its standard output"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use cpu_time::ThreadTime;
use lattice_presence_json::JsonMeta;
use lattice_presence_node::Node;
use lattice_presence_web::{Channels, Config, Connect, Join, Joined, Refused, Web};
use tokio::net::TcpListener;
use tokio::sync::broadcast;

use crate::case::Ceiling;
use crate::row::{Limited, Row};

/// What a program started with this variable is: the clients.
pub const CLIENTS: &str = "LATTICE_BENCH_CLIENTS";

/// The row's name.
pub const NAME: &str = "web: a diff to each socket of a topic";

const ROUNDS: usize = 9;

/// Everybody may watch.
struct App;

impl Channels for App {
    type User = ();

    async fn connect(&self, _: Connect) -> Result<(), Refused> {
        Ok(())
    }

    async fn join(&self, (): &(), _: Join) -> Result<Joined, Refused> {
        Ok(Joined::new())
    }
}

/// A server on a thread of its own: each order makes one message for all sockets.
struct Server {
    address: String,
    orders: tokio::sync::mpsc::UnboundedSender<Order>,
}

enum Order {
    /// What all sockets shall get: the text for a bare server, a change for ours.
    Send(String),
    /// How much processor time the thread has used.
    Clock(mpsc::Sender<Duration>),
}

impl Server {
    fn start(ours: bool) -> Self {
        let (tell, told) = mpsc::channel();
        let (orders, received) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                let address = listener.local_addr().expect("an address").to_string();
                tell.send(address).expect("the starter waits");
                if ours {
                    serve_ours(listener, received).await;
                } else {
                    serve_bare(listener, received).await;
                }
            });
        });
        let address = told.recv().expect("the server starts");
        Self { address, orders }
    }

    fn send(&self, text: &str) {
        self.orders
            .send(Order::Send(text.to_owned()))
            .expect("the server runs");
    }

    fn clock(&self) -> Duration {
        let (tell, told) = mpsc::channel();
        self.orders
            .send(Order::Clock(tell))
            .expect("the server runs");
        told.recv().expect("the server answers")
    }
}

type Orders = tokio::sync::mpsc::UnboundedReceiver<Order>;

fn tell_clock(tell: &mpsc::Sender<Duration>) {
    tell.send(ThreadTime::now().as_duration())
        .expect("the asker waits");
}

async fn serve_ours(listener: TcpListener, mut orders: Orders) {
    let node: Node = Node::builder("bench").start().await.expect("a node");
    let mut config = Config::default();
    config.patience = Duration::from_secs(60);
    let web = Web::new(node.clone(), App, config);
    let router = Router::new().nest("/socket", web.router());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let ada = node.connect();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Send(text) => {
                let meta = JsonMeta::new(&text).expect("a text");
                ada.track("room:1", "ada", &meta).expect("a small entry");
            }
            Order::Clock(tell) => tell_clock(&tell),
        }
    }
}

async fn serve_bare(listener: TcpListener, mut orders: Orders) {
    let (sender, _) = broadcast::channel::<Utf8Bytes>(16);
    let accept = async |State(sender): State<broadcast::Sender<Utf8Bytes>>,
                        upgrade: WebSocketUpgrade| {
        let upgrade = upgrade.read_buffer_size(4096).write_buffer_size(4096);
        upgrade.on_upgrade(move |socket| bare(socket, sender.subscribe()))
    };
    let router = Router::new()
        .route("/socket/websocket", any(accept))
        .with_state(sender.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    while let Some(order) = orders.recv().await {
        match order {
            Order::Send(text) => drop(sender.send(text.into())),
            Order::Clock(tell) => tell_clock(&tell),
        }
    }
}

/// The least that a server does: read, and pass on.
async fn bare(mut socket: WebSocket, mut messages: broadcast::Receiver<Utf8Bytes>) {
    loop {
        tokio::select! {
            message = messages.recv() => {
                let Ok(text) = message else { return };
                if socket.send(Message::Text(text)).await.is_err() {
                    return;
                }
            }
            received = socket.recv() => {
                if !matches!(received, Some(Ok(_))) {
                    return;
                }
            }
        }
    }
}

/// The process with the other ends.
struct Clients {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Clients {
    fn start(address: &str, sockets: usize, join: bool) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .env(CLIENTS, format!("{address} {sockets} {join}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut clients = Self {
            child,
            input,
            output,
        };
        clients.line();
        clients
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the clients run");
        line.trim_end().to_owned()
    }

    /// Waits until each socket has one message more; the text of one of them.
    fn wait(&mut self) -> String {
        self.input.write_all(b"next\n").expect("the clients run");
        self.line()
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One row: the processor time of the server's thread for a socket and a message.
#[must_use]
pub fn row(sockets: usize) -> Row {
    let (ours, bare) = (Server::start(true), Server::start(false));
    let mut at_ours = Clients::start(&ours.address, sockets, true);
    let mut at_bare = Clients::start(&bare.address, sockets, false);
    let mut pairs = Vec::new();
    for round in 0..=ROUNDS {
        let before = ours.clock();
        ours.send(&format!("round {round}"));
        let text = at_ours.wait();
        let took = ours.clock() - before;
        let before = bare.clock();
        bare.send(&text); // the same bytes
        at_bare.wait();
        let floor = bare.clock() - before;
        if round > 0 {
            pairs.push((took, floor));
        }
    }
    let per_socket = |time: &Duration| time.as_nanos() as f64 / sockets as f64;
    // As for the other rows: what the machine does besides only adds.
    let ours = pairs.iter().map(|(took, _)| took).min().map(per_socket);
    let floor = pairs.iter().map(|(_, floor)| floor).min().map(per_socket);
    let mut row = Row::new(NAME, sockets).under(Ceiling::Ratio(1.5));
    row.ceiling_of = Some(Limited::RatioHere);
    row.ratio = ours.zip(floor).map(|(ours, floor)| ours / floor);
    (row.best_ns, row.floor_ns) = (ours, floor);
    row.samples = pairs.len();
    row
}

/// What the other process does: opens sockets, and counts what comes.
///
/// # Panics
///
/// Where the servers do not do as they should.
pub fn clients(arguments: &str) {
    let mut words = arguments.split(' ');
    let address = words.next().expect("an address");
    let sockets: usize = words
        .next()
        .and_then(|word| word.parse().ok())
        .expect("a number");
    let join = words.next() == Some("true");
    let mut open: Vec<Socket> = (0..sockets).map(|_| Socket::open(address)).collect();
    if join {
        for socket in &mut open {
            socket.send(br#"["1","1","room:1","phx_join",{}]"#);
            assert!(socket.text().contains("phx_reply"));
            assert!(socket.text().contains("presence_state"));
        }
    }
    println!("ready");
    for _ in std::io::stdin().lines() {
        let mut last = String::new();
        for socket in &mut open {
            last = socket.text();
        }
        println!("{last}");
    }
}

/// A WebSocket by hand: the clients shall cost little beside the servers.
struct Socket(BufReader<TcpStream>);

impl Socket {
    fn open(address: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("a connection");
        let request = format!(
            "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut reader = BufReader::with_capacity(1024, stream);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).expect("a head");
        }
        Self(reader)
    }

    /// A short text, masked with zeros.
    fn send(&mut self, text: &[u8]) {
        let length = u8::try_from(text.len()).expect("a short text");
        let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
        frame.extend_from_slice(text);
        self.0.get_mut().write_all(&frame).expect("a frame");
    }

    /// The next text; pings are passed over.
    fn text(&mut self) -> String {
        loop {
            let mut head = [0; 2];
            self.0.read_exact(&mut head).expect("a frame");
            let mut length = usize::from(head[1]);
            if length == 126 {
                let mut long = [0; 2];
                self.0.read_exact(&mut long).expect("a length");
                length = usize::from(u16::from_be_bytes(long));
            }
            let mut bytes = vec![0; length];
            self.0.read_exact(&mut bytes).expect("a payload");
            if head[0] & 15 == 1 {
                return String::from_utf8(bytes).expect("a text");
            }
        }
    }
}
