//! Single situations, each with what it must cost and what must hold.

use std::time::Duration;

use lattice_presence_sync::{Config, Trust};

use super::checks;
use super::network::Network;
use super::users::Users;
use super::world::{Tally, World};

const CHURN: u64 = 0;

/// A cluster whose nodes all run, after some time to meet.
fn cluster(nodes: usize, loss: f64, trust: Trust, seed: u64) -> World {
    let mut config = Config::new("simulation");
    config.trust = trust;
    let mut world = World::new(nodes, config, Network::new(loss), seed);
    for place in 0..nodes {
        world.start(place);
    }
    let end = world.now + Duration::from_secs(10);
    while world.run(end).is_some() {}
    world
}

/// Users come and go, so many times a second, for so long.
fn churn(world: &mut World, users: &mut Users, per_second: f64, length: Duration) {
    let end = world.now + length;
    let population = 10 * world.names;
    world.act_at(world.now, CHURN);
    while world.run(end).is_some() {
        users.churn(world, population);
        let next = world.now + Users::pause(world, per_second);
        if next < end {
            world.act_at(next, CHURN);
        }
    }
}

fn rest(world: &mut World, length: Duration) {
    let end = world.now + length;
    while world.run(end).is_some() {}
}

/// Bytes that a node sends in a second while nothing happens, each receiver counted.
fn idle_bytes(world: &mut World) -> f64 {
    world.network.loss = 0.0;
    rest(world, Duration::from_secs(5));
    let before = world.tally.sent.total();
    rest(world, Duration::from_secs(60));
    let nodes = world.running().len();
    (world.tally.sent.total() - before) as f64 / 60.0 / nodes as f64
}

/// Churn without loss: no repair at all (rule R5), and then silence but for heartbeats
/// (rule R3).
pub(crate) fn quiet(nodes: usize, minutes: u64, per_second: f64, trust: Trust, seed: u64) -> Tally {
    let mut world = cluster(nodes, 0.0, trust, seed);
    // Messages overtake each other all the time, by less than the delay of repairs.
    world.network.reordering = 0.1;
    let mut users = Users::default();
    let length = Duration::from_secs(60 * minutes);
    churn(&mut world, &mut users, per_second, length);
    let asked = world.tally.sent.messages_of("question");
    assert_eq!(asked, 0, "R5: questions without loss");
    assert_eq!(
        world.tally.sent.bytes_of(&["answer"]),
        0,
        "R5: answers without loss"
    );
    let heartbeats = world.tally.sent.messages_of("heartbeat");
    world.tally.idle = Some(idle_bytes(&mut world));
    assert!(world.tally.sent.messages_of("heartbeat") > heartbeats);
    checks::one_view(&world);
    world.tally
}

/// Churn with loss: what is lost comes, and costs not much more than it was (rule R4).
pub(crate) fn lossy(nodes: usize, minutes: u64, loss: f64, trust: Trust, seed: u64) -> Tally {
    let mut world = cluster(nodes, loss, trust, seed);
    let mut users = Users::default();
    let length = Duration::from_secs(60 * minutes);
    churn(&mut world, &mut users, nodes as f64, length);
    let (lost, answers) = (
        world.tally.lost_bytes,
        world.tally.sent.bytes_of(&["answer"]),
    );
    assert!(lost > 0, "nothing was lost");
    assert!(
        answers <= 3 * lost,
        "R4: answers of {answers} B for {lost} B"
    );
    world.network.loss = 0.0;
    rest(&mut world, Duration::from_secs(10));
    checks::one_view(&world);
    world.tally.idle = Some(idle_bytes(&mut world));
    let heartbeat = world.config.heartbeat;
    let median = world.tally.median().unwrap_or_default();
    assert!(
        median <= heartbeat * 3,
        "the median of repairs is {median:?}"
    );
    // On a link that loses messages, waiting longer after each loss would cost half a minute.
    let worst = world.tally.percentile(1.0).unwrap_or_default();
    assert!(worst <= heartbeat * 12, "the worst repair took {worst:?}");
    world.tally
}

/// Many users come and leave. The transport has small payloads, and loses some of them. For
/// each lost piece a node notices, by the number of the push, that it is missing.
pub(crate) fn small_payloads(nodes: usize, loss: f64, trust: Trust, seed: u64) -> Tally {
    let mut world = cluster(nodes, loss, trust, seed);
    world.max_bytes = 600;
    for round in 0..60 {
        for place in 0..nodes {
            let now = world.now;
            world.call(place, |host| {
                let time = host.time(now);
                for user in 0..30 {
                    let pid = format!("pid-{place}-{user}");
                    if (round + user) % 3 == 0 {
                        let _ = host.sync.leave_by_pid(time, &pid);
                    } else {
                        let (topic, key) = (format!("room:{user}"), format!("user-{user}"));
                        let _ = host.sync.join(time, &pid, &topic, &key, round);
                    }
                }
            });
            world.tally.changes += 30;
        }
        rest(&mut world, Duration::from_millis(500));
    }
    assert!(world.tally.cut >= 60, "{} were cut", world.tally.cut);
    let (lost, answers) = (
        world.tally.lost_bytes,
        world.tally.sent.bytes_of(&["answer"]),
    );
    // A push is told again as a whole, though one of its pieces was lost.
    assert!(
        lost > 0 && answers <= 8 * lost,
        "R4: answers of {answers} B for {lost} B"
    );
    world.network.loss = 0.0;
    let begin = world.now;
    let settled = until_settled(&mut world, Duration::from_secs(20));
    assert!(settled - begin <= Duration::from_secs(10), "settled late");
    checks::one_view(&world);
    world.tally
}

/// All nodes start at once, each with users: everybody lacks everything of everybody, and
/// that is what is sent (rule R4).
pub(crate) fn start_together(nodes: usize, each: usize, trust: Trust, seed: u64) -> Tally {
    let mut config = Config::new("simulation");
    config.trust = trust;
    let mut world = World::new(nodes, config, Network::new(0.0), seed);
    let mut users = Users::default();
    for place in 0..nodes {
        world.start(place);
        for user in 0..each {
            users.connect(&mut world, place * each + user, place);
        }
    }
    let begin = world.now;
    let settled = until_settled(&mut world, Duration::from_secs(60));
    world.tally.mended.push(settled - begin);
    checks::one_view(&world);
    let entry = 160;
    let missing = (nodes * (nodes - 1) * each * entry) as u64;
    let sent = world.tally.sent.bytes_of(&["push", "question", "answer"]);
    assert!(
        sent <= 3 * missing + 100_000,
        "R4: {sent} B for {missing} B that were missing"
    );
    world.tally
}

/// One node is cut off for two minutes while users come and leave, and returns. It gets what
/// it missed, once (rules R4 and R6).
pub(crate) fn returning(nodes: usize, trust: Trust, seed: u64) -> Tally {
    let mut world = cluster(nodes, 0.0, trust, seed);
    let mut users = Users::default();
    churn(&mut world, &mut users, 10.0, Duration::from_secs(60));
    for other in 1..nodes {
        world.network.cut(0, other);
        world.network.cut(other, 0);
    }
    world.fault("node without links");
    churn(&mut world, &mut users, 10.0, Duration::from_secs(120));
    let before = world.tally.sent.bytes_of(&["question", "answer"]);
    world.network.heal();
    let begin = world.now;
    let settled = until_settled(&mut world, Duration::from_secs(30));
    world.tally.mended.push(settled - begin);
    let repair = world.tally.sent.bytes_of(&["question", "answer"]) - before;
    // 1,200 changes on the one side, some on the other, to everybody.
    let missing = 1_200 * 200 * 2 + (nodes as u64) * (1_200 / nodes as u64) * 200;
    assert!(repair <= missing, "R4: {repair} B for about {missing} B");
    checks::one_view(&world);
    world.tally
}

/// Half of the nodes are apart from the other half for so long, under churn.
pub(crate) fn halves(nodes: usize, minutes: u64, trust: Trust, seed: u64) -> Tally {
    let mut world = cluster(nodes, 0.01, trust, seed);
    let mut users = Users::default();
    churn(&mut world, &mut users, 10.0, Duration::from_secs(30));
    for from in 0..nodes {
        for to in 0..nodes {
            if (from < nodes / 2) != (to < nodes / 2) {
                world.network.cut(from, to);
            }
        }
    }
    world.fault("partition");
    churn(
        &mut world,
        &mut users,
        10.0,
        Duration::from_secs(60 * minutes),
    );
    world.network.heal();
    world.network.loss = 0.0;
    let begin = world.now;
    let settled = until_settled(&mut world, Duration::from_secs(60));
    world.tally.mended.push(settled - begin);
    checks::one_view(&world);
    world.tally
}

/// A fresh node pulls very many entries from three (rules R4 and R13): in pieces, each
/// call short.
pub(crate) fn pull(entries: usize, seed: u64) -> Tally {
    let mut world = cluster(3, 0.0, Trust::Owners, seed);
    // Joined while the transport is busy, so that it is the pull that brings them.
    let busy = world.now + Duration::from_secs(1);
    for place in 0..3 {
        for user in 0..entries / 3 {
            let now = world.now;
            let host = world.hosts[place].as_mut().expect("it runs");
            host.busy_until = busy;
            let time = host.time(now);
            let (pid, topic) = (format!("pid-{place}-{user}"), format!("room:{}", user / 10));
            let key = format!("user-{place}-{user}");
            host.sync.join(time, &pid, &topic, &key, 0).expect("a join");
            host.take_events(now);
        }
    }
    world.names += 1;
    world.grow();
    rest(&mut world, Duration::from_secs(2));
    let begin = until_settled(&mut world, Duration::from_secs(600));
    let pushed = world.tally.sent.messages_of("push");
    let place = 3;
    world.start(place);
    let settled = until_settled(&mut world, Duration::from_secs(600));
    world.tally.mended.push(settled - begin);
    let host = world.hosts[place].as_ref().expect("it runs");
    assert_eq!(host.sync.state().len(), entries / 3 * 3);
    assert_eq!(
        world.tally.sent.messages_of("push"),
        pushed,
        "it was a pull"
    );
    let least = (entries / world.config.max_entries) as u64;
    assert!(
        world.tally.sent.messages_of("answer") >= least,
        "R13: in pieces"
    );
    world.tally
}

/// Nodes are replaced one after another, and their users connect again at once. Nobody
/// departs, and no entry stays that has left (rule R8).
pub(crate) fn rolling(nodes: usize, loss: f64, trust: Trust, seed: u64) -> Tally {
    let mut world = cluster(nodes, loss, trust, seed);
    let mut users = Users::default();
    for user in 0..nodes * 5 {
        users.connect(&mut world, user, user % nodes);
    }
    rest(&mut world, Duration::from_secs(10));
    for host in world.hosts.iter_mut().flatten() {
        host.departed.clear();
    }
    for round in 0..nodes {
        let now = world.now;
        world.call(round, |host| {
            let time = host.time(now);
            host.sync.leave_cluster(time);
        });
        let moved = users.forget_place(round);
        // Sockets close over a second. The client comes back a moment later.
        for user in moved {
            let pause = Duration::from_millis(1_000 / (nodes as u64 * 5));
            rest(&mut world, pause);
            let others = world.running();
            let others: Vec<_> = others.into_iter().filter(|place| *place != round).collect();
            let to = others[world.rng.below(others.len())];
            users.connect(&mut world, user, to);
        }
        rest(&mut world, Duration::from_secs(1));
        world.kill(round);
        rest(&mut world, Duration::from_millis(500));
        world.start(round);
        world.fault("rolling deployment");
        rest(&mut world, Duration::from_secs(8));
    }
    rest(&mut world, Duration::from_secs(20));
    for host in world.hosts.iter().flatten() {
        let departed = &host.departed;
        assert!(
            departed.is_empty(),
            "{}: R8: {departed:?} departed",
            host.id
        );
    }
    checks::no_ghosts(&world, Duration::from_secs(15));
    world.network.loss = 0.0;
    rest(&mut world, Duration::from_secs(10));
    checks::one_view(&world);
    world.tally
}

/// Runs until everybody is settled and holds the same, and says when that was.
fn until_settled(world: &mut World, most: Duration) -> Duration {
    let end = world.now + most;
    loop {
        let next = world.now + Duration::from_millis(100);
        while world.run(next).is_some() {}
        let mut hosts = world.hosts.iter().flatten();
        let settled = hosts.all(|host| host.sync.is_settled());
        let lengths: Vec<_> = world
            .hosts
            .iter()
            .flatten()
            .map(|host| host.seen.len())
            .collect();
        if settled && lengths.iter().all(|length| *length == lengths[0]) {
            return world.now;
        }
        assert!(world.now < end, "not settled after {most:?}: {lengths:?}");
    }
}
