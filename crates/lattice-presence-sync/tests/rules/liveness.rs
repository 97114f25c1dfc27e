//! R6 and R7: who is there, and who is forgotten.

use lattice_presence::{CausalContext, Dot, Presence, PresenceDelta};
use lattice_presence_sync::{Body, Cause, Hint, Liveness, Sync, Trust};

use crate::net::{Net, Seen, config, millis, push, say, secs};

#[test]
fn r6_who_is_silent_is_down_and_who_is_heard_again_is_up() {
    let mut net = Net::settled(&["a", "b", "c"], &config(Trust::Owners));
    net.join(2, "carol");
    let c = net.id(2);
    net.isolate(2, true);
    net.run(secs(8));
    assert_eq!(net.keys(0), ["carol"]);
    assert_eq!(net.liveness(0, &c), Some(Liveness::Up));
    net.run(secs(4));
    assert_eq!(net.liveness(0, &c), Some(Liveness::Down));
    assert!(net.keys(0).is_empty());
    let left = Seen::Left("carol".into(), Cause::Down(c.clone()));
    assert!(net.events[0].contains(&Seen::Down(c.clone())) && net.events[0].contains(&left));

    net.isolate(2, false);
    net.run(secs(3));
    assert_eq!(net.keys(0), ["carol"]);
    let joined = Seen::Joined("carol".into(), Cause::Up(c.clone()));
    assert!(net.events[0].contains(&Seen::Up(c)) && net.events[0].contains(&joined));
    assert!(net.nodes.iter().all(Sync::is_settled));
}

/// Words of a relay about somebody who is long dead.
fn hearsay(about: &str, last: u64) -> PresenceDelta<&'static str> {
    let mut context = CausalContext::new();
    context.insert_range(about.into(), 1..=last);
    let dot = Dot::new(about.into(), last);
    let entry = Presence::new(dot, "room", "ghost", "pid", "");
    PresenceDelta::from_parts("relay".into(), context, vec![entry]).unwrap()
}

#[test]
fn r6_who_was_never_heard_is_down_that_long_after_it_was_heard_of() {
    let config = config(Trust::Relays);
    let mut net = Net::new(&["a", "b"], &config);
    net.run(secs(1));
    let b = net.id(1);
    let push = push(1, hearsay("dead", 5));
    net.receive(0, &b, say(&b, push));
    assert_eq!(net.keys(0), ["ghost"], "it may be alive");
    assert_eq!(net.liveness(0, &"dead".into()), Some(Liveness::Stale));
    net.run(secs(9));
    assert_eq!(net.keys(0), ["ghost"]);
    net.run(secs(2));
    assert!(net.keys(0).is_empty());
    assert_eq!(net.liveness(0, &"dead".into()), Some(Liveness::Down));
}

#[test]
fn r6_a_node_that_listens_for_long_shows_no_flash_of_the_dead() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Relays));
    net.run(secs(10));
    net.events[0].clear();
    let b = net.id(1);
    let push = push(1, hearsay("dead", 5));
    net.receive(0, &b, say(&b, push));
    assert!(net.events[0].is_empty(), "{:?}", net.events[0]);
    assert_eq!(net.liveness(0, &"dead".into()), Some(Liveness::Down));
    // Should it live after all, it is shown as soon as it is heard.
    let heartbeat = Body::Heartbeat {
        line: Default::default(),
        pushes: 0,
    };
    net.receive(0, &"dead".into(), say(&"dead".into(), heartbeat));
    assert_eq!(net.keys(0), ["ghost"]);
}

#[test]
fn r6_a_lost_peer_is_down_after_the_grace_if_anybody_else_is_heard() {
    let mut net = Net::settled(&["a", "b", "c"], &config(Trust::Owners));
    let (b, now) = (net.id(1), net.now);
    net.isolate(1, true);
    net.nodes[0].hint(now, &b, Hint::Lost);
    net.run(millis(900));
    assert_eq!(net.liveness(0, &b), Some(Liveness::Up));
    net.run(millis(2_000));
    assert_eq!(net.liveness(0, &b), Some(Liveness::Down));
}

#[test]
fn r6_a_hint_is_no_truth() {
    let mut net = Net::settled(&["a", "b", "c"], &config(Trust::Owners));
    let (b, now) = (net.id(1), net.now);
    net.events[0].clear();
    // Nobody else is heard meanwhile, then b itself is.
    net.cut.insert((1, 0));
    net.nodes[0].hint(now, &b, Hint::Lost);
    net.run(millis(500));
    net.cut.clear();
    net.nodes[1].hint(net.now, &"a".into(), Hint::Up); // hurries a heartbeat
    net.run(millis(400));
    net.run(secs(20));
    assert_eq!(net.liveness(0, &b), Some(Liveness::Up));
    assert!(net.events[0].is_empty(), "{:?}", net.events[0]);
}

#[test]
fn r6_who_hears_nobody_blames_itself_first() {
    let mut net = Net::settled(&["a", "b", "c"], &config(Trust::Owners));
    net.join(1, "bob");
    net.join(2, "carol");
    net.isolate(0, true);
    // The transport calls everybody lost: its own link is.
    for peer in [net.id(1), net.id(2)] {
        net.nodes[0].hint(net.now, &peer, Hint::Lost);
    }
    net.run(secs(12));
    assert!(net.nodes[0].is_isolated() && !net.nodes[1].is_isolated());
    assert_eq!(net.keys(0), ["bob", "carol"]);
    let b = net.id(1);
    assert_eq!(net.liveness(0, &b), Some(Liveness::Stale));
    net.run(secs(25));
    assert_eq!(net.keys(0), ["bob", "carol"], "within the grace");
    net.run(secs(5));
    assert!(net.keys(0).is_empty(), "the grace is over");
    // The others saw at once that a is gone.
    net.isolate(0, false);
    net.run(secs(4));
    assert_eq!(net.keys(0), ["bob", "carol"]);
}

#[test]
fn r6_a_broken_cable_hides_nobody_though_peers_were_last_heard_at_different_times() {
    let mut net = Net::settled(&["a", "b", "c"], &config(Trust::Owners));
    net.join(1, "bob");
    net.run(millis(700));
    net.join(2, "carol");
    net.run(millis(100));
    net.isolate(0, true);
    net.run(secs(12));
    assert!(net.nodes[0].is_isolated());
    assert_eq!(net.keys(0), ["bob", "carol"]);
}

#[test]
fn r6_when_isolation_ends_nobody_departs_who_is_there() {
    let mut net = Net::settled(&["a", "b", "c"], &config(Trust::Owners));
    net.join(1, "bob");
    net.join(2, "carol");
    net.isolate(0, true);
    net.run(secs(20));
    net.events[0].clear();
    // b is heard a while before c is.
    net.cut.remove(&(1, 0));
    net.run(secs(2));
    // Something is due of somebody, so that all are judged.
    let b = net.id(1);
    net.nodes[0].hint(net.now, &b, Hint::Lost);
    net.run(secs(2));
    net.isolate(0, false);
    net.run(secs(15));
    assert_eq!(net.keys(0), ["bob", "carol"]);
    assert!(net.events[0].is_empty(), "{:?}", net.events[0]);
}

#[test]
fn r6_a_process_that_slept_does_not_take_its_sleep_for_the_silence_of_others() {
    for nap in [secs(12), secs(600)] {
        let mut net = Net::settled(&["a", "b", "c"], &config(Trust::Owners));
        net.join(1, "bob");
        net.join(2, "carol");
        net.events[0].clear();
        net.now += nap;
        // The messages of b in the meantime were in a buffer. c has sent nothing yet.
        net.nodes[1].advance(net.now);
        net.flush();
        net.nodes[0].advance(net.now);
        assert_eq!(net.keys(0), ["bob", "carol"]);
        net.run(secs(5));
        assert!(net.events[0].is_empty(), "{:?}", net.events[0]);
    }
}

#[test]
fn r6_a_clock_that_is_set_back_stops_nothing() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let back = net.now - secs(60);
    net.nodes[0].advance(back);
    let next = net.nodes[0].next_timeout().unwrap();
    assert!(next <= back + secs(2), "{next:?} after {back:?}");
    let heard = net.nodes[0].peers().next().unwrap().last_heard.unwrap();
    assert!(heard <= back, "times are those of the caller");
}

#[test]
fn r7_who_stays_down_is_forgotten_and_seen_again_whole_when_it_returns() {
    for trust in [Trust::Owners, Trust::Relays] {
        let mut config = config(trust);
        config.forget_after = secs(60);
        let mut net = Net::settled(&["a", "b", "c"], &config);
        for key in ["carol", "cora", "cleo"] {
            net.join(2, key);
        }
        let c = net.id(2);
        net.isolate(2, true);
        net.run(secs(65));
        let state = net.nodes[0].state();
        assert_eq!(state.entries().count(), 3, "down, and kept");
        net.run(secs(8));
        let state = net.nodes[0].state();
        assert_eq!(
            (state.entries().count(), state.context().get(&c)),
            (0, None)
        );
        assert!(net.events[0].contains(&Seen::Forgotten(c.clone())));
        net.leave(2, "cora");
        net.join(2, "cid");

        net.isolate(2, false);
        net.run(secs(5));
        assert_eq!(net.keys(0), ["carol", "cid", "cleo"]);
        assert!(net.nodes.iter().all(Sync::is_settled));
    }
}

#[test]
fn r7_nothing_is_left_of_who_is_forgotten() {
    for trust in [Trust::Owners, Trust::Relays] {
        let mut config = config(trust);
        config.forget_after = secs(60);
        let mut net = Net::settled(&["a", "b", "c"], &config);
        net.join(2, "carol");
        let c = net.id(2);
        net.isolate(2, true);
        net.run(secs(75 + 65));
        assert_eq!(net.liveness(0, &c), None);
        let state = net.nodes[0].state();
        assert!(!state.is_down(&c), "no mark");
        assert!(state.line(&c).is_none(), "no filter");
        assert_eq!(
            state.replicas().count(),
            1,
            "{:?}",
            state.replicas().collect::<Vec<_>>()
        );
    }
}
