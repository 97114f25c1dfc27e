//! What happens to the nodes, and what all of them must see.

use std::error::Error;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::cable::{Cable, free_port};
use crate::process::{Process, all_see};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const NAMES: [&str; 4] = ["berlin", "lagos", "quito", "tokyo"];

/// The port at which each node listens, and the cable through which the others reach it.
struct Network(Vec<(u16, Cable)>);

impl Network {
    async fn new() -> Result<Self> {
        let mut ends = Vec::new();
        for _ in NAMES {
            let port = free_port()?;
            ends.push((port, Cable::to(port).await?));
        }
        Ok(Self(ends))
    }

    /// Starts a node that knows the cables of all others.
    async fn start(&self, at: usize) -> Result<Process> {
        let others = self.0.iter().enumerate().filter(|(other, _)| *other != at);
        let cables: Vec<u16> = others.map(|(_, (_, cable))| cable.port).collect();
        Process::start(NAMES[at], self.0[at].0, &cables).await
    }
}

fn say(what: &str, start: Instant) {
    println!("{:>5.1} s  {what}", start.elapsed().as_secs_f64());
}

pub(crate) async fn play() -> Result<()> {
    let start = Instant::now();
    let network = Network::new().await?;
    let mut nodes = Vec::new();
    for at in 0..NAMES.len() {
        nodes.push(network.start(at).await?);
    }
    say("four processes: berlin, lagos, quito, tokyo", start);

    nodes[0].ask("track alice", "tracked").await?;
    nodes[1].ask("track bob", "tracked").await?;
    nodes[2].ask("track carol", "tracked").await?;
    nodes[3].ask("track dave", "tracked").await?;
    let everybody = ["alice", "bob", "carol", "dave"];
    let took = agree(&mut nodes, &everybody).await?;
    say(
        &format!("each tracks one user; all see four, after {took:.1?}"),
        start,
    );

    nodes.remove(3).kill().await?;
    let took = agree(&mut nodes, &["alice", "bob", "carol"]).await?;
    say(
        &format!("kill -9 tokyo: dave is gone everywhere, after {took:.1?}"),
        start,
    );
    nodes.push(network.start(3).await?);
    nodes[3].ask("track dave", "tracked").await?;
    let took = agree(&mut nodes, &everybody).await?;
    say(
        &format!("tokyo starts again, dave is back, after {took:.1?}"),
        start,
    );

    cut(&network, &mut nodes, start).await?;
    deploy(&network, &mut nodes, start).await?;

    for node in nodes {
        node.stop().await?;
    }
    say("one view at the end, and a clean stop", start);
    Ok(())
}

async fn agree(nodes: &mut [Process], users: &[&str]) -> Result<Duration> {
    all_see(&mut nodes.iter_mut().collect::<Vec<_>>(), users).await
}

/// Every cable is cut. Each node is alone, and keeps its own users.
async fn cut(network: &Network, nodes: &mut [Process], start: Instant) -> Result<()> {
    for (_, cable) in &network.0 {
        cable.cut();
    }
    nodes[0].ask("track erin", "tracked").await?;
    nodes[1].ask("drop bob", "dropped").await?;
    all_see(&mut [&mut nodes[0]], &["alice", "erin"]).await?;
    say(
        "every cable is cut: in the end, each node sees its own users alone",
        start,
    );
    for (_, cable) in &network.0 {
        cable.mend();
    }
    let took = agree(nodes, &["alice", "carol", "dave", "erin"]).await?;
    let what = format!("mended: all see erin who came, and not bob who went, after {took:.1?}");
    say(&what, start);
    Ok(())
}

/// Every node is replaced, one after another. Its users connect to other nodes, and no node
/// sees them depart.
async fn deploy(network: &Network, nodes: &mut Vec<Process>, start: Instant) -> Result<()> {
    let users = [["alice", "erin"].as_slice(), &[], &["carol"], &["dave"]];
    let mut homes = [0, 0, 2, 3]; // of alice, erin, carol, dave
    for node in &mut *nodes {
        node.ask("departed", "departed").await?;
    }
    let all: Vec<&str> = users.concat();
    for at in 0..nodes.len() {
        let next = (at + 1) % nodes.len();
        nodes[at].ask("drain", "draining").await?;
        for (user, home) in all.iter().zip(&mut homes) {
            if *home == at {
                nodes[next].ask(&format!("track {user}"), "tracked").await?;
                *home = next;
            }
        }
        nodes.remove(at).stop().await?;
        nodes.insert(at, network.start(at).await?);
        agree(nodes, &all).await?;
        // The handover ends here. If a user departed, it would be now.
        sleep(Duration::from_secs(3)).await;
    }
    agree(nodes, &all).await?;
    for node in nodes {
        let departed = node.ask("departed", "departed").await?;
        if !departed.is_empty() {
            return Err(format!("{} saw {departed} depart", node.name).into());
        }
    }
    say(
        "every node was replaced in turn: nobody saw anybody depart",
        start,
    );
    Ok(())
}
