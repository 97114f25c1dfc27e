//! `cargo xtask ci`: the checks of CI, step by step, but for one that is a job of its own
//! there: `cargo xtask msrv`.
//!
//! Every step runs even when an earlier one failed: one run names all that is
//! broken. A step that cannot run here is *skipped*, which the summary shouts.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::publish::publish;
use crate::shell::{self, Outcome, PUBLISHED, cargo};
use crate::workspace::{self, Package};
use crate::{docs, fuzz, licences, net, nodes, simulate, test, tidy};

/// Long enough to load a corpus and mutate it, short enough for every push.
const SMOKE_SECONDS: u64 = 10;

/// The crates that must build without the standard library.
const NO_STD: &[&str] = PUBLISHED.split_at(3).0;

/// The packages that are workspaces of their own.
const APART: [&str; 3] = [
    "xtask/fuzz/Cargo.toml",
    "examples/external-crdt/Cargo.toml",
    "benches/peers/Cargo.toml",
];

enum Verdict {
    Passed,
    Skipped(String),
    Failed(String),
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        outcome.map_or_else(Self::Failed, |()| Self::Passed)
    }
}

struct Step {
    name: &'static str,
    run: fn() -> Verdict,
}

/// Cheap ones first: most mistakes are found in seconds.
const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        run: || fmt().into(),
    },
    Step {
        name: "tidy",
        run: || tidy::run(&[]).into(),
    },
    Step {
        name: "licences",
        run: || licences::run().into(),
    },
    Step {
        name: "clippy",
        run: || clippy().into(),
    },
    Step {
        name: "features",
        run: || features().into(),
    },
    Step {
        name: "no-std",
        run: || no_std(None).into(),
    },
    Step {
        name: "bare-metal",
        run: bare_metal,
    },
    Step {
        // The corpora of the fuzz targets are replayed here as well.
        name: "test",
        run: || test::run(&[]).into(),
    },
    Step {
        name: "phoenix",
        run: || skippable("phoenix_client", "phoenix_client"),
    },
    Step {
        name: "clients",
        run: || skippable("clients", "clients"),
    },
    Step {
        name: "browser",
        run: || skippable("two_tabs", "browser"),
    },
    Step {
        name: "docs",
        run: || docs::run(&[]).into(),
    },
    Step {
        name: "simulate",
        run: || simulate::run(&["--ci".into()]).into(),
    },
    Step {
        name: "cluster",
        run: || cluster().into(),
    },
    Step {
        name: "day",
        run: || nodes::day(&[]).into(),
    },
    Step {
        name: "net",
        run: || net::is_allowed().map_or_else(Verdict::Skipped, |()| net::run(&[]).into()),
    },
    Step {
        name: "merge",
        run: || merge().into(),
    },
    Step {
        name: "todo-list",
        run: || todo_list().into(),
    },
    Step {
        name: "external-crdt",
        run: || external_crdt().into(),
    },
    Step {
        name: "publish",
        run: || publish().into(),
    },
    Step {
        name: "semver",
        run: semver,
    },
    Step {
        name: "deny",
        run: deny,
    },
    Step {
        name: "bench-test",
        run: || bench_test().into(),
    },
    Step {
        name: "fuzz-smoke",
        run: fuzz_smoke,
    },
];

/// Runs the named steps, or all of them. With `--no-skips` a step that cannot
/// run here is a failure.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if arguments == ["--list"] {
        for step in STEPS {
            println!("{}", step.name);
        }
        return Ok(());
    }
    let mut names = arguments.to_vec();
    names.retain(|argument| argument != "--no-skips");
    let no_skips = names.len() < arguments.len();

    let mut report = Vec::new();
    for step in chosen(&names)? {
        println!("\n==> {}", step.name);
        let start = Instant::now();
        let verdict = match (step.run)() {
            Verdict::Skipped(reason) if no_skips => Verdict::Failed(reason),
            verdict => verdict,
        };
        let took = start.elapsed();
        println!("{}", line(step.name, took, &verdict));
        report.push((step.name, took, verdict));
    }
    summarize(&report)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Step>, String> {
    if names.is_empty() {
        return Ok(STEPS.iter().collect());
    }
    names
        .iter()
        .map(|name| {
            STEPS
                .iter()
                .find(|step| step.name == name)
                .ok_or_else(|| format!("no step `{name}`; `cargo xtask ci --list` names them"))
        })
        .collect()
}

fn summarize(report: &[(&str, Duration, Verdict)]) -> Outcome {
    println!("\n==> summary");
    for (name, took, verdict) in report {
        println!("{}", line(name, *took, verdict));
    }
    let total: Duration = report.iter().map(|(_, took, _)| *took).sum();
    println!("in all {:>20.1} s", total.as_secs_f64());
    let failed: Vec<&str> = report
        .iter()
        .filter(|(_, _, verdict)| matches!(verdict, Verdict::Failed(_)))
        .map(|(name, _, _)| *name)
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("failed: {}", failed.join(", ")))
}

fn line(name: &str, took: Duration, verdict: &Verdict) -> String {
    let (word, detail) = match verdict {
        Verdict::Passed => ("passed", ""),
        Verdict::Skipped(reason) => ("SKIPPED", reason.as_str()),
        Verdict::Failed(reason) => ("FAILED", reason.as_str()),
    };
    let line = format!(
        "{word:<8} {name:<11} {:>7.1} s  {detail}",
        took.as_secs_f64()
    );
    line.trim_end().to_owned()
}

fn fmt() -> Outcome {
    shell::run(&mut cargo(["fmt", "--all", "--check"]))?;
    // Workspaces of their own, out of reach of `--all`.
    for manifest in APART {
        shell::run(&mut cargo(["fmt", "--manifest-path", manifest, "--check"]))?;
    }
    Ok(())
}

fn clippy() -> Outcome {
    shell::run(&mut cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]))
}

/// The crates without the standard library with no feature, and with each one alone: an item behind
/// the wrong `cfg` shows only here.
fn features() -> Outcome {
    let packages = workspace::packages()?;
    for package in packages
        .iter()
        .filter(|package| NO_STD.contains(&&*package.name))
    {
        for selection in selections(package) {
            let mut command = cargo(["clippy", "--lib", "--package", &package.name]);
            command.args(selection).args(["--", "-D", "warnings"]);
            shell::run(&mut command)?;
        }
    }
    Ok(())
}

fn selections(package: &Package) -> Vec<Vec<String>> {
    let none = vec!["--no-default-features".to_owned()];
    let mut selections = vec![none.clone()];
    for feature in package
        .features
        .iter()
        .filter(|feature| *feature != "default")
    {
        selections.push([none.clone(), vec![format!("--features={feature}")]].concat());
    }
    selections
}

fn no_std(target: Option<&str>) -> Outcome {
    for name in NO_STD {
        let mut command = cargo(["build", "--package", name, "--no-default-features"]);
        if let Some(target) = target {
            command.args(["--target", target]);
        }
        shell::run(&mut command)?;
    }
    Ok(())
}

/// On the host a dependency's stray `std` still links; here it cannot.
fn bare_metal() -> Verdict {
    let installed = shell::output_of("rustup", &["target", "list", "--installed"]);
    let target = installed
        .as_deref()
        .unwrap_or_default()
        .lines()
        .find(|target| target.starts_with("thumbv7"));
    match target {
        Some(target) => no_std(Some(target)).into(),
        None => {
            Verdict::Skipped("no bare-metal target: `rustup target add thumbv7em-none-eabi`".into())
        }
    }
}

/// A test against npm packages or a browser. The step `test` ran it, too, and passed even
/// where it was skipped: it then says so in a line.
fn skippable(test: &str, name: &str) -> Verdict {
    let arguments = ["--all-features", "--test", test];
    let output = shell::run_and_read(cargo(["test", "--workspace"]).args(arguments));
    output.map_or_else(Verdict::Failed, |output| {
        let head = format!("SKIPPED {name}: ");
        let reason = output.lines().find_map(|line| line.strip_prefix(&*head));
        reason.map_or(Verdict::Passed, |reason| Verdict::Skipped(reason.into()))
    })
}

fn cluster() -> Outcome {
    shell::run(&mut example("cluster"))
}

fn merge() -> Outcome {
    let samples = shell::root().join("crates/lattice-presence-json/examples/merge/samples");
    let failure = |error: std::io::Error| format!("{}: {error}", samples.display());
    let mut payloads = Vec::new();
    for entry in fs::read_dir(&samples).map_err(failure)? {
        let path = entry.map_err(failure)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            payloads.push(path);
        }
    }
    if payloads.is_empty() {
        return Err(format!("{}: no samples", samples.display()));
    }
    payloads.sort();
    shell::run(example("merge").args(payloads))
}

fn example(name: &str) -> Command {
    cargo(["run", "--release", "--example", name, "--"])
}

/// The core alone, as an author of CRDTs has it.
fn todo_list() -> Outcome {
    shell::run(&mut cargo([
        "run",
        "--package",
        "lattice-causal",
        "--example",
        "todo_list",
        "--features",
        "laws",
    ]))
}

/// A CRDT in a crate of its own, with its own lock file and features: what an author
/// outside of this repository gets, built and tested as such.
fn external_crdt() -> Outcome {
    let manifest = ["--manifest-path", APART[1]];
    let mut clippy = cargo(["clippy"].iter().chain(&manifest));
    clippy.args(["--all-targets", "--", "-D", "warnings"]);
    let mut test = cargo(["test"].iter().chain(&manifest));
    for command in [&mut clippy, &mut test] {
        command.env("CARGO_TARGET_DIR", shell::target_dir());
        shell::run(command)?;
    }
    Ok(())
}

/// Whether the version says what changed since the last release.
fn semver() -> Verdict {
    let tags = shell::output_of("git", &["tag", "--list", "v*", "--sort=-v:refname"]);
    let Some(last) = tags.as_deref().unwrap_or_default().lines().next() else {
        println!("no release yet, so nothing to compare with");
        return Verdict::Passed;
    };
    if shell::output_of("cargo-semver-checks", &["--version"]).is_none() {
        return Verdict::Skipped(
            "no cargo-semver-checks: `cargo install cargo-semver-checks --locked`".into(),
        );
    }
    let mut command = cargo(["semver-checks", "--baseline-rev", last]);
    for published in PUBLISHED {
        command.args(["--package", published]);
    }
    shell::run(&mut command).into()
}

/// Licences and advisories of all dependencies, by `deny.toml`.
fn deny() -> Verdict {
    if shell::output_of("cargo-deny", &["--version"]).is_none() {
        return Verdict::Skipped("no cargo-deny: `cargo install cargo-deny --locked`".into());
    }
    shell::run(&mut cargo(["deny", "check"])).into()
}

/// Criterion runs every bench once, without measuring: as the tests are built, so that
/// nothing large is compiled once more.
fn bench_test() -> Outcome {
    let mut command = cargo(["test", "--workspace", "--all-features"]);
    for name in workspace::packages()?
        .into_iter()
        .flat_map(|package| package.benches)
    {
        command.args(["--bench", &name]);
    }
    shell::run(command.args(["--", "--test"]))
}

fn fuzz_smoke() -> Verdict {
    match fuzz::ready() {
        Ok(_) => fuzz::smoke(SMOKE_SECONDS).into(),
        Err(missing) => Verdict::Skipped(missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_step_is_shouted_and_is_no_failure() {
        let verdict = Verdict::Skipped("no nightly toolchain".into());
        let shown = line("fuzz-smoke", Duration::from_millis(1500), &verdict);
        assert_eq!(
            shown,
            "SKIPPED  fuzz-smoke      1.5 s  no nightly toolchain"
        );
        assert_eq!(
            summarize(&[("fuzz-smoke", Duration::ZERO, verdict)]),
            Ok(())
        );
    }

    #[test]
    fn one_failed_step_fails_the_run_by_name() {
        let report = [
            ("fmt", Duration::ZERO, Verdict::Passed),
            (
                "docs",
                Duration::ZERO,
                Verdict::Failed("broken link".into()),
            ),
        ];
        assert_eq!(summarize(&report), Err("failed: docs".into()));
    }

    #[test]
    fn steps_are_chosen_by_name() {
        let chosen_names = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
            chosen(&names).map(|steps| steps.iter().map(|step| step.name).collect::<Vec<_>>())
        };
        assert_eq!(chosen_names(&["tidy", "fmt"]), Ok(vec!["tidy", "fmt"]));
        assert_eq!(chosen_names(&[]).map(|all| all.len()), Ok(STEPS.len()));
        assert!(chosen_names(&["fmtt"]).is_err_and(|error| error.contains("fmtt")));
    }

    #[test]
    fn every_feature_is_checked_alone_and_none_first() {
        let mut package = tidy::package("a", &[]);
        package.features = ["default", "serde", "std"].map(str::to_owned).into();
        let shown: Vec<String> = selections(&package)
            .iter()
            .map(|selection| selection.join(" "))
            .collect();
        assert_eq!(
            shown,
            [
                "--no-default-features",
                "--no-default-features --features=serde",
                "--no-default-features --features=std",
            ]
        );
    }
}
