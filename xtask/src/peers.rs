//! `cargo xtask peers`: others at the same work, on this machine.
//!
//! The Rust crates are built and run by cargo. Phoenix's tracker and the Gleam package
//! come from their own registry with their own tools; where these are missing, or the
//! registry is out of reach, that is said aloud, and nothing stands in for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{self, Outcome, cargo};

/// The size at which docs/benchmarks.md states its ceilings.
const BEAM_N: &str = "100000";

struct Options {
    n: Option<String>,
    phoenix: Option<PathBuf>,
    no_skips: bool,
    only: Vec<&'static str>,
}

/// One peer: what it is called, and how it is run.
struct Peer {
    name: &'static str,
    run: fn(&Options) -> Result<(), NotRun>,
}

enum NotRun {
    /// Something is missing on this machine: what, and what helps.
    Missing(String),
    Failed(String),
}

const PEERS: &[Peer] = &[
    Peer {
        name: "rust",
        run: rust,
    },
    Peer {
        name: "phoenix",
        run: phoenix,
    },
    Peer {
        name: "gleam",
        run: gleam,
    },
];

/// Runs all peers, or those that are named, and says which could not run.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let options = parse(arguments)?;
    let mut failed = Vec::new();
    let mut report = Vec::new();
    for peer in PEERS {
        if !options.only.is_empty() && !options.only.contains(&peer.name) {
            continue;
        }
        println!("\n==> {}", peer.name);
        report.push(match (peer.run)(&options) {
            Ok(()) => format!("ran      {}", peer.name),
            Err(NotRun::Missing(what)) => {
                if options.no_skips {
                    failed.push(peer.name);
                }
                format!("NOT RUN  {}: {what}", peer.name)
            }
            Err(NotRun::Failed(what)) => {
                failed.push(peer.name);
                format!("FAILED   {}: {what}", peer.name)
            }
        });
    }
    println!("\n==> summary");
    for line in report {
        println!("{line}");
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("failed: {}", failed.join(", ")))
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options {
        n: None,
        phoenix: None,
        no_skips: false,
        only: Vec::new(),
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || {
            rest.next()
                .ok_or_else(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--n" => {
                let text = value()?;
                if text.parse::<usize>().is_ok_and(|n| n >= 100) {
                    options.n = Some(text.clone());
                } else {
                    return Err(format!("--n {text}: a number from 100"));
                }
            }
            "--phoenix" => options.phoenix = Some(PathBuf::from(value()?)),
            "--no-skips" => options.no_skips = true,
            name => match PEERS.iter().find(|peer| peer.name == name) {
                Some(peer) => options.only.push(peer.name),
                None => {
                    let names: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
                    return Err(format!(
                        "`{name}` is none of {}, --n N, --phoenix DIR, --no-skips",
                        names.join(", ")
                    ));
                }
            },
        }
    }
    Ok(options)
}

fn rust(options: &Options) -> Result<(), NotRun> {
    let manifest = ["--manifest-path", "benches/peers/Cargo.toml"];
    let mut command = cargo(["run", "--release"].iter().chain(&manifest));
    command.env("CARGO_TARGET_DIR", shell::target_dir());
    if let Some(n) = &options.n {
        command.args(["--", "--n", n]);
    }
    run_or_fail(&mut command)
}

fn phoenix(options: &Options) -> Result<(), NotRun> {
    needs("elixir", "Debian and others have it as `elixir`")?;
    let source = match &options.phoenix {
        Some(source) => source.clone(),
        None => fetch_phoenix()?,
    };
    let mut command = Command::new("elixir");
    command.arg(beam("phoenix.exs")).arg(source);
    command.arg(options.n.as_deref().unwrap_or(BEAM_N));
    run_or_fail(&mut command)
}

/// `phoenix_pubsub` from its registry, by mix.
fn fetch_phoenix() -> Result<PathBuf, NotRun> {
    let project = project("phoenix", &["mix.exs"])?;
    let fetched = project.join("deps/phoenix_pubsub");
    if !fetched.exists() {
        let mut hex = Command::new("mix");
        hex.args(["local.hex", "--force", "--if-missing"]);
        let mut deps = Command::new("mix");
        deps.arg("deps.get");
        for command in [&mut hex, &mut deps] {
            fetch(command.current_dir(&project)).map_err(|error| {
                let help = "or give a checkout of phoenix_pubsub by --phoenix DIR";
                NotRun::Missing(format!("{error}; {help}"))
            })?;
        }
    }
    Ok(fetched)
}

fn gleam(options: &Options) -> Result<(), NotRun> {
    needs("elixir", "Debian and others have it as `elixir`")?;
    needs("gleam", "see https://gleam.run/getting-started/installing/")?;
    let project = project("gleam", &["gleam.toml"])?;
    let source = project.join("src");
    let write = fs::create_dir_all(&source)
        .and_then(|()| fs::write(source.join("peers.gleam"), "pub fn main() {\n  Nil\n}\n"));
    write.map_err(|error| NotRun::Failed(format!("{}: {error}", source.display())))?;
    let mut build = Command::new("gleam");
    fetch(build.arg("build").current_dir(&project)).map_err(NotRun::Missing)?;

    let mut command = Command::new("elixir");
    command
        .arg("-pa")
        .arg(project.join("build/dev/erlang/*/ebin"));
    command.arg(beam("lattice_presence.exs"));
    command.arg(options.n.as_deref().unwrap_or(BEAM_N));
    run_or_fail(&mut command)
}

fn needs(program: &str, where_from: &str) -> Result<(), NotRun> {
    match shell::output_of(program, &["--version"]) {
        Some(_) => Ok(()),
        None => Err(NotRun::Missing(format!(
            "`{program}` is not installed; {where_from}"
        ))),
    }
}

fn beam(file: &str) -> PathBuf {
    shell::root().join("benches/peers/beam").join(file)
}

/// A project of another language below the target directory: its tools write there.
fn project(name: &str, files: &[&str]) -> Result<PathBuf, NotRun> {
    let project = shell::target_dir().join("peers").join(name);
    let copied = fs::create_dir_all(&project)
        .and_then(|()| files.iter().try_for_each(|file| copy(file, &project)));
    copied.map_err(|error| NotRun::Failed(format!("{}: {error}", project.display())))?;
    Ok(project)
}

fn copy(file: &str, project: &Path) -> std::io::Result<()> {
    fs::copy(beam(file), project.join(file)).map(|_| ())
}

fn run_or_fail(command: &mut Command) -> Result<(), NotRun> {
    shell::run(command).map_err(NotRun::Failed)
}

/// A command that needs the network: that it fails says little about the peer.
fn fetch(command: &mut Command) -> Outcome {
    command.stdin(std::process::Stdio::null());
    shell::run(command).map_err(|error| format!("nothing could be fetched: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Options, String> {
        parse(&arguments.iter().map(|&a| a.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn peers_are_chosen_by_name() {
        let options = parsed(&["gleam", "--n", "1000", "rust"]);
        assert!(
            options.is_ok_and(|o| o.only == ["gleam", "rust"] && o.n.as_deref() == Some("1000"))
        );
        assert!(parsed(&[]).is_ok_and(|o| o.only.is_empty() && o.n.is_none()));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (arguments, word) in [
            (vec!["erlang"], "`erlang` is none of rust, phoenix, gleam"),
            (vec!["--n"], "needs a value"),
            (vec!["--n", "99"], "a number from 100"),
            (vec!["--n", "many"], "a number from 100"),
        ] {
            assert!(parsed(&arguments).is_err_and(|error| error.contains(word)));
        }
    }

    #[test]
    fn a_program_that_is_missing_is_named_with_what_helps() {
        let missing = needs("no-such-program", "ask somebody");
        assert!(matches!(missing, Err(NotRun::Missing(text))
            if text == "`no-such-program` is not installed; ask somebody"));
    }
}
