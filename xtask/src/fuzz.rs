//! `cargo xtask fuzz`: the cargo-fuzz targets of `xtask/fuzz/` and their corpora.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{self, Outcome, cargo, cargo_of};

const USAGE: &str = "usage: cargo xtask fuzz [TARGET] [--seconds N] | --replay | --minimize TARGET";

/// Where the targets and their corpora are, from the root.
const DIRECTORY: &str = "xtask/fuzz";

/// What the arguments ask for.
#[derive(Debug, PartialEq)]
enum Request {
    List,
    Replay,
    Minimize(String),
    Run {
        target: String,
        /// Without a limit the fuzzer runs until it is stopped.
        seconds: Option<u64>,
    },
}

/// Fuzzes a target; without one, names the targets.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    match request(arguments)? {
        Request::List => list(),
        Request::Replay => replay(),
        Request::Minimize(target) => minimize(&existing(target)?),
        Request::Run { target, seconds } => {
            let toolchain = ready()?;
            let target = existing(target)?;
            let mut command = cargo_fuzz(&toolchain, "run", &target);
            if let Some(seconds) = seconds {
                command.args(["--", &format!("-max_total_time={seconds}")]);
            }
            shell::run(&mut command)
        }
    }
}

fn request(arguments: &[String]) -> Result<Request, String> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (target, seconds) = match arguments[..] {
        [] => return Ok(Request::List),
        ["--replay"] => return Ok(Request::Replay),
        ["--minimize", target] => return Ok(Request::Minimize(target.into())),
        [target] => (target, None),
        [target, "--seconds", seconds] | ["--seconds", seconds, target] => (target, Some(seconds)),
        _ => return Err(USAGE.into()),
    };
    if target.starts_with('-') {
        return Err(USAGE.into());
    }
    let seconds = seconds
        .map(|text| text.parse::<u64>())
        .transpose()
        .map_err(|_| USAGE)?;
    Ok(Request::Run {
        target: target.into(),
        seconds,
    })
}

fn list() -> Outcome {
    println!("{USAGE}\n\ntargets:");
    for target in targets()? {
        println!("  {target}");
    }
    Ok(())
}

/// The tests that replay the corpora: package, file, and the one test of it.
const REPLAYS: [(&str, &str, Option<&str>); 3] = [
    ("lattice-presence-sync", "machines", None),
    ("lattice-presence-json", "corpus_replay", None),
    (
        "lattice-presence",
        "against_model",
        Some("the_fuzz_corpus_equals_the_model"),
    ),
];

/// Runs the committed corpora on the stable toolchain, as ordinary tests:
/// `cargo xtask test` runs these, too.
fn replay() -> Outcome {
    for (package, file, test) in REPLAYS {
        let mut command = cargo(["test", "--package", package, "--test", file]);
        if let Some(test) = test {
            command.args([test, "--", "--exact"]);
        }
        if passed(&shell::run_and_read(&mut command)?) == 0 {
            return Err(format!("no test of {package} replays a corpus any more"));
        }
    }
    Ok(())
}

/// What makes a compiler count edges: the pass that cargo-fuzz turns on, without its
/// sanitizers. Stable compilers have it.
const COVERAGE: &str = "-Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=3 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table";

/// Leaves of a corpus what covers the edges that all of it covers, each by the smallest
/// file: libFuzzer's greedy set cover. Optimization and counts are left out: both make
/// many edges of one branch. Needs no nightly and no cargo-fuzz.
fn minimize(target: &str) -> Outcome {
    let built = shell::target_dir().join("fuzz-minimize");
    let host = host()?;
    // With a target, build scripts and macros are built without the counters.
    let mut build = cargo(["build", "--locked", "--bin", target, "--target", &host]);
    build
        .current_dir(directory())
        .env("CARGO_TARGET_DIR", &built)
        .env("RUSTFLAGS", COVERAGE);
    shell::run(&mut build)?;

    let corpus = directory().join("corpus").join(target);
    let kept = built.join("kept").join(target);
    let failure = |error: std::io::Error| format!("{}: {error}", kept.display());
    if kept.exists() {
        fs::remove_dir_all(&kept).map_err(failure)?;
    }
    fs::create_dir_all(&kept).map_err(failure)?;
    let mut merge = Command::new(built.join(host).join("debug").join(target));
    merge.args(["-set_cover_merge=1", "-use_counters=0"]);
    shell::run(merge.args([&kept, &corpus]))?;

    let (before, after) = (names_in(&corpus)?, names_in(&kept)?);
    if after.is_empty() {
        return Err(format!("nothing of {} covers anything", corpus.display()));
    }
    // libFuzzer names files by their contents: what is kept has its name already.
    for name in before.iter().filter(|name| !after.contains(name)) {
        fs::remove_file(corpus.join(name)).map_err(failure)?;
    }
    for name in &after {
        fs::copy(kept.join(name), corpus.join(name)).map_err(failure)?;
    }
    println!("{target}: {} files, {} are left", before.len(), after.len());
    Ok(())
}

/// The target triple of this machine.
fn host() -> Result<String, String> {
    let version = shell::output_of("rustc", &["-vV"]).ok_or("rustc does not run")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| "rustc names no host".into())
}

/// The names of the files of a directory, sorted.
fn names_in(directory: &Path) -> Result<Vec<String>, String> {
    let failure = |error: std::io::Error| format!("{}: {error}", directory.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failure)? {
        names.push(
            entry
                .map_err(failure)?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    names.sort();
    Ok(names)
}

/// How many tests passed, as the test harness tells it.
fn passed(output: &str) -> usize {
    output
        .lines()
        .filter_map(|line| line.strip_prefix("test result: ok. "))
        .filter_map(|rest| rest.split_once(" passed")?.0.parse::<usize>().ok())
        .sum()
}

/// Fuzzes every target for a while, leaving the committed corpora as they are.
pub(crate) fn smoke(seconds: u64) -> Outcome {
    let toolchain = ready()?;
    for target in targets()? {
        // libFuzzer writes what it finds to the first directory and only reads the others.
        let found = shell::target_dir().join("fuzz-smoke").join(&target);
        fs::create_dir_all(&found).map_err(|error| format!("{}: {error}", found.display()))?;
        let mut command = cargo_fuzz(&toolchain, "run", &target);
        command.arg(&found);
        let committed = directory().join("corpus").join(&target);
        if committed.is_dir() {
            command.arg(&committed);
        }
        command.args(["--", &format!("-max_total_time={seconds}")]);
        shell::run(&mut command)?;
    }
    Ok(())
}

/// The nightly toolchain with cargo-fuzz, or what to install.
pub(crate) fn ready() -> Result<String, String> {
    let toolchain = shell::toolchain("nightly")
        .ok_or("no nightly toolchain: `rustup toolchain install nightly`")?;
    shell::output_of("cargo-fuzz", &["--version"])
        .ok_or("no cargo-fuzz: `cargo install cargo-fuzz`")?;
    Ok(toolchain)
}

fn cargo_fuzz(toolchain: &str, action: &str, target: &str) -> Command {
    cargo_of(toolchain, ["fuzz", action, "--fuzz-dir", DIRECTORY, target])
}

fn existing(target: String) -> Result<String, String> {
    let targets = targets()?;
    if targets.contains(&target) {
        return Ok(target);
    }
    Err(format!(
        "no target `{target}`; there are {}",
        targets.join(", ")
    ))
}

fn targets() -> Result<Vec<String>, String> {
    targets_in(&directory().join("fuzz_targets"))
}

fn targets_in(directory: &Path) -> Result<Vec<String>, String> {
    let names = names_in(directory)?;
    let targets = names.iter().filter_map(|name| name.strip_suffix(".rs"));
    Ok(targets.map(str::to_owned).collect())
}

fn directory() -> PathBuf {
    shell::root().join(DIRECTORY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        request(&arguments)
    }

    fn target(seconds: Option<u64>) -> Request {
        Request::Run {
            target: "decode".into(),
            seconds,
        }
    }

    #[test]
    fn arguments_are_read_in_either_order() {
        assert_eq!(parse(""), Ok(Request::List));
        assert_eq!(parse("--replay"), Ok(Request::Replay));
        assert_eq!(parse("decode"), Ok(target(None)));
        assert_eq!(parse("decode --seconds 60"), Ok(target(Some(60))));
        assert_eq!(parse("--seconds 60 decode"), Ok(target(Some(60))));
        assert_eq!(
            parse("--minimize decode"),
            Ok(Request::Minimize("decode".into()))
        );
    }

    #[test]
    fn tests_that_ran_are_counted() {
        let result = |n| {
            format!(
                "\nrunning {n} tests\n\ntest result: ok. {n} passed; 0 failed; 9 filtered out\n"
            )
        };
        assert_eq!(passed(&result(0)), 0);
        assert_eq!(passed(&(result(3) + &result(1))), 4);
    }

    #[test]
    fn nonsense_is_answered_with_the_usage() {
        for line in ["--minimise", "decode --seconds soon", "--seconds 60", "a b"] {
            assert_eq!(parse(line), Err(USAGE.into()), "{line}");
        }
    }
}
