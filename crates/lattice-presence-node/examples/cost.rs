//! What a node costs, beside the plain state and beside what one would build on Redis.
//!
//! `cargo run --release -p lattice-presence-node --features redis --example cost`
//!
//! Everything runs on one thread, whose own time is measured, not the wall's: waiting is
//! not work. For Redis, where waiting is most of it, the time until the answer stands
//! beside it. The server is one of this machine, started for the run; its work comes on
//! top and is not counted.
#![allow(
    clippy::print_stdout,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::cast_precision_loss,
    reason = "a program has standard output and the standard library, and prints ratios"
)]

use std::error::Error;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lattice_presence::PresenceState;
use lattice_presence_node::engine::Memory;
use lattice_presence_node::{JsonMeta, Node, Update};
use redis::aio::MultiplexedConnection;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How often each operation is measured.
const TIMES: u32 = 10_000;

/// Who is in the room already.
const MEMBERS: usize = 10;

/// What one operation took.
#[derive(Clone, Copy)]
struct Cost {
    /// Of this thread, in nanoseconds.
    work: f64,
    /// Until it was done, in nanoseconds.
    wall: f64,
}

/// A span of work of this thread.
struct Clock(u64, Instant);

impl Clock {
    fn start() -> Result<Self> {
        Ok(Self(Self::work()?, Instant::now()))
    }

    /// Nanoseconds on a processor, as the kernel counts them.
    fn work() -> Result<u64> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
        Ok(text.split_whitespace().next().unwrap_or_default().parse()?)
    }

    fn stop(&self, times: u32) -> Result<Cost> {
        let times = f64::from(times);
        Ok(Cost {
            work: (Self::work()? - self.0) as f64 / times,
            wall: self.1.elapsed().as_nanos() as f64 / times,
        })
    }
}

fn row(what: &str, cost: Cost, beside: Option<Cost>) {
    let ratio = beside.map_or_else(String::new, |base| {
        format!("{:>7.1} ×", cost.work / base.work)
    });
    println!(
        "{what:<58} {:>9.2} µs {:>9.2} µs {ratio}",
        cost.work / 1e3,
        cost.wall / 1e3
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    println!("{:<58} {:>12} {:>12}", "", "work", "time");
    let meta = JsonMeta::new("online")?;
    let plain = plain(&meta)?;
    row(
        "join, take_delta, merge_delta_with_diff: no node",
        plain,
        None,
    );
    let (seen, members) = nodes(&meta).await?;
    row(
        "track, until a subscriber of another node has the change",
        seen,
        Some(plain),
    );
    row(&format!("members() of {MEMBERS}"), members, None);
    match Server::start() {
        Some(server) => beside_redis(&server, seen, members).await,
        None => {
            println!("SKIPPED Redis: no redis-server; `apt-get install redis-server`");
            Ok(())
        }
    }
}

fn plain(meta: &JsonMeta) -> Result<Cost> {
    let (mut a, mut b) = (PresenceState::new("a"), PresenceState::<JsonMeta>::new("b"));
    let clock = Clock::start()?;
    for number in 0..TIMES {
        let _ = a.join(
            &format!("pid-{number}"),
            "room",
            &format!("user-{number}"),
            meta.clone(),
        )?;
        let delta = a.take_delta().ok_or("nothing was written")?;
        let diff = b.merge_delta_with_diff(&delta)?;
        if diff.joins().count() != 1 {
            return Err("a join did not arrive".into());
        }
    }
    clock.stop(TIMES)
}

async fn nodes(meta: &JsonMeta) -> Result<(Cost, Cost)> {
    let network = Memory::new();
    let a: Node = Node::builder("a").engine(network.clone()).start().await?;
    let b: Node = Node::builder("b").engine(network).start().await?;
    let mut updates = b.topic("room").subscribe();
    let _ = updates.next().await;
    let mut kept = Vec::new();
    let clock = Clock::start()?;
    for number in 0..TIMES {
        let connection = a.connect();
        connection.track("room", &format!("user-{number}"), meta)?;
        kept.push(connection);
        match updates.next().await {
            Some(Update::Change(change)) if change.joins().len() == 1 => {}
            other => return Err(format!("not the change: {other:?}").into()),
        }
    }
    let seen = clock.stop(TIMES)?;

    kept.truncate(0);
    for number in 0..MEMBERS {
        let connection = a.connect();
        connection.track("hall", &format!("user-{number}"), meta)?;
        kept.push(connection);
    }
    let hall = a.topic("hall");
    let clock = Clock::start()?;
    for _ in 0..TIMES {
        if std::hint::black_box(hall.members()).len() != MEMBERS {
            return Err("not all are there".into());
        }
    }
    let members = clock.stop(TIMES)?;
    a.shutdown().await;
    b.shutdown().await;
    Ok((seen, members))
}

/// A hash for each topic with a time to live, and a message for each change: what is
/// usually built. A heartbeat would come on top.
async fn beside_redis(server: &Server, seen: Cost, members: Cost) -> Result<()> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{}/", server.port))?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut subscriber = client.get_async_pubsub().await?;
    subscriber.subscribe("room").await?;
    let mut changes = subscriber.into_on_message();

    let clock = Clock::start()?;
    for number in 0..TIMES {
        track(&mut connection, "room", number).await?;
        changes.next().await.ok_or("the subscription ended")?;
    }
    let there = clock.stop(TIMES)?;
    row(
        "Redis: track, until a subscriber has the change",
        there,
        Some(seen),
    );

    for number in 0..u32::try_from(MEMBERS)? {
        track(&mut connection, "hall", number).await?;
    }
    let clock = Clock::start()?;
    for _ in 0..TIMES {
        let mut read = redis::cmd("HGETALL");
        let all: Vec<(String, String)> = read.arg("hall").query_async(&mut connection).await?;
        if all.len() != MEMBERS {
            return Err("not all are there".into());
        }
    }
    let cost = clock.stop(TIMES)?;
    row(&format!("Redis: members of {MEMBERS}"), cost, Some(members));
    Ok(())
}

async fn track(connection: &mut MultiplexedConnection, topic: &str, number: u32) -> Result<()> {
    let (field, value) = (format!("user-{number}:pid-{number}"), r#""online""#);
    let mut pipe = redis::pipe();
    pipe.cmd("HSET").arg(topic).arg(&field).arg(value).ignore();
    pipe.cmd("EXPIRE").arg(topic).arg(30).ignore();
    pipe.cmd("PUBLISH")
        .arg(topic)
        .arg(format!("+{field}"))
        .ignore();
    Ok(pipe.query_async::<()>(connection).await?)
}

/// A server of this run's own.
struct Server {
    port: u16,
    child: Child,
}

impl Server {
    fn start() -> Option<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").ok()?;
        let port = listener.local_addr().ok()?.port();
        drop(listener);
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().ok()?;
        let server = Self { port, child };
        let until = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
