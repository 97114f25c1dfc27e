//! The processes: starting, killing, watching them, and what each should see.
//!
//! For every node the stage keeps the entries that it was told to hold, so it
//! can say at any time what everybody ought to see, however many nodes died on
//! the way. It waits for that, never for a fixed time.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command as Process, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::NODE_ROLE;
use crate::stage::{Command, Report, Row, View};
use crate::view::Timeline;

pub(crate) const NAMES: [&str; 3] = ["node-a", "node-b", "node-c"];

/// Generous: a loaded machine is slow, not wrong.
const DEADLINE: Duration = Duration::from_secs(30);

/// A node that dies more often than this stays out.
const MAX_LIVES: u32 = 10;

/// What a life of a node says; `None` when its output ends.
type Heard = (usize, u32, Option<Report>);

struct Running {
    child: Child,
    orders: ChildStdin,
    address: Option<SocketAddr>,
    /// The last one that the node published.
    view: View,
}

/// One of the three places in the cluster.
struct Station {
    running: Option<Running>,
    lives: u32,
    /// What the node was told to hold.
    held: BTreeSet<Row>,
}

pub(crate) struct Cluster {
    stations: Vec<Station>,
    cut: Option<[usize; 2]>,
    reports: Receiver<Heard>,
    reporter: Sender<Heard>,
    pub(crate) timeline: Timeline,
}

impl Cluster {
    /// Starts the three nodes, and waits until they listen.
    pub(crate) fn start(timeline: Timeline) -> Result<Self, Box<dyn Error>> {
        let (reporter, reports) = mpsc::channel();
        let station = |_| Station {
            running: None,
            lives: 0,
            held: BTreeSet::new(),
        };
        let mut cluster = Self {
            stations: NAMES.iter().map(station).collect(),
            cut: None,
            reports,
            reporter,
            timeline,
        };
        for node in 0..NAMES.len() {
            cluster.launch(node)?;
        }
        cluster.wait("all nodes listen", |cluster| {
            let mut running = cluster.stations.iter().flat_map(|station| &station.running);
            running.all(|node| node.address.is_some())
        })?;
        Ok(cluster)
    }

    /// Starts a process of its own for `node`.
    pub(crate) fn launch(&mut self, node: usize) -> Result<(), Box<dyn Error>> {
        let mut child = Process::new(std::env::current_exe()?)
            .args([NODE_ROLE, NAMES[node]])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(orders), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a child without pipes".into());
        };
        let station = &mut self.stations[node];
        station.lives += 1;
        let (life, reporter) = (station.lives, self.reporter.clone());
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // A send that fails means that the stage is being torn down.
                let _ = reporter.send((node, life, Report::parse(&line)));
            }
            let _ = reporter.send((node, life, None));
        });
        let text = format!("! process {} starts", child.id());
        self.timeline.event(node, &text);
        station.running = Some(Running {
            child,
            orders,
            address: None,
            view: View::default(),
        });
        Ok(())
    }

    /// Kills the process of `node` outright: it says goodbye to nobody.
    pub(crate) fn kill(&mut self, node: usize) -> Result<(), Box<dyn Error>> {
        let station = &mut self.stations[node];
        station.held.clear();
        if let Some(mut running) = station.running.take() {
            running.child.kill()?;
            let status = running.child.wait()?;
            self.timeline.event(node, &format!("! killed ({status})"));
        }
        Ok(())
    }

    /// Cuts the link between two nodes, or heals the one that is cut.
    pub(crate) fn set_cut(&mut self, cut: Option<[usize; 2]>) {
        let before = std::mem::replace(&mut self.cut, cut);
        if let Some([a, b]) = before {
            self.order_pair(a, b, |peer| Command::Heal { peer });
        }
        if let Some([a, b]) = cut {
            self.order_pair(a, b, |peer| Command::Cut { peer });
        }
    }

    fn order_pair(&mut self, a: usize, b: usize, command: impl Fn(String) -> Command) {
        self.order(a, &command(NAMES[b].to_owned()));
        self.order(b, &command(NAMES[a].to_owned()));
    }

    /// Orders `node` to do something, and remembers what it then holds.
    pub(crate) fn order(&mut self, node: usize, command: &Command) {
        let station = &mut self.stations[node];
        let Some(running) = &mut station.running else {
            return;
        };
        // A pipe that broke is a death; its report is on the way.
        let _ = writeln!(running.orders, "{command}");
        let row = |topic: &str, user: &str, status: &str| Row {
            topic: topic.to_owned(),
            user: user.to_owned(),
            status: status.to_owned(),
            home: NAMES[node].to_owned(),
        };
        let held = &mut station.held;
        let mut vacate = |topic: &str, user: &str| {
            let before = held.len();
            held.retain(|row| (row.topic.as_str(), row.user.as_str()) != (topic, user));
            held.len() < before
        };
        match command {
            Command::Join {
                topic,
                user,
                status,
            } => {
                vacate(topic, user);
                held.insert(row(topic, user, status));
            }
            Command::Status {
                topic,
                user,
                status,
            } if vacate(topic, user) => {
                held.insert(row(topic, user, status));
            }
            Command::Leave { topic, user } => {
                vacate(topic, user);
            }
            _ => {}
        }
    }

    /// Waits until every node sees exactly what it ought to see.
    pub(crate) fn wait_for_views(&mut self, what: &str) -> Result<(), Box<dyn Error>> {
        self.wait(what, Self::all_see_what_they_ought)
    }

    /// Waits until the digests agree as well: nothing is left to exchange.
    pub(crate) fn wait_for_digests(&mut self) -> Result<(), Box<dyn Error>> {
        self.wait("views and digests agree", |cluster| {
            let mut digests = cluster.views().map(|(_, view)| &view.digest);
            let first = digests.next();
            digests.all(|digest| Some(digest) == first) && cluster.all_see_what_they_ought()
        })
    }

    fn all_see_what_they_ought(&self) -> bool {
        let mut views = self.views();
        views.all(|(node, view)| view.rows == self.expected(node))
    }

    /// Handles what the nodes report until `done`.
    pub(crate) fn wait(
        &mut self,
        what: &str,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), Box<dyn Error>> {
        let deadline = Instant::now() + DEADLINE;
        while !done(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.timeline.table(self.views());
                return Err(format!("after {DEADLINE:?} still not: {what}").into());
            }
            self.pump(left)?;
        }
        Ok(())
    }

    /// Handles the next report, if one comes in time.
    pub(crate) fn pump(&mut self, patience: Duration) -> Result<(), Box<dyn Error>> {
        let (node, life, report) = match self.reports.recv_timeout(patience) {
            Ok(heard) => heard,
            // This side holds a sender as well: it never disconnects.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let station = &mut self.stations[node];
        let Some(running) = station.running.as_mut().filter(|_| station.lives == life) else {
            return Ok(()); // the last words of a process that is gone
        };
        match report {
            Some(Report::Listening(address)) => {
                running.address = Some(address);
                self.introduce(node);
            }
            Some(Report::Joined(row)) => self.timeline.change(node, '+', &row),
            Some(Report::Left(row)) => self.timeline.change(node, '-', &row),
            Some(Report::Note(text)) => self.timeline.event(node, &format!("! {text}")),
            Some(Report::View(view)) => running.view = view,
            None => self.lose(node)?,
        }
        Ok(())
    }

    /// Tells `node` and its peers where the others listen.
    fn introduce(&mut self, node: usize) {
        let address_of =
            |station: &Station| station.running.as_ref().and_then(|running| running.address);
        let addresses: Vec<_> = self.stations.iter().map(address_of).collect();
        for peer in (0..NAMES.len()).filter(|&peer| peer != node) {
            let (Some(here), Some(there)) = (addresses[node], addresses[peer]) else {
                continue;
            };
            for (to, of, address) in [(node, peer, there), (peer, node, here)] {
                let peer = NAMES[of].to_owned();
                self.order(to, &Command::Peer { peer, address });
            }
            if self.is_cut(node, peer) {
                self.order_pair(node, peer, |peer| Command::Cut { peer });
            }
        }
    }

    /// A node died that nobody here killed: its users are gone, it starts anew.
    fn lose(&mut self, node: usize) -> Result<(), Box<dyn Error>> {
        let station = &mut self.stations[node];
        station.held.clear();
        if let Some(mut running) = station.running.take() {
            let status = running.child.wait()?;
            let text = format!("! LOST ({status}), with its users");
            self.timeline.event(node, &text);
        }
        if station.lives < MAX_LIVES {
            return self.launch(node);
        }
        self.timeline.event(node, "! died too often, stays out");
        Ok(())
    }

    fn is_cut(&self, a: usize, b: usize) -> bool {
        self.cut.is_some_and(|cut| cut == [a, b] || cut == [b, a])
    }

    /// What `node` ought to see: what it and those that it hears hold.
    fn expected(&self, node: usize) -> BTreeSet<Row> {
        let heard = (0..NAMES.len()).filter(|&peer| !self.is_cut(node, peer));
        let running = heard.filter(|&peer| self.stations[peer].running.is_some());
        running
            .flat_map(|peer| &self.stations[peer].held)
            .cloned()
            .collect()
    }

    /// What the running nodes see.
    pub(crate) fn views(&self) -> impl Iterator<Item = (usize, &View)> {
        let stations = self.stations.iter().enumerate();
        stations.filter_map(|(node, station)| Some((node, &station.running.as_ref()?.view)))
    }

    /// Whether `node` holds nothing of `peer` any more, not even its context.
    pub(crate) fn has_removed(&self, node: usize, peer: usize) -> bool {
        let mut views = self.views();
        views.all(|(of, view)| of != node || !view.digest.contains(NAMES[peer]))
    }
}

impl Drop for Cluster {
    /// No process outlives the stage. Were the stage itself killed, its ends of
    /// the pipes would close, which stops the nodes as well.
    fn drop(&mut self) {
        for mut running in self
            .stations
            .iter_mut()
            .filter_map(|station| station.running.take())
        {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}
