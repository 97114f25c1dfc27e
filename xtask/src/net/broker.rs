//! A server between the nodes that vanishes and returns: Redis and NATS.
//!
//! It stands at the hub, with an address on the bridge.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{HUB, NAMES, Network, ip, namespace};
use crate::nodes::{Node, all_see};
use crate::shell::Outcome;

const ADDRESS: &str = "10.213.7.100";

/// How long the others are seen while nobody is heard: the `isolation_grace` of the
/// program's quick timers, which is 4 s, and less than that.
const GRACE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Redis,
    Nats,
}

impl Kind {
    const fn program(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Nats => "nats-server",
        }
    }

    /// How a node is told of it.
    fn option(self) -> [String; 2] {
        match self {
            Self::Redis => ["--redis".into(), format!("redis://{ADDRESS}:6379/")],
            Self::Nats => ["--nats".into(), format!("nats://{ADDRESS}:4222")],
        }
    }
}

/// Killed when it is dropped.
struct Server(Child);

impl Server {
    fn start(kind: Kind) -> Result<Self, String> {
        let program = find(kind.program()).ok_or("it was there a moment ago")?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", HUB]).arg(program);
        match kind {
            Kind::Redis => command.args(["--port", "6379", "--bind", ADDRESS]).args([
                "--protected-mode",
                "no",
                "--save",
                "",
                "--appendonly",
                "no",
            ]),
            Kind::Nats => command.args(["-a", ADDRESS, "-p", "4222"]),
        };
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn();
        Ok(Self(
            child.map_err(|error| format!("{}: {error}", kind.program()))?,
        ))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let here = std::env::split_paths(&path).chain([Path::new("/usr/sbin").into()]);
    here.map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}

/// Plays it, on the namespaces of a network that is there. Skipped aloud without the server.
pub(super) fn play(kind: Kind, _: &Network, program: &str) -> Outcome {
    let name = kind.program();
    if find(name).is_none() {
        println!("SKIPPED net: no {name}; `apt-get install {name}`");
        return Ok(());
    }
    // It may be there from the server before.
    let _ = ip(&format!("-n {HUB} addr add {ADDRESS}/24 dev br0"));
    let mut server = Some(Server::start(kind)?);
    let mut day = Day {
        start: Instant::now(),
        nodes: start_nodes(kind, program)?,
    };
    let four = ["alice", "bob", "carol", "dave"];
    for (node, user) in day.nodes.iter_mut().zip(four) {
        node.ask(&format!("track {user}"), "tracked")?;
    }
    day.all_see(&four, &format!("four nodes over {name}, a user on each"))?;

    drop(server.take());
    day.write_meanwhile("erin", "bob")?;
    day.keeps(&four, GRACE)?;
    server = Some(Server::start(kind)?);
    let others = ["alice", "carol", "dave", "erin"];
    day.all_see(
        &others,
        &format!("kill -9 {name}: everybody stayed in sight; started again"),
    )?;

    if kind == Kind::Redis {
        // A host that vanishes says nothing. Over NATS that takes two pings, four minutes.
        ip(&format!("-n {HUB} link set br0 down"))?;
        day.nodes[0].ask("drop erin", "dropped")?;
        sleep(Duration::from_secs(12));
        ip(&format!("-n {HUB} link set br0 up"))?;
        let three = ["alice", "carol", "dave"];
        day.all_see(&three, "its host gone for 12 s, without a word, and back")?;
    }
    drop(server);
    for node in day.nodes {
        node.stop()?;
    }
    Ok(())
}

fn start_nodes(kind: Kind, program: &str) -> Result<Vec<Node>, String> {
    let start = |at: usize| {
        let mut last = String::new();
        // The server needs a moment.
        for _ in 0..20 {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", &namespace(at), program, "node", NAMES[at]]);
            command.arg("--quick").args(kind.option());
            match Node::start(command, NAMES[at]) {
                Ok(node) => return Ok(node),
                Err(error) => last = error,
            }
            sleep(Duration::from_millis(500));
        }
        Err(last)
    };
    (0..NAMES.len()).map(start).collect()
}

struct Day {
    nodes: Vec<Node>,
    start: Instant,
}

impl Day {
    fn all_see(&mut self, users: &[&str], what: &str) -> Outcome {
        let took = all_see(&mut self.nodes, users)?;
        let since = self.start.elapsed().as_secs_f64();
        println!("{since:>6.1} s  {what}: one view, after {took:.1?}");
        Ok(())
    }

    /// One comes and one goes while nobody hears of it.
    fn write_meanwhile(&mut self, comes: &str, goes: &str) -> Outcome {
        self.nodes[0]
            .ask(&format!("track {comes}"), "tracked")
            .map(drop)?;
        let dropped = self.nodes[1].ask(&format!("drop {goes}"), "dropped");
        dropped.map(drop)
    }

    /// Whoever is on another node stays in sight for that long.
    fn keeps(&mut self, users: &[&str], length: Duration) -> Outcome {
        let until = Instant::now() + length;
        let last = self.nodes.len() - 1;
        while Instant::now() < until {
            let view = self.nodes[last].view()?;
            let expected: BTreeSet<String> = users.iter().map(ToString::to_string).collect();
            if view != expected {
                return Err(format!(
                    "the server is gone, and {} sees {view:?}",
                    NAMES[last]
                ));
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}
