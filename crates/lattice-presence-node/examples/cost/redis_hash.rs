//! Presence as people usually build it on Redis. Each topic has a hash, or a sorted set by
//! time, with a time to live. Each change is also a message. Two things would come on top:
//! heartbeats that renew the entries, and a job that removes those of dead processes.
//!
//! It is compared with a node that uses the same server as its engine.

use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use lattice_presence_node::engine::Redis;
use lattice_presence_node::{Connection, JsonMeta, Node, Subscription, Update};
use redis::aio::MultiplexedConnection;

use crate::clock::{Clock, Cost, Table};
use crate::server::Server;
use crate::{Effort, MEMBERS, Result, on_one_thread};

const OPERATIONS: [[&str; 3]; 4] = [
    [
        "node: `track`",
        "hash: `HSET`, `EXPIRE`, `PUBLISH`",
        "sorted set: `ZADD`, `EXPIRE`, `PUBLISH`",
    ],
    [
        "node: `untrack`",
        "hash: `HDEL`, `PUBLISH`",
        "sorted set: `ZREM`, `PUBLISH`",
    ],
    [
        "node: `members()` of 10",
        "hash: `HGETALL` of 10",
        "sorted set: `ZRANGE` of 10 by time",
    ],
    [
        "node over Redis: `track`, until a subscriber of another node has it",
        "hash: written, until a subscriber has the message",
        "sorted set: written, until a subscriber has the message",
    ],
];

pub(crate) fn run(effort: Effort) -> Result<()> {
    let Some(server) = Server::start() else {
        println!("SKIPPED: no redis-server; `apt-get install redis-server`");
        return Ok(());
    };
    on_one_thread(async {
        let mut table = Table::new();
        let mut nodes = Nodes::start(&server).await?;
        let mut hash = Plain::start(&server, Kind::Hash).await?;
        let mut set = Plain::start(&server, Kind::SortedSet).await?;
        for _ in 0..effort.turns {
            for (at, names) in OPERATIONS.iter().enumerate() {
                table.add(names[0], nodes.measure(at, effort.times).await?);
                table.add(names[1], hash.measure(at, effort.times).await?);
                table.add(names[2], set.measure(at, effort.times).await?);
            }
        }
        Table::head();
        for names in OPERATIONS {
            table.print(names[0], "");
            table.print(names[1], names[0]);
            table.print(names[2], names[0]);
        }
        Ok(())
    })
}

/// Two nodes on one server.
struct Nodes {
    a: Node,
    b: Node,
    meta: JsonMeta,
    kept: Vec<Connection<JsonMeta>>,
    updates: Subscription<JsonMeta>,
}

impl Nodes {
    async fn start(server: &Server) -> Result<Self> {
        let start =
            |name: &'static str| Node::builder(name).engine(Redis::new(server.url())).start();
        let (a, b): (Node, Node) = (start("a").await?, start("b").await?);
        let meta = JsonMeta::new("online")?;
        let mut updates = b.topic("seen").subscribe();
        let _ = updates.next().await;
        for number in 0..MEMBERS {
            let connection = a.connect();
            connection.track("hall", &format!("user-{number}"), &meta)?;
            // The node keeps it as long as the handle lives.
            std::mem::forget(connection);
        }
        // A node that has not met its peer yet pushes to nobody.
        while b.status().peers.is_empty() || b.topic("hall").len() < MEMBERS {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Ok(Self {
            a,
            b,
            meta,
            kept: Vec::new(),
            updates,
        })
    }

    async fn measure(&mut self, operation: usize, times: u32) -> Result<Cost> {
        match operation {
            0 => {
                let clock = Clock::start()?;
                for number in 0..times {
                    let connection = self.a.connect();
                    connection.track("room", &format!("user-{number}"), &self.meta)?;
                    self.kept.push(connection);
                }
                // Sending it is work of the node as well.
                while self.b.topic("room").len() < self.kept.len() {
                    tokio::task::yield_now().await;
                }
                clock.stop(times)
            }
            1 => {
                let clock = Clock::start()?;
                self.kept.clear();
                while !self.b.topic("room").is_empty() {
                    tokio::task::yield_now().await;
                }
                clock.stop(times)
            }
            2 => {
                let hall = self.b.topic("hall");
                let clock = Clock::start()?;
                for _ in 0..times {
                    if std::hint::black_box(hall.members()).len() != MEMBERS {
                        return Err("not all are there".into());
                    }
                }
                clock.stop(times)
            }
            _ => self.seen(times).await,
        }
    }

    async fn seen(&mut self, times: u32) -> Result<Cost> {
        let mut kept = Vec::new();
        let clock = Clock::start()?;
        for number in 0..times {
            let connection = self.a.connect();
            connection.track("seen", &format!("user-{number}"), &self.meta)?;
            kept.push(connection);
            match self.updates.next().await {
                Some(Update::Change(change)) if change.joins().len() == 1 => {}
                other => return Err(format!("not the change: {other:?}").into()),
            }
        }
        let cost = clock.stop(times)?;
        drop(kept);
        while !self.b.topic("seen").is_empty() {
            let _ = self.updates.next().await;
        }
        Ok(cost)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Hash,
    SortedSet,
}

/// A connection that writes and reads, and one that subscribes.
struct Plain {
    kind: Kind,
    connection: MultiplexedConnection,
    changes: redis::aio::PubSubStream,
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

impl Plain {
    async fn start(server: &Server, kind: Kind) -> Result<Self> {
        let client = redis::Client::open(server.url())?;
        let connection = client.get_multiplexed_async_connection().await?;
        let (mut sink, changes) = client.get_async_pubsub().await?.split();
        let mut plain = Self {
            kind,
            connection,
            changes,
        };
        sink.subscribe(plain.topic("seen")).await?;
        // The stream lives as long as its sink.
        std::mem::forget(sink);
        for number in 0..u32::try_from(MEMBERS)? {
            plain.track("hall", number).await?;
        }
        Ok(plain)
    }

    fn topic(&self, topic: &str) -> String {
        match self.kind {
            Kind::Hash => format!("hash:{topic}"),
            Kind::SortedSet => format!("set:{topic}"),
        }
    }

    async fn measure(&mut self, operation: usize, times: u32) -> Result<Cost> {
        let clock = Clock::start()?;
        for number in 0..times {
            match operation {
                0 => self.track("room", number).await?,
                1 => self.untrack("room", number).await?,
                2 => {
                    if self.members("hall").await? != MEMBERS {
                        return Err("not all are there".into());
                    }
                }
                _ => {
                    self.track("seen", number).await?;
                    self.changes.next().await.ok_or("the subscription ended")?;
                }
            }
        }
        clock.stop(times)
    }

    /// One round trip.
    async fn track(&mut self, topic: &str, number: u32) -> Result<()> {
        let (key, field) = (self.topic(topic), format!("user-{number}:pid-{number}"));
        let mut pipe = redis::pipe();
        match self.kind {
            Kind::Hash => pipe
                .cmd("HSET")
                .arg(&key)
                .arg(&field)
                .arg(r#""online""#)
                .ignore(),
            Kind::SortedSet => pipe.cmd("ZADD").arg(&key).arg(now()?).arg(&field).ignore(),
        };
        pipe.cmd("EXPIRE").arg(&key).arg(30).ignore();
        pipe.cmd("PUBLISH")
            .arg(&key)
            .arg(format!("+{field}"))
            .ignore();
        Ok(pipe.query_async::<()>(&mut self.connection).await?)
    }

    async fn untrack(&mut self, topic: &str, number: u32) -> Result<()> {
        let (key, field) = (self.topic(topic), format!("user-{number}:pid-{number}"));
        let mut pipe = redis::pipe();
        let remove = match self.kind {
            Kind::Hash => "HDEL",
            Kind::SortedSet => "ZREM",
        };
        pipe.cmd(remove).arg(&key).arg(&field).ignore();
        pipe.cmd("PUBLISH")
            .arg(&key)
            .arg(format!("-{field}"))
            .ignore();
        Ok(pipe.query_async::<()>(&mut self.connection).await?)
    }

    async fn members(&mut self, topic: &str) -> Result<usize> {
        let key = self.topic(topic);
        match self.kind {
            Kind::Hash => {
                let mut read = redis::cmd("HGETALL");
                let all: Vec<(String, String)> =
                    read.arg(key).query_async(&mut self.connection).await?;
                Ok(all.len())
            }
            Kind::SortedSet => {
                // Those of the last hour. Older ones belong to dead processes.
                let mut read = redis::cmd("ZRANGE");
                read.arg(key).arg(now()? - 3_600).arg("+inf").arg("BYSCORE");
                let all: Vec<String> = read.query_async(&mut self.connection).await?;
                Ok(all.len())
            }
        }
    }
}
