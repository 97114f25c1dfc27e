//! A node in a process of its own.

use std::collections::BTreeSet;
use std::error::Error;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Process {
    pub(crate) name: &'static str,
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts a node that listens at one port, and connects to the ports of others.
    pub(crate) async fn start(name: &'static str, listen: u16, connect: &[u16]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["node", name, "--quick", "--listen"]);
        command.arg(format!("tcp/127.0.0.1:{listen}"));
        for port in connect {
            command.args(["--connect", &format!("tcp/127.0.0.1:{port}")]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn()?;
        let commands = child.stdin.take().ok_or("no standard input")?;
        let answers = child.stdout.take().ok_or("no standard output")?;
        let mut process = Self {
            name,
            child,
            commands,
            answers: BufReader::new(answers).lines(),
        };
        process.answer("started").await?;
        Ok(process)
    }

    /// The rest of the next line. The line must begin with that word.
    async fn answer(&mut self, word: &str) -> Result<String> {
        let line = timeout(PATIENCE, self.answers.next_line()).await;
        let name = self.name;
        let line = line
            .map_err(|_| format!("{name} does not answer"))??
            .ok_or_else(|| format!("{name} has ended"))?;
        let rest = line.strip_prefix(word).map(|rest| rest.trim().to_owned());
        rest.ok_or_else(|| format!("{name} says `{line}`, not `{word}`").into())
    }

    pub(crate) async fn ask(&mut self, command: &str, word: &str) -> Result<String> {
        self.commands
            .write_all(format!("{command}\n").as_bytes())
            .await?;
        self.answer(word).await
    }

    /// Who is in the room, as this node sees it.
    pub(crate) async fn view(&mut self) -> Result<BTreeSet<String>> {
        let view = self.ask("view", "view").await?;
        Ok(view.split_whitespace().map(str::to_owned).collect())
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Goodbye, and a clean end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.ask("stop", "stopped").await?;
        let status = timeout(PATIENCE, self.child.wait()).await??;
        status
            .success()
            .then_some(())
            .ok_or_else(|| status.to_string().into())
    }
}

/// Waits until all of them see the same room: these users.
pub(crate) async fn all_see(nodes: &mut [&mut Process], users: &[&str]) -> Result<Duration> {
    let expected: BTreeSet<String> = users.iter().map(ToString::to_string).collect();
    let start = Instant::now();
    for node in nodes {
        loop {
            let view = node.view().await?;
            if view == expected {
                break;
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{} sees {view:?}, not {expected:?}", node.name).into());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(start.elapsed())
}
