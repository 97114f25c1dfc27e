//! How long messages are on the wire: an estimate of their JSON, field by field.

use lattice_presence::{CausalContext, ClockSet, Held, PresenceDelta, ReplicaDigest, ReplicaId};
use lattice_presence_sync::{Body, Message};

/// Bytes of a message.
pub(crate) fn of<M>(message: &Message<M>) -> usize {
    // {"v":1,"cluster":"…","shard":[0,1],"from":"…","kind":"…",…}
    let head = 54 + message.cluster.len() + id(&message.from) + message.body.kind().len();
    head + match &message.body {
        Body::Heartbeat { line, pushes } => of_line(line) + digits(*pushes) + 18,
        Body::Push { number, delta } => digits(*number) + 19 + of_delta(delta),
        Body::Question {
            id: number,
            missed,
            question,
        } => {
            let asked = question.iter().map(|(replica, asked)| {
                let parts = asked.parts.iter().map(|part| {
                    let held = match &part.held {
                        Held::Dots { clocks, .. } => 20 + of_clocks(clocks),
                        _ => 20,
                    };
                    digits(part.first) + digits(part.last) + held + 4
                });
                let sets = of_clocks(&asked.seen) + of_clocks(&asked.unwanted);
                id(replica) + sets + 40 + parts.sum::<usize>()
            });
            digits(*number) + of_clocks(missed) + 35 + asked.sum::<usize>()
        }
        Body::Answer {
            id: number,
            delta,
            differs,
            resent,
            ..
        } => digits(*number) + of_delta(delta) + of_context(differs) + of_clocks(resent) + 60,
        Body::Compare { digest, .. } => {
            let lines = digest.iter();
            let lines = lines.map(|(replica, line)| id(replica) + of_line(line));
            60 + lines.sum::<usize>()
        }
        _ => 20,
    }
}

/// Bytes of the entries and claims of a delta.
pub(crate) fn of_delta<M>(delta: &PresenceDelta<M>) -> usize {
    let entries = delta.entries().map(|entry| {
        let texts = entry.topic().len() + entry.key().len() + entry.pid().len();
        // {"tag":{"replica":"…","clock":1},"entry":{"topic":"…","key":"…","pid":"…","meta":{}}}
        80 + texts + id(&entry.dot().replica) + digits(entry.dot().clock)
    });
    40 + of_context(delta.context()) + entries.sum::<usize>()
}

fn of_context(context: &CausalContext<ReplicaId>) -> usize {
    let replicas = context.iter();
    let replicas = replicas.map(|(replica, clocks)| id(replica) + of_clocks(clocks) + 1);
    2 + replicas.sum::<usize>()
}

fn of_line(line: &ReplicaDigest) -> usize {
    of_clocks(&line.seen) + 18 + 34 + line.live.map_or(0, |live| 8 + digits(live))
}

fn of_clocks(clocks: &ClockSet) -> usize {
    let ranges = clocks.intervals();
    let ranges = ranges.map(|range| digits(*range.start()) + digits(*range.end()) + 4);
    2 + ranges.sum::<usize>()
}

fn id(replica: &ReplicaId) -> usize {
    replica.as_str().len() + 3
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}
