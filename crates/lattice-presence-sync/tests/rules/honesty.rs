//! R12: the honest view.

use lattice_presence_sync::{Liveness, Sync, Trust};

use crate::net::{Net, config, millis, secs};

#[test]
fn r12_a_fresh_node_is_unsettled_until_it_has_heard_and_repaired() {
    let config = config(Trust::Owners);
    let mut net = Net::settled(&["a", "b"], &config);
    net.join(0, "alice");
    let fresh = net.start("c", &config);
    assert!(!net.nodes[fresh].is_settled());
    net.lost.insert("answer");
    net.run(secs(10));
    assert!(!net.nodes[fresh].is_settled(), "it hears, and lacks");
    assert!(net.keys(fresh).is_empty());
    assert!(net.nodes[fresh].peer(&"a".into()).unwrap().repairing);
    net.lost.clear();
    net.run(secs(15));
    assert!(net.nodes[fresh].is_settled());
    assert_eq!(net.keys(fresh), ["alice"]);
}

#[test]
fn r12_alone_a_node_is_settled_after_its_patience() {
    let mut net = Net::new(&["a"], &config(Trust::Owners));
    net.run(millis(4_900));
    assert!(!net.nodes[0].is_settled());
    net.run(millis(200));
    assert!(net.nodes[0].is_settled());
}

#[test]
fn r12_a_fresh_node_that_heard_the_first_waits_for_the_others() {
    let config = config(Trust::Owners);
    let mut net = Net::settled(&["a", "b"], &config);
    let fresh = net.start("c", &config);
    net.run(millis(1_000));
    assert!(!net.nodes[fresh].is_settled());
    net.run(secs(3));
    assert!(net.nodes[fresh].is_settled());
}

#[test]
fn r12_the_status_says_who_agrees_and_since_when() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let b = net.id(1);
    let status = net.nodes[0].peer(&b).unwrap();
    let since = status.agrees_since.unwrap();
    assert_eq!(status.liveness, Liveness::Up);
    assert!(status.last_heard.unwrap() >= since && status.since <= since);
    net.join(1, "bob");
    assert_eq!(net.nodes[0].peer(&b).unwrap().agrees_since, Some(since));
    // A push is lost, and the next heartbeat tells.
    net.lost.insert("push");
    net.join(1, "ben");
    net.lost.clear();
    net.lost.insert("question");
    net.run(secs(3));
    let status = net.nodes[0].peer(&b).unwrap();
    assert_eq!((status.agrees_since, status.repairing), (None, true));
    assert!(!net.nodes[0].is_settled());
    net.lost.clear();
    net.run(secs(5));
    let again = net.nodes[0].peer(&b).unwrap().agrees_since.unwrap();
    assert!(again > since && net.nodes[0].is_settled());
}

#[test]
fn r12_who_is_down_or_leaving_does_not_unsettle() {
    let mut net = Net::settled(&["a", "b", "c"], &config(Trust::Owners));
    net.lost.insert("push");
    net.join(1, "bob");
    net.lost.clear();
    net.isolate(1, true);
    net.run(secs(13));
    assert!(net.nodes[0].is_settled());
    assert!(net.nodes.iter().skip(2).all(Sync::is_settled));
}
