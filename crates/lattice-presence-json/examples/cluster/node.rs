//! One node of the cluster: how to embed the library.
//!
//! One thread owns the [`PresenceState`]; whatever happens (a user comes, a
//! message arrives, a clock ticks) reaches it through one channel. Each turn of
//! the loop is the same: let the event change the state, show the diff that this
//! caused, push the delta of what was written here. The library does the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use lattice_presence::{Diff, Presence, PresenceState, ReplicaId};
use lattice_presence_json::{JsonMeta, digest_to_json_string};

use crate::detector::{Detector, Patience, Verdict};
use crate::link::{self, Link, Message, Received};
use crate::stage::{Command, Report, Row, View};

/// How often a node sends its digest. It repairs what was lost, and is the
/// heartbeat.
const DIGEST_EVERY: Duration = Duration::from_millis(250);

/// Short, for a demonstration: minutes and hours in earnest.
const PATIENCE: Patience = Patience {
    down: Duration::from_millis(1_250),
    remove: Duration::from_millis(3_000),
    forget: Duration::from_secs(600),
};

/// Events that wait for a node; who brings more waits as well.
const INBOX: usize = 256;

/// Everything that may happen to a node.
enum Event {
    Command(Command),
    Received(Received),
    StageClosed,
}

impl From<Received> for Event {
    fn from(received: Received) -> Self {
        Self::Received(received)
    }
}

/// Runs the node until its standard input closes.
pub(crate) fn run(name: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let (inbox, events) = sync_channel(INBOX);
    link::listen(listener, inbox.clone());
    thread::spawn(move || read_commands(&inbox));

    let mut node = Node::new(ReplicaId::new_incarnation(name));
    report(&Report::Listening(address))?;
    let mut next_tick = Instant::now();
    loop {
        let pause = next_tick.saturating_duration_since(Instant::now());
        match events.recv_timeout(pause) {
            Ok(Event::Command(command)) => node.obey(command)?,
            Ok(Event::Received(received)) => node.receive(received, Instant::now())?,
            Ok(Event::StageClosed) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(newer) = &node.successor {
            return Err(format!("another process took over as {newer}").into());
        }
        // Not only after a timeout: a busy channel must not silence the node.
        let now = Instant::now();
        if now >= next_tick {
            node.tick(now)?;
            next_tick = now + DIGEST_EVERY;
        }
        node.push_delta()?;
        node.publish()?;
    }
}

fn read_commands(inbox: &SyncSender<Event>) {
    for line in io::stdin().lines().map_while(Result::ok) {
        let command = Command::parse(&line).map(Event::Command);
        if command.is_some_and(|command| inbox.send(command).is_err()) {
            return;
        }
    }
    // The stage is gone; if the loop is gone as well, nobody is left to tell.
    let _ = inbox.send(Event::StageClosed);
}

struct Peer {
    address: SocketAddr,
    /// `None` while the link is cut.
    link: Option<Link>,
}

struct Node {
    state: PresenceState<JsonMeta>,
    detector: Detector,
    peers: BTreeMap<String, Peer>,
    /// The newest known incarnation of each base.
    newest: BTreeMap<String, ReplicaId>,
    /// The newer incarnation of this node that has spoken itself, on a connection of
    /// its own: not one that somebody named.
    successor: Option<ReplicaId>,
    /// Since when one is named that has not spoken.
    named_since: Option<Instant>,
    /// The peers that an operator took down.
    held_down: BTreeSet<String>,
    published: View,
}

impl Node {
    fn new(replica: ReplicaId) -> Self {
        Self {
            newest: BTreeMap::from([(replica.base().to_owned(), replica.clone())]),
            state: PresenceState::new(replica),
            detector: Detector::new(PATIENCE),
            peers: BTreeMap::new(),
            successor: None,
            named_since: None,
            held_down: BTreeSet::new(),
            published: View::default(),
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), Box<dyn Error>> {
        match command {
            Command::Join {
                topic,
                user,
                status,
            } => {
                let pid = self.pid(&user);
                match self.state.join(&pid, &topic, &user, meta(&status)?) {
                    Ok(diff) => show(&diff)?,
                    Err(error) => note(format!("{topic} {user}: {error}"))?,
                }
            }
            Command::Leave { topic, user } => {
                let pid = self.pid(&user);
                show(&self.state.leave(&pid, &topic, &user))?;
            }
            Command::Status {
                topic,
                user,
                status,
            } => {
                let pid = self.pid(&user);
                match self.state.update(&pid, &topic, &user, meta(&status)?) {
                    Ok(diff) => show(&diff)?,
                    Err(error) => note(format!("{topic} {user}: {error}"))?,
                }
            }
            Command::Peer { peer, address } => {
                let link = Some(Link::open(self.state.replica().clone(), address));
                self.peers.insert(peer, Peer { address, link });
            }
            Command::Cut { peer } => self.relink(&peer, false)?,
            Command::Heal { peer } => self.relink(&peer, true)?,
            Command::Down { peer } => self.hold_down(peer)?,
            Command::Up { peer } => self.release(&peer)?,
        }
        Ok(())
    }

    /// The connection of a user. A server has real ones.
    fn pid(&self, user: &str) -> String {
        format!("{}/{user}", self.state.replica().base())
    }

    /// Cuts the link to a peer, or makes it whole: what a network does by itself.
    fn relink(&mut self, peer: &str, whole: bool) -> io::Result<()> {
        let own = self.state.replica();
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.link = whole.then(|| Link::open(own.clone(), peer.address));
        }
        let what = if whole { "heals" } else { "is cut" };
        note(format!("the link to {peer} {what}"))
    }

    fn receive(&mut self, received: Received, now: Instant) -> Result<(), Box<dyn Error>> {
        let Received { from, message } = received;
        let is_cut = |peer: &Peer| peer.link.is_none();
        if self.peers.get(from.base()).is_some_and(is_cut) || !self.meet(&from)? {
            return Ok(());
        }
        if from.is_newer_than(self.state.replica()) {
            self.successor = Some(from.clone());
        }
        self.hear(&from, now)?;
        match message {
            Ok(Message::Delta(delta)) => match self.state.merge_delta_with_diff(&delta) {
                Ok(diff) => show(&diff)?,
                // Nothing changed, and the peer is at fault: log it, go on.
                Err(error) => note(format!("{}: {error}", from.base()))?,
            },
            Ok(Message::Digest(digest)) => {
                // A peer may have met the successor of this node first.
                let own = self.state.replica().clone();
                for (replica, _) in digest.iter() {
                    if replica.is_newer_than(&own) {
                        self.meet(replica)?;
                    }
                }
                let missing = self.state.delta_since(&digest);
                if !missing.is_empty() {
                    self.send(Some(from.base()), &Message::Delta(missing))?;
                }
            }
            Err(error) => note(format!("{}: {error}", from.base()))?,
        }
        Ok(())
    }

    /// The newest incarnation of this node's base that anybody has named, if it is newer:
    /// in an entry, as a sender, or in a digest.
    fn named_successor(&self) -> Option<&ReplicaId> {
        let own = self.state.replica();
        let met = self.newest.get(own.base());
        let named = self.state.superseded_by().into_iter().chain(met);
        named
            .filter(|named| named.is_newer_than(own))
            .reduce(|newest, named| {
                if named.is_newer_than(newest) {
                    named
                } else {
                    newest
                }
            })
    }

    /// A successor that is named and silent is dead, was misdated, or is made up: this
    /// node goes on under an id that is newer still. A real one would have spoken.
    fn outlive(&mut self, now: Instant) -> Result<(), Box<dyn Error>> {
        let Some(named) = self.named_successor().cloned() else {
            self.named_since = None;
            return Ok(());
        };
        let since = *self.named_since.get_or_insert(now);
        if now.duration_since(since) < PATIENCE.down {
            return Ok(());
        }
        self.named_since = None;
        let base = named.base().to_owned();
        let moved = ReplicaId::new_incarnation_after(&base, &named);
        let Ok(next) = moved else {
            return Ok(note(format!(
                "{base}: no id is newer than the one that is named"
            ))?);
        };
        match self.state.reincarnate(next.clone()) {
            Ok(diff) => show(&diff)?,
            Err(error) => return Ok(note(format!("{base}: {error}"))?),
        }
        note(format!("{base} outlives a life that was named"))?;
        for peer in self.peers.values_mut() {
            if peer.link.is_some() {
                peer.link = Some(Link::open(next.clone(), peer.address));
            }
        }
        self.newest.insert(base, next);
        Ok(())
    }

    /// Gets to know a replica. `false` for a former life of one: what still
    /// arrives from it is out of date.
    fn meet(&mut self, replica: &ReplicaId) -> io::Result<bool> {
        let base = replica.base();
        match self.newest.get(base) {
            Some(newest) if newest.is_newer_than(replica) => return Ok(false),
            Some(newest) if newest == replica => {}
            _ => {
                self.newest.insert(base.to_owned(), replica.clone());
                if self.held_down.contains(base) {
                    show(&self.state.replica_down(replica))?;
                }
            }
        }
        Ok(true)
    }

    /// A sign of life: whoever was down is up again.
    fn hear(&mut self, from: &ReplicaId, now: Instant) -> io::Result<()> {
        if self.detector.heard(from, now) && !self.held_down.contains(from.base()) {
            note(format!("{} is heard again", from.base()))?;
            show(&self.state.replica_up(from))?;
        }
        Ok(())
    }

    /// What is due from time to time: verdicts on the silent, successions, and
    /// the digest to everybody.
    fn tick(&mut self, now: Instant) -> Result<(), Box<dyn Error>> {
        let known: Vec<ReplicaId> = self.state.context().replicas().cloned().collect();
        for replica in &known {
            if self.meet(replica)? && replica != self.state.replica() {
                self.detector.watch(replica, now);
            }
        }
        for (replica, verdict) in self.detector.judge(now) {
            self.apply(&replica, verdict)?;
        }
        for former in &known {
            self.succeed(former, now)?;
        }
        self.outlive(now)?;
        self.send(None, &Message::Digest(self.state.digest()))
    }

    fn apply(&mut self, replica: &ReplicaId, verdict: Verdict) -> Result<(), Box<dyn Error>> {
        let base = replica.base();
        match verdict {
            Verdict::Down => {
                note(format!("{base} is silent: down"))?;
                show(&self.state.replica_down(replica))?;
            }
            Verdict::Remove => {
                note(format!("{base} stays silent: removed"))?;
                show(&self.state.remove_down_replica(replica)?)?;
            }
            Verdict::Forget => show(&self.state.forget_replica(replica))?,
        }
        Ok(())
    }

    /// Takes `former` out of the state where a newer incarnation of its base is
    /// known: a process that restarted has none of its former connections.
    fn succeed(&mut self, former: &ReplicaId, now: Instant) -> Result<(), Box<dyn Error>> {
        let Some(newest) = self.newest.get(former.base()) else {
            return Ok(());
        };
        if newest.is_newer_than(former) && !former.same_base(self.state.replica()) {
            let diff = self.state.supersede(newest)?;
            self.detector.gone(former, now);
            note(format!("{}: former life removed", former.base()))?;
            show(&diff)?;
        }
        Ok(())
    }

    fn hold_down(&mut self, peer: String) -> io::Result<()> {
        if let Some(replica) = self.newest.get(&peer) {
            show(&self.state.replica_down(replica))?;
        }
        note(format!("{peer} is held down"))?;
        self.held_down.insert(peer);
        Ok(())
    }

    fn release(&mut self, peer: &str) -> io::Result<()> {
        self.held_down.remove(peer);
        match self.newest.get(peer) {
            Some(replica) if self.detector.is_up(replica) => show(&self.state.replica_up(replica)),
            _ => note(format!("{peer} comes up when it is heard")),
        }
    }

    /// Tells the peers what was written here since the last time.
    fn push_delta(&mut self) -> Result<(), Box<dyn Error>> {
        match self.state.take_delta() {
            Some(delta) => self.send(None, &Message::Delta(delta)),
            None => Ok(()),
        }
    }

    /// Sends to one peer, or to all of them: encoded once.
    fn send(&self, to: Option<&str>, message: &Message) -> Result<(), Box<dyn Error>> {
        let line: Arc<str> = match message.encode() {
            Ok(line) => line.into(),
            // One entry that no peer would take must not end the node.
            Err(error) => return Ok(note(format!("not sent: {error}"))?),
        };
        for (name, peer) in &self.peers {
            if let Some(link) = &peer.link
                && to.is_none_or(|to| to == name)
            {
                link.send(Arc::clone(&line));
            }
        }
        Ok(())
    }

    /// Shows the stage the whole view, where it changed, to be compared.
    fn publish(&mut self) -> Result<(), Box<dyn Error>> {
        let digest = match digest_to_json_string(&self.state.digest()) {
            Ok(digest) => digest,
            Err(error) => return Ok(note(format!("no view: {error}"))?),
        };
        let view = View {
            rows: self.state.online_list().map(row).collect(),
            digest,
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
