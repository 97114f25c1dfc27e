//! A short day of a chat service.

use std::error::Error;

use crate::cluster::{Cluster, NAMES};
use crate::stage::Command;
use crate::view::Timeline;

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

/// Plays the day; an error where the nodes do not end with one view.
pub(crate) fn play() -> Result<(), Box<dyn Error>> {
    let timeline = Timeline::new(None);
    timeline.scene("Morning: three processes start, users join on each");
    let mut cluster = Cluster::start(timeline)?;
    morning(&mut cluster)?;
    changes(&mut cluster)?;
    node_loss(&mut cluster)?;
    partition(&mut cluster)?;
    evening(&mut cluster)
}

fn morning(cluster: &mut Cluster) -> Result<(), Box<dyn Error>> {
    for (node, topic, user) in [
        (A, "lobby", "alice"),
        (A, "rust", "amir"),
        (B, "lobby", "bob"),
        (B, "rust", "bea"),
        (C, "lobby", "carol"),
        (C, "games", "chen"),
    ] {
        join(cluster, node, topic, user, "online");
    }
    end_scene(cluster, "everybody sees everybody")
}

fn changes(cluster: &mut Cluster) -> Result<(), Box<dyn Error>> {
    let title = "Noon: bob changes his status, users leave on each node";
    cluster.timeline.scene(title);
    let status = Command::Status {
        topic: "lobby".into(),
        user: "bob".into(),
        status: "away".into(),
    };
    cluster.order(B, &status);
    leave(cluster, A, "rust", "amir");
    leave(cluster, B, "rust", "bea");
    leave(cluster, C, "games", "chen");
    join(cluster, B, "games", "bea", "playing");
    end_scene(cluster, "the changes are seen everywhere")
}

fn node_loss(cluster: &mut Cluster) -> Result<(), Box<dyn Error>> {
    let title = "node-b is killed: its users leave, and the others go on";
    cluster.timeline.scene(title);
    cluster.kill(B)?;
    join(cluster, A, "games", "ana", "playing");
    join(cluster, C, "rust", "chen", "online");
    end_scene(cluster, "the users of node-b have left")?;

    let title = "node-b restarts as a new incarnation, and its users return";
    cluster.timeline.scene(title);
    cluster.launch(B)?;
    join(cluster, B, "lobby", "bob", "back");
    join(cluster, B, "rust", "bea", "online");
    cluster.wait_for_digests()?;
    cluster.timeline.table(cluster.views());
    Ok(())
}

fn partition(cluster: &mut Cluster) -> Result<(), Box<dyn Error>> {
    let title = "The link between node-b and node-c is cut; both go on, node-a sees both";
    cluster.timeline.scene(title);
    cluster.set_cut(Some([B, C]));
    join(cluster, B, "games", "bruno", "playing");
    leave(cluster, B, "rust", "bea");
    join(cluster, C, "games", "chen", "playing");
    leave(cluster, C, "lobby", "carol");
    cluster.wait("both sides have removed each other", |cluster| {
        cluster.has_removed(B, C) && cluster.has_removed(C, B)
    })?;
    end_scene(cluster, "either side sees itself and node-a")?;

    cluster.timeline.scene("The link heals");
    cluster.set_cut(None);
    end_scene(cluster, "both sides see each other again")
}

fn evening(cluster: &mut Cluster) -> Result<(), Box<dyn Error>> {
    cluster.timeline.scene("Evening: some go home");
    leave(cluster, A, "games", "ana");
    leave(cluster, B, "games", "bruno");
    join(cluster, C, "lobby", "carol", "online");
    cluster.wait_for_digests()?;
    cluster.timeline.table(cluster.views());
    verdict(cluster)
}

/// Compares what the nodes see, and the digests of what they hold.
fn verdict(cluster: &Cluster) -> Result<(), Box<dyn Error>> {
    let mut views = cluster.views();
    let Some((_, first)) = views.next() else {
        return Err("no node is left to compare".into());
    };
    let mut names = Vec::new();
    for (node, view) in cluster.views() {
        names.push(NAMES[node]);
        if view != first {
            let pair = (NAMES[node], names[0]);
            return Err(format!("{} sees something else than {}", pair.0, pair.1).into());
        }
    }
    let (names, entries) = (names.join(", "), first.rows.len());
    println!("\nOne view on {names}, digests included (entries: {entries}).");
    Ok(())
}

fn end_scene(cluster: &mut Cluster, what: &str) -> Result<(), Box<dyn Error>> {
    cluster.wait_for_views(what)?;
    cluster.timeline.table(cluster.views());
    Ok(())
}

fn join(cluster: &mut Cluster, node: usize, topic: &str, user: &str, status: &str) {
    let command = Command::Join {
        topic: topic.into(),
        user: user.into(),
        status: status.into(),
    };
    cluster.order(node, &command);
}

fn leave(cluster: &mut Cluster, node: usize, topic: &str, user: &str) {
    let command = Command::Leave {
        topic: topic.into(),
        user: user.into(),
    };
    cluster.order(node, &command);
}
