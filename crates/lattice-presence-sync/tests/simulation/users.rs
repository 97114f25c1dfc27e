//! Users: they come, change, go, and reconnect elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::World;

/// A connection of a user.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) user: usize,
    pub(crate) place: usize,
    pub(crate) pid: String,
}

/// Everybody who is connected, and where.
#[derive(Debug, Default)]
pub(crate) struct Users {
    pub(crate) connections: BTreeMap<String, Connection>,
    next: usize,
}

/// How many topics there are for so many users: about ten users in each.
fn topic(user: usize) -> String {
    format!("room:{}", user / 10)
}

impl Users {
    /// A user connects to the process in `place`.
    pub(crate) fn connect(&mut self, world: &mut World, user: usize, place: usize) {
        self.next += 1;
        let pid = format!("pid-{}", self.next);
        let now = world.now;
        let joined = world.call(place, |host| {
            let time = host.time(now);
            let key = format!("user-{user}");
            host.sync.join(time, &pid, &topic(user), &key, 0).is_ok()
        });
        if joined == Some(true) {
            world.tally.changes += 1;
            let connection = Connection {
                user,
                place,
                pid: pid.clone(),
            };
            self.connections.insert(pid, connection);
        }
    }

    /// A connection ends.
    pub(crate) fn disconnect(&mut self, world: &mut World, pid: &str) {
        if let Some(connection) = self.connections.remove(pid) {
            let now = world.now;
            world.call(connection.place, |host| {
                let time = host.time(now);
                host.sync.leave_by_pid(time, pid)
            });
            world.tally.changes += 1;
        }
    }

    /// One change somewhere: a join, a leave, an update, or a user who goes elsewhere.
    pub(crate) fn churn(&mut self, world: &mut World, population: usize) {
        let running = world.running();
        if running.is_empty() {
            return;
        }
        let place = running[world.rng.below(running.len())];
        let any = self.any(world);
        match (world.rng.below(10), any) {
            (0..4, _) if self.connections.len() < 2 * population => {
                let user = world.rng.below(population);
                self.connect(world, user, place);
            }
            (4..6, Some(any)) => {
                let now = world.now;
                let meta = world.rng.next() as u32;
                let changed = world.call(any.place, |host| {
                    let time = host.time(now);
                    let (key, topic) = (format!("user-{}", any.user), topic(any.user));
                    host.sync.update(time, &any.pid, &topic, &key, meta).is_ok()
                });
                world.tally.changes += u64::from(changed == Some(true));
            }
            (6..8, Some(any)) => {
                self.disconnect(world, &any.pid);
                self.connect(world, any.user, place);
            }
            (_, Some(any)) => self.disconnect(world, &any.pid),
            _ => {}
        }
    }

    fn any(&self, world: &mut World) -> Option<Connection> {
        let count = self.connections.len();
        let chosen = (count > 0).then(|| world.rng.below(count))?;
        self.connections.values().nth(chosen).cloned()
    }

    /// The connections of a process that is gone break.
    pub(crate) fn forget_place(&mut self, place: usize) -> Vec<usize> {
        let gone = |connection: &&Connection| connection.place == place;
        let users = self.connections.values().filter(gone);
        let users = users.map(|connection| connection.user).collect();
        self.connections
            .retain(|_, connection| connection.place != place);
        users
    }

    /// The time between two changes, if a cluster has so many a second.
    pub(crate) fn pause(world: &mut World, per_second: f64) -> Duration {
        world.rng.pause(Duration::from_secs(1).div_f64(per_second))
    }
}
