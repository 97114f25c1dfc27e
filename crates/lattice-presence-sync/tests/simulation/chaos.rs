//! A cluster under every fault there is, and what is left of it.

use std::collections::BTreeSet;
use std::time::Duration;

use lattice_presence_sync::{Config, Hint, Trust};

use super::checks;
use super::hostile::Hostile;
use super::network::Network;
use super::users::Users;
use super::world::{Tally, World};

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) length: Duration,
    pub(crate) loss: f64,
    pub(crate) seed: u64,
    pub(crate) trust: Trust,
    /// Changes a second, in the whole cluster.
    pub(crate) changes: f64,
    /// The mean pause between two faults; none at all where it is zero.
    pub(crate) faults: Duration,
    /// Whether one peer is hostile.
    pub(crate) hostile: bool,
}

impl Plan {
    pub(crate) fn new(nodes: usize, seed: u64) -> Self {
        Self {
            nodes,
            length: Duration::from_secs(10 * 60),
            loss: 0.1,
            seed,
            trust: match seed % 2 {
                0 => Trust::Owners,
                _ => Trust::Relays,
            },
            changes: 10.0,
            faults: Duration::from_secs(10),
            // Where anybody may speak for others, a liar is believed: that is the choice.
            hostile: seed.is_multiple_of(2),
        }
    }
}

/// The kinds of faults, in the order in which they are drawn.
pub(crate) const FAULTS: [&str; 14] = [
    "kill",
    "restart",
    "overlapping restart",
    "goodbye",
    "one-way link",
    "non-transitive links",
    "partition",
    "node without links",
    "broker gone",
    "frozen process",
    "clock step",
    "busy transport",
    "false hint",
    "rolling deployment",
];

const CHURN: u64 = 0;
const FAULT: u64 = 1;
const HEAL: u64 = 2;
const CHECK: u64 = 3;
const HOSTILE: u64 = 4;
/// A place to be started, or ended, from here on.
const START: u64 = 1_000;
const END: u64 = 2_000_000;

/// A run of a plan.
pub(crate) struct Chaos {
    pub(crate) world: World,
    plan: Plan,
    users: Users,
    hostile: Option<Hostile>,
    lives: usize,
}

impl Chaos {
    pub(crate) fn new(plan: Plan) -> Self {
        let mut config = Config::new("simulation");
        config.trust = plan.trust;
        // Shorter than in earnest, so that a run of minutes sees it.
        config.forget_after = Duration::from_secs(60);
        let network = Network::new(plan.loss);
        let mut world = World::new(plan.nodes, config, network, plan.seed);
        world.hints = plan.seed.is_multiple_of(3);
        Self {
            world,
            users: Users::default(),
            hostile: None,
            lives: plan.nodes,
            plan,
        }
    }

    /// Runs all of it, to one view at the end.
    pub(crate) fn run(mut self) -> Tally {
        self.start();
        let end = self.world.now + self.plan.length;
        while let Some(number) = self.world.run(end) {
            self.act(number, end);
        }
        self.converge();
        self.met_enough();
        self.world.tally
    }

    /// A run that met hardly a fault proves little. The first comes after 10 s, the last 20 s
    /// before the end.
    fn met_enough(&self) {
        let (length, pause) = (self.plan.length.as_secs(), self.plan.faults.as_secs());
        let planned = length.saturating_sub(30).checked_div(pause).unwrap_or(0);
        let met = |kind| self.world.tally.faults.get(kind).copied().unwrap_or(0);
        let met: u64 = FAULTS.iter().map(met).sum();
        assert!(
            met >= planned / 3,
            "met {met} faults, and there is time for {planned}"
        );
    }

    fn start(&mut self) {
        for place in 0..self.plan.nodes {
            self.world.start(place);
        }
        if self.plan.hostile {
            self.hostile = Some(Hostile::new(self.plan.seed));
        }
        let now = self.world.now;
        self.world.act_at(now, CHURN);
        self.world.act_at(now + Duration::from_secs(1), CHECK);
        self.world.act_at(now + Duration::from_secs(1), HOSTILE);
        if !self.plan.faults.is_zero() {
            self.world.act_at(now + Duration::from_secs(10), FAULT);
        }
    }

    fn act(&mut self, number: u64, end: Duration) {
        let now = self.world.now;
        match number {
            CHURN => {
                let population = 10 * self.plan.nodes;
                self.users.churn(&mut self.world, population);
                let pause = Users::pause(&mut self.world, self.plan.changes);
                self.world.act_at(now + pause, CHURN);
            }
            FAULT => {
                self.fault();
                let pause = self.world.rng.pause(self.plan.faults);
                // What is broken near the end must have the time to break something.
                if now + pause + Duration::from_secs(20) < end {
                    self.world.act_at(now + pause, FAULT);
                }
            }
            HEAL => self.world.network.heal(),
            CHECK => {
                self.end_superseded();
                self.check();
                self.world.act_at(now + Duration::from_secs(1), CHECK);
            }
            HOSTILE => {
                if let Some(mut hostile) = self.hostile.take() {
                    hostile.act(&mut self.world);
                    self.hostile = Some(hostile);
                    let pause = self.world.rng.pause(Duration::from_millis(300));
                    self.world.act_at(now + pause, HOSTILE);
                }
            }
            END.. => self.end((number - END) as usize),
            START.. => self.begin((number - START) as usize),
            _ => unreachable!("no such act"),
        }
    }

    fn begin(&mut self, place: usize) {
        if self.world.hosts[place].is_none() {
            self.world.start(place);
            self.lives += 1;
        }
    }

    fn end(&mut self, place: usize) {
        self.world.kill(place);
        self.users.forget_place(place);
    }

    /// A process that was told that it is superseded drains and stops.
    fn end_superseded(&mut self) {
        for place in self.world.running() {
            let host = self.world.hosts[place].as_ref();
            if host.is_some_and(|host| host.superseded > 0) {
                self.end(place);
                self.world.fault("yielded to a successor");
            }
        }
    }

    /// What must hold all the time.
    fn check(&mut self) {
        let config = &self.world.config;
        // The worst that is promised: its last word was read just before everybody was
        // alone, and alone until the grace was over.
        let patience = config.down_after + config.isolation_grace + config.down_after;
        checks::no_ghosts(&self.world, patience + Duration::from_secs(25));
        checks::bounded_memory(&self.world, self.lives + 2);
    }

    /// The place of a running process, and the other place of its name.
    fn any_place(&mut self) -> Option<(usize, usize)> {
        let running = self.world.running();
        if running.len() < 3 {
            return None;
        }
        let place = running[self.world.rng.below(running.len())];
        let names = self.world.names;
        Some((place, (place + names) % (2 * names)))
    }

    /// Too few processes run for a fault: a node of which none does comes back.
    fn begin_missing(&mut self) {
        let (hosts, names) = (&self.world.hosts, self.world.names);
        let is_gone = |name: &usize| hosts[*name].is_none() && hosts[*name + names].is_none();
        if let Some(name) = (0..names).find(is_gone) {
            self.begin(name);
        }
    }

    fn fault(&mut self) {
        let kind = FAULTS[self.world.rng.below(FAULTS.len())];
        let Some((place, other)) = self.any_place() else {
            self.begin_missing();
            return;
        };
        let now = self.world.now;
        let soon = now
            + self
                .world
                .rng
                .between(Duration::from_secs(1), Duration::from_secs(20));
        let is_free = self.world.hosts[other].is_none();
        match kind {
            "kill" => {
                self.end(place);
                self.world
                    .act_at(soon + Duration::from_secs(30), START + place as u64);
            }
            "restart" => {
                self.end(place);
                self.world.act_at(soon, START + place as u64);
            }
            "overlapping restart" if is_free => {
                self.begin(other);
                self.world.act_at(soon, END + place as u64);
            }
            "goodbye" => self.deploy(place, now),
            "rolling deployment" => {
                for (index, place) in self.world.running().into_iter().enumerate() {
                    self.deploy(place, now + Duration::from_secs(2) * index as u32);
                }
            }
            "frozen process" => {
                if let Some(host) = &mut self.world.hosts[place] {
                    host.frozen_until = soon;
                }
            }
            "clock step" => {
                let step = self.world.rng.below(120) as i64 - 60;
                if let Some(host) = &mut self.world.hosts[place] {
                    host.step_clock(step * 1_000_000_000);
                }
                self.world.call(place, |_| ());
            }
            "busy transport" => {
                if let Some(host) = &mut self.world.hosts[place] {
                    host.busy_until = soon;
                }
            }
            "false hint" => {
                let ids = self
                    .world
                    .hosts
                    .iter()
                    .flatten()
                    .map(|host| host.id.clone());
                for id in ids.collect::<Vec<_>>() {
                    self.world.hint(place, &id, Hint::Lost);
                }
            }
            _ => {
                if !self.cut(kind, place) {
                    return;
                }
                self.world.act_at(soon, HEAL);
            }
        }
        self.world.fault(kind);
    }

    /// A process says goodbye, its users go elsewhere, and its successor starts.
    fn deploy(&mut self, place: usize, at: Duration) {
        let now = self.world.now;
        if at > now {
            // Its turn comes: as an end and a start, without more words.
            self.world.act_at(at, END + place as u64);
            self.world
                .act_at(at + Duration::from_secs(1), START + place as u64);
            return;
        }
        self.world.call(place, |host| {
            let time = host.time(now);
            host.sync.leave_cluster(time);
        });
        let users = self.users.forget_place(place);
        let elsewhere = self.world.running();
        for user in users {
            let to = elsewhere[self.world.rng.below(elsewhere.len())];
            self.users.connect(&mut self.world, user, to);
        }
        self.world
            .act_at(now + Duration::from_secs(2), END + place as u64);
        self.world
            .act_at(now + Duration::from_secs(3), START + place as u64);
    }

    /// Cuts links; whether it was such a fault.
    fn cut(&mut self, kind: &str, place: usize) -> bool {
        let places = 2 * self.world.names;
        let name = place % self.world.names;
        let names = self.world.names;
        let is_it = |other: usize| other % names == name;
        let half = self.world.rng.below(names.max(2) - 1) + 1;
        let third = (name + 1) % names;
        if kind == "broker gone" {
            self.world.network.is_dark = true;
            return true;
        }
        for from in 0..places {
            for to in 0..places {
                let cut = match kind {
                    "one-way link" => is_it(from) && to % names == third,
                    "non-transitive links" => {
                        (is_it(from) && to % names == third) || (is_it(to) && from % names == third)
                    }
                    "partition" => (from % names < half) != (to % names < half),
                    "node without links" => is_it(from) || is_it(to),
                    _ => return false,
                };
                if cut && from != to {
                    self.world.network.cut(from, to);
                }
            }
        }
        true
    }

    /// Everything is whole again and nobody writes: what is left is one view.
    fn converge(&mut self) {
        self.world.network.heal();
        let config = &self.world.config;
        let patience = config.down_after + config.isolation_grace + config.down_after;
        let end = self.world.now + patience + Duration::from_secs(60);
        while let Some(number) = self.world.run(end) {
            match number {
                END.. => self.end((number - END) as usize),
                START.. if number >= START => self.begin((number - START) as usize),
                CHECK => {
                    self.end_superseded();
                    let now = self.world.now;
                    self.world.act_at(now + Duration::from_secs(1), CHECK);
                }
                _ => {}
            }
        }
        // A few lossless rounds, so that the last word of everybody arrived.
        self.world.network.loss = 0.0;
        let end = self.world.now + Duration::from_secs(15);
        while self.world.run(end).is_some() {}
        let except = self.hostile.iter().map(|hostile| hostile.id.clone());
        let except: BTreeSet<_> = except.collect();
        checks::one_view(&self.world);
        checks::one_membership(&self.world, &except);
    }
}
