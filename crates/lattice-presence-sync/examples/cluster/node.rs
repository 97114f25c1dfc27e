//! One node of the cluster. It shows how to embed the machine.
//!
//! One thread owns the [`Sync`]. Everything that happens reaches it through one channel: a
//! user comes, a message arrives, a timer is due. Each turn of the loop does the same. It
//! tells the machine what happened and what time it is, sends the messages of the machine,
//! and shows what changed. The machine does pushes, repair, failure detection and restarts.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use lattice_presence::{Diff, Presence, PresenceState, ReplicaId};
use lattice_presence_json::{JsonMeta, digest_to_json_string};
use lattice_presence_sync::{Config, Event, Input, Sync, To, Transmit};

use crate::link::{self, Link, Received};
use crate::stage::{Command, Report, Row, View};

/// Events that may wait for a node. A sender of more must wait.
const INBOX: usize = 256;

/// These are short, for a demonstration. The defaults are seconds and minutes.
fn config() -> Config {
    let mut config = Config::new("cluster");
    config.heartbeat = Duration::from_millis(250);
    config.repair_delay = Duration::from_millis(100);
    config.down_after = Duration::from_millis(1_250);
    config.forget_after = Duration::from_millis(3_000);
    config.handover = Duration::from_millis(500);
    config
}

/// Everything that may happen to a node.
enum Happening {
    Command(Command),
    Received(Box<Received>),
    StageClosed,
}

impl From<Received> for Happening {
    fn from(received: Received) -> Self {
        Self::Received(Box::new(received))
    }
}

/// Runs the node until its standard input closes.
pub(crate) fn run(name: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let (inbox, happenings) = sync_channel(INBOX);
    link::listen(listener, inbox.clone());
    thread::spawn(move || read_commands(&inbox));

    let mut node = Node::new(ReplicaId::new_incarnation(name))?;
    report(&Report::Listening(address))?;
    loop {
        match happenings.recv_timeout(node.sync.timeout_in(node.now())) {
            Ok(Happening::Command(command)) => node.obey(command)?,
            Ok(Happening::Received(received)) => node.receive(*received)?,
            Ok(Happening::StageClosed) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        node.turn()?;
    }
}

fn read_commands(inbox: &SyncSender<Happening>) {
    for line in io::stdin().lines().map_while(Result::ok) {
        let command = Command::parse(&line).map(Happening::Command);
        if command.is_some_and(|command| inbox.send(command).is_err()) {
            return;
        }
    }
    // The stage is gone. If the loop is gone as well, this message has no reader.
    let _ = inbox.send(Happening::StageClosed);
}

struct Peer {
    address: SocketAddr,
    /// `None` while the link is cut.
    link: Option<Link>,
}

struct Node {
    sync: Sync<JsonMeta>,
    start: Instant,
    /// They are stored by base name, because a peer that restarts has another address.
    peers: BTreeMap<String, Peer>,
    published: View,
}

impl Node {
    fn new(replica: ReplicaId) -> Result<Self, Box<dyn Error>> {
        // Any number that differs from node to node.
        let seed = lattice_presence::identity_of([replica.as_str()]);
        Ok(Self {
            sync: Sync::new(PresenceState::new(replica), config(), seed)?,
            start: Instant::now(),
            peers: BTreeMap::new(),
            published: View::default(),
        })
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// This runs after each event: do what is due, send messages, show what has changed.
    fn turn(&mut self) -> Result<(), Box<dyn Error>> {
        let now = self.now();
        self.sync.advance(now);
        while let Some(transmit) = self.sync.poll_transmit(now) {
            self.send(transmit)?;
        }
        while let Some(event) = self.sync.poll_event() {
            match event {
                Event::Changed { diff, .. } => show(&diff)?,
                Event::PeerUp { peer } => note(format!("{} is heard", peer.base()))?,
                Event::PeerDown { peer } => note(format!("{} is down", peer.base()))?,
                Event::PeerForgotten { peer } => note(format!("{} is removed", peer.base()))?,
                Event::Superseded { by } => {
                    return Err(format!("another process took over as {by}").into());
                }
                other => note(format!("{other:?}"))?,
            }
        }
        self.publish()
    }

    fn obey(&mut self, command: Command) -> Result<(), Box<dyn Error>> {
        let input = match command {
            Command::Join {
                topic,
                user: key,
                status,
            } => {
                let (pid, meta) = (self.pid(&key), meta(&status)?);
                Input::Join {
                    pid,
                    topic,
                    key,
                    meta,
                }
            }
            Command::Leave { topic, user: key } => {
                let pid = self.pid(&key);
                Input::Leave { pid, topic, key }
            }
            Command::Status {
                topic,
                user: key,
                status,
            } => {
                let (pid, meta) = (self.pid(&key), meta(&status)?);
                Input::Update {
                    pid,
                    topic,
                    key,
                    meta,
                }
            }
            Command::Peer { peer, address } => {
                let own = self.sync.state().replica().clone();
                let link = Some(Link::open(own, address));
                self.peers.insert(peer, Peer { address, link });
                return Ok(());
            }
            Command::Cut { peer } => return self.relink(&peer, false),
            Command::Heal { peer } => return self.relink(&peer, true),
        };
        let done = self.sync.handle(self.now(), input);
        Ok(done.or_else(|refused| note(refused.to_string()))?)
    }

    /// The connection of a user. A server has real ones.
    fn pid(&self, user: &str) -> String {
        format!("{}/{user}", self.sync.state().replica().base())
    }

    /// Cuts the link to a peer, or repairs it. A real network does this by itself.
    fn relink(&mut self, peer: &str, whole: bool) -> Result<(), Box<dyn Error>> {
        let own = self.sync.state().replica();
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.link = whole.then(|| Link::open(own.clone(), peer.address));
        }
        let what = if whole { "heals" } else { "is cut" };
        Ok(note(format!("the link to {peer} {what}"))?)
    }

    fn receive(&mut self, received: Received) -> Result<(), Box<dyn Error>> {
        let Received { from, message } = received;
        let is_cut = |peer: &Peer| peer.link.is_none();
        if self.peers.get(from.base()).is_some_and(is_cut) {
            return Ok(());
        }
        let refused = match message {
            Ok(message) => self.sync.receive(self.now(), &from, message).err(),
            Err(error) => return Ok(note(format!("{}: {error}", from.base()))?),
        };
        // Nothing has changed, and the machine counts it.
        refused.map_or(Ok(()), |refused| {
            Ok(note(format!("{}: {refused}", from.base()))?)
        })
    }

    /// Sends a message to one peer, or to all. It is encoded once.
    fn send(&mut self, transmit: Transmit<JsonMeta>) -> Result<(), Box<dyn Error>> {
        let line: Arc<str> = match link::encode(&transmit.message) {
            Some(line) => line.into(),
            // It is too long for a line. It comes again in smaller pieces.
            None if self.sync.shrink(self.now(), transmit) => return Ok(()),
            None => return Ok(note("not sent: too long for a line".into())?),
        };
        for (name, peer) in &self.peers {
            if let Some(link) = &peer.link
                && (transmit.to == To::All
                    || matches!(&transmit.to, To::One(id) if id.base() == name))
            {
                link.send(Arc::clone(&line));
            }
        }
        Ok(())
    }

    /// If the view changed, sends it to the stage, which compares it.
    fn publish(&mut self) -> Result<(), Box<dyn Error>> {
        let state = self.sync.state();
        let view = View {
            rows: state.online_list().map(row).collect(),
            digest: digest_to_json_string(&state.digest())?,
        };
        if view != self.published {
            report(&Report::View(view.clone()))?;
            self.published = view;
        }
        Ok(())
    }
}

fn meta(status: &str) -> Result<JsonMeta, Box<dyn Error>> {
    Ok(JsonMeta::new(&BTreeMap::from([("status", status)]))?)
}

fn row(entry: &Presence<JsonMeta>) -> Row {
    let meta = entry.meta().parse::<BTreeMap<String, String>>();
    let status = meta.ok().and_then(|mut meta| meta.remove("status"));
    Row {
        topic: entry.topic().to_owned(),
        user: entry.key().to_owned(),
        status: status.unwrap_or_default(),
        home: entry.dot().replica.base().to_owned(),
    }
}

/// Shows a diff, as a server shows it to its own clients.
fn show(diff: &Diff<JsonMeta>) -> io::Result<()> {
    for entry in diff.leaves() {
        report(&Report::Left(row(entry)))?;
    }
    for entry in diff.joins() {
        report(&Report::Joined(row(entry)))?;
    }
    Ok(())
}

fn note(text: String) -> io::Result<()> {
    report(&Report::Note(text))
}

fn report(report: &Report) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{report}")?;
    stdout.flush()
}
