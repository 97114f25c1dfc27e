//! `cargo xtask soak --minutes N`: guests come and go on three nodes over zenoh; memory,
//! descriptors and queues stay as they are, and at the end all see the same.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::nodes::{self, Node, all_see, number_after};
use crate::shell::Outcome;

const NAMES: [&str; 3] = ["s0", "s1", "s2"];

/// Guests a second on each node.
const RATE: u32 = 200;

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let minutes = match arguments {
        [] => 10.0,
        [flag, minutes] if flag == "--minutes" => minutes
            .parse::<f64>()
            .map_err(|error| format!("--minutes: {error}"))?,
        _ => return Err("usage: cargo xtask soak [--minutes N]".into()),
    };
    if !(0.1..=24.0 * 60.0).contains(&minutes) {
        return Err("--minutes: from 0.1 to 1440".into());
    }
    let program = nodes::program()?;
    let mut ports = Vec::new();
    for _ in NAMES {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        ports.push(
            listener
                .local_addr()
                .map_err(|error| error.to_string())?
                .port(),
        );
    }
    let mut running = Vec::new();
    for (at, name) in NAMES.into_iter().enumerate() {
        let mut command = Command::new(&program);
        let address = |port: &u16| format!("tcp/127.0.0.1:{port}");
        command.args(["node", name, "--quick", "--listen", &address(&ports[at])]);
        for port in ports.iter().filter(|port| **port != ports[at]) {
            command.args(["--connect", &address(port)]);
        }
        running.push(Node::start(command, name)?);
    }
    for node in &mut running {
        let (user, rate) = (format!("track {}", node.name), format!("churn {RATE}"));
        node.ask(&user, "tracked")?;
        node.ask(&rate, "churning")?;
    }
    churn(&mut running, Duration::from_secs_f64(minutes * 60.0))?;
    settle(running)
}

/// What is measured of one node.
struct Sample {
    memory: u64,
    descriptors: usize,
    inbox: u64,
}

fn sample(nodes: &mut [Node]) -> Result<Vec<Sample>, String> {
    let sample = |node: &mut Node| {
        let (memory, descriptors) = node.footprint()?;
        let status = node.status()?;
        let of =
            |word: &str| number_after(&status, word).ok_or_else(|| format!("no {word}: {status}"));
        let inbox = of("\"inbox\"")?;
        println!(
            "  {}  {memory:>7} KiB  {descriptors:>3} descriptors  {inbox:>4} waiting  {:>5} entries  \
             {} in  {} out  {} repairs  {} unsent",
            node.name,
            of("\"entries\"")?,
            of("\"messages_in\"")?,
            of("\"messages_out\"")?,
            of("\"repairs\"")?,
            of("\"unsent\"")?,
        );
        Ok(Sample {
            memory,
            descriptors,
            inbox,
        })
    };
    nodes.iter_mut().map(sample).collect()
}

fn churn(nodes: &mut [Node], length: Duration) -> Outcome {
    let start = Instant::now();
    let pause = (length / 20).clamp(Duration::from_secs(1), Duration::from_secs(30));
    // The first fifth fills caches and pools.
    let mut base: Option<Vec<Sample>> = None;
    while start.elapsed() < length {
        std::thread::sleep(pause);
        println!("{:>6.1} s", start.elapsed().as_secs_f64());
        let samples = sample(nodes)?;
        if start.elapsed() < length / 5 {
            continue;
        }
        let base = base.get_or_insert_with(|| {
            let copy = |sample: &Sample| Sample { ..*sample };
            samples.iter().map(copy).collect()
        });
        for ((node, sample), base) in nodes.iter().zip(&samples).zip(base.iter()) {
            let name = &node.name;
            if sample.memory > base.memory * 3 / 2 + 8 * 1024 {
                return Err(format!(
                    "{name}: from {} to {} KiB",
                    base.memory, sample.memory
                ));
            }
            if sample.descriptors > base.descriptors + 8 {
                let (before, after) = (base.descriptors, sample.descriptors);
                return Err(format!("{name}: from {before} to {after} descriptors"));
            }
            if sample.inbox > 4_096 {
                return Err(format!("{name}: {} messages wait", sample.inbox));
            }
        }
    }
    Ok(())
}

/// The guests stay where they are: all nodes come to one view, and say so.
fn settle(mut nodes: Vec<Node>) -> Outcome {
    for node in &mut nodes {
        node.ask("churn 0", "churning")?;
    }
    let start = Instant::now();
    all_see(&mut nodes, &NAMES)?;
    loop {
        let mut entries = Vec::new();
        for node in &mut nodes {
            let status = node.status()?;
            let is_settled = status.contains(r#""view":"settled""#);
            entries.push(number_after(&status, "\"entries\"").filter(|_| is_settled));
        }
        // Three users, and no guest: their connections end with the churn.
        if entries
            .iter()
            .all(|entries| *entries == Some(NAMES.len() as u64))
        {
            break;
        }
        if start.elapsed() > Duration::from_secs(30) {
            return Err(format!("entries once the churn is over: {entries:?}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("settled {:.1?} after the last change", start.elapsed());
    nodes.into_iter().try_for_each(Node::stop)
}
