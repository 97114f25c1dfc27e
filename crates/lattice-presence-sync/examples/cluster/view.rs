//! The output of the stage: a column for each node, and who sees whom.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::Instant;

use crate::cluster::NAMES;
use crate::stage::{Row, View};

const TIME: usize = 8;
const COLUMN: usize = 32;

pub(crate) struct Timeline {
    start: Instant,
    /// The node that is shown. `None` means all nodes.
    only: Option<usize>,
    /// Whether to print the names of the columns above the next event.
    headed: Cell<bool>,
}

impl Timeline {
    pub(crate) fn new(only: Option<usize>) -> Self {
        Self {
            start: Instant::now(),
            only,
            headed: Cell::new(only.is_some()),
        }
    }

    /// Prints the title of a part.
    pub(crate) fn scene(&self, title: &str) {
        println!("\n== {title}");
        self.headed.set(false);
    }

    /// What changed in the view of a node.
    pub(crate) fn change(&self, node: usize, sign: char, row: &Row) {
        let Row {
            topic,
            user,
            status,
            ..
        } = row;
        self.event(node, &format!("{sign} {topic:<6} {user:<6} {status}"));
    }

    /// What happened at a node, in its column.
    pub(crate) fn event(&self, node: usize, text: &str) {
        if let Some(only) = self.only {
            // Of the other nodes it shows only their starts and ends.
            if node == only {
                interrupt(text);
            } else if text.starts_with("! process") || text.starts_with("! LOST") {
                interrupt(&format!("{}: {text}", NAMES[node]));
            }
            return;
        }
        if !self.headed.replace(true) {
            let names = NAMES.map(|name| format!("{name:<COLUMN$}")).concat();
            println!("{:TIME$}{}", "", names.trim_end());
        }
        let time = self.start.elapsed().as_secs_f64();
        println!("{time:>6.3}  {:1$}{text}", "", node * COLUMN);
    }

    /// Who is online, in which topic, with what metadata, and which nodes see it.
    pub(crate) fn table<'a>(&self, views: impl Iterator<Item = (usize, &'a View)>) {
        let mut seen_by: BTreeMap<&Row, BTreeSet<usize>> = BTreeMap::new();
        let mut nodes = BTreeSet::new();
        for (node, view) in views {
            nodes.insert(node);
            for row in &view.rows {
                seen_by.entry(row).or_default().insert(node);
            }
        }
        println!();
        print_row(["topic", "user", "status", "is on", "seen by"]);
        print_row(["-----", "----", "------", "-----", "-------"]);
        for (row, seen) in &seen_by {
            let all = nodes.len() > 1 && *seen == nodes;
            let seen: Vec<_> = seen.iter().map(|&node| NAMES[node]).collect();
            let seen = if all {
                "all".to_owned()
            } else {
                seen.join(" ")
            };
            print_row([&row.topic, &row.user, &row.status, &row.home, &seen]);
        }
        if seen_by.is_empty() {
            println!("{:TIME$}(nobody)", "");
        }
    }
}

/// Asks for the next line.
pub(crate) fn prompt() {
    print!("> ");
    // If the terminal is gone, the input is closed as well. This ends the loop.
    let _ = io::stdout().flush();
}

/// Says something while somebody may be typing.
fn interrupt(text: &str) {
    println!("\r  {text}");
    prompt();
}

fn print_row([topic, user, status, home, seen]: [&str; 5]) {
    let indent = "";
    println!("{indent:TIME$}{topic:<9} {user:<9} {status:<11} {home:<8} {seen}");
}
