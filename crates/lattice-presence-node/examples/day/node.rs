//! One node, as in a server. It reads commands as lines, and writes answers as lines.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lattice_presence_node::engine::{BoxedEngine, Memory, Zenoh};
use lattice_presence_node::{Config, Connection, JsonMeta, Node, Update};
use tokio::io::{AsyncBufReadExt, BufReader};

pub(crate) const USAGE: &str =
    "usage: day node NAME [--listen ADDRESS] [--connect ADDRESS]… [--memory]
                       [--redis URL] [--nats URL] [--quick]
commands: track KEY, drop KEY, view, departed, status, churn PER_SECOND, drain, stop";

/// The topic of all users.
const TOPIC: &str = "room:lobby";

struct Options {
    name: String,
    engine: BoxedEngine,
    config: Config,
}

fn options(arguments: &[String]) -> Result<Options, Box<dyn Error>> {
    let mut arguments = arguments.iter();
    let name = arguments
        .next()
        .filter(|name| !name.starts_with('-'))
        .ok_or(USAGE)?;
    let (mut listen, mut connect) = (None, Vec::new());
    let mut engine = None;
    let mut config = Config::new("day");
    while let Some(option) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{option}: no value"))
        };
        match option.as_str() {
            "--listen" => listen = Some(value()?.clone()),
            "--connect" => connect.push(value()?.clone()),
            "--memory" => engine = Some(BoxedEngine::new(Memory::new())),
            #[cfg(feature = "redis")]
            "--redis" => {
                let url = value()?.clone();
                engine = Some(BoxedEngine::new(lattice_presence_node::engine::Redis::new(
                    url,
                )));
            }
            #[cfg(feature = "nats")]
            "--nats" => {
                let url = value()?.clone();
                engine = Some(BoxedEngine::new(lattice_presence_node::engine::Nats::new(
                    url,
                )));
            }
            "--quick" => quick(&mut config),
            _ => return Err(USAGE.into()),
        }
    }
    let engine = match engine {
        Some(engine) => engine,
        None => BoxedEngine::new(zenoh(listen, &connect)?),
    };
    Ok(Options {
        name: name.clone(),
        engine,
        config,
    })
}

/// Peers are found only by these addresses. Nodes must not tell each other about the rest,
/// because this would bypass the cables of the script.
fn zenoh(listen: Option<String>, connect: &[String]) -> Result<Zenoh, Box<dyn Error>> {
    let mut config = zenoh::Config::default();
    let mut set = |key: &str, value: String| {
        let set = config.insert_json5(key, &value);
        set.map_err(|error| format!("{key}: {error}"))
    };
    set("scouting/multicast/enabled", "false".into())?;
    set("scouting/gossip/enabled", "false".into())?;
    if let Some(listen) = listen {
        set("listen/endpoints", format!("[{listen:?}]"))?;
    }
    set("connect/endpoints", format!("{connect:?}"))?;
    Ok(Zenoh::with_config(config))
}

/// Timers of a second or less, so that a day takes half a minute.
fn quick(config: &mut Config) {
    config.heartbeat = Duration::from_millis(300);
    config.down_after = Duration::from_secs(2);
    config.isolation_grace = Duration::from_secs(4);
    config.handover = Duration::from_secs(2);
    config.settle_after = Duration::from_secs(1);
}

pub(crate) async fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{USAGE}");
        return Ok(());
    }
    let Options {
        name,
        engine,
        config,
    } = options(arguments)?;
    let builder = Node::<JsonMeta>::builder(name).config(config);
    let node = builder.engine(engine).start().await?;
    println!("started {}", node.id());

    let departed = follow(&node);
    let mut seats: BTreeMap<String, Connection<JsonMeta>> = BTreeMap::new();
    let mut churn: Option<tokio::task::JoinHandle<()>> = None;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("track", key) => {
                let connection = node.connect();
                connection.track(TOPIC, key, &JsonMeta::new("online")?)?;
                seats.insert(key.to_owned(), connection);
                println!("tracked {key}");
            }
            ("drop", key) => println!("dropped {}", seats.remove(key).is_some()),
            ("view", _) => println!("view {}", view(&node)),
            ("departed", _) => println!(
                "departed {}",
                joined(&std::mem::take(
                    &mut *departed.lock().map_err(|_| "a panic")?,
                ))
            ),
            ("status", _) => println!("{}", serde_json::to_string(&node.status())?),
            ("churn", rate) => {
                let rate: u32 = rate.parse()?;
                if let Some(running) = churn.take() {
                    running.abort();
                    let _ = running.await;
                }
                if rate > 0 {
                    churn = Some(tokio::spawn(come_and_go(node.clone(), rate)));
                }
                println!("churning {rate}");
            }
            ("drain", _) => {
                node.drain();
                println!("draining");
            }
            ("stop", _) => break,
            _ => println!("{USAGE}"),
        }
    }
    node.shutdown().await;
    println!("stopped");
    Ok(())
}

/// Keeps the keys whose last entry left, until the script asks for them.
fn follow(node: &Node<JsonMeta>) -> Arc<Mutex<Vec<String>>> {
    let departed = Arc::new(Mutex::new(Vec::new()));
    let mut updates = node.topic(TOPIC).subscribe();
    let kept = Arc::clone(&departed);
    tokio::spawn(async move {
        while let Some(update) = updates.next().await {
            if let (Update::Change(change), Ok(mut kept)) = (update, kept.lock()) {
                kept.extend_from_slice(change.departed());
            }
        }
    });
    departed
}

fn view(node: &Node<JsonMeta>) -> String {
    let members = node.topic(TOPIC).members();
    let keys: BTreeSet<String> = members.iter().map(|entry| entry.key().to_owned()).collect();
    joined(&keys.into_iter().collect::<Vec<_>>())
}

fn joined(keys: &[String]) -> String {
    let mut line = String::new();
    for key in keys {
        let _ = write!(line, "{key} ");
    }
    line.trim_end().to_owned()
}

/// Guests that come and go, some at a time, in a topic of their own.
async fn come_and_go(node: Node<JsonMeta>, per_second: u32) {
    let mut every = tokio::time::interval(Duration::from_secs(1) / per_second);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut here = std::collections::VecDeque::new();
    for guest in 0_u64.. {
        every.tick().await;
        let connection = node.connect();
        let meta = JsonMeta::new(&guest).unwrap_or_default();
        if connection
            .track("churn", &format!("guest-{guest}"), &meta)
            .is_err()
        {
            return;
        }
        here.push_back(connection);
        if here.len() > 50 {
            here.pop_front();
        }
    }
}
