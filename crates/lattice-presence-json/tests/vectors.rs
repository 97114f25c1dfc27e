//! Every scenario under `vectors/`, recorded from `lattice_presence` 2.0.0, run here.
//!
//! Where this implementation differs on purpose, a file `<name>.ours.json` beside the
//! scenario names the rules (`docs/semantics.md`) and states what happens here instead:
//! `results` by step, and whole `nodes`. An override that says what the recording says
//! already is an error, so that none outlives its reason.

#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "tests have std"
)]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(missing_docs, unreachable_pub, reason = "test modules")]

#[path = "vectors_support/expect.rs"]
mod expect;
#[path = "vectors_support/run.rs"]
mod run;

use expect::Vector;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// How many scenarios there are, and how many of them differ on purpose.
const SCENARIOS: usize = 55;
const DIFFERENCES: usize = 20;

fn files(suffix: &str) -> BTreeSet<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.to_str().unwrap().ends_with(suffix))
        .collect()
}

fn scenarios() -> BTreeSet<PathBuf> {
    let mut all = files(".json");
    all.retain(|path| !path.to_str().unwrap().ends_with(".ours.json"));
    all
}

#[test]
fn every_scenario_gives_what_was_recorded_or_what_a_rule_says() {
    let scenarios = scenarios();
    assert_eq!(scenarios.len(), SCENARIOS, "a scenario is missing, or new");
    for path in &scenarios {
        let vector = Vector::read(path);
        let run = run::run(&vector.steps);
        for (step, outcome) in run.outcomes.iter().enumerate() {
            let expected = vector.expected_outcome(step);
            assert_eq!(
                outcome, &expected,
                "{}, step {step}: {}",
                vector.name, vector.steps[step]
            );
        }
        vector.check_nodes(&run.nodes);
    }
}

#[test]
fn every_difference_belongs_to_a_scenario_and_names_its_rules() {
    let differences = files(".ours.json");
    assert_eq!(differences.len(), DIFFERENCES);
    let known = [
        "S2", "S4", "S6", "S7", "S9", "decoding", "encoding", "metadata",
    ];
    for path in &differences {
        let scenario = path.to_str().unwrap().replace(".ours.json", ".json");
        let vector = Vector::read(Path::new(&scenario));
        let ours = vector.ours.as_ref().unwrap();
        assert!(
            !ours.rules.is_empty() && ours.why.ends_with('.'),
            "{}",
            vector.name
        );
        assert!(
            ours.rules.iter().all(|rule| known.contains(&rule.as_str())),
            "{}",
            vector.name
        );
        vector.check_overrides_are_needed();
    }
}

#[test]
fn metadata_numbers_keep_their_digits() {
    let path = scenarios()
        .into_iter()
        .find(|path| path.to_str().unwrap().contains("metadata_numbers"))
        .unwrap();
    let vector = Vector::read(&path);
    let run = run::run(&vector.steps);
    let kept: Vec<_> = run.nodes["a"]
        .state
        .online_list()
        .map(|e| e.meta().as_str().to_owned())
        .collect();
    let joined = vector.steps.iter().filter_map(|step| step.meta.as_ref());
    let joined: Vec<_> = joined.map(|meta| meta.get().to_owned()).collect();
    assert_eq!(kept, joined);
    assert_eq!(kept[3], "123456789012345678901234567890");
}
