//! A server, and clients that speak the protocol by hand.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

extern crate alloc;

pub mod npm;

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::time::Duration;
use std::sync::Mutex;

use axum::Router;
use futures_util::{SinkExt, StreamExt};
use lattice_presence_json::JsonMeta;
use lattice_presence_node::Node;
use lattice_presence_web::phoenix::Payload;
use lattice_presence_web::{Channel, Channels, Config, Connect, Join, Joined, Refused, Reply, Web};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub const SOON: Duration = Duration::from_secs(5);

/// `room:…` with an entry under the name in the payload; `watch:…` without one;
/// `realtime:…` as a Supabase client wants it.
#[derive(Clone, Default)]
pub struct App {
    pub left: Arc<Mutex<Vec<String>>>,
    pub calls: Arc<Mutex<usize>>,
    /// What events of different sockets have to wait for.
    pub shared: Arc<tokio::sync::Mutex<()>>,
}

impl Channels for App {
    type User = String;

    async fn connect(&self, request: Connect) -> Result<String, Refused> {
        match request.param("user").or_else(|| request.auth_token()) {
            Some("mallory") => Err(Refused::new("not you")),
            user => Ok(user.unwrap_or("somebody").to_owned()),
        }
    }

    async fn join(&self, _: &String, join: Join) -> Result<Joined, Refused> {
        *self.calls.lock().unwrap() += 1;
        let (kind, rest) = join
            .topic()
            .split_once(':')
            .ok_or_else(|| Refused::new("no such topic"))?;
        let payload = join.payload().parse::<Value>().unwrap_or_default();
        let name = payload["name"].as_str().map(str::to_owned);
        if let Some(time) = payload["sleep"].as_u64() {
            tokio::time::sleep(Duration::from_millis(time)).await;
        }
        match (kind, rest) {
            ("room", "full") => Err(Refused::new("full")),
            ("room", "crash") => panic!("as the test wants it"),
            ("room", _) => {
                let name = name.ok_or_else(|| Refused::new("a name, please"))?;
                let meta = JsonMeta::new(&json!({"name": name})).map_err(Refused::new)?;
                Ok(Joined::new().entry(name, meta).sees(join.asked_to_see()))
            }
            ("watch", _) => Ok(Joined::new().sees(join.asked_to_see())),
            ("realtime", _) => Ok(Joined::new().tracks(join.wanted_key()).broadcasts()),
            _ => Err(Refused::new("no such topic")),
        }
    }

    async fn event(&self, channel: &Channel<String>, event: &str, payload: Payload) -> Reply {
        match event {
            "say" => {
                channel.broadcast("said", payload).await;
                Reply::ok()
            }
            "whisper" => {
                channel.broadcast_from("said", payload).await;
                Reply::None
            }
            "echo" => Reply::Ok(payload),
            "status" => {
                let key = channel.key().unwrap_or_default();
                match channel.track(&key, payload.as_json().unwrap().parse().unwrap()) {
                    Ok(()) => Reply::ok(),
                    Err(refused) => Reply::error(&refused.to_string()),
                }
            }
            "hide" => {
                channel.untrack();
                Reply::ok()
            }
            "sleep" | "hold" => {
                let _held = match event {
                    "hold" => Some(self.shared.lock().await),
                    _ => None,
                };
                let time = payload.parse().unwrap();
                tokio::time::sleep(Duration::from_millis(time)).await;
                Reply::ok()
            }
            "crash" => panic!("as the test wants it"),
            "close" => Reply::Close,
            _ => Reply::error("unknown event"),
        }
    }

    async fn token(&self, _: &Channel<String>, token: &str) -> Result<(), Refused> {
        if token == "bad" {
            Err(Refused::new("Token has expired"))
        } else {
            Ok(())
        }
    }

    async fn left(&self, channel: &Channel<String>) {
        self.left.lock().unwrap().push(channel.topic().to_owned());
    }
}

pub struct Server {
    pub address: String,
    pub app: App,
    pub web: Web<App>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// No waiting, unless a test wants it.
pub fn quick() -> Config {
    let mut config = Config::default();
    config.batch = Duration::ZERO;
    config.grace = Duration::ZERO;
    config
}

pub async fn serve(config: Config) -> Server {
    let node = Node::builder("test").start().await.unwrap();
    serve_on(node, config).await
}

pub async fn serve_on(node: Node, config: Config) -> Server {
    serve_at("127.0.0.1:0", node, config).await
}

/// A server with a runtime of its own, so that it can be cut off as a whole.
pub async fn serve_at(address: &str, node: Node, config: Config) -> Server {
    let app = App::default();
    let web = Web::new(node, app.clone(), config);
    let router = Router::new()
        .nest("/socket", web.router())
        .nest("/realtime/v1", web.router());
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let listener = listener.into_std().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.spawn(async move {
        let listener = TcpListener::from_std(listener).unwrap();
        axum::serve(listener, router).await.unwrap();
    });
    Server {
        address,
        app,
        web,
        runtime: Some(runtime),
    }
}

impl Server {
    /// Ends everything at once: sockets are cut off.
    pub async fn stop(mut self) {
        if let Some(runtime) = self.runtime.take() {
            let stopped = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(SOON));
            stopped.await.unwrap();
        }
    }

    pub async fn connect(&self, query: &str) -> Client {
        let request = format!("ws://{}/socket/websocket?{query}", self.address);
        let (socket, _) = connect_async(request.into_client_request().unwrap())
            .await
            .unwrap();
        Client {
            socket,
            reference: 0,
            passed: VecDeque::new(),
        }
    }

    pub async fn client(&self) -> Client {
        self.connect("vsn=2.0.0").await
    }

    /// The status and body with which a handshake is refused.
    pub async fn refusal(
        &self,
        query: &str,
        header: Option<(&'static str, &str)>,
    ) -> (u16, String) {
        let mut request = format!("ws://{}/socket/websocket?{query}", self.address)
            .into_client_request()
            .unwrap();
        if let Some((name, value)) = header {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        match connect_async(request).await {
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                (response.status().as_u16(), String::from_utf8(body).unwrap())
            }
            other => panic!("{other:?}"),
        }
    }
}

pub struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    reference: u64,
    /// What came before the answer that was waited for.
    passed: VecDeque<Frame>,
}

/// `[join_ref, ref, topic, event, payload]`
pub type Frame = [Value; 5];

impl Client {
    pub async fn raw(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub async fn send(
        &mut self,
        join_ref: &str,
        topic: &str,
        event: &str,
        payload: &Value,
    ) -> String {
        self.reference += 1;
        let reference = format!("r{}", self.reference);
        let frame = json!([join_ref, reference, topic, event, payload]);
        self.raw(&frame.to_string()).await;
        reference
    }

    /// The next frame of text.
    pub async fn next(&mut self) -> Frame {
        match self.passed.pop_front() {
            Some(frame) => frame,
            None => self.read().await,
        }
    }

    async fn read(&mut self) -> Frame {
        loop {
            let message = tokio::time::timeout(SOON, self.socket.next()).await;
            match message.expect("no frame in time") {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next frame of this event. Others are skipped.
    pub async fn event(&mut self, event: &str) -> Frame {
        loop {
            let frame = self.next().await;
            if frame[3] == event {
                return frame;
            }
        }
    }

    /// Joins, and returns the payload of the reply.
    pub async fn join(&mut self, join_ref: &str, topic: &str, payload: &Value) -> Value {
        self.raw(&json!([join_ref, join_ref, topic, "phx_join", payload]).to_string())
            .await;
        self.reply(join_ref).await
    }

    /// Joins, and the state that comes after the reply.
    pub async fn enter(&mut self, topic: &str, name: &str) -> Value {
        let reply = self.join("1", topic, &json!({"name": name})).await;
        assert_eq!(reply["status"], "ok", "{reply}");
        let frame = self.next().await;
        assert_eq!(
            (&frame[0], &frame[3]),
            (&json!("1"), &json!("presence_state"))
        );
        frame[4].clone()
    }

    /// The payload of that reply. Frames that come before it are kept.
    pub async fn reply(&mut self, reference: &str) -> Value {
        let is_it = |frame: &Frame| frame[3] == "phx_reply" && frame[1] == reference;
        if let Some(at) = self.passed.iter().position(is_it) {
            return self.passed.remove(at).unwrap()[4].clone();
        }
        loop {
            let frame = self.read().await;
            if is_it(&frame) {
                return frame[4].clone();
            }
            self.passed.push_back(frame);
        }
    }

    /// Sends, and the reply's payload.
    pub async fn ask(&mut self, topic: &str, event: &str, payload: &Value) -> Value {
        let reference = self.send("1", topic, event, payload).await;
        self.reply(&reference).await
    }

    /// How the server closes. Frames that come before are skipped.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            match tokio::time::timeout(SOON, self.socket.next())
                .await
                .expect("not closed in time")
            {
                Some(Ok(Message::Close(Some(frame)))) => {
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Close(None))) => panic!("no code"),
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Nothing comes for this long.
    pub async fn silent(&mut self, time: Duration) {
        assert_eq!(self.passed, [] as [Frame; 0]);
        if let Ok(frame) = tokio::time::timeout(time, self.socket.next()).await {
            panic!("{frame:?}");
        }
    }
}

pub fn keys(presences: &Value) -> Vec<&str> {
    presences
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}
