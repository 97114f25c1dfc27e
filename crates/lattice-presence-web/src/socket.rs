//! One socket: a task between the session, the application and the topics.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::pin::{Pin, pin};
use core::time::Duration;
use std::collections::HashMap;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use self::work::{Done, Live};
use crate::channel::Channel;
use crate::channels::{CALLS_AT_ONCE, Channels};
use crate::outbox::{Item, Outbox};
use crate::phoenix::{ChannelId, Closing, Session, Version, Wire};
use crate::seat::{Probe, SeatId, Sitting};
use crate::server::{Permit, Server};
use crate::stream::{self, Taken, WebSocket};
use crate::topic::SocketId;

mod work;

/// Bytes of what waits for the application; a socket that has more is not read.
const BACKLOG: usize = 256 << 10;
/// Questions whether it is alive that may wait for a socket.
const PROBES: usize = 16;
/// Messages that are sent before the socket is read again.
const ROUND: usize = 64;
/// How long a client has to answer a close.
const GOODBYE: Duration = Duration::from_secs(2);

/// Who has been let in.
pub(crate) struct Guest<A: Channels> {
    pub(crate) user: A::User,
    pub(crate) version: Version,
    pub(crate) seat: Option<SeatId>,
    /// Counts the socket, as long as it is held.
    pub(crate) permit: Permit<A>,
}

pub(crate) struct Socket<A: Channels> {
    server: Arc<Server<A>>,
    id: SocketId,
    user: Arc<A::User>,
    session: Session,
    outbox: Arc<Outbox>,
    sitting: Sitting,
    channels: HashMap<ChannelId, Live<A::User>>,
    calls: FuturesUnordered<BoxFuture<'static, (ChannelId, Done)>>,
    /// Answers that came while something was sent.
    answers: VecDeque<(ChannelId, Done)>,
    /// Bytes of work that waits in the channels.
    backlog: usize,
    taken: Taken,
    /// Who asks whether this socket is alive.
    probes: Vec<Probe>,
}

/// How a round of sending ended.
enum Round {
    Sent,
    Fetch(ChannelId),
    Close(Closing),
    Broken,
}

impl<A: Channels> Socket<A> {
    /// Serves the socket until it ends.
    pub(crate) async fn serve(
        server: &Arc<Server<A>>,
        guest: Guest<A>,
        socket: WebSocket,
        taken: Taken,
    ) {
        let (task, probes, _permit) = Self::new(server, guest, taken).await;
        task.run(socket, probes).await;
    }

    async fn new(
        server: &Arc<Server<A>>,
        guest: Guest<A>,
        taken: Taken,
    ) -> (Self, mpsc::Receiver<Probe>, Permit<A>) {
        let (config, version) = (&server.config, guest.version);
        let (probe, probes) = mpsc::channel(PROBES);
        let sitting = server.seats.take(&server.node, guest.seat, probe).await;
        let outbox = Arc::new(Outbox::new(version, config.queue, config.queue_bytes));
        let task = Self {
            server: server.clone(),
            id: server.began(&outbox),
            user: Arc::new(guest.user),
            session: Session::new(version, config.limits.clone(), server.now()),
            outbox,
            sitting,
            channels: HashMap::new(),
            calls: FuturesUnordered::new(),
            answers: VecDeque::new(),
            backlog: 0,
            taken,
            probes: Vec::new(),
        };
        (task, probes, guest.permit)
    }

    async fn run(mut self, mut socket: WebSocket, mut probes: mpsc::Receiver<Probe>) {
        let mut wake: Pin<Box<Sleep>> = Box::pin(sleep_until(Instant::now()));
        let mut pinged = Instant::now();
        let ping = self.server.config.ping;
        while self.pump(&mut socket).await {
            if !self.answers.is_empty() {
                continue;
            }
            let is_held = self.is_held();
            if is_held {
                // It may have spoken: that it is not read is not its fault.
                self.session.heard(self.server.now());
            }
            tokio::select! {
                frame = socket.next(), if !is_held => match frame {
                    Some(Ok(Message::Close(_))) | None => break,
                    Some(Ok(message)) => self.receive(message),
                    Some(Err(error)) => self.outbox.close(stream::closing(&error)),
                },
                Some((channel, done)) = self.calls.next(), if !self.calls.is_empty() => {
                    self.done(channel, done).await;
                }
                () = self.outbox.ready() => {}
                asked = probes.recv() => match asked {
                    Some(asked) if is_held => drop(asked.send(())),
                    Some(asked) => {
                        self.probes.retain(|probe| !probe.is_closed());
                        self.probes.push(asked);
                        if !self.ping(&mut socket).await {
                            break;
                        }
                    }
                    None => break, // another socket has taken over
                },
                () = &mut wake => {
                    self.session.advance(self.server.now());
                    let now = Instant::now();
                    if now >= pinged + ping {
                        pinged = now;
                        if !self.ping(&mut socket).await {
                            break;
                        }
                    }
                    let due = self.server.start + self.session.next_timeout();
                    wake.as_mut().reset(due.min(pinged + ping).max(now + Duration::from_millis(1)));
                }
            }
            // What is due earlier than was known: a track that waits.
            let due = self.server.start + self.session.next_timeout();
            if due < wake.deadline() {
                wake.as_mut().reset(due);
            }
        }
        self.end().await;
    }

    /// Whether the application is so far behind that the client has to wait.
    fn is_held(&self) -> bool {
        self.calls.len() >= CALLS_AT_ONCE || self.backlog >= BACKLOG
    }

    fn receive(&mut self, message: Message) {
        for probe in self.probes.drain(..) {
            let _ = probe.send(());
        }
        let now = self.server.now();
        match message {
            Message::Text(text) => self.session.receive_text(now, &text),
            Message::Binary(bytes) => self.session.receive_binary(now, &bytes),
            _ => self.session.heard(now),
        }
    }

    /// Does what the session wants and sends some of what waits; whether the socket goes
    /// on.
    async fn pump(&mut self, socket: &mut WebSocket) -> bool {
        loop {
            while let Some(output) = self.session.poll() {
                self.output(output).await;
            }
            match self.answers.pop_front() {
                Some((channel, done)) => self.done(channel, done).await,
                None => break,
            }
        }
        if self.outbox.is_empty() {
            return true;
        }
        loop {
            let outbox = self.outbox.clone();
            match self.while_it_reads(send_round(&outbox, socket)).await {
                Some(Round::Sent) => return true,
                Some(Round::Fetch(channel)) => {
                    if let Some(channel) = self.joined_channel(channel).cloned() {
                        self.server.fetch(&channel).await;
                    }
                }
                Some(Round::Close(closing)) => {
                    let goodbye = say_goodbye(socket, closing);
                    self.while_it_reads(goodbye).await;
                    return false;
                }
                Some(Round::Broken) | None => return false,
            }
        }
    }

    /// Lets `sending` go on as long as the client takes some of it within `patience`.
    /// The application's calls go on meanwhile: they may hold what others wait for.
    async fn while_it_reads<T>(&mut self, sending: impl Future<Output = T>) -> Option<T> {
        const LOOKS: u32 = 4;
        let every = self.server.config.patience / LOOKS;
        let (mut sending, mut look) = (pin!(sending), pin!(sleep(every)));
        let (mut seen, mut still) = (self.taken.bytes(), 0);
        loop {
            tokio::select! {
                biased;
                sent = &mut sending => return Some(sent),
                Some(done) = self.calls.next(), if !self.calls.is_empty() => {
                    self.answers.push_back(done);
                }
                () = &mut look => {
                    let taken = self.taken.bytes();
                    still = if taken == seen { still + 1 } else { 0 };
                    if still == 0 {
                        // It takes, so it is there, though it is not read just now.
                        self.session.heard(self.server.now());
                    }
                    if still == LOOKS {
                        tracing::debug!(socket = self.id, "closed: the client does not read");
                        return None;
                    }
                    seen = taken;
                    look.as_mut().reset(Instant::now() + every);
                }
            }
        }
    }

    /// Whether it could be sent.
    async fn ping(&mut self, socket: &mut WebSocket) -> bool {
        let sent = socket.send(Message::Ping(Bytes::new()));
        matches!(self.while_it_reads(sent).await, Some(Ok(())))
    }

    fn joined_channel(&self, id: ChannelId) -> Option<&Channel<A::User>> {
        self.channels.get(&id)?.channel.as_ref()
    }

    async fn end(self) {
        for (_, live) in self.channels {
            self.server.leave(live.channel, true).await;
        }
        self.server.ended(self.id);
        self.sitting.stand_up();
    }
}

/// Sends what waits, or a part of it, with one flush.
async fn send_round(outbox: &Outbox, socket: &mut WebSocket) -> Round {
    for _ in 0..ROUND {
        let message = match outbox.pop() {
            Some(Item::Send(Wire::Text(text))) => Message::Text(text),
            Some(Item::Send(Wire::Binary(bytes))) => Message::Binary(bytes),
            Some(Item::Fetch(channel)) => return Round::Fetch(channel),
            Some(Item::Close(closing)) => return Round::Close(closing),
            None => break,
        };
        if socket.feed(message).await.is_err() {
            return Round::Broken;
        }
    }
    match socket.flush().await {
        Ok(()) => Round::Sent,
        Err(_) => Round::Broken,
    }
}

/// Closes, and reads on for a while: a connection that is dropped with bytes unread
/// is reset, and the client would not learn why.
async fn say_goodbye(socket: &mut WebSocket, closing: Closing) {
    let frame = CloseFrame {
        code: closing.code.into(),
        reason: closing.reason.into(),
    };
    if socket.send(Message::Close(Some(frame))).await.is_ok() {
        let _ = timeout(GOODBYE, async {
            while let Some(Ok(_)) = socket.next().await {}
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::{Connect, Join, Joined, Refused};
    use crate::config::Config;
    use crate::phoenix::{Output, Payload, Version};

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

    #[tokio::test]
    async fn a_channel_that_is_gone_is_not_behind_for_ever() {
        let node = lattice_presence_node::Node::builder("n")
            .start()
            .await
            .unwrap();
        let server = Server::new(node, App, Config::default());
        let guest = Guest {
            user: (),
            version: Version::V2,
            seat: None,
            permit: server.enter().unwrap(),
        };
        let (mut socket, _probes, _permit) = Socket::new(&server, guest, Taken::default()).await;
        let now = server.now();
        let mut left = Vec::new();
        for n in 0..3 {
            let join = format!(r#"["{n}","{n}","room","phx_join",{{}}]"#);
            socket.session.receive_text(now, &join);
            while let Some(output) = socket.session.poll() {
                if let Output::Join { channel, .. } = output {
                    left.push(channel);
                    // It is behind: more presence than waits for it.
                    for _ in 0..=server.config.queue {
                        socket.outbox.presence(channel, Wire::Text("diff".into()));
                    }
                    socket
                        .session
                        .accept(now, channel, &Payload::empty(), false);
                } else {
                    socket.output(output).await;
                }
            }
        }
        socket
            .session
            .receive_text(now, r#"["2","3","room","phx_leave",{}]"#);
        while let Some(output) = socket.session.poll() {
            socket.output(output).await;
        }
        for channel in left {
            assert!(!socket.outbox.is_behind(channel), "{channel:?}");
        }
    }
}
