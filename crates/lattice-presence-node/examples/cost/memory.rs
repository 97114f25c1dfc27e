//! A node in memory, compared with the state alone.

use lattice_presence::PresenceState;
use lattice_presence_node::engine::Memory;
use lattice_presence_node::{JsonMeta, Node, Update};

use crate::clock::{Clock, Cost, Table};
use crate::{Effort, MEMBERS, Result, on_one_thread};

const PLAIN: &str = "`join`, `take_delta`, `merge_delta_with_diff`: no node";
const SEEN: &str = "`track`, until a subscriber of another node has the change (`Memory`)";
const READ: &str = "`members()` of 10";

pub(crate) fn run(effort: Effort) -> Result<()> {
    on_one_thread(async {
        let meta = JsonMeta::new("online")?;
        let mut table = Table::new();
        let mut pair = Pair::start(&meta).await?;
        for _ in 0..effort.turns {
            table.add(PLAIN, plain(effort.times, &meta)?);
            table.add(SEEN, pair.seen(effort.times, &meta).await?);
            table.add(READ, pair.members(effort.times)?);
        }
        Table::head();
        table.print(PLAIN, "");
        table.print(SEEN, PLAIN);
        table.print(READ, "");
        Ok(())
    })
}

fn plain(times: u32, meta: &JsonMeta) -> Result<Cost> {
    let (mut a, mut b) = (PresenceState::new("a"), PresenceState::<JsonMeta>::new("b"));
    let clock = Clock::start()?;
    for number in 0..times {
        let (pid, key) = (format!("pid-{number}"), format!("user-{number}"));
        let _ = a.join(&pid, "room", &key, meta.clone())?;
        let delta = a.take_delta().ok_or("nothing was written")?;
        let diff = b.merge_delta_with_diff(&delta)?;
        if diff.joins().count() != 1 {
            return Err("a join did not arrive".into());
        }
    }
    clock.stop(times)
}

struct Pair {
    a: Node,
    b: Node,
    _hall: Vec<lattice_presence_node::Connection<JsonMeta>>,
}

impl Pair {
    async fn start(meta: &JsonMeta) -> Result<Self> {
        let network = Memory::new();
        let a: Node = Node::builder("a").engine(network.clone()).start().await?;
        let b: Node = Node::builder("b").engine(network).start().await?;
        let mut hall = Vec::new();
        for number in 0..MEMBERS {
            let connection = a.connect();
            connection.track("hall", &format!("user-{number}"), meta)?;
            hall.push(connection);
        }
        Ok(Self { a, b, _hall: hall })
    }

    async fn seen(&mut self, times: u32, meta: &JsonMeta) -> Result<Cost> {
        let mut updates = self.b.topic("room").subscribe();
        let _ = updates.next().await;
        let mut kept = Vec::new();
        let clock = Clock::start()?;
        for number in 0..times {
            let connection = self.a.connect();
            connection.track("room", &format!("user-{number}"), meta)?;
            kept.push(connection);
            match updates.next().await {
                Some(Update::Change(change)) if change.joins().len() == 1 => {}
                other => return Err(format!("not the change: {other:?}").into()),
            }
        }
        let cost = clock.stop(times)?;
        drop(kept);
        while !self.b.topic("room").is_empty() {
            let _ = updates.next().await;
        }
        Ok(cost)
    }

    fn members(&self, times: u32) -> Result<Cost> {
        let hall = self.a.topic("hall");
        let clock = Clock::start()?;
        for _ in 0..times {
            if std::hint::black_box(hall.members()).len() != MEMBERS {
                return Err("not all are there".into());
            }
        }
        clock.stop(times)
    }
}
