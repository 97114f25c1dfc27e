//! `cargo xtask simulate` runs clusters in virtual time, under faults, and prints the table
//! of their costs. It exits with 0 only if all assertions hold.
#![allow(
    clippy::print_stdout,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a command line program has standard output and the standard library"
)]

#[path = "../tests/simulation/chaos.rs"]
mod chaos;
#[path = "../tests/simulation/checks.rs"]
mod checks;
#[path = "../tests/simulation/host.rs"]
mod host;
#[path = "../tests/simulation/hostile.rs"]
mod hostile;
#[path = "../tests/simulation/network.rs"]
mod network;
#[path = "../tests/simulation/report.rs"]
mod report;
#[path = "../tests/simulation/rng.rs"]
mod rng;
#[path = "../tests/simulation/scenarios.rs"]
mod scenarios;
#[path = "../tests/simulation/sizes.rs"]
mod sizes;
#[path = "../tests/simulation/users.rs"]
mod users;
#[path = "../tests/simulation/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chaos::{Chaos, FAULTS, Plan};
use lattice_presence_sync::Trust;
use report::{HEAD, Row};
use world::Tally;

const USAGE: &str = "\
usage: cargo xtask simulate [--nodes N] [--minutes T] [--loss P] [--seed S]
                            [--trust owners|relays] [--changes PER_SECOND]
                            [--scale | --ci]

Without arguments: every situation once, in under a minute. With some of the first: one
cluster of N nodes for T minutes, under every fault, losing the fraction P of all messages.
--scale: the large clusters, and a pull of a million entries. --ci: a million steps.";

/// The faults that a run must meet. With fewer it proves nothing.
const LEAST_STEPS: u64 = 1_000_000;

#[derive(Default)]
struct Arguments {
    nodes: Option<usize>,
    minutes: Option<f64>,
    loss: Option<f64>,
    seed: Option<u64>,
    trust: Option<Trust>,
    changes: Option<f64>,
    scale: bool,
    ci: bool,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("simulate: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut runs = Runs::default();
    if arguments.scale {
        scale(&mut runs, arguments.seed.unwrap_or(1));
    } else if arguments.ci {
        ci(&mut runs, arguments.seed.unwrap_or(0));
    } else if arguments.is_one_cluster() {
        one_cluster(&mut runs, &arguments);
    } else {
        every_situation(&mut runs, arguments.seed.unwrap_or(0));
    }
    runs.finish(arguments.ci)
}

fn parse(mut given: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let mut arguments = Arguments::default();
    while let Some(name) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("{name} takes a value"));
        fn number<T: std::str::FromStr>(text: &str) -> Result<Option<T>, String> {
            text.parse()
                .map(Some)
                .map_err(|_| format!("`{text}` is no number"))
        }
        match name.as_str() {
            "--nodes" => arguments.nodes = number(&value()?)?,
            "--minutes" => arguments.minutes = number(&value()?)?,
            "--loss" => arguments.loss = number(&value()?)?,
            "--seed" => arguments.seed = number(&value()?)?,
            "--changes" => arguments.changes = number(&value()?)?,
            "--trust" => {
                arguments.trust = Some(match value()?.as_str() {
                    "owners" => Trust::Owners,
                    "relays" => Trust::Relays,
                    other => return Err(format!("nobody trusts `{other}`")),
                });
            }
            "--scale" => arguments.scale = true,
            "--ci" => arguments.ci = true,
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("no argument `{other}`")),
        }
    }
    arguments.check()?;
    Ok(Some(arguments))
}

impl Arguments {
    fn check(&self) -> Result<(), String> {
        if self
            .nodes
            .is_some_and(|nodes| !(3..=1_000).contains(&nodes))
        {
            return Err("--nodes lies between 3 and 1000: faults need a third node".into());
        }
        if self.loss.is_some_and(|loss| !(0.0..=0.5).contains(&loss)) {
            return Err("--loss is a fraction between 0 and 0.5".into());
        }
        if self
            .minutes
            .is_some_and(|minutes| !(0.5..=10_000.0).contains(&minutes))
        {
            return Err("--minutes lies between 0.5 and 10000".into());
        }
        if self
            .changes
            .is_some_and(|changes| !(0.1..=100_000.0).contains(&changes))
        {
            return Err("--changes lies between 0.1 and 100000".into());
        }
        Ok(())
    }

    const fn is_one_cluster(&self) -> bool {
        self.nodes.is_some() || self.minutes.is_some() || self.loss.is_some()
    }
}

/// The runs so far.
#[derive(Default)]
struct Runs {
    rows: Vec<Row>,
    steps: u64,
    faults: BTreeMap<&'static str, u64>,
}

impl Runs {
    fn run(&mut self, name: impl Into<String>, nodes: usize, run: impl FnOnce() -> Tally) {
        let (name, start) = (name.into(), Instant::now());
        eprintln!("simulate: {name}, {nodes} nodes …");
        let tally = run();
        self.steps += tally.steps;
        for (kind, count) in &tally.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        let row = Row {
            name,
            nodes,
            tally,
            took: start.elapsed(),
        };
        self.rows.push(row);
    }

    /// Prints the table. It returns whether the runs met enough faults.
    fn finish(&self, is_ci: bool) -> ExitCode {
        println!("{HEAD}");
        for row in &self.rows {
            println!("{}", row.line());
        }
        println!();
        for row in &self.rows {
            println!("{}", row.faults());
        }
        println!("{} steps in all", self.steps);
        if is_ci {
            let missed = FAULTS.iter().chain(&["hostile message"]);
            let missed =
                missed.filter(|kind| self.faults.get(*kind).is_none_or(|count| *count < 3));
            let missed: Vec<_> = missed.collect();
            if self.steps < LEAST_STEPS || !missed.is_empty() {
                eprintln!(
                    "simulate: too little was met: {} steps, {missed:?}",
                    self.steps
                );
                return ExitCode::FAILURE;
            }
        }
        ExitCode::SUCCESS
    }
}

fn one_cluster(runs: &mut Runs, arguments: &Arguments) {
    let seed = arguments.seed.unwrap_or(0);
    let nodes = arguments.nodes.unwrap_or(8);
    let mut plan = Plan::new(nodes, seed);
    plan.length = Duration::from_secs_f64(arguments.minutes.unwrap_or(10.0) * 60.0);
    plan.loss = arguments.loss.unwrap_or(0.1);
    plan.changes = arguments.changes.unwrap_or(plan.changes);
    if let Some(trust) = arguments.trust {
        plan.trust = trust;
        plan.hostile = trust == Trust::Owners;
    }
    println!("{plan:?}");
    runs.run("every fault", nodes, || Chaos::new(plan).run());
}

fn every_situation(runs: &mut Runs, seed: u64) {
    let both = [(Trust::Owners, "owners"), (Trust::Relays, "relays")];
    for (trust, name) in both {
        runs.run(format!("quiet, {name}"), 10, || {
            scenarios::quiet(10, 2, 50.0, trust, seed)
        });
        runs.run(format!("loss 10 %, {name}"), 30, || {
            scenarios::lossy(30, 2, 0.1, trust, seed)
        });
        runs.run(format!("small payloads, {name}"), 6, || {
            scenarios::small_payloads(6, 0.05, trust, seed)
        });
        runs.run(format!("start together, {name}"), 30, || {
            scenarios::start_together(30, 30, trust, seed)
        });
        runs.run(format!("a node returns, {name}"), 10, || {
            scenarios::returning(10, trust, seed)
        });
        runs.run(format!("halves apart, {name}"), 10, || {
            scenarios::halves(10, 3, trust, seed)
        });
        runs.run(format!("rolling deployment, {name}"), 6, || {
            scenarios::rolling(6, 0.05, trust, seed)
        });
    }
    for seed in seed..seed + 4 {
        let plan = Plan::new(6, seed);
        runs.run(format!("every fault, seed {seed}"), 6, || {
            Chaos::new(plan).run()
        });
    }
}

fn ci(runs: &mut Runs, seed: u64) {
    every_situation(runs, seed);
    for seed in seed + 4..seed + 12 {
        let plan = Plan::new(8, seed);
        runs.run(format!("every fault, seed {seed}"), 8, || {
            Chaos::new(plan).run()
        });
    }
}

fn scale(runs: &mut Runs, seed: u64) {
    for nodes in [3, 30, 100, 300] {
        // A minute of 300 nodes is four million messages.
        let minutes = 1;
        runs.run("quiet", nodes, || {
            scenarios::quiet(nodes, minutes, 10.0, Trust::Owners, seed)
        });
    }
    runs.run("loss 10 %", 100, || {
        scenarios::lossy(100, 1, 0.1, Trust::Owners, seed)
    });
    runs.run("start together", 100, || {
        scenarios::start_together(100, 10, Trust::Owners, seed)
    });
    runs.run("halves apart for 10 min", 20, || {
        scenarios::halves(20, 10, Trust::Owners, seed)
    });
    runs.run("a fresh node pulls 999,999", 4, || {
        scenarios::pull(999_999, seed)
    });
}
