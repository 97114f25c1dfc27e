//! `cargo xtask net`: nodes in network namespaces on a bridge, with links that are lossy,
//! slow, cut, or deaf in one direction, and processes that are killed, halted, replaced;
//! then the same nodes over Redis and NATS, whose server vanishes and returns.
//!
//! Every address is of the task's own namespaces. What it cannot do here it shouts and
//! leaves out.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::nodes::{self, Node, all_see};
use crate::shell::Outcome;

mod broker;

const NAMES: [&str; 4] = ["n0", "n1", "n2", "n3"];
const HUB: &str = "lattice-hub";
const PORT: u16 = 7447;

/// Longer than the `down_after` of the program's quick timers, which is 2 s.
const LONG: Duration = Duration::from_secs(6);

pub(crate) fn run(_: &[String]) -> Outcome {
    if let Err(reason) = is_allowed() {
        println!("SKIPPED net: {reason}");
        return Ok(());
    }
    let program = nodes::program()?;
    let program = program.display().to_string();
    let network = Network::new()?;
    Day::new(&network, &program)?.play()?;
    for kind in [broker::Kind::Redis, broker::Kind::Nats] {
        broker::play(kind, &network, &program)?;
    }
    Ok(())
}

/// Whether this machine lets us make namespaces; why not.
pub(crate) fn is_allowed() -> Outcome {
    let probe = "lattice-probe";
    ip(&format!("netns add {probe}"))?;
    ip(&format!("netns del {probe}"))
}

/// The namespaces, taken down when it is dropped.
struct Network {
    has_netem: bool,
}

fn ip(line: &str) -> Outcome {
    command("ip", line)
}

fn command(program: &str, line: &str) -> Outcome {
    let output = Command::new(program).args(line.split_whitespace()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{program} {line}`: {}", error.trim()))
}

fn namespace(at: usize) -> String {
    format!("lattice-{}", NAMES[at])
}

fn address(at: usize) -> String {
    format!("10.213.7.{}", at + 1)
}

impl Network {
    fn new() -> Result<Self, String> {
        take_down();
        let mut network = Self { has_netem: true };
        ip(&format!("netns add {HUB}"))?;
        ip(&format!("-n {HUB} link add br0 type bridge"))?;
        ip(&format!("-n {HUB} link set br0 up"))?;
        for at in 0..NAMES.len() {
            let (space, port) = (namespace(at), format!("p{at}"));
            ip(&format!("netns add {space}"))?;
            ip(&format!("-n {space} link set lo up"))?;
            ip(&format!(
                "-n {HUB} link add {port} type veth peer name eth0 netns {space}"
            ))?;
            ip(&format!("-n {HUB} link set {port} master br0 up"))?;
            ip(&format!("-n {space} addr add {}/24 dev eth0", address(at)))?;
            ip(&format!("-n {space} link set eth0 up"))?;
            let netem = "loss 10% delay 50ms 30ms reorder 25%";
            let line = format!("-n {space} qdisc add dev eth0 root netem {netem}");
            if let Err(reason) = command("tc", &line) {
                network.has_netem = false;
                if at == 0 {
                    println!("SKIPPED net: loss, delay and reordering: {reason}");
                }
            }
        }
        Ok(network)
    }

    fn cut(at: usize, is_cut: bool) -> Outcome {
        let state = if is_cut { "down" } else { "up" };
        ip(&format!("-n {HUB} link set p{at} {state}"))
    }

    /// What the node sends goes nowhere; what is sent to it arrives.
    fn mute(at: usize, is_mute: bool) -> Outcome {
        let verb = if is_mute { "add" } else { "del" };
        for other in (0..NAMES.len()).filter(|other| *other != at) {
            let route = format!("route {verb} blackhole {}/32", address(other));
            ip(&format!("-n {} {route}", namespace(at)))?;
        }
        Ok(())
    }

    fn start(at: usize, program: &str) -> Result<Node, String> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &namespace(at), program, "node", NAMES[at]]);
        command.args([
            "--quick",
            "--listen",
            &format!("tcp/{}:{PORT}", address(at)),
        ]);
        for other in (0..NAMES.len()).filter(|other| *other != at) {
            command.args(["--connect", &format!("tcp/{}:{PORT}", address(other))]);
        }
        Node::start(command, NAMES[at])
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        take_down();
    }
}

fn take_down() {
    let spaces = (0..NAMES.len()).map(namespace).chain([HUB.to_owned()]);
    for space in spaces {
        // Most often it is not there.
        let _ = ip(&format!("netns del {space}"));
    }
}

struct Day<'a> {
    program: &'a str,
    nodes: Vec<Node>,
    start: Instant,
}

impl<'a> Day<'a> {
    fn new(network: &Network, program: &'a str) -> Result<Self, String> {
        let nodes = (0..NAMES.len()).map(|at| Network::start(at, program));
        let day = Self {
            program,
            nodes: nodes.collect::<Result<_, _>>()?,
            start: Instant::now(),
        };
        let links = if network.has_netem {
            "10 % loss, 50 ms ± 30"
        } else {
            "good links"
        };
        day.say(&format!("four nodes in namespaces of their own; {links}"));
        Ok(day)
    }

    fn say(&self, what: &str) {
        println!("{:>6.1} s  {what}", self.start.elapsed().as_secs_f64());
    }

    fn track(&mut self, at: usize, user: &str) -> Outcome {
        self.nodes[at]
            .ask(&format!("track {user}"), "tracked")
            .map(drop)
    }

    fn all_see(&mut self, users: &[&str], what: &str) -> Outcome {
        let took = all_see(&mut self.nodes, users)?;
        self.say(&format!("{what}: one view, after {took:.1?}"));
        Ok(())
    }

    fn play(mut self) -> Outcome {
        for (at, user) in ["alice", "bob", "carol", "dave"].into_iter().enumerate() {
            self.track(at, user)?;
        }
        self.all_see(&["alice", "bob", "carol", "dave"], "a user on each")?;
        let before = self.footprints()?;

        Network::cut(0, true)?;
        self.track(0, "erin")?;
        all_see(&mut self.nodes[1..], &["bob", "carol", "dave"])?;
        self.nodes[1].ask("drop bob", "dropped")?;
        Network::cut(0, false)?;
        self.all_see(
            &["alice", "carol", "dave", "erin"],
            "the cable of n0 cut, and mended",
        )?;

        Network::mute(1, true)?;
        self.track(1, "bob")?;
        sleep(LONG);
        for at in [0, 2, 3] {
            let view = self.nodes[at].view()?;
            if view.contains("bob") {
                return Err(format!(
                    "{} sees bob, whose node is not heard: {view:?}",
                    NAMES[at]
                ));
            }
        }
        Network::mute(1, false)?;
        let five = ["alice", "bob", "carol", "dave", "erin"];
        self.all_see(&five, "n1 was not heard, and heard the others")?;

        self.nodes[2].signal("KILL")?;
        self.nodes.remove(2);
        self.all_see(&["alice", "bob", "dave", "erin"], "kill -9 n2")?;
        self.nodes.insert(2, Network::start(2, self.program)?);
        self.track(2, "carol")?;
        self.all_see(&five, "n2 started again")?;

        self.nodes[3].signal("STOP")?;
        all_see(&mut self.nodes[..3], &["alice", "bob", "carol", "erin"])?;
        sleep(LONG);
        self.nodes[3].signal("CONT")?;
        self.all_see(&five, "n3 halted for longer than down_after, and went on")?;

        self.deploy()?;
        self.all_see(&five, "at the end")?;
        self.check_footprints(&before)?;
        for node in self.nodes.drain(..) {
            node.stop()?;
        }
        Ok(())
    }

    /// Every node is replaced, its users reconnect elsewhere: nobody sees them depart (R8).
    fn deploy(&mut self) -> Outcome {
        let mut homes = [
            ("alice", 0),
            ("erin", 0),
            ("bob", 1),
            ("carol", 2),
            ("dave", 3),
        ];
        let users = homes.map(|(user, _)| user);
        for node in &mut self.nodes {
            node.ask("departed", "departed")?;
        }
        for at in 0..NAMES.len() {
            let next = (at + 1) % NAMES.len();
            self.nodes[at].ask("drain", "draining")?;
            for (user, home) in homes.iter_mut().filter(|(_, home)| *home == at) {
                self.nodes[next].ask(&format!("track {user}"), "tracked")?;
                *home = next;
            }
            self.nodes.remove(at).stop()?;
            self.nodes.insert(at, Network::start(at, self.program)?);
            all_see(&mut self.nodes, &users)?;
            // The handover passes.
            sleep(Duration::from_secs(3));
        }
        for node in &mut self.nodes {
            let departed = node.ask("departed", "departed")?;
            if !departed.is_empty() {
                return Err(format!("{} saw {departed} depart", node.name));
            }
        }
        self.say("every node replaced in turn: nobody saw anybody depart");
        Ok(())
    }

    fn footprints(&self) -> Result<Vec<(u64, usize)>, String> {
        self.nodes.iter().map(Node::footprint).collect()
    }

    /// Memory and descriptors are those of the start, but for what a mesh of four wobbles.
    fn check_footprints(&self, before: &[(u64, usize)]) -> Outcome {
        for (node, (before, after)) in self.nodes.iter().zip(before.iter().zip(self.footprints()?))
        {
            let (memory, descriptors) = after;
            println!(
                "          {}: {} → {memory} KiB, {} → {descriptors} descriptors",
                node.name, before.0, before.1
            );
            if memory > before.0 * 2 || descriptors > before.1 + 8 {
                return Err(format!("{} has grown", node.name));
            }
        }
        Ok(())
    }
}
