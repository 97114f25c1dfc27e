//! Nodes in processes of their own: the example `day` of `lattice-presence-node`, which
//! takes commands as lines and answers with lines.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::shell::{self, Outcome, cargo};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Builds the program, and says where it is. As the tests build it, with all packages, all
/// features and their profile: whoever ran one of the two has built most of the other.
pub(crate) fn program() -> Result<PathBuf, String> {
    shell::run(&mut cargo([
        "build",
        "--workspace",
        "--all-features",
        "--profile",
        "test",
        "--example",
        "day",
    ]))?;
    Ok(shell::target_dir().join("debug/examples/day"))
}

/// `cargo xtask day`: the program's own script.
pub(crate) fn day(_: &[String]) -> Outcome {
    shell::run(&mut Command::new(program()?))
}

/// One node. Killed when it is dropped.
pub(crate) struct Node {
    pub(crate) name: String,
    child: Child,
    commands: ChildStdin,
    answers: Receiver<String>,
}

impl Node {
    /// Starts it: `command` runs the program, in whatever namespace.
    pub(crate) fn start(mut command: Command, name: &str) -> Result<Self, String> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| format!("{name}: {error}"))?;
        let commands = child.stdin.take().ok_or("no standard input")?;
        let output = child.stdout.take().ok_or("no standard output")?;
        let (lines, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        let node = Self {
            name: name.to_owned(),
            child,
            commands,
            answers,
        };
        node.answer("started")?;
        Ok(node)
    }

    fn answer(&self, word: &str) -> Result<String, String> {
        let name = &self.name;
        let line = self.answers.recv_timeout(PATIENCE);
        let line = line.map_err(|_| format!("{name} does not answer"))?;
        let rest = line.strip_prefix(word).map(|rest| rest.trim().to_owned());
        rest.ok_or_else(|| format!("{name} says `{line}`, not `{word}`"))
    }

    pub(crate) fn ask(&mut self, command: &str, word: &str) -> Result<String, String> {
        let failed = |error| format!("{}: {error}", self.name);
        writeln!(self.commands, "{command}").map_err(failed)?;
        self.answer(word)
    }

    /// Who is in the room, as this node sees it.
    pub(crate) fn view(&mut self) -> Result<BTreeSet<String>, String> {
        let view = self.ask("view", "view")?;
        Ok(view.split_whitespace().map(str::to_owned).collect())
    }

    /// The status, as JSON.
    pub(crate) fn status(&mut self) -> Result<String, String> {
        self.ask("status", "")
    }

    /// Sends a signal: `KILL`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, signal: &str) -> Result<(), String> {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", signal, &pid]).status();
        let status = status.map_err(|error| format!("kill: {error}"))?;
        status
            .success()
            .then_some(())
            .ok_or_else(|| format!("kill -s {signal} failed"))
    }

    /// Goodbye, and a clean end.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        self.ask("stop", "stopped")?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        status
            .success()
            .then_some(())
            .ok_or_else(|| format!("{}: {status}", self.name))
    }

    /// Resident memory in KiB, and open descriptors.
    pub(crate) fn footprint(&self) -> Result<(u64, usize), String> {
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        let failed = |error: std::io::Error| format!("{}: {error}", proc.display());
        let status = fs::read_to_string(proc.join("status")).map_err(failed)?;
        let resident = number_after(&status, "VmRSS:").ok_or("no VmRSS")?;
        let descriptors = fs::read_dir(proc.join("fd")).map_err(failed)?.count();
        Ok((resident, descriptors))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // One that is stopped by a signal dies of this one as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The number that stands behind a word: in a status of the kernel, or in JSON.
pub(crate) fn number_after(text: &str, word: &str) -> Option<u64> {
    let rest = &text[text.find(word)? + word.len()..];
    let digits = rest.trim_start_matches([' ', '\t', ':']);
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// Waits until all of them see the same room: these users.
pub(crate) fn all_see<'a>(
    nodes: impl IntoIterator<Item = &'a mut Node>,
    users: &[&str],
) -> Result<Duration, String> {
    let expected: BTreeSet<String> = users.iter().map(ToString::to_string).collect();
    let start = Instant::now();
    for node in nodes {
        loop {
            let view = node.view()?;
            if view == expected {
                break;
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{} sees {view:?}, not {expected:?}", node.name));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::number_after;

    #[test]
    fn numbers_are_found_behind_their_words() {
        assert_eq!(
            number_after("VmPeak: 1\nVmRSS:\t  2048 kB\n", "VmRSS:"),
            Some(2048)
        );
        assert_eq!(
            number_after(r#"{"entries":17,"x":1}"#, "\"entries\""),
            Some(17)
        );
        assert_eq!(number_after("nothing", "VmRSS:"), None);
    }
}
