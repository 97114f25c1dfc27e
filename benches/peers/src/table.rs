//! Markdown.

use std::fmt::Write;
use std::time::Duration;

/// What the documentation of the crates is asked.
pub(crate) const FEATURES: [&str; 8] = [
    "kinds",
    "CRDTs of one's own",
    "what travels",
    "order of what travels",
    "finding what a peer lacks",
    "what a removed key leaves",
    "a sequence (text, list)",
    "builds without `std`",
];

const FIGURES: [&str; 13] = [
    "set a key, and have the change to send",
    "remove a key, and have the change to send",
    "merge N keys into N others, per key",
    "merge again, nothing new",
    "receive a new key, decoding included",
    "receive a removal, decoding included",
    "bytes that tell of a new key",
    "bytes that tell of a removal",
    "bytes to find and mend one lost addition and removal",
    "heard of by that",
    "bytes of the whole state",
    "heap per key",
    "heap growth per removal + addition",
];

pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) features: [&'static str; 8],
    pub(crate) cells: [Cell; 13],
}

pub(crate) enum Cell {
    Time(f64),
    Text(String),
}

impl Cell {
    pub(crate) fn each(all: Duration, count: usize) -> Self {
        Self::Time(all.as_nanos() as f64 / count as f64)
    }

    pub(crate) fn bytes(count: usize) -> Self {
        Self::Text(format!("{count} B"))
    }

    pub(crate) fn bytes_each(all: i64, count: usize) -> Self {
        Self::Text(format!("{:.1} B", all as f64 / count as f64))
    }

    fn show(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Time(ns) if *ns < 1e3 => format!("{ns:.0} ns"),
            Self::Time(ns) if *ns < 1e6 => format!("{:.1} µs", ns / 1e3),
            Self::Time(ns) => format!("{:.1} ms", ns / 1e6),
        }
    }
}

pub(crate) fn features(columns: &[Column]) -> String {
    let rows = FEATURES.iter().enumerate();
    let rows = rows.map(|(row, name)| {
        (
            *name,
            columns.iter().map(|c| c.features[row].into()).collect(),
        )
    });
    table("", "---", columns, rows)
}

pub(crate) fn figures(columns: &[Column], n: usize, pairs: usize) -> String {
    let rows = FIGURES.iter().enumerate();
    let rows =
        rows.map(|(row, name)| (*name, columns.iter().map(|c| c.cells[row].show()).collect()));
    let head = format!("N = {n}, {pairs} pairs");
    table(&head, "---:", columns, rows)
}

fn table<'a>(
    head: &str,
    align: &str,
    columns: &[Column],
    rows: impl Iterator<Item = (&'a str, Vec<String>)>,
) -> String {
    let mut text = format!("| {head} |");
    for column in columns {
        let _ = write!(text, " {} |", column.name);
    }
    text.push_str("\n| --- |");
    for _ in columns {
        let _ = write!(text, " {align} |");
    }
    text.push('\n');
    for (name, cells) in rows {
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
    text
}
