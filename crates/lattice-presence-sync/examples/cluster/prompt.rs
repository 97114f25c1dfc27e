//! `--interactive`: a prompt on `node-a`, while users come and go on the others.

use std::error::Error;
use std::io;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, NAMES};
use crate::stage::Command;
use crate::view::{Timeline, prompt};

const HERE: usize = 0;

/// How often a user comes or leaves on another node.
const STIR_EVERY: Duration = Duration::from_secs(4);

/// How long the prompt waits for the effects of a command.
const ANSWERED_WITHIN: Duration = Duration::from_millis(200);

/// What happens on the other nodes, again and again.
const ELSEWHERE: [(usize, &str); 8] = [
    (1, "join lobby bob online"),
    (2, "join lobby carol online"),
    (1, "join rust bea online"),
    (2, "status lobby carol away"),
    (1, "leave lobby bob"),
    (2, "join games chen playing"),
    (1, "leave rust bea"),
    (2, "leave games chen"),
];

const HELP: &str = "  join TOPIC USER [STATUS]    leave TOPIC USER    status TOPIC USER STATUS
  who                         who is online, as node-a sees it
  cut NODE                    cut the link to node-b or node-c
  heal NODE                   make it whole again
  help, quit";

/// Reads commands and does them, until `quit` or the end of the input.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    println!("This is node-a of three. `help` lists what it does.");
    let mut cluster = Cluster::start(Timeline::new(Some(HERE)))?;
    prompt();
    let lines = read_lines();
    let mut script = ELSEWHERE.iter().cycle();
    let mut next_stir = Instant::now();
    loop {
        match lines.try_recv() {
            Ok(line) if matches!(line.trim(), "quit" | "exit") => return Ok(()),
            Ok(line) => {
                answer(&mut cluster, line.trim())?;
                prompt();
            }
            Err(TryRecvError::Disconnected) => return Ok(()),
            Err(TryRecvError::Empty) => cluster.pump(Duration::from_millis(50))?,
        }
        if Instant::now() >= next_stir
            && let Some((node, line)) = script.next()
            && let Some(command) = Command::parse(line)
        {
            cluster.order(*node, &command);
            next_stir = Instant::now() + STIR_EVERY;
        }
    }
}

fn answer(cluster: &mut Cluster, line: &str) -> Result<(), Box<dyn Error>> {
    match (line, Command::parse(line)) {
        ("", _) => {}
        ("help", _) => println!("{HELP}"),
        ("who", _) => {
            let here = cluster.views().filter(|(node, _)| *node == HERE);
            cluster.timeline.table(here);
        }
        (_, Some(Command::Cut { peer } | Command::Heal { peer })) => {
            match NAMES[1..].iter().position(|name| *name == peer) {
                None => println!("  no peer `{peer}`: there are node-b and node-c"),
                Some(at) => {
                    cluster.set_cut(line.starts_with("cut").then_some([HERE, at + 1]));
                    listen(cluster)?;
                }
            }
        }
        // The stage keeps this one for itself.
        (_, Some(Command::Peer { .. }) | None) => {
            println!("  no command `{line}`: `help` lists them");
        }
        (_, Some(command)) => {
            cluster.order(HERE, &command);
            listen(cluster)?;
        }
    }
    Ok(())
}

/// The node answers at once, so its answer comes before the next prompt.
fn listen(cluster: &mut Cluster) -> Result<(), Box<dyn Error>> {
    let enough = Instant::now() + ANSWERED_WITHIN;
    while Instant::now() < enough {
        cluster.pump(Duration::from_millis(20))?;
    }
    Ok(())
}

fn read_lines() -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
